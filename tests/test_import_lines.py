"""Lines of an import: cut from bytes in any pieces, and read under the rules of the HTTP bodies."""

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from api import intake
from api.importing.bytes import Decoding, Numbered, Splitter
from api.importing.lines import MAX_LINE_BYTES, LineRefused, Mo, Receipt, read_line
from api.importing.sharing import BY_ITSELF, REMEMBERED, Sharing
from api.importing.words import KINDS
from tests.support.cli import CATALOGUE, ROOT
from tests.support.database import TestDatabase
from tests.support.importing import Importing, answer, at, message, ndjson, receipt

PIECES = st.lists(st.binary(max_size=40) | st.just(b"\n") | st.just(b'{"a":1}\n'), max_size=30)


def cut(pieces: list[bytes]) -> list[Numbered]:
    splitter = Splitter()
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.end()


class TestSplit:
    """Bytes cut into lines."""

    @given(PIECES)
    def test_in_any_pieces_gives_the_same_lines(self, pieces: list[bytes]) -> None:
        assert cut(pieces) == cut([b"".join(pieces)])

    @given(PIECES)
    def test_gives_every_line_that_is_not_empty(self, pieces: list[bytes]) -> None:
        whole = b"".join(pieces).split(b"\n")
        wanted = [(n, raw) for n, raw in enumerate(whole, 1) if raw.strip()]
        assert [tuple(line) for line in cut(pieces)] == wanted

    @given(PIECES, st.integers(0, 29))
    def test_goes_on_from_its_place(self, pieces: list[bytes], at: int) -> None:
        splitter = Splitter()
        before = [line for piece in pieces[:at] for line in splitter.feed(piece)]
        place = splitter.place
        assert place is not None
        raw = b"".join(pieces)
        hashed = hashlib.sha256(raw[: place.offset])
        assert hashed.hexdigest() == place.digest
        later = Splitter(place, hashed)
        after = later.feed(raw[place.offset :]) + later.end()
        assert before + after == cut(pieces)

    @pytest.mark.parametrize("piece", [1_000, 65_536, 1 << 20])
    def test_drops_a_line_that_is_too_long_and_no_other(self, piece: int) -> None:
        raw = b"a\n" + b"x" * (MAX_LINE_BYTES * 5) + b"\nb\n"
        pieces = [raw[start : start + piece] for start in range(0, len(raw), piece)]
        assert cut(pieces) == [Numbered(1, b"a"), Numbered(2, None), Numbered(3, b"b")]

    def test_keeps_no_place_within_a_line_that_is_too_long(self) -> None:
        splitter = Splitter()
        splitter.feed(b"x" * (MAX_LINE_BYTES + 1))
        assert splitter.place is None
        splitter.feed(b"\n")
        assert splitter.place is not None

    def test_takes_the_longest_line_there_may_be(self) -> None:
        (line,) = cut([b"x" * MAX_LINE_BYTES, b"\n"])
        assert line.raw is not None


class TestUnpack:
    """What lines are wrapped in."""

    @given(st.binary(max_size=400).map(lambda raw: b"{" + raw), st.integers(1, 50))
    def test_in_any_pieces_gives_what_was_packed(self, raw: bytes, size: int) -> None:
        if b"\x00" in raw[:4]:
            return
        packed = gzip.compress(raw[:100]) + gzip.compress(raw[100:])
        decoding = Decoding()
        pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
        found = b"".join(part for piece in pieces for part in decoding.feed(piece))
        assert found + b"".join(decoding.end()) == raw

    def test_of_a_bomb_comes_in_pieces_of_bounded_size(self) -> None:
        bomb = gzip.compress(b"x" * (32 << 20))
        largest = max(map(len, Decoding().feed(bomb)))
        assert largest <= 1 << 17


PAGE = (ROOT / "api" / "importing" / "README.md").read_text(encoding="utf-8")
SHOWN = dict(re.findall(r"<!-- line: (.+?) -->\n```json\n(.+?)\n```", PAGE))


class TestShown:
    """The lines that the documentation shows."""

    def test_are_of_every_kind(self) -> None:
        assert set(SHOWN) == set(KINDS)
        for kind, line in SHOWN.items():
            assert read_line(line.encode()).__struct_config__.tag == kind

    def test_bring_about_what_they_say(self, database: TestDatabase, tmp_path: Path) -> None:
        importing = Importing(database, tmp_path)
        kinds = ("mo", "receipt", "exchange", "solicitation", "turn")
        told = taken(importing, "fr", *(SHOWN[kind] for kind in kinds))
        assert (told["recorded"], told["lines"]) == (len(kinds), len(kinds)), told
        assert importing.count("charge_captured.v1") == 2
        assert importing.count("mt_handed_over.v1") == 1

    def test_end_the_subscription_that_is_told_of(
        self, database: TestDatabase, tmp_path: Path
    ) -> None:
        importing = Importing(database, tmp_path)
        file = str(CATALOGUE.with_name("catalogue_be.toml"))
        assert importing.obole("catalogue", "load", file, "--book", "be").status == 0
        asked = message(
            1, gateway="kannel-be", smsc="proximus-be", id="b-1", sender="32400100001",
            short_code="9050", text="KWIS",
        )  # fmt: skip
        begun = ndjson([asked, {**asked, "id": "b-2", "text": "OK", "sent_at": at(60)}]).decode()
        told = taken(importing, "be", begun.rstrip(), SHOWN["stop_subscription"])
        assert (told["recorded"], told["lines"]) == (3, 3), told


def taken(importing: Importing, book: str, *lines: str) -> Any:  # noqa: ANN401 - what was printed
    """Import lines into a book; gives what is told of it."""
    path = importing.file("\n".join(lines).encode() + b"\n")
    return importing.obole("import", str(path), "--book", book, "--json").json


MODELS: dict[type, type[BaseModel]] = {Mo: intake.Message, Receipt: intake.Receipt}


class TestRead:
    """A line, held against the body of the same name."""

    @pytest.mark.parametrize("kind", MODELS)
    def test_has_the_fields_of_the_body(self, kind: type) -> None:
        own = set(kind.__struct_fields__) - {"arrived_at"}  # type: ignore[attr-defined]
        assert own == MODELS[kind].model_fields.keys()

    @given(
        st.sampled_from(["gateway", "smsc", "id", "sender", "short_code", "text", "sent_at"]),
        st.text(max_size=140) | st.integers() | st.none() | st.lists(st.text()) | st.booleans(),
    )
    def test_of_a_message_is_judged_as_its_body(self, field: str, value: object) -> None:
        agrees(message(1, **{field: value}))

    @given(
        st.sampled_from(
            ["gateway", "mt", "outcome", "billed", "status", "operator_message_id", "part"]
        ),
        st.text(max_size=70) | st.integers(-2, 300) | st.none() | st.sampled_from(["no", "failed"]),
    )
    def test_of_a_receipt_is_judged_as_its_body(self, field: str, value: object) -> None:
        agrees(receipt(1, **{field: value}))

    @given(st.binary(max_size=200))
    def test_of_any_bytes_is_read_or_refused(self, raw: bytes) -> None:
        with pytest.raises(LineRefused):
            read_line(raw)


def agrees(line: dict[str, Any]) -> None:
    """See that a line is taken just when its body is."""
    body = {name: value for name, value in line.items() if name != "kind"}
    model = MODELS[Mo if line["kind"] == "mo" else Receipt]
    try:
        model.model_validate_json(json.dumps(body))
    except ValidationError:
        with pytest.raises(LineRefused):
            read_line(ndjson([line]))
    else:
        read_line(ndjson([line]))


SENT = st.tuples(
    st.integers(0, 6),
    st.booleans(),
    st.sampled_from(["mo", "exchange"]),
    st.sampled_from([{}, {"mt": None}, {"mt": {"text": "Merci"}}, {"mt": {}}, {"mt": 7}]),
)
"""A message's sender, whether with a plus, where it was decided, and its answer."""


class TestShare:
    """Lines shared out among processes."""

    @staticmethod
    def sharing(processes: int = 4) -> Sharing:
        return Sharing("fr", processes, lambda sender: sender.removeprefix("+"), lambda _: False)

    def test_puts_a_consumers_lines_and_their_receipts_together(self) -> None:
        lines = [message(n, sender=f"{'+' * (n % 2)}33{n % 5}") for n in range(40)]
        lines += [receipt(n) for n in range(40)]
        (share,) = self.sharing().shares(numbered(lines))
        went = {line.number: process for process, all_ in share.lines.items() for line in all_}
        assert len({*went.values()}) > 1
        assert all(went[n] == went[n % 5 + 5] == went[n + 40] for n in range(1, 41))

    @given(st.lists(SENT, max_size=60), st.integers(2, 5))
    def test_puts_all_messages_of_a_sender_together(
        self, sent: list[tuple[int, bool, str, Any]], processes: int
    ) -> None:
        lines = [
            message(n, kind=kind, sender=f"{'+' * plus}33{who}", **mt)
            for n, (who, plus, kind, mt) in enumerate(sent)
        ]
        places: dict[str, set[int]] = {}
        for share in self.sharing(processes).shares(numbered(lines)):
            assert share.lines.keys() <= {*range(processes)}
            for process, all_ in share.lines.items():
                for line in all_:
                    sender = lines[line.number - 1]["sender"].removeprefix("+")
                    places.setdefault(sender, set()).add(process)
        assert all(len(went) == 1 for went in places.values())

    def test_puts_what_was_decided_elsewhere_with_its_consumer_and_receipt(self) -> None:
        lines = [message(n, sender=f"33{n % 5}") for n in range(20)]
        lines += [
            message(n, sender=f"33{n % 5}", kind="exchange", mt={"text": "Merci"})
            for n in range(20, 40)
        ]
        lines += [receipt(n) for n in range(20, 40)]
        (share,) = self.sharing().shares(numbered(lines))
        went = {line.number: process for process, all_ in share.lines.items() for line in all_}
        assert len({*went.values()}) > 1
        assert all(went[n] == went[n + 20] == went[n + 40] for n in range(1, 21))

    def test_keeps_the_order_within_each(self) -> None:
        (share,) = self.sharing().shares(numbered([message(n) for n in range(50)]))
        for lines in share.lines.values():
            assert lines == sorted(lines)

    def test_takes_by_itself_what_belongs_to_nobody_known(self) -> None:
        turn = {"kind": "turn", "at": "2026-08-01T00:00:00Z"}
        lines = [message(1), turn, message(2), receipt(9)]
        shares = list(self.sharing().shares(numbered(lines)))
        assert [sorted(n for all_ in one.lines.values() for n, _ in all_) for one in shares] == [
            [1], [2], [3], [4],
        ]  # fmt: skip
        assert BY_ITSELF not in {process for one in shares for process in one.lines}

    def test_remembers_so_many_and_no_more(self) -> None:
        sharing = self.sharing()
        list(sharing.shares(numbered([message(n) for n in range(REMEMBERED + 1)])))
        shares = list(sharing.shares(numbered([receipt(1), receipt(0), receipt(2)])))
        assert len(shares) == 3
        assert answer(0) != answer(1)


def numbered(lines: list[dict[str, Any]]) -> list[Numbered]:
    return [Numbered(n, ndjson([line])) for n, line in enumerate(lines, 1)]
