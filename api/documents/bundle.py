"""Writes an export's files into a folder, page by page, so that its size is no matter."""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from stat import S_IFREG
from types import TracebackType
from typing import Self
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import msgspec

from api.documents.cells import csv_lines
from api.documents.columns import COLUMNS, flat
from api.documents.manifest import File
from ledger.log.rows import StoredRow
from ledger.words import instant_text

LINES, TABLE, MANIFEST = "facts.jsonl", "facts.csv", "manifest.json"
DATA = b',"data":'
"""What stands before a fact's own bytes; nothing before it on the line can hold the same."""


class _Out:
    """One file being written, its hash and size kept on the way."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        self._out = path.open("xb")
        self._sum = sha256()
        self._bytes = 0

    def add(self, content: bytes) -> None:
        self._out.write(content)
        self._sum.update(content)
        self._bytes += len(content)

    def close(self) -> File:
        """End it, once it is on disk."""
        self._out.flush()
        os.fsync(self._out.fileno())
        self._out.close()
        return File(self._sum.hexdigest(), self._bytes)

    def abandon(self) -> None:
        self._out.close()


class Bundle:
    """The files of one export in a folder that is nobody else's; a context."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.types: Counter[str] = Counter()
        self.files: dict[str, File] = {}
        self._open = ExitStack()
        self._lines, self._table = _Out(folder / LINES), _Out(folder / TABLE)
        self._open.callback(self._lines.abandon)
        self._open.callback(self._table.abandon)
        self._table.add("".join(csv_lines([COLUMNS])).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def add(self, rows: Sequence[StoredRow]) -> None:
        """Write the next facts."""
        self.types.update(row.type for row in rows)
        self._lines.add(b"".join(map(line, rows)))
        self._table.add("".join(csv_lines(map(flat, rows))).encode(errors="backslashreplace"))

    def end_facts(self) -> None:
        """Close the files of facts."""
        self.files[LINES] = self._lines.close()
        self.files[TABLE] = self._table.close()

    def put(self, name: str, content: bytes) -> File:
        """Write a whole file."""
        out = _Out(self.folder / name)
        out.add(content)
        self.files[name] = out.close()
        return self.files[name]


def line(row: StoredRow) -> bytes:
    """Write a fact as a line of JSON that holds its stored bytes as they are."""
    assert b"\n" not in row.data, "the encoder of facts writes one line"
    head = {
        "book": row.book,
        "position": row.position,
        "recorded_at": instant_text(row.recorded_at),
        "type": row.type,
        "tags": row.tags,
    }
    return msgspec.json.encode(head)[:-1] + DATA + row.data + b"}\n"


def paths(folder: Path) -> Iterable[str]:
    """Name the files in an export's folder, the manifest last."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(found, key=lambda name: (name == MANIFEST, name))


def zipped(folder: Path, archive: Path) -> None:
    """Put an export's files into one archive, the same bytes for the same files."""
    with ZipFile(archive, "x", ZIP_DEFLATED) as out:
        for name in paths(folder):
            # A file's own time and owner would make each archive another.
            entry = ZipInfo(name)
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = (S_IFREG | 0o644) << 16
            with (folder / name).open("rb") as read, out.open(entry, "w", force_zip64=True) as put:
                shutil.copyfileobj(read, put)
