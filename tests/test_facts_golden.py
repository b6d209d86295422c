"""Golden rows: what was written once is read and written the same for ever."""

from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from ledger.facts.base import Fact
from ledger.facts.registry import REGISTRY, fact_id, stored_name
from ledger.log.rows import StoredRow, entry_bytes
from tests.support import goldens
from tests.support.examples import examples
from tests.support.goldens import ORIGIN, Golden, drafted

GOLDENS = goldens.read()
EACH = pytest.mark.parametrize(
    "golden", [pytest.param(one, id=f"{one.name}-{one.example}") for one in GOLDENS]
)


class TestGoldenRow:
    """One row as it was written the first time."""

    @EACH
    def test_is_read_and_written_to_the_same_bytes(self, golden: Golden) -> None:
        read = REGISTRY.decode(golden.row)
        assert stored_name(type(read.fact)) == golden.name
        assert REGISTRY.encode(drafted(read.fact), ORIGIN) == golden.row[3:]

    @EACH
    def test_keeps_its_envelope(self, golden: Golden) -> None:
        read = REGISTRY.decode(golden.row)
        assert read[:3] == ("fr", golden.row.position, goldens.RECORDED_AT)
        assert read[3:-1] == (
            golden.id,
            goldens.EXCHANGE,
            goldens.CAUSE,
            "gateway:kannel",
            "request-1",
        )

    @EACH
    def test_has_the_id_that_follows_from_its_subject(self, golden: Golden) -> None:
        fact = REGISTRY.decode(golden.row).fact
        assert fact_id("fr", type(fact), fact.subject, 1) == golden.id

    @EACH
    def test_hashes_to_what_it_always_did(self, golden: Golden) -> None:
        assert sha256(entry_bytes(golden.row)).hexdigest() == golden.entry_sha256

    @EACH
    def test_is_what_its_example_still_says(self, golden: Golden) -> None:
        example = {(stored_name(type(fact)), name): fact for name, fact in examples()}
        assert REGISTRY.decode(golden.row).fact == example[golden.name, golden.example]


class TestGoldenRows:
    """The file of golden rows."""

    def test_have_one_of_every_fact(self) -> None:
        assert {one.name for one in GOLDENS} == set(REGISTRY.by_name)

    def test_have_each_field_of_every_fact_filled_in(self) -> None:
        # A field that a fact got later is filled in by a later example.
        filled: dict[type[Fact], set[str]] = defaultdict(set)
        for one in GOLDENS:
            fact = REGISTRY.decode(one.row).fact
            names = fact.__struct_fields__
            filled[type(fact)] |= {name for name in names if getattr(fact, name) is not None}
        for kind, names in filled.items():
            assert names == set(kind.__struct_fields__), kind.__name__

    def test_tell_examples_apart(self) -> None:
        counted = Counter((one.name, one.example) for one in GOLDENS)
        assert set(counted.values()) == {1}

    def test_are_added_and_never_rewritten(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = goldens.FILE.read_bytes()
        file = tmp_path / "facts.jsonl"
        file.write_bytes(kept[: kept.index(b"\n") + 1].replace(b"Example SAS", b"Another SAS"))
        first = file.read_bytes()
        monkeypatch.setattr(goldens, "FILE", file)
        assert goldens.add_missing() == len(GOLDENS) - 1
        assert goldens.add_missing() == 0
        assert file.read_bytes() == first + kept[kept.index(b"\n") + 1 :]

    def test_would_show_a_single_changed_byte(self) -> None:
        row = GOLDENS[0].row
        changed = row._replace(data=row.data.replace(b"SAS", b"SAR"))
        assert sha256(entry_bytes(changed)).hexdigest() != GOLDENS[0].entry_sha256


class TestRead:
    """Reading a row that is not as its type says."""

    @staticmethod
    def spoilt(old: bytes, new: bytes) -> StoredRow:
        row = next(one.row for one in GOLDENS if one.name == "mo_received.v1")
        assert old in row.data
        return row._replace(data=row.data.replace(old, new, 1))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param(b'"smsc":"orange"', b'"smsc":"orange","x":1', id="a field too many"),
            pytest.param(b'"smsc":"orange",', b"", id="a field too few"),
            pytest.param(b"81014", b"8101x", id="a code with a letter"),
            pytest.param(b'"20801"', b"20801", id="a number for a text"),
            pytest.param(b"50.123456Z", b"50.123456", id="a time without its zone"),
            pytest.param(b'"type":"mo_received.v1"', b'"type":"mo.v1"', id="another type"),
            pytest.param(b'{"id"', b'{"by":"me","id"', id="an envelope with more"),
        ],
    )
    def test_is_refused(self, old: bytes, new: bytes) -> None:
        with pytest.raises(msgspec.ValidationError):
            REGISTRY.decode(self.spoilt(old, new))
