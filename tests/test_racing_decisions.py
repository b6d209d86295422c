"""Decisions made on the same facts and written one after the other: as if made in that order.

Each pair of commands about one charge, and each three that move its money, read one snapshot,
decide, and are written in every order. The control writes what was decided first, and is caught.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from itertools import combinations, permutations
from typing import Any, NamedTuple

import msgspec
import pytest

from ledger.commands.refunds import refund_charge, write_off_charge
from ledger.decisions.refusals import Refusal
from ledger.facts.charges import ChargeCaptured, ChargeRefunded, ChargeWrittenOff
from ledger.facts.traffic import MtEmitted
from ledger.log.batch import Decide, Outcome, Proposal, decide_all
from ledger.log.memory import AsyncMemoryLog, MemoryLog
from ledger.log.rows import Query, StoredRow
from ledger.postings import postings
from tests.support.book import ORIGIN, Book
from tests.support.builders import dlr, mo
from tests.support.refunding import Sold, asked, refund_of, transfer, write_off_of

Command = Callable[[Sold], Coroutine[Any, Any, object]]


def mt_of(sold: Sold) -> str:
    return sold.book.facts(MtEmitted)[0].ref.mt  # type: ignore[attr-defined]


def giving_back(sold: Sold, **fields: Any) -> Coroutine[Any, Any, object]:  # noqa: ANN401 - of every type
    price = fields.pop("price", None)
    request = transfer(sold.charge, price, **fields) if price else refund_of(sold.charge, **fields)
    return refund_charge(sold.book.desk, request, ORIGIN, sold.book.clock.now)


def writing_off(sold: Sold) -> Coroutine[Any, Any, object]:
    request = write_off_of(sold.charge)
    return write_off_charge(sold.book.desk, request, ORIGIN, sold.book.clock.now)


COMMANDS: dict[str, Command] = {
    "refunded": giving_back,
    "refunded in part": lambda sold: giving_back(sold, price=2_000_000, id="r-2"),
    "refunded in another part": lambda sold: giving_back(sold, price=2_000_000, id="r-3"),
    "written off": writing_off,
    "delivered": lambda sold: sold.book.be_told(dlr(mt_of(sold))),
    "failed": lambda sold: sold.book.be_told(dlr(mt_of(sold), "failed")),
    "grown old": lambda sold: sold.book.grow_old(
        sold.charge, sold.book.clock.now + timedelta(days=9)
    ),
    "stopped": lambda sold: sold.book.take_in(mo("STOP", gateway_message_id="m-2")),
    "bought again": lambda sold: sold.book.take_in(mo("JEU", gateway_message_id="m-3")),
    "in conflict": lambda sold: sold.book.take_in(mo("JEU 7")),
}
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


class Came(NamedTuple):
    """What came of some commands."""

    facts: list[object]
    refused: list[str]


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


def one_by_one(sold: Sold, names: Sequence[str], order: Sequence[int]) -> Came:
    """Let commands happen one after the other."""
    results: dict[int, str] = {}
    for place in order:
        (one,) = asyncio.run(_alone(COMMANDS[names[place]](sold)))
        results[place] = refusal(one)
    return Came(told(sold.book), [results[place] for place in range(len(names))])


async def _alone(story: Coroutine[Any, Any, object]) -> tuple[object]:
    return await asyncio.gather(story, return_exceptions=True)


def refusal(result: object) -> str:
    if isinstance(result, Exception) and not isinstance(result, Refusal):
        raise result
    return type(result).__name__ if isinstance(result, Exception) else ""


def told(book: Book) -> list[object]:
    """Give every fact in order, without what a new data key makes another."""
    other_each_time = {"text": None, "fingerprint": "0" * 32}
    return [
        (
            one.id,
            one.caused_by,
            msgspec.structs.replace(
                one.fact,
                **{name: to for name, to in other_each_time.items() if hasattr(one.fact, name)},
            ),
        )
        for one in book.recorded
    ]


def kept(sold: Sold) -> bool:
    """Tell whether no money was made: all balances, and nobody got back more than they paid."""
    book, charge = sold
    facts = book.facts()
    lines = [line for fact in facts for line in postings(fact)]
    mine = [one for one in facts if getattr(getattr(one, "ref", None), "charge", None) == charge]
    back = sum(one.price for one in mine if isinstance(one, ChargeRefunded))
    captured = [one for one in mine if isinstance(one, ChargeCaptured)]
    offs = [one for one in mine if isinstance(one, ChargeWrittenOff)]
    paid = sum(one.amounts.price for one in captured)
    once = len(captured) <= 1 and len(offs) <= 1
    return once and back <= paid and sum(line.debit - line.credit for line in lines) == 0


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
