"""Reads facts that left the database for files, and lets nothing pass that is not as it was.

A file is Parquet with a row a fact, in order of position: position, recorded_at, type, tags, data.
The database keeps the sum of each of its chunks, and whatever is read is compared with them first.
"""

import importlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from io import RawIOBase, UnsupportedOperation
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from ledger.log.errors import ArchiveMissing, ArchiveUnreadable
from ledger.log.rows import StoredRow

FOLDER = "OBOLE_ARCHIVE"
"""The variable that tells a process where the files are."""

CHUNK_BYTES = 1 << 18
GROUP_ROWS = 2_048
"""Rows that are compressed together: what has to be read to get at one."""

_WHOLE = ("position", "recorded_at", "type", "tags", "data")
_UNTAGGED = ("position", "recorded_at", "type", "data")
_SUM_BYTES = 32


class Archive(NamedTuple):
    """A file as the database knows it; see `migrations/0019_archives.sql`."""

    first: int
    last: int
    file: str
    size: int
    sha256: str
    root: bytes


class Span(NamedTuple):
    """Positions that are wanted, both ends included; of a tag and types, if any are named."""

    first: int
    last: int
    tag: str | None = None
    types: frozenset[str] = frozenset()


class Fetch(NamedTuple):
    """What is to be read from files: a step of a script, as a statement is."""

    book: str
    archives: Sequence[Archive]
    spans: Sequence[Span]
    tagged: bool = True

    def rows(self) -> list[list[StoredRow]]:
        """Read the rows of each span; the files were made known by `know`.

        Raises:
            ArchiveMissing: There is no folder, no such file, or nothing to read it with.
            ArchiveUnreadable: A file is not as it was written.
        """
        try:
            return [self._of(span) for span in self.spans]
        except ArchiveUnreadable:
            _opened.cache_clear()  # a whole one may have taken its place since it was opened
        return [self._of(span) for span in self.spans]

    def _of(self, span: Span) -> list[StoredRow]:
        rows: list[StoredRow] = []
        for one in self.archives:
            first, last = max(span.first, one.first), min(span.last, one.last)
            if first <= last:
                found = opened(one).rows(self.book, first, last, tagged=self.tagged)
                rows += [row for row in found if _wanted(span, row)]
        return rows


def _wanted(span: Span, row: StoredRow) -> bool:
    return (span.tag is None or span.tag in row.tags) and (not span.types or row.type in span.types)


_chunks: dict[str, bytes] = {}


def unknown(archives: Iterable[Archive]) -> list[str]:
    """Name the files whose chunks' sums this process does not have yet."""
    return [one.file for one in archives if one.sha256 not in _chunks]


def know(archives: Iterable[Archive], sums: Mapping[str, bytes]) -> None:
    """Keep the sums of files' chunks, by file."""
    _chunks.update({one.sha256: sums[one.file] for one in archives if one.file in sums})


def folder() -> Path:
    """Give the folder of archives.

    Raises:
        ArchiveMissing: This process was not told, or it is not there.
    """
    named = os.environ.get(FOLDER)
    if not named:
        raise ArchiveMissing(f"old facts are in files, and {FOLDER} does not say where")
    found = Path(named)
    if not found.is_dir():
        raise ArchiveMissing(f"{FOLDER} is {named}, where there is no folder")
    return found


def opened(one: Archive) -> "ArchiveFile":
    """Give a file, open for reading."""
    return _opened(folder() / one.file, one, _chunks[one.sha256])


@lru_cache(maxsize=64)
def _opened(path: Path, one: Archive, sums: bytes) -> "ArchiveFile":
    return ArchiveFile(path, one, sums)


def parquet() -> tuple[Any, Any]:
    """Import what reads and writes Parquet: `pyarrow` and `pyarrow.parquet`.

    Raises:
        ArchiveMissing: It is not installed.
    """
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError as missing:
        raise ArchiveMissing(
            "archives need pyarrow: install obole with its extra `archive`"
        ) from missing


class Checked(RawIOBase):
    """A file of which every chunk is compared with its sum before any of it is given out."""

    def __init__(self, path: Path, size: int, sums: bytes) -> None:
        super().__init__()
        self._path = path
        self._size = size
        self._sums = sums
        self._place = 0
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise ArchiveMissing(f"{path} cannot be opened: {error.strerror}") from error
        self._chunk = lru_cache(maxsize=8)(self._checked)

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Give the place from which is read next."""
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        begin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}
        self._place = begin[whence] + offset
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Read so many bytes, or to the end."""
        left = max(self._size - self._place, 0)
        end = self._place + (left if size is None or size < 0 else min(size, left))
        parts: list[bytes] = []
        while self._place < end:
            number, skipped = divmod(self._place, CHUNK_BYTES)
            part = self._chunk(number)[skipped : skipped + end - self._place]
            parts.append(part)
            self._place += len(part)
        return b"".join(parts)

    def write(self, _: object) -> int:
        """Refuse."""
        raise UnsupportedOperation("write")

    def close(self) -> None:
        """Close it."""
        self._file.close()
        super().close()

    def _checked(self, number: int) -> bytes:
        wanted = self._sums[number * _SUM_BYTES : (number + 1) * _SUM_BYTES]
        self._file.seek(number * CHUNK_BYTES)
        chunk = self._file.read(min(CHUNK_BYTES, self._size - number * CHUNK_BYTES))
        if sha256(chunk).digest() != wanted:
            raise ArchiveUnreadable(f"{self._path} is not as it was written, in chunk {number}")
        return chunk


class ArchiveFile:
    """One file; threads may share it."""

    def __init__(self, path: Path, one: Archive, sums: bytes) -> None:
        self._path = path
        self._first = one.first
        self._lock = Lock()
        _, module = parquet()
        checked = Checked(path, one.size, sums)
        self._file = self._read(lambda: module.ParquetFile(checked))
        self._group = lru_cache(maxsize=32)(self._read_group)

    def count(self) -> int:
        """Give how many rows it has."""
        return self._file.metadata.num_rows

    def rows(self, book: str, first: int, last: int, *, tagged: bool) -> list[StoredRow]:
        """Read the rows of these positions, all of which the file has; without tags, if so."""
        rows: list[StoredRow] = []
        while first <= last:
            number, skipped = divmod(first - self._first, GROUP_ROWS)
            count = min(GROUP_ROWS - skipped, last - first + 1)
            with self._lock:
                group = self._group(number, tagged)
            rows += _stored(book, group.slice(skipped, count), tagged=tagged)
            first += count
        return rows

    def _read_group(self, number: int, tagged: bool) -> Any:  # noqa: ANN401, FBT001 - pyarrow's own
        columns = _WHOLE if tagged else _UNTAGGED
        return self._read(lambda: self._file.read_row_group(number, columns=list(columns)))

    def _read(self, read: Callable[[], Any]) -> Any:  # noqa: ANN401 - pyarrow has no types
        pyarrow, _ = parquet()
        try:
            return read()
        except (ArchiveMissing, ArchiveUnreadable):
            raise
        except (pyarrow.ArrowException, OSError) as error:
            raise ArchiveUnreadable(f"{self._path} cannot be read: {error}") from error


def _stored(book: str, table: Any, *, tagged: bool) -> list[StoredRow]:  # noqa: ANN401 - as above
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    tags = map(tuple, columns["tags"]) if tagged else [()] * table.num_rows
    return [
        StoredRow(book, *fields)
        for fields in zip(
            *(columns["position"], columns["recorded_at"], columns["type"]),
            *(tags, columns["data"]),
            strict=True,
        )
    ]
