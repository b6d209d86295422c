"""Builds a projection again from the log, beside the one in use: to replace it, or to compare.

The copy is a temporary table, so nothing is left behind when the process dies; the very
statements that keep the table fill it. The connection is in autocommit, from
`ledger.log.session.connect`, and belongs to one thread.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cached_property
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import scalar_row
from psycopg.sql import SQL, Identifier

from ledger.log.postgres import PostgresLog
from ledger.log.session import SNAPSHOT
from projections import positions
from projections.apply import Failure, Target, apply
from projections.reading import NotProjected
from projections.source import context_of, decoded, lines, uncollected
from projections.table import BESIDE, LaidOut, Place, Projection

CHUNK = 50_000
"""Facts that are folded together; chunks are merged in the order of their ranges."""

MOST_DIFFERENCES = 100

Progress = Callable[[int, int], None]
"""Told, after every chunk, the position reached and the one to reach."""

_LOCK: LiteralString = """
SELECT position FROM projection_positions WHERE book = %s AND projection = %s FOR UPDATE
"""
_STAND: LiteralString = """
INSERT INTO projection_positions (book, projection, version, position) VALUES (%s, %s, %s, %s)
"""
# The log's settings prefer an index, but comparing reads tables whole.
_READ_WHOLE: LiteralString = "SET LOCAL enable_seqscan = on"

_CREATE = SQL(
    "CREATE TEMPORARY TABLE {name}"
    " (LIKE public.{name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
)
# Only the key is needed to merge rows; the lists' indexes are those of the table in use.
_SIDE_INDEXES: LiteralString = """
SELECT side.relname
FROM pg_index
INNER JOIN pg_class AS side ON pg_index.indexrelid = side.oid
INNER JOIN pg_class AS copy ON pg_index.indrelid = copy.oid
WHERE copy.relname = %s AND copy.relnamespace = pg_my_temp_schema() AND NOT pg_index.indisprimary
"""
_DROP_INDEX = SQL("DROP INDEX pg_temp.{name}")
_DROP = SQL("DROP TABLE pg_temp.{name}")
_FILL = SQL("INSERT INTO public.{name} SELECT * FROM pg_temp.{name}")
_DIFFERENCES = SQL("""
WITH live AS (
    SELECT whole::text AS content FROM public.{name} AS whole WHERE whole.book = %s
),
rebuilt AS (
    SELECT whole::text AS content FROM pg_temp.{name} AS whole
)
SELECT 'live only: ' || content
FROM (SELECT content FROM live EXCEPT ALL SELECT content FROM rebuilt) AS missing
UNION ALL
SELECT 'rebuilt only: ' || content
FROM (SELECT content FROM rebuilt EXCEPT ALL SELECT content FROM live) AS added
LIMIT %s
""")


class RebuildFailed(Exception):
    """A fact could not be folded, or its rows not written; the table in use stays as it is."""

    def __init__(self, projection: str, failure: Failure) -> None:
        super().__init__(
            f"{projection}: position {failure.position} (fact {failure.fact}): {failure.error}"
        )
        self.projection = projection
        self.failure = failure


def unseen(_reached: int, _head: int) -> None:
    """Show no progress."""


def rebuild(
    connection: Connection, book: str, projection: Projection, progress: Progress = unseen
) -> int:
    """Build a projection anew and put it in the place of the old one; gives its position.

    The old one is kept up, and is what is read, until one transaction puts the new one in its
    place. That also replaces an older version, and one that is parked.

    Raises:
        RebuildFailed: a fact cannot be folded; the old one stays.
    """
    with copied(connection, book, projection) as copy:
        copy.build_to_head(progress)
        return swap(connection, book, copy, progress)


def compare(
    connection: Connection, book: str, projection: Projection, progress: Progress = unseen
) -> list[str]:
    """Build a projection beside the one in use, up to the same position, and give what differs.

    Rows are compared as text, byte for byte; at most 100 differences are given, none if equal.

    Raises:
        NotProjected: it has never run in this book.
        RebuildFailed: a fact cannot be folded.
    """
    with copied(connection, book, projection) as copy:
        copy.build(_position(connection, book, projection), progress)
        with connection.transaction():
            connection.execute(SNAPSHOT, prepare=False)
            copy.build(_position(connection, book, projection), progress)
            return copy.differences()


class Copy:
    """A projection under construction, up to `position`, in this connection's temporary table."""

    def __init__(self, connection: Connection, book: str, projection: Projection) -> None:
        self.position = 0
        self.projection = projection
        self.place = Place(connection, BESIDE)
        self._connection = connection
        self._book = book
        self._log = PostgresLog(connection, book)

    @cached_property
    def _target(self) -> Target:
        context = context_of(self._log)
        if context is None:
            raise AssertionError("facts were read, so the first one is there")
        return Target(self.place, self._book, self.projection, context)

    def build_to_head(self, progress: Progress) -> None:
        """Go to the head, then once more for what came meanwhile."""
        for _ in range(2):
            self.build(self._log.head()[0], progress)

    def build(self, to: int, progress: Progress) -> None:
        """Go on to a position that the log has."""
        while self.position < to:
            self.add(min(self.position + CHUNK, to))
            progress(self.position, to)

    def add(self, to: int) -> None:
        """Fold what is between here and a position that the log has."""
        with uncollected():
            rows = lines(self._connection, self._book, self.position, to)
            failure = apply(self._target, decoded(rows, [self.projection.fold]))
        if failure is not None:
            raise RebuildFailed(self.projection.name, failure) from failure.error
        self.position = rows[-1].position

    def put(self, rows: LaidOut, to: int) -> None:
        """Merge what somebody else has folded of what is between here and a position."""
        with self._connection.transaction():
            self.projection.table.put(self.place, self._book, rows)
        self.position = to

    def replace_live(self) -> None:
        """Put the copy in the place of the table in use, in the caller's transaction."""
        fold = self.projection.fold
        self.projection.table.empty(self._connection, self._book)
        self._connection.execute(_FILL.format(name=Identifier(fold.name)))
        positions.forget(self._connection, self._book, [fold.name])
        self._connection.execute(_STAND, (self._book, fold.name, fold.version, self.position))

    def differences(self) -> list[str]:
        """Compare with the table in use, row by row as text."""
        self._connection.execute(_READ_WHOLE)
        ask = _DIFFERENCES.format(name=Identifier(self.projection.name))
        cursor = self._connection.cursor(row_factory=scalar_row)
        return cursor.execute(ask, (self._book, MOST_DIFFERENCES)).fetchall()


def swap(connection: Connection, book: str, copy: Copy, progress: Progress = unseen) -> int:
    """Put a copy in the place of the table in use, once it is as far; gives its position.

    Raises:
        RebuildFailed: a fact cannot be folded; the old one stays.
    """
    projection = copy.projection
    positions.start(connection, book, [projection.fold])
    with connection.transaction():
        stood = connection.execute(_LOCK, (book, projection.name)).fetchall()
        copy.build(max(position for (position,) in stood), progress)
        copy.replace_live()
    return copy.position


@contextmanager
def copied(connection: Connection, book: str, projection: Projection) -> Generator[Copy]:
    """Give an empty copy, and drop it after."""
    name = Identifier(projection.name)
    with connection.transaction():
        connection.execute(_CREATE.format(name=name))
        for (index,) in connection.execute(_SIDE_INDEXES, (projection.name,)).fetchall():
            connection.execute(_DROP_INDEX.format(name=Identifier(index)))
    try:
        yield Copy(connection, book, projection)
    finally:
        # The server drops it with the connection, should that be gone.
        if not connection.closed:
            connection.execute(_DROP.format(name=name))


def _position(connection: Connection, book: str, projection: Projection) -> int:
    standing = positions.standings(connection, book).get(projection.name)
    if standing is None:
        raise NotProjected(book, projection.name)
    return standing.position
