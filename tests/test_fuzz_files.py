"""Files from outside, broken in any way: each is read, or refused as it is documented."""

import gzip
import tomllib
import zipfile
from base64 import b64encode
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.catalogue_file import CatalogueFileInvalid, read_catalogue, read_values
from api.documents.cells import csv_lines, safe
from api.documents.columns import leaf_hash
from api.documents.verify import MOST_ENTRIES, MOST_UNPACKED, stored, verify
from api.gateways import GatewaysInvalid, read_gateways
from api.importing.bytes import Decoding, SourceRefused
from api.importing.lines import LineRefused, read_line
from ledger.rules.pack import RulePackInvalid, parse_pack
from ledger.rules.settings import SettingsInvalid, parse_settings
from ledger.rules.toml_file import Document, FileInvalid
from ledger.rules.toml_lines import lines_of
from ledger.vault import FileMasterKey, MasterKeyMissing
from tests.support.cli import ROOT
from tests.support.noise import ANY_TEXT, TEXTS, altered, as_json, attempt, noise
from tests.support.told import exchange_line

MO_LINE = {
    "kind": "mo",
    "gateway": "kannel",
    "smsc": "orange",
    "id": "m-1",
    "sender": "33600000001",
    "short_code": "81014",
    "text": "JEU",
    "sent_at": "2026-08-01T09:30:00Z",
}
LINES = st.sampled_from([exchange_line(), MO_LINE])
SENDSMS = b"""[fr.kannel]
url = "http://127.0.0.1:13013/cgi-bin/sendsms"
username = "obole"
password = "secret"
receipt_key = "key"
public_url = "https://obole.example"
"""
CATALOGUE = (ROOT / "api/demo/catalogue.toml").read_bytes()
FACT = (
    b'{"book":"fr","position":1,"recorded_at":"2026-07-01T00:00:00.000000Z","type":"t.v1",'
    b'"tags":["a:b"],"data":{"x":1}}\n'
)


def read_pack(raw: bytes) -> object:
    return parse_pack(raw, "a pack")


def read_settings(raw: bytes) -> object:
    return parse_settings(raw, "settings")


def read_shop(raw: bytes) -> object:
    return read_catalogue(raw, "a catalogue", "fr", "Europe/Paris")


def read_sendsms(raw: bytes) -> object:
    return read_gateways(raw, "gateways", ["fr"])


TOML: dict[str, tuple[Callable[[bytes], object], list[bytes], type[FileInvalid]]] = {
    "pack": (
        read_pack,
        [(ROOT / f"ledger/rules/{one}.toml").read_bytes() for one in ("fr", "be", "gb")],
        RulePackInvalid,
    ),
    "settings": (
        read_settings,
        [path.read_bytes() for path in sorted((ROOT / "settings").glob("*.toml"))],
        SettingsInvalid,
    ),
    "catalogue": (read_shop, [CATALOGUE], CatalogueFileInvalid),
    "gateways": (read_sendsms, [SENDSMS], GatewaysInvalid),
}


@pytest.mark.parametrize("name", TOML)
class TestToml:
    """Files that people write."""

    def test_unbroken_is_read(self, name: str) -> None:
        read, right, _ = TOML[name]
        for raw in right:
            read(raw)

    @given(data=st.data())
    def test_broken_is_read_or_refused_with_a_list(self, name: str, data: st.DataObject) -> None:
        read, right, refused = TOML[name]
        found = attempt(read, data.draw(noise(st.sampled_from(right))), refused=(refused,))
        assert not isinstance(found, refused) or found.problems

    @pytest.mark.parametrize(
        "raw",
        [
            *(b"a=" + b"[" * 100_000, b"a=" + b"{a=" * 5_000, b"a." * 2_000 + b"a=1"),
            *(b"a=" + b"9" * 5_000, b"\xff", b"\x00", b"\xef\xbb\xbfa=1", b"[" + b" " * 50_000),
            *(b" " * 50_000 + b"a", b'a="' + b'\\"' * 50_000),
            # A key of so many parts took seconds, by their square, until it was refused.
            *(b"[" + b"a." * 100_000 + b"a]", b"a." * 100_000 + b"a=1"),
            *(b"x={" + b'"a" .' * 100_000 + b"a=1}",),
        ],
        ids=range(13),
    )
    def test_of_the_worst_is_refused_at_once(self, name: str, raw: bytes) -> None:
        read, _, refused = TOML[name]
        with pytest.raises(refused):
            read(raw)


class TestLinesOfToml:
    """Where things stand in a file."""

    @given(st.text(alphabet=" \t[]=\"'#{}.a\\\n", max_size=300))
    def test_are_found_in_any_text_or_not(self, text: str) -> None:
        assert all(0 < line <= text.count("\n") + 1 for line in lines_of(text).values())

    @pytest.mark.parametrize("text", [" ", "[ ", "a ", '"', '\\"', "'", '"\\'])
    def test_of_a_long_line_are_looked_for_in_linear_time(self, text: str) -> None:
        # What went back at every character took minutes for a tenth of it.
        assert len(lines_of("[" + text * 30_000)) <= 1

    def test_count_line_feeds_and_no_other_ends(self) -> None:
        document = Document('a = "\u2028\x85"\nb = 1\n'.encode())
        assert document.problem(("b",), "").line == 2


@given(altered(st.just(tomllib.loads(CATALOGUE.decode()))))
def test_a_catalogue_as_values_is_read_or_refused(values: Any) -> None:  # noqa: ANN401 - any JSON
    """The same catalogue as it comes over HTTP."""
    if isinstance(values, dict):
        attempt(
            read_values,
            cast("dict[str, Any]", values),
            "fr",
            "Europe/Paris",
            refused=(CatalogueFileInvalid,),
        )


@pytest.mark.parametrize("zone", ["Europe", "a" * 300, "..", "", "/etc/passwd", "a\\u0000b"])
def test_a_zone_that_is_none_is_a_mistake_of_its_pack(zone: str) -> None:
    """A folder of zones, a name longer than a file's."""
    raw = TOML["pack"][1][0].replace(b'"Europe/Paris"', f'"{zone}"'.encode(), 1)
    with pytest.raises(RulePackInvalid, match="zone"):
        read_pack(raw)


class TestImports:
    """Lines, and the bytes that they come in."""

    @given(noise(LINES.map(as_json)) | altered(LINES).map(as_json))
    @example(b'{"kind":"mo","text":' + b"[" * 100_000)
    @example(b'{"kind":"mo","text":' + b"9" * 5_000 + b"}")
    def test_are_read_or_refused(self, raw: bytes) -> None:
        attempt(read_line, raw, refused=(LineRefused,))

    @given(
        st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\x00"]),
        st.binary(max_size=30),
        st.lists(st.integers(0, 33), max_size=3),
        st.booleans(),
        st.integers(1, 60),
    )
    @example(b"\xef\xbb\xbf", b"{}", [1], True, 1)  # noqa: FBT003 - it is packed
    def test_are_the_same_in_any_pieces(
        self,
        mark: bytes,
        raw: bytes,
        cuts: list[int],
        packed: bool,  # noqa: FBT001 - it is drawn
        size: int,
    ) -> None:
        text = mark + raw
        ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
        members = [gzip.compress(text[start:end]) for start, end in pairwise(ends)]
        sent = b"".join(members) if packed else text
        assert unpacked(sent, size) == unpacked(text, len(text) + 1)

    @given(noise(st.binary(max_size=100).map(gzip.compress)), st.integers(1, 50))
    def test_broken_are_unpacked_or_refused(self, raw: bytes, size: int) -> None:
        unpacked(raw, size)


def unpacked(raw: bytes, size: int) -> bytes | None:
    """Take off what bytes are wrapped in; None where they are refused."""
    decoding, found = Decoding(), b""
    try:
        for start in range(0, len(raw), size):
            found += b"".join(decoding.feed(raw[start : start + size]))
        return found + b"".join(decoding.end())
    except SourceRefused:
        return None


class TestExports:
    """What claims to be an export for an audit."""

    @given(noise(st.just(FACT)))
    @example(FACT.replace(b"2026-07-01T00:00:00.000000Z", b"0001-01-01T00:00:00+23:00"))
    @example(FACT.replace(b":1,", b":" + b"9" * 5_000 + b","))
    @example(FACT.replace(b'["a:b"]', b"[" * 100_000))
    @example(FACT.replace(b"t.v1", b"\xff"))
    def test_have_lines_that_hash_or_are_none(self, raw: bytes) -> None:
        row = stored(raw)
        assert row is None or len(leaf_hash(row)) == 64

    @given(noise(st.just(b'{"format":"obole-audit-export/v1"}')), noise(st.just(FACT)))
    @example(b"\xff", b"")
    @example(b"[" * 100_000, b"")
    def test_are_never_whole_by_chance(self, manifest: bytes, facts: bytes) -> None:
        with TemporaryDirectory() as folder:
            for name, content in {"manifest.json": manifest, "facts.jsonl": facts}.items():
                (Path(folder) / name).write_bytes(content)
            assert verify(Path(folder)).problems

    @given(data=st.data())
    def test_are_no_zip_whatever_is_changed(self, data: st.DataObject) -> None:
        with TemporaryDirectory() as folder:
            path = zip_of(Path(folder), {"manifest.json": b"{}" * 50, "facts.jsonl": FACT})
            path.write_bytes(data.draw(noise(st.just(path.read_bytes()))))
            assert verify(path).problems

    @pytest.mark.parametrize(("place", "value"), [(8, 1), (8, 0x40), (10, 9), (10, 12), (10, 99)])
    def test_are_not_encrypted_or_packed_otherwise(
        self, tmp_path: Path, place: int, value: int
    ) -> None:
        path = zip_of(tmp_path, {"manifest.json": b"{}"})
        raw = bytearray(path.read_bytes())
        central, local = raw.index(b"PK\x01\x02"), raw.index(b"PK\x03\x04")
        for at in (central + place, local + place - 2):
            raw[at : at + 2] = value.to_bytes(2, "little")
        path.write_bytes(raw)
        assert "neither" in verify(path).problems[0]

    def test_do_not_grow_without_bound(self, tmp_path: Path) -> None:
        path = zip_of(tmp_path, {"facts.jsonl": b" " * (1 << 20)})
        assert f"more than {MOST_UNPACKED} times" in verify(path).problems[0]

    def test_are_not_laid_out_where_there_are_far_too_many(self, tmp_path: Path) -> None:
        path = zip_of(tmp_path, {f"{n}": b"" for n in range(MOST_ENTRIES + 1)})
        (problem,) = verify(path).problems
        assert f"more than {MOST_ENTRIES} files" in problem


def zip_of(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@given(ANY_TEXT | TEXTS)
def test_a_cell_is_one_line_and_no_formula(text: str) -> None:
    """Also behind blanks, and what other programs take for a cell's end."""
    assert not safe(text).lstrip().startswith(("=", "+", "-", "@"))
    assert "".join(csv_lines([[text, "x"]])).count("\n") == 1


@given(noise(st.binary(min_size=32, max_size=32).map(b64encode)))
def test_a_master_key_is_32_bytes_or_refused(raw: bytes) -> None:
    """A file with anything in it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "master.key"
        path.write_bytes(raw)
        found = attempt(FileMasterKey.load, path, refused=(MasterKeyMissing,))
        if isinstance(found, FileMasterKey):
            assert found.unwrap(found.wrap(b"secret", "here"), "here") == b"secret"
