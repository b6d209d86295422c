"""Takes old facts out of the database: a partition into a file, read back, and then dropped.

Killed at any moment it can be begun again: either the partition stands, or the row that names its
file. A file that was not finished has another name, and is written anew.
"""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import sleep
from typing import Any, LiteralString, NamedTuple

import psycopg
from psycopg import Connection

from ledger.log import scripts
from ledger.log.archive import CHUNK_BYTES, GROUP_ROWS, Archive, ArchiveFile, parquet
from ledger.log.errors import ArchiveRefused, ArchiveUnreadable
from ledger.log.merkle import Tree
from ledger.log.postgres import run
from ledger.log.rows import StoredRow, entry_bytes

_PARTITIONS: LiteralString = """
SELECT heads.position, heads.partition_bits, coalesce(max(archives.last), 0)
FROM heads
LEFT JOIN archives ON heads.book = archives.book
WHERE heads.book = %s
GROUP BY heads.position, heads.partition_bits
"""
_ALONE: LiteralString = "SELECT pg_try_advisory_lock(hashtextextended('archive of ' || %s, 0))"
_RELEASE: LiteralString = "SELECT pg_advisory_unlock(hashtextextended('archive of ' || %s, 0))"
_DROP: LiteralString = "SELECT archive_partition(%s, %s, %s, %s, %s, %s, %s)"
_KEPT: LiteralString = """
SELECT first, last, file, bytes, sha256, root, chunks FROM archives WHERE book = %s ORDER BY last
"""

TRIES = 25
"""How often a partition is tried to be dropped; appends wait 200 ms for each."""
PAUSE_SECONDS = 0.2
"""Between two of them, for those who append."""

Show = Callable[[int, int], None]
"""Told how many facts of a file are done, and of how many."""


class Part(NamedTuple):
    """Partition `number` of a book, and the positions in it."""

    number: int
    first: int
    last: int


class Written(NamedTuple):
    """What stands in a file: the root over its entries, its sums, and its size."""

    root: bytes
    chunks: bytes
    sha256: str
    size: int


def full_parts(connection: Connection, book: str) -> list[Part]:
    """Give the partitions that are full, with a fact after them, and not archived; oldest first."""
    ((head, bits, reached),) = connection.execute(_PARTITIONS, (book,)).fetchall()
    numbers = range(reached >> bits, max(head - 1, 0) >> bits)
    return [Part(n, (n << bits) + 1, (n + 1) << bits) for n in numbers]


@contextmanager
def alone(connection: Connection, book: str) -> Generator[None]:
    """Be the only one to archive a book.

    Raises:
        ArchiveRefused: Somebody else is at it.
    """
    ((mine,),) = connection.execute(_ALONE, (book,)).fetchall()
    if not mine:
        raise ArchiveRefused(f"{book}: somebody else is archiving it")
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute(_RELEASE, (book,))


def archive(connection: Connection, book: str, part: Part, folder: Path, show: Show) -> Archive:
    """Write a partition into a file, read that back, and drop the partition.

    The connection is the owner's, in autocommit.

    Raises:
        ArchiveRefused: Another file has its name, or somebody reads the table for too long.
        ArchiveUnreadable: The file does not hold what was written.
    """
    path = folder / f"{book}_{part.first}-{part.last}.parquet"
    if path.exists():
        root = _root(page for page in _pages(connection, book, part, show))
    else:
        root = _write(connection, book, part, path, show)
    # Also of a file that was found: whoever wrote it may have been killed before it was on disk.
    sync(path)
    sync(folder)
    written = measured(path)
    one = Archive(part.first, part.last, path.name, written.size, written.sha256, root)
    try:
        check(path, book, one, written.chunks)
    except ArchiveUnreadable as other:
        raise ArchiveRefused(f"{other}; nothing was dropped") from other
    drop(connection, book, part, one, written.chunks)
    return one


def check(path: Path, book: str, one: Archive, chunks: bytes) -> None:
    """Read a file whole, and compare it with what is known of it.

    Raises:
        ArchiveMissing: It is not there.
        ArchiveUnreadable: It holds anything else.
    """
    file, tree = ArchiveFile(path, one, chunks), Tree()
    if file.count() != one.last - one.first + 1:
        raise ArchiveUnreadable(f"{path} does not hold positions {one.first} to {one.last}")
    for first in range(one.first, one.last + 1, GROUP_ROWS):
        last = min(first + GROUP_ROWS - 1, one.last)
        rows = file.rows(book, first, last, tagged=True)
        if [row.position for row in rows] != list(range(first, last + 1)):
            raise ArchiveUnreadable(f"{path} lacks positions of {first} to {last}")
        for row in rows:
            tree.add(entry_bytes(row))
    if tree.root() != one.root:
        raise ArchiveUnreadable(f"{path} holds other facts than were archived")


def kept(connection: Connection, book: str) -> list[tuple[Archive, bytes]]:
    """Give the files of a book, oldest first, with the sums of their chunks."""
    rows = connection.execute(_KEPT, (book,)).fetchall()
    return [(Archive(*row[:-1]), row[-1]) for row in rows]


def measured(path: Path) -> Written:
    """Work out the sums of a file as it stands; its root is not known from that."""
    chunks, whole, size = b"", sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            chunks += sha256(chunk).digest()
            whole.update(chunk)
            size += len(chunk)
    return Written(b"", chunks, whole.hexdigest(), size)


def _pages(connection: Connection, book: str, part: Part, show: Show) -> Iterator[list[StoredRow]]:
    for after in range(part.first - 1, part.last, GROUP_ROWS):
        upto = min(after + GROUP_ROWS, part.last)
        yield run(connection, scripts.ranging(book, after, upto))
        show(upto - part.first + 1, part.last - part.first + 1)


def _root(pages: Iterator[list[StoredRow]]) -> bytes:
    return Tree(entry_bytes(row) for page in pages for row in page).root()


def _write(connection: Connection, book: str, part: Part, path: Path, show: Show) -> bytes:
    """Write a file under another name, and give it its own once it is on disk; gives its root."""
    pyarrow, module = parquet()
    unfinished, tree, schema = path.with_suffix(".unfinished"), Tree(), _schema(pyarrow)
    with (
        unfinished.open("wb") as file,
        module.ParquetWriter(file, schema, **_LAYOUT) as writer,
    ):
        for rows in _pages(connection, book, part, show):
            for row in rows:
                tree.add(entry_bytes(row))
            columns = list(zip(*rows, strict=True))[1:]
            writer.write_table(
                pyarrow.table(list(map(list, columns)), schema=schema), row_group_size=GROUP_ROWS
            )
        writer.close()
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)
    return tree.root()


_LAYOUT: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": ["type"],
    "write_statistics": False,
}


def _schema(pyarrow: Any) -> Any:  # noqa: ANN401 - pyarrow has no types
    return pyarrow.schema(
        [
            ("position", pyarrow.int64()),
            ("recorded_at", pyarrow.timestamp("us", tz="UTC")),
            ("type", pyarrow.string()),
            ("tags", pyarrow.list_(pyarrow.string())),
            ("data", pyarrow.binary()),
        ]
    )


def sync(path: Path) -> None:
    """Wait until a file, or a folder's list of them, is on disk."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def drop(connection: Connection, book: str, part: Part, one: Archive, chunks: bytes) -> None:
    """Drop a partition, and note where its facts are; tried until readers leave a gap.

    Raises:
        ArchiveRefused: Somebody reads the table all the time.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            _drop_once(connection, (book, part.number, *one[2:5], chunks, one.root))
        except psycopg.errors.LockNotAvailable as busy:
            if not tries_left:
                told = (
                    f"{book}: {one.file} is written, but somebody reads the table; try again later"
                )
                raise ArchiveRefused(told) from busy
            sleep(PAUSE_SECONDS)
        else:
            return


def _drop_once(connection: Connection, values: tuple[object, ...]) -> None:
    with connection.transaction():
        connection.execute("SET LOCAL ROLE obole_owner")
        connection.execute(_DROP, values)
