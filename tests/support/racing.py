"""Commands about one charge that race each other, and what comes of them one after the other."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from ledger.commands.refunds import refund_charge, write_off_charge
from ledger.decisions.refusals import Refusal
from ledger.facts.charges import ChargeCaptured, ChargeRefunded, ChargeWrittenOff
from ledger.facts.traffic import MtEmitted
from ledger.postings import postings
from tests.support.book import ORIGIN, Book
from tests.support.builders import dlr, mo
from tests.support.refunding import Sold, refund_of, transfer, write_off_of

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


class Came(NamedTuple):
    """What came of some commands."""

    facts: list[object]
    refused: list[str]


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
