"""The synchronous shell of the log, for imports, projections and the recorder's contract."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolTimeout

from ledger.log import scripts
from ledger.log import statements as sql
from ledger.log.archive import Fetch
from ledger.log.batch import Decide, Outcome, Proposal
from ledger.log.errors import (
    ArchiveMissing,
    ArchiveUnreadable,
    LogError,
    LogUnavailable,
    RowRefused,
)
from ledger.log.rows import Interest, Query, StoredRow
from ledger.log.scripts import Appended
from ledger.log.steps import Answers, Script, Step

T = TypeVar("T")

AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
"""What psycopg raises when the database, or the way to it, is gone or will not answer in time."""

REFUSED = (
    *(psycopg.DataError, psycopg.IntegrityError, UnicodeEncodeError),
    *(ArchiveMissing, ArchiveUnreadable),
)
"""What is raised when a row, or what is asked for, cannot be given to the database, or when what
is asked for is archived and cannot be read: it is not the fault of what stands beside it.
"""


class PostgresLog:
    """One book's log over a connection (autocommit, from `session.connect`) or a pool of them.

    Over one connection it belongs to one thread at a time, and does not outlive that connection.
    """

    def __init__(self, source: Connection | ConnectionPool, book: str) -> None:
        self.book = book
        self._source = source
        self._crowded = False

    def open_book(self) -> None:
        """Give the book its head and first partition; it stays as it is if it has them."""
        with self._connection() as connection:
            connection.execute(sql.OPEN_BOOK, (self.book,))

    def submit(self, proposals: Sequence[Proposal]) -> list[Outcome | Exception]:
        """Decide a batch and append what stands; a refusal takes the place of its outcome.

        Raises:
            UnknownBook: The book was never opened.
            LogUnavailable: The database is away; the batch may or may not be committed.
        """
        with self._connection() as connection:
            return self._submit(connection, proposals)

    def decide(self, query: Query, decide: Decide) -> Outcome:
        """Submit one decision alone; raises what `submit` raises, and its refusal."""
        (outcome,) = self.submit([Proposal(query, decide)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def read(
        self, query: Query, after: int = 0, limit: int | None = None
    ) -> tuple[tuple[StoredRow, ...], int]:
        """Read the first `limit` rows after `after` that belong to a query, and the head."""
        query = tuple(Interest(tags, types, max(after, since)) for tags, types, since in query)
        read = self._run(scripts.reading(self.book, [query]))
        return read.histories[0][:limit], read.head

    def follow(self, after: int, limit: int) -> list[StoredRow]:
        """Read the next `limit` rows after a position, of any kind; fewer if no more are there."""
        return self._run(scripts.ranging(self.book, after, after + limit))

    def rows_at(self, positions: Sequence[int]) -> list[StoredRow]:
        """Read the rows at these positions, in order of position."""
        return self._run(scripts.picking(self.book, positions))

    def head(self) -> tuple[int, datetime]:
        """Read the last position and when it was recorded; 0 and the opening in an empty book."""
        return self._run(scripts.asking_head(self.book))

    def _run(self, script: Script[T]) -> T:
        with self._connection() as connection:
            return run(connection, script)

    def _submit(
        self, connection: Connection, proposals: Sequence[Proposal]
    ) -> list[Outcome | Exception]:
        try:
            return self._append(connection, proposals)
        except REFUSED as refused:
            if len(proposals) == 1:
                return [row_refused(refused)]
        # One bad row must not fail the others, so each decision is tried alone.
        return [
            outcome for proposal in proposals for outcome in self._submit(connection, [proposal])
        ]

    def _append(
        self, connection: Connection, proposals: Sequence[Proposal]
    ) -> list[Outcome | Exception]:
        appended = self._decided(connection, proposals)
        if appended.wants_room:
            self._make_room(connection)
        return appended.outcomes

    def _decided(self, connection: Connection, proposals: Sequence[Proposal]) -> Appended:
        queries = [proposal.query for proposal in proposals]
        patience = iter(scripts.PATIENCE)
        while True:
            read = run(connection, scripts.reading(self.book, queries))
            appending = scripts.appending(
                self.book, proposals, read, next(patience), crowded=self._crowded
            )
            appended = run(connection, appending)
            if appended is not None:
                self._crowded = appended.crowded
                return appended

    def _make_room(self, connection: Connection) -> None:
        # What was appended stays so; if somebody is in the way, the next to append makes room.
        with suppress(psycopg.Error):
            run(connection, scripts.making_room(self.book))

    @contextmanager
    def _connection(self) -> Generator[Connection]:
        try:
            if isinstance(self._source, Connection):
                yield self._source
            else:
                with self._source.connection() as connection:
                    yield connection
        except AWAY as away:
            raise LogUnavailable(str(away)) from away


def row_refused(refused: Exception) -> LogError:
    """Name the rule that a refused row breaks; what is said of an archive stays as it is."""
    if isinstance(refused, LogError):
        return refused
    if isinstance(refused, psycopg.Error):
        return RowRefused(refused.diag.constraint_name or refused.sqlstate or str(refused))
    return RowRefused(str(refused))


def run(connection: Connection, script: Script[T]) -> T:
    """Perform a script's steps; what goes wrong rolls its transaction back."""
    try:
        step = next(script)
        while True:
            step = script.send(_perform(connection, step))
    except StopIteration as end:
        return end.value
    except Exception:
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                connection.execute(sql.ROLLBACK)
        raise
    except BaseException:
        # Cut off within a step: what the connection says next might answer that step.
        connection.close()
        raise


def _perform(connection: Connection, step: Step) -> Answers:
    if isinstance(step, Fetch):
        return [[*rows] for rows in step.rows()]
    if len(step) == 1:
        return [_rows(connection.execute(*step[0], binary=True))]
    with connection.pipeline():
        cursors = [connection.execute(*ask, binary=True) for ask in step]
    return [_rows(cursor) for cursor in cursors]


def _rows(cursor: psycopg.Cursor) -> list[tuple[Any, ...]]:
    return cursor.fetchall() if cursor.description else []
