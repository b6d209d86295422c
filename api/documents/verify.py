"""Checks an export against itself: its files' sums, and that every fact hashes as it should.

That the facts are those of the ledger, and all of them, it cannot tell: compare the manifest's
hash with the fact `audit_exported`.
"""

import csv
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Generator
from datetime import UTC, datetime
from hashlib import file_digest, sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, NamedTuple

import msgspec

from api.documents.bundle import DATA, LINES, MANIFEST, TABLE, paths
from api.documents.columns import leaf_hash
from api.documents.manifest import FORMAT
from api.shapes import MAX_POSITION
from ledger.log.rows import StoredRow

_NAMES = re.compile(r"facts\.(?:jsonl|csv)|rules/[0-9a-f]{64}\.toml|settings/[0-9a-f]{64}\.json")


class _File(msgspec.Struct, frozen=True):
    sha256: str
    bytes: int


class _Book(msgspec.Struct, frozen=True):
    name: str


class _Complete(msgspec.Struct, frozen=True):
    after_position: int
    through_position: int


class _Facts(msgspec.Struct, frozen=True):
    count: int
    by_type: dict[str, int]


class _Manifest(msgspec.Struct, frozen=True):
    """What of a manifest can be checked."""

    format: str
    book: _Book
    complete: _Complete
    facts: _Facts
    files: dict[str, _File]


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands before a fact's own bytes."""

    book: str
    position: Annotated[int, msgspec.Meta(ge=1, le=MAX_POSITION)]
    recorded_at: Annotated[datetime, msgspec.Meta(tz=True)]
    type: str
    tags: tuple[str, ...]


class Verified(NamedTuple):
    """What was checked, and everything that is wrong; nothing wrong is an empty list."""

    files: int
    facts: int
    manifest_sha256: str | None
    problems: list[str]
    is_export: bool = True
    """False: nothing of an export was found there, so that nothing can have been changed in it."""


MOST_PROBLEMS = 20
"""After so many the rest tells nothing new."""
MOST_LINE_BYTES = 1 << 20
"""No line of an export is longer, nor its manifest, so no more is held at once."""
MOST_UNPACKED = 100
"""How many times its size an archive may grow: no file full of hashes grows so much."""
MOST_ENTRIES = 1_000
"""Facts, their table, a manifest, and the rules and settings that were ever in force: no more."""
_ZIP = b"PK"
"""How every zip begins, also one that was cut off."""
_PACKED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_NO_ZIP = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error),
    *(OSError, EOFError, ValueError, RuntimeError),  # the last: it is encrypted
)


def verify(export: Path) -> Verified:
    """Check an export: its folder, or the zip that was handed out."""
    if (why := _no_export(export)) is not None:
        return Verified(0, 0, None, [why], is_export=False)
    if not export.is_file():
        return _verify(export)
    with TemporaryDirectory(prefix="obole-verify-") as folder:
        try:
            _unpack(export, folder)
        except _NO_ZIP as error:
            return Verified(
                0, 0, None, [f"{export} is neither an export's folder nor its whole zip: {error}"]
            )
        if (why := _no_export(Path(folder))) is not None:
            return Verified(0, 0, None, [why], is_export=False)
        return _verify(Path(folder))


def _no_export(path: Path) -> str | None:
    """Tell why nothing there can be an export, as far as that is seen from outside."""
    if path.is_dir():
        found = any((path / name).exists() for name in (MANIFEST, LINES, TABLE))
        return None if found else f"it holds no {MANIFEST}, no {LINES} and no {TABLE}"
    if not path.is_file():
        return "there is nothing of that name"
    try:
        with path.open("rb") as opened:
            begins = opened.read(len(_ZIP))
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None if begins == _ZIP else "it is neither a folder nor a zip"


def _unpack(export: Path, folder: str) -> None:
    """Lay an archive out, if it is packed as exports are.

    Raises: those of `_NO_ZIP`.
    """
    with zipfile.ZipFile(export) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise ValueError(f"it holds more than {MOST_ENTRIES} files")
        if any(one.compress_type not in _PACKED for one in entries):
            raise ValueError("it is packed in another way than exports are")
        if sum(one.file_size for one in entries) > MOST_UNPACKED * export.stat().st_size:
            raise ValueError(f"it would grow to more than {MOST_UNPACKED} times its size")
        # It keeps every name below the folder, whatever the archive says.
        archive.extractall(folder)


def _verify(folder: Path) -> Verified:
    try:
        with (folder / MANIFEST).open("rb") as opened:
            raw = opened.read(MOST_LINE_BYTES)
        read = msgspec.json.decode(raw, type=_Manifest)
    except OSError as error:
        return Verified(0, 0, None, [f"{MANIFEST} cannot be read: {error.strerror}"])
    except (ValueError, RecursionError) as error:
        return Verified(0, 0, None, [f"{MANIFEST}: {error}"])
    if read.format != FORMAT:
        return Verified(0, 0, None, [f"{MANIFEST}: the format is {read.format!r}, not {FORMAT}"])
    problems = list(_wrong_files(folder, read))
    types: Counter[str] = Counter()
    if {LINES, TABLE} <= set(paths(folder)):
        problems += _first_wrong_facts(folder, read, types)
    return Verified(len(read.files) + 1, types.total(), sha256(raw).hexdigest(), problems)


def _first_wrong_facts(folder: Path, read: _Manifest, types: Counter[str]) -> list[str]:
    """Give what is wrong with the lines, and once all are right, with their number."""
    try:
        problems = list(islice(_wrong_facts(folder, read, types), MOST_PROBLEMS))
    except csv.Error as error:
        return [f"{TABLE}: is no table: {error}"]
    return problems or list(_wrong_counts(read, types))


def _wrong_files(folder: Path, read: _Manifest) -> Generator[str]:
    present = set(paths(folder)) - {MANIFEST}
    expected = read.files.keys() | {LINES, TABLE}
    yield from (f"{name}: the manifest does not name it" for name in sorted(present - expected))
    for name in sorted(expected):
        file = read.files.get(name)
        if file is None or not _NAMES.fullmatch(name):
            yield f"{name}: the manifest gives no hash of it, or it is no file of an export"
        elif name not in present:
            yield f"{name}: is missing"
        else:
            with (folder / name).open("rb") as opened:
                found = _File(file_digest(opened, "sha256").hexdigest(), opened.tell())
            if found != file:
                yield (
                    f"{name}: has {found.bytes} bytes of hash {found.sha256}; "
                    f"the manifest says {file.bytes} of {file.sha256}"
                )


def _wrong_facts(folder: Path, read: _Manifest, types: Counter[str]) -> Generator[str]:
    """Go through the lines and the table side by side."""
    last = read.complete.after_position
    with (
        (folder / LINES).open("rb") as lines,
        (folder / TABLE).open(encoding="utf-8", errors="replace", newline="") as table,
    ):
        rows = csv.DictReader(iter(lambda: table.readline(MOST_LINE_BYTES), ""))
        for number, line in enumerate(iter(lambda: lines.readline(MOST_LINE_BYTES), b""), 1):
            row = stored(line)
            if row is None:
                yield f"{LINES}, line {number}: is not a fact"
                continue
            types[row.type] += 1
            beside = next(rows, None)
            if beside is None or _told(beside) != _expected(row):
                yield f"{LINES}, line {number}: does not hash as position {row.position} should"
            if row.book != read.book.name or not last < row.position:
                yield f"{LINES}, line {number}: position {row.position} of {row.book} is not next"
            last = row.position
        if last > read.complete.through_position or next(rows, None):
            yield f"{TABLE}: goes on after the last line of {LINES}, or after the last position"


def _wrong_counts(read: _Manifest, types: Counter[str]) -> Generator[str]:
    if (types.total(), dict(types)) != (read.facts.count, read.facts.by_type):
        yield f"{MANIFEST}: counts other facts than {LINES} holds"


def _told(beside: dict[str, str]) -> tuple[str | None, str | None]:
    return beside.get("position"), beside.get("leaf_sha256")


def _expected(row: StoredRow) -> tuple[str, str]:
    return str(row.position), leaf_hash(row)


def stored(line: bytes) -> StoredRow | None:
    """Cut a line of `facts.jsonl` back into the row of the log; None where it is none."""
    head, between, rest = line.partition(DATA)
    if not between or not rest.endswith(b"}\n"):
        return None
    try:
        told = msgspec.json.decode(head + b"}", type=_Line)
        told.recorded_at.astimezone(UTC)
    except (ValueError, RecursionError, OverflowError):
        return None
    place = (told.book, told.position, told.recorded_at)
    return StoredRow(*place, told.type, told.tags, rest[:-2])
