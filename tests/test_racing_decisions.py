"""Decisions made on the same facts and written one after the other: as if made in that order.

Each pair of commands about one charge, and each three that move its money, read one snapshot,
decide, and are written in every order. The control writes what was decided first, and is caught.
"""

import asyncio
from collections.abc import Sequence
from itertools import combinations, permutations

import pytest

from ledger.log.batch import Decide, Outcome, Proposal, decide_all
from ledger.log.memory import AsyncMemoryLog, MemoryLog
from ledger.log.rows import Query, StoredRow
from tests.support.racing import COMMANDS, Came, kept, one_by_one, refusal, told
from tests.support.refunding import Sold, asked

GROUPS = [*combinations(COMMANDS, 2), *combinations(list(COMMANDS)[:5], 3)]
"""All pairs, and threes of those that move money."""


class Racing:
    """A log on which callers decide on one snapshot, and are written in an order.

    `blind` writes what each decided first, whatever came since: the flaw of the control.
    """

    def __init__(self, log: MemoryLog, order: Sequence[int], *, blind: bool) -> None:
        self._log, self._order, self._blind = log, order, blind
        self._waiting: list[tuple[Proposal, asyncio.Future[Outcome]]] = []
        self._raced = False

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        return self._log.read(query)

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        if self._raced:
            return self._log.decide(query, decide)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((Proposal(query, decide), future))
        if len(self._waiting) == len(self._order):
            self._raced = True
            self._race()
        return await future

    def _race(self) -> None:
        read = [self._log.read(proposal.query) for proposal, _ in self._waiting]
        first = [
            decide_all([proposal], [rows])
            for (proposal, _), (rows, _) in zip(self._waiting, read, strict=True)
        ]
        for place in self._order:
            (proposal, future), (rows, head) = self._waiting[place], read[place]
            tail = [] if self._blind else self._log.follow(head, 10_000)
            (decided,) = decide_all([proposal], [rows], tail, first[place])
            if decided.failure is not None:
                future.set_exception(decided.failure)
                continue
            new = decided.rows
            outcome = self._log.decide(proposal.query, lambda _, new=new: new)
            future.set_result(outcome._replace(history=rows) if self._blind else outcome)


def raced(sold: Sold, names: Sequence[str], order: Sequence[int], *, blind: bool = False) -> Came:
    """Let commands decide at once and be written in an order."""
    log = sold.book.desk.log
    assert isinstance(log, AsyncMemoryLog)

    async def all_of_them() -> list[object]:
        stories = [COMMANDS[name](sold) for name in names]
        return await asyncio.gather(*stories, return_exceptions=True)

    sold.book.desk.log = Racing(log.log, order, blind=blind)
    try:
        results = asyncio.run(all_of_them())
    finally:
        sold.book.desk.log = log
    return Came(told(sold.book), [refusal(one) for one in results])


@pytest.mark.parametrize("captured", [True, False], ids=["captured", "pending"])
class TestRacing:
    """In every order of writing."""

    @pytest.mark.parametrize("names", GROUPS, ids=" and ".join)
    def test_ends_as_if_one_came_after_the_other(
        self, names: tuple[str, ...], *, captured: bool
    ) -> None:
        for order in permutations(range(len(names))):
            sold = asked(captured=captured)
            assert raced(sold, names, order) == one_by_one(asked(captured=captured), names, order)
            assert kept(sold)


class TestControl:
    """Without the check, the same commands make money, or contradict each other."""

    def test_of_two_refunds_gives_back_too_much(self) -> None:
        names = ("refunded in part", "refunded in another part")
        sold = asked()
        assert raced(sold, names, (0, 1), blind=True) != one_by_one(asked(), names, (0, 1))
        assert not kept(sold)

    def test_of_two_receipts_ends_otherwise_than_in_any_order(self) -> None:
        names = ("delivered", "failed")
        came = raced(asked(captured=False), names, (0, 1), blind=True)
        orders = permutations(range(2))
        assert came not in [one_by_one(asked(captured=False), names, order) for order in orders]
