"""Builds a projection again from the log, beside the one in use: to replace it, or to compare.

The copy is a temporary table, so nothing is left behind when the process dies; the very
statements that keep the table fill it. The connection is in autocommit, from
`ledger.log.session.connect`, and belongs to one thread.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import LiteralString

from psycopg import Connection
from psycopg.rows import scalar_row
from psycopg.sql import SQL, Identifier

from ledger.log.postgres import PostgresLog
from projections import positions
from projections.apply import Failure, Target, apply
from projections.reading import NotProjected
from projections.source import Item, context_of, decoded
from projections.table import BESIDE, Place, Projection

CHUNK = 50_000
"""Facts that are folded together; chunks are merged in the order of their ranges."""

MOST_DIFFERENCES = 100

Progress = Callable[[int, int], None]
"""Told, after every chunk, the position reached and the one to reach."""

_LOCK: LiteralString = """
SELECT position FROM projection_positions WHERE book = %s AND projection = %s FOR UPDATE
"""
_FORGET: LiteralString = "DELETE FROM projection_positions WHERE book = %s AND projection = %s"
_STAND: LiteralString = """
INSERT INTO projection_positions (book, projection, version, position) VALUES (%s, %s, %s, %s)
"""
_SNAPSHOT: LiteralString = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
# The log's settings prefer an index, but comparing reads tables whole.
_READ_WHOLE: LiteralString = "SET LOCAL enable_seqscan = on"

_CREATE = SQL(
    "CREATE TEMPORARY TABLE {name}"
    " (LIKE public.{name} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)"
)
_DROP = SQL("DROP TABLE pg_temp.{name}")
_EMPTY = SQL("DELETE FROM public.{name} WHERE book = %s")
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
    with _copy(connection, book, projection) as copy:
        copy.build_to_head(progress)
        positions.start(connection, book, [projection.fold])
        with connection.transaction():
            stood = connection.execute(_LOCK, (book, projection.name)).fetchall()
            copy.build(max(position for (position,) in stood), progress)
            copy.replace_live()
    return copy.position


def compare(
    connection: Connection, book: str, projection: Projection, progress: Progress = unseen
) -> list[str]:
    """Build a projection beside the one in use, up to the same position, and give what differs.

    Rows are compared as text, byte for byte; at most 100 differences are given, none if equal.

    Raises:
        NotProjected: it has never run in this book.
        RebuildFailed: a fact cannot be folded.
    """
    with _copy(connection, book, projection) as copy:
        copy.build(_position(connection, book, projection), progress)
        with connection.transaction():
            connection.execute(_SNAPSHOT)
            copy.build(_position(connection, book, projection), progress)
            return copy.differences()


class _Copy:
    """A projection under construction, up to `position`, in this connection's temporary table."""

    def __init__(self, connection: Connection, book: str, projection: Projection) -> None:
        self.position = 0
        self._connection = connection
        self._book = book
        self._projection = projection
        self._log = PostgresLog(connection, book)

    @cached_property
    def _target(self) -> Target:
        context = context_of(self._log)
        if context is None:
            raise AssertionError("facts were read, so the first one is there")
        return Target(Place(self._connection, BESIDE), self._book, self._projection, context)

    def build_to_head(self, progress: Progress) -> None:
        """Go to the head, then once more for what came meanwhile."""
        for _ in range(2):
            self.build(self._log.head()[0], progress)

    def build(self, to: int, progress: Progress) -> None:
        """Go on to a position that the log has."""
        while self.position < to:
            rows = self._log.follow(self.position, min(CHUNK, to - self.position))
            self._add(decoded(rows, [self._projection.fold]))
            self.position = rows[-1].position
            progress(self.position, to)

    def _add(self, items: Sequence[Item]) -> None:
        failure = apply(self._target, items)
        if failure is not None:
            raise RebuildFailed(self._projection.name, failure) from failure.error

    def replace_live(self) -> None:
        """Put the copy in the place of the table in use, in the caller's transaction."""
        fold = self._projection.fold
        self._connection.execute(_EMPTY.format(name=Identifier(fold.name)), (self._book,))
        self._connection.execute(_FILL.format(name=Identifier(fold.name)))
        self._connection.execute(_FORGET, (self._book, fold.name))
        self._connection.execute(_STAND, (self._book, fold.name, fold.version, self.position))

    def differences(self) -> list[str]:
        """Compare with the table in use, row by row as text."""
        self._connection.execute(_READ_WHOLE)
        ask = _DIFFERENCES.format(name=Identifier(self._projection.name))
        cursor = self._connection.cursor(row_factory=scalar_row)
        return cursor.execute(ask, (self._book, MOST_DIFFERENCES)).fetchall()


@contextmanager
def _copy(connection: Connection, book: str, projection: Projection) -> Generator[_Copy]:
    name = Identifier(projection.name)
    connection.execute(_CREATE.format(name=name))
    try:
        yield _Copy(connection, book, projection)
    finally:
        # The server drops it with the connection, should that be gone.
        if not connection.closed:
            connection.execute(_DROP.format(name=name))


def _position(connection: Connection, book: str, projection: Projection) -> int:
    standing = positions.standings(connection, book).get(projection.name)
    if standing is None:
        raise NotProjected(book, projection.name)
    return standing.position
