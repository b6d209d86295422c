"""The asynchronous shell of the log: one task a book appends, another reads, in one event loop."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Self, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from ledger.log import scripts
from ledger.log import statements as sql
from ledger.log.batch import Decide, Outcome, Proposal
from ledger.log.errors import LogUnavailable
from ledger.log.lane import Lane
from ledger.log.postgres import AWAY, REFUSED, row_refused
from ledger.log.rows import Query, StoredRow
from ledger.log.scripts import Answers, Copy, Script, Step
from ledger.log.session import connect_async

T = TypeVar("T")
Answer = TypeVar("Answer")
Job = TypeVar("Job")

History = tuple[tuple[StoredRow, ...], int]
"""What belongs to a query, and the position up to which it is complete."""


class Link:
    """A connection that is made when needed, and made again after it broke. One task uses it."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: AsyncConnection | None = None

    async def run(self, script: Script[T]) -> T:
        """Perform a script.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        if self._connection is None or self._connection.closed:
            self._connection = await connect_async(self._conninfo)
        return await run_async(self._connection, script)

    async def read(self, script: Callable[[], Script[T]]) -> T:
        """Perform a script that only reads; once more if the connection turns out to be dead."""
        was_open = self._connection is not None and not self._connection.closed
        try:
            return await self.run(script())
        except AWAY:
            if not was_open or not self._connection or not self._connection.closed:
                raise
        return await self.run(script())

    async def close(self) -> None:
        """Let the connection go; the next script makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class BookWriter:
    """One book's log inside an event loop; enter it as an asynchronous context.

    `queue_limit` is how many callers may wait, for appending and for reading each; `batch_limit`
    how many decisions go into one transaction. It owns two connections and makes them again when
    the database comes back.
    """

    def __init__(
        self, conninfo: str, book: str, *, queue_limit: int = 2_048, batch_limit: int = 256
    ) -> None:
        self.book = book
        self._reads, self._writes = Link(conninfo), Link(conninfo)
        self._appending: Lane[Proposal, Outcome] = Lane(self._append, queue_limit, batch_limit)
        self._reading: Lane[Query, History] = Lane(self._read, queue_limit, batch_limit)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Begin to serve. The database need not be there yet."""
        self._reading.start()
        self._appending.start()

    async def stop(self) -> None:
        """Take no more, finish what is waiting, and close the connections."""
        await self._appending.stop()
        await self._reading.stop()
        await self._reads.close()
        await self._writes.close()

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        """Decide on the history that `query` names, and append what follows: see `AsyncLog`."""
        return await self._appending.ask(Proposal(query, decide))

    async def read(self, query: Query) -> History:
        """Read what belongs to `query`; what others ask meanwhile goes in the same round trip."""
        return await self._reading.ask(query)

    async def _append(self, proposals: Sequence[Proposal]) -> Sequence[Outcome | Exception]:
        return await each_its_own(self._append_together, proposals)

    async def _read(self, queries: Sequence[Query]) -> Sequence[History | Exception]:
        return await each_its_own(self._read_together, queries)

    async def _append_together(self, proposals: Sequence[Proposal]) -> list[Outcome | Exception]:
        queries = [proposal.query for proposal in proposals]
        patience = iter(scripts.PATIENCE)
        while True:
            # Over the same connection, so that a dead one is noticed before anything is written.
            read = await self._writes.read(lambda: scripts.reading(self.book, queries))
            appending = scripts.appending(self.book, proposals, read, next(patience))
            outcomes = await self._writes.run(appending)
            if outcomes is not None:
                return outcomes

    async def _read_together(self, queries: Sequence[Query]) -> list[History | Exception]:
        read = await self._reads.read(lambda: scripts.reading(self.book, queries))
        return [(history, read.head) for history in read.histories]


async def each_its_own(
    work: Callable[[Sequence[Job]], Awaitable[list[Answer | Exception]]], jobs: Sequence[Job]
) -> list[Answer | Exception]:
    """Do jobs together, or each alone if what one of them holds is refused."""
    try:
        return await work(jobs)
    except AWAY as away:
        return [LogUnavailable(str(away)) for _ in jobs]
    except REFUSED as refused:
        if len(jobs) == 1:
            return [row_refused(refused)]
    return [answer for job in jobs for answer in await each_its_own(work, [job])]


async def run_async(connection: AsyncConnection, script: Script[T]) -> T:
    """Do as `run`, inside an event loop; if it is cancelled, the connection ends."""
    try:
        step = next(script)
        while True:
            step = script.send(await _perform(connection, step))
    except StopIteration as end:
        return end.value
    except Exception:
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                await connection.execute(sql.ROLLBACK)
        raise
    except BaseException:
        await connection.close()
        raise


async def _perform(connection: AsyncConnection, step: Step) -> Answers:
    if isinstance(step, Copy):
        async with connection.cursor().copy(sql.COPY_FACTS) as copy:
            await copy.write(step.payload)
        return []
    if len(step) == 1:
        return [await _rows(await connection.execute(*step[0], binary=True))]
    async with connection.pipeline():
        cursors = [await connection.execute(*ask, binary=True) for ask in step]
    return [await _rows(cursor) for cursor in cursors]


async def _rows(cursor: psycopg.AsyncCursor) -> list[tuple[Any, ...]]:
    return await cursor.fetchall() if cursor.description else []
