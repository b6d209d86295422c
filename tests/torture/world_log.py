"""The log in memory as two processes reach it, and all that may go wrong between them and it.

Each process has a queue. A batch is read; others may append; it is decided; others may append;
under the lock the tail is read and what it touches is decided again. A process may die before it
writes, or after it wrote and before it said so. `Flaws` are what the controls do wrong.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk, Keys
from ledger.log.batch import Decide, Decided, Outcome, Proposal, Recent, decide_all, place
from ledger.log.errors import LogUnavailable
from ledger.log.memory import MemoryLog
from ledger.log.rows import Query, StoredRow
from ledger.rules.resolve import RuleBook
from tests.torture.world_loop import Loop, Promise, Turn

DIES_BEFORE, DIES_AFTER = 0.04, 0.06
"""How often a process dies before it has written a batch, and after."""


class Flaws(NamedTuple):
    """What is done wrong on purpose; nothing, in the world that is tried."""

    ignores_the_tail: bool = False
    """Nothing is decided again, although others have appended since."""
    alone_in_the_batch: bool = False
    """Decisions of one batch do not see each other's facts."""
    forgets: frozenset[str] = frozenset()
    """Facts of these types are kept from every decision."""
    says_so_too_early: bool = False
    """A process that dies before it has written says that it has."""
    folds_unguarded: bool = False
    """A fold's rows are written wherever its position stands by then."""
    merges_backwards: bool = False
    """Of two ranges, the later one counts as the earlier."""
    comes_under_another_name: bool = False
    """A message that was not answered is handed over again under a new id."""


class WorldLog(MemoryLog):
    """The rows of one book, found by their tags."""

    def __init__(self, rows: Sequence[StoredRow], loop: Loop, flaws: Flaws) -> None:
        super().__init__(rows[0].book, lambda: loop.now)
        self._flaws = flaws
        self._rows += rows
        self._index = Recent(rows)

    @property
    def rows(self) -> Sequence[StoredRow]:
        """Everything that was written."""
        return self._rows

    def found(self, query: Query) -> tuple[StoredRow, ...]:
        """Give what belongs to a query."""
        rows = self._index.matching(query)
        forgets = self._flaws.forgets
        return tuple(row for row in rows if isinstance(row, StoredRow) and row.type not in forgets)

    def decided(
        self,
        proposals: Sequence[Proposal],
        readings: Sequence[Sequence[StoredRow]],
        tail: Sequence[StoredRow] = (),
        before: Sequence[Decided] = (),
    ) -> list[Decided]:
        """Decide a batch as every shell of the log does."""
        prepare = self._refuse_what_no_table_takes
        if not self._flaws.alone_in_the_batch:
            return decide_all(proposals, readings, self._kept(tail), before, prepare)
        return [
            one
            for n, proposal in enumerate(proposals)
            for one in decide_all(
                [proposal], readings[n : n + 1], self._kept(tail), before[n : n + 1], prepare
            )
        ]

    def _kept(self, rows: Iterable[StoredRow]) -> list[StoredRow]:
        return [row for row in rows if row.type not in self._flaws.forgets]

    def write(self, decided: Sequence[Decided]) -> list[Outcome | Exception]:
        """Give each decision's rows their places."""
        at: datetime = max(self._clock(), self._recorded_at)
        outcomes = place(self.book, decided, len(self._rows), at)
        for outcome in outcomes:
            if isinstance(outcome, Outcome) and outcome.appended:
                self._rows += outcome.appended
                self._index.add(outcome.appended)
                self._recorded_at = at
        return outcomes


_Job = tuple[Proposal, Promise[Outcome]]


class Process:
    """One process at the book: a desk, and a queue before the log. It may die, and comes again."""

    def __init__(self, log: WorldLog, loop: Loop, flaws: Flaws) -> None:
        self.deaths = 0
        self.desk: Desk
        self._log, self._loop, self._flaws = log, loop, flaws
        self._queue: list[_Job] = []
        self._at_work = False

    def serve(self, keys: Keys, rules: RuleBook) -> None:
        """Begin, having read nothing yet."""
        self.desk = Desk(self._log.book, self, keys, rules)

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        """Wait with others for the next batch."""
        answer: Promise[Outcome] = Promise()
        self._queue.append((Proposal(query, decide), answer))
        if not self._at_work:
            self._at_work = True
            self._loop.spawn(self._work())
        return await answer

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        """Read, while others go on."""
        await Turn()
        found = self._log.found(query), self._log.head()[0]
        await Turn()
        return found

    async def _work(self) -> None:
        while self._queue:
            await Turn()
            size = self._loop.chance.randint(1, len(self._queue))
            batch, self._queue = self._queue[:size], self._queue[size:]
            await self._append(batch)
        self._at_work = False

    async def _append(self, batch: Sequence[_Job]) -> None:
        proposals = [proposal for proposal, _ in batch]
        readings = [self._log.found(proposal.query) for proposal in proposals]
        head, _ = self._log.head()
        await Turn()
        decided = self._log.decided(proposals, readings)
        await Turn()
        fate = self._loop.chance.random()
        if fate < DIES_BEFORE and not self._flaws.says_so_too_early:
            self._die(batch)
            return
        if not self._flaws.ignores_the_tail:
            tail = self._log.follow(head, len(self._log.rows))
            decided = self._log.decided(proposals, readings, tail, decided)
        if fate < DIES_BEFORE:
            self._tell(batch, place(self._log.book, decided, self._log.head()[0], self._loop.now))
            return
        outcomes = self._log.write(decided)
        if fate > 1 - DIES_AFTER:
            self._die(batch)
        else:
            self._tell(batch, outcomes)

    def _die(self, batch: Sequence[_Job]) -> None:
        self.deaths += 1
        self.serve(self.desk.keys, self.desk.rules)
        for _, answer in batch:
            answer.settle(error=LogUnavailable("the process died"))

    def _tell(self, batch: Sequence[_Job], outcomes: Sequence[Outcome | Exception]) -> None:
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Exception):
                answer.settle(error=outcome)
            else:
                answer.settle(outcome)
