"""The asynchronous shell of the log: one task a book appends, another reads, in one event loop."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import NamedTuple, Self, TypeVar

import psycopg

from ledger.log import scripts
from ledger.log.batch import Decide, Outcome, Proposal, decide_all
from ledger.log.encoding import encoded
from ledger.log.errors import LogUnavailable
from ledger.log.flight import Flight, Turn
from ledger.log.lane import Lane
from ledger.log.link import Link, run_async
from ledger.log.postgres import AWAY, REFUSED, row_refused
from ledger.log.rows import Query, StoredRow
from ledger.log.scripts import Appended
from ledger.log.steps import Script

__all__ = ["Batch", "BookWriter", "run_async"]

Answer = TypeVar("Answer")
Job = TypeVar("Job")

Work = Callable[[Sequence[Job]], Awaitable[list[Answer | Exception]]]

History = tuple[tuple[StoredRow, ...], int]
"""What belongs to a query, and the position up to which it is complete."""


class Batch(NamedTuple):
    """What became of decisions that were submitted together, for whoever counts."""

    book: str
    decisions: int
    facts: Counter[str]
    """Facts that were appended, by type."""
    refused: int
    """Decisions that ended in an exception."""
    overtaken: int
    """How often they were decided again, since somebody else was faster."""


class BookWriter:
    """One book's log inside an event loop; enter it as an asynchronous context.

    `told`, if given, hears of every batch. `queue_limit` is how many callers may wait, for
    appending and for reading each; `batch_limit` how many decisions go into one transaction. While
    PostgreSQL writes one batch, the next is read and decided, if it is full, as though that one
    were stored; should it come to nothing, the next is decided again, once each decision of the
    first was tried by itself. It owns three connections, made again when the database is back.
    """

    def __init__(
        self,
        conninfo: str,
        book: str,
        *,
        queue_limit: int = 2_048,
        batch_limit: int = 256,
        told: Callable[[Batch], None] | None = None,
    ) -> None:
        self.book = book
        self._told = told
        self._overtaken = 0
        self._reads, self._writes, self._looks = Link(conninfo), Link(conninfo), Link(conninfo)
        self._last = Turn(over=True)
        self._crowded = False
        self._appending: Lane[Proposal, Outcome] = Lane(self._append, queue_limit, batch_limit, 2)
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
        for link in (self._reads, self._writes, self._looks):
            await link.close()

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        """Decide on the history that `query` names, and append what follows: see `AsyncLog`."""
        return await self._appending.ask(Proposal(query, decide))

    async def submit_all(self, proposals: Iterable[Proposal]) -> list[Outcome | Exception]:
        """Submit many in their order; a refusal takes the place of its outcome.

        They wait for room in the queue, so that any number may be given.

        Raises:
            LogUnavailable: The writer is not running.
        """
        return await self._appending.ask_all(proposals)

    async def read(self, query: Query) -> History:
        """Read what belongs to `query`; what others ask meanwhile goes in the same round trip."""
        return await self._reading.ask(query)

    async def _append(self, proposals: Sequence[Proposal]) -> Sequence[Outcome | Exception]:
        # Nothing is awaited before this, so that turns are in the order in which batches begin.
        before, turn = self._last, Turn()
        self._last = turn
        try:
            outcomes = await each_its_own(self._append_after(before, turn), proposals)
            await before.ended()
        finally:
            turn.end()
        if self._told is not None:
            overtaken, self._overtaken = self._overtaken, 0
            self._told(_counted(self.book, outcomes, overtaken))
        return outcomes

    async def _read(self, queries: Sequence[Query]) -> Sequence[History | Exception]:
        return await each_its_own(self._read_together, queries)

    def _append_after(self, before: Turn, turn: Turn) -> Work[Proposal, Outcome]:
        """Tell how to append a batch: ahead at first, and else once the one before it has ended."""
        first = iter([True])

        async def work(proposals: Sequence[Proposal]) -> list[Outcome | Exception]:
            if next(first, False):
                outcomes = await self._ahead(before, turn, proposals)
                if outcomes is not None:
                    return outcomes
                self._overtaken += 1
            await before.ended()
            return await self._settled(proposals)

        return work

    async def _ahead(
        self, before: Turn, turn: Turn, proposals: Sequence[Proposal]
    ) -> list[Outcome | Exception] | None:
        """Decide beside the batch before, and append after it; none if it is to be settled."""
        flight = await self._decided(before, proposals)
        if flight is None:
            return None
        if not flight.rows:
            return flight.nothing(self.book)
        turn.launch(flight)
        appended = await self._land(flight)
        if appended is None and not flight.rests_on_a_flight:
            self._overtaken += 1
            await before.ended()
            return await self._after_others(
                flight.after_others(self.book, proposals, scripts.TAIL_LIMIT)
            )
        return appended.outcomes if appended else None

    async def _decided(self, before: Turn, proposals: Sequence[Proposal]) -> Flight | None:
        """Read and decide a batch; none if it was decided after one that did not come to pass."""
        queries = [proposal.query for proposal in proposals]
        flight = await before.in_the_air()
        if self._crowded:
            return None
        # Alone over the connection that writes, so that a dead one is noticed beforehand.
        link = self._looks if flight else self._writes
        read = await link.read(lambda: scripts.reading(self.book, queries))
        if flight and read.head != flight.head:
            # What it appended is in this reading, or will be found to have overtaken it.
            await before.ended()
            flight = None
        decided = decide_all(
            proposals, read.histories, flight.rows if flight else (), prepare=encoded
        )
        if flight is None:
            return Flight(read.head, decided)
        await asyncio.wait((flight.landed,))
        return Flight(flight.end, decided, flight.stored()) if flight.landed.result() else None

    async def _land(self, flight: Flight) -> Appended | None:
        try:
            appended = await self._writes.run(flight.appending(self.book))
        except BaseException:
            flight.landed.set_result(None)
            raise
        flight.landed.set_result(appended)
        if appended and appended.wants_room:
            await self._make_room()
        return appended

    async def _make_room(self) -> None:
        # What was appended stays so; if somebody is in the way, the next makes room.
        with suppress(psycopg.Error):
            await self._looks.run(scripts.making_room(self.book))

    async def _settled(self, proposals: Sequence[Proposal]) -> list[Outcome | Exception]:
        """Append what others were faster than: read again, and decide under the lock."""
        queries = [proposal.query for proposal in proposals]
        for tail_limit in scripts.PATIENCE:
            read = await self._writes.read(lambda: scripts.reading(self.book, queries))
            outcomes = await self._after_others(
                scripts.appending(self.book, proposals, read, tail_limit, crowded=True)
            )
            if outcomes is not None:
                return outcomes
        raise AssertionError("the last of them has no limit")

    async def _after_others(
        self, appending: Script[Appended | None]
    ) -> list[Outcome | Exception] | None:
        """Append under the lock; none if the others have appended too much."""
        appended = await self._writes.run(appending)
        if appended is None:
            return None
        self._crowded = appended.crowded
        if appended.wants_room:
            await self._make_room()
        return appended.outcomes

    async def _read_together(self, queries: Sequence[Query]) -> list[History | Exception]:
        read = await self._reads.read(lambda: scripts.reading(self.book, queries))
        return [(history, read.head) for history in read.histories]


def _counted(book: str, outcomes: Sequence[Outcome | Exception], overtaken: int) -> Batch:
    stood = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    facts = Counter(row.type for outcome in stood for row in outcome.appended)
    return Batch(book, len(outcomes), facts, len(outcomes) - len(stood), overtaken)


async def each_its_own(work: Work[Job, Answer], jobs: Sequence[Job]) -> list[Answer | Exception]:
    """Do jobs together, or each alone if what one of them holds is refused."""
    try:
        return await work(jobs)
    except AWAY as away:
        return [LogUnavailable(str(away)) for _ in jobs]
    except REFUSED as refused:
        if len(jobs) == 1:
            return [row_refused(refused)]
    return [answer for job in jobs for answer in await each_its_own(work, [job])]
