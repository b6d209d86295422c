"""Give a charge's money back, or write off what the operator does not pay.

What a rule forbids is recorded first, and told afterwards.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk, Settled
from ledger.decisions.refund import RefundRequest, refund, refund_id
from ledger.decisions.refusals import RefundNotMade
from ledger.decisions.story import Known
from ledger.decisions.write_off import WriteOffRequest, write_off, write_off_id
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import ChargeRefunded, ChargeWrittenOff, RefundRefused
from ledger.facts.findings import FindingClosed
from ledger.facts.registry import Origin
from ledger.facts.tags import TRADE, tag
from ledger.log.rows import Interest
from ledger.money import micros_text


class Refunded(NamedTuple):
    """A refund as it was recorded, and the findings that it closed."""

    fact: ChargeRefunded
    closed: tuple[str, ...]
    repeated: bool
    position: int


class WrittenOff(NamedTuple):
    """A write-off as it was recorded, and the findings that it closed."""

    fact: ChargeWrittenOff
    closed: tuple[str, ...]
    repeated: bool
    position: int


async def refund_charge(
    desk: Desk, request: RefundRequest, origin: Origin, now: datetime
) -> Refunded:
    """Record that a consumer got a charge back, or part of it; the first answer for a repeat.

    Raises:
        RefundNotMade: a rule forbids it, which was recorded.
        UnknownCharge, OtherCurrency, SoldByNobody, UnknownFinding, FindingAlreadyClosed,
        OtherContent: it was asked for wrongly; nothing was recorded.
        RulesOutdated: the book follows other rules than were loaded here.
    """
    refunded = refund_id(desk.book, request.charge, request.id)

    def decide(history: list[Recorded], known: Known) -> list[Draft]:
        return refund(request, history, known, now)

    settled = await _settle(desk, (request.charge, request.finding), decide, origin, now)
    for one in _told(settled, refunded):
        if isinstance(one.fact, ChargeRefunded) and one.fact.refund == refunded:
            closed = _closed(settled.facts, one.id)
            return Refunded(one.fact, closed, not settled.appended, one.position)
    raise AssertionError("a refund is recorded, refused or known")


async def write_off_charge(
    desk: Desk, request: WriteOffRequest, origin: Origin, now: datetime
) -> WrittenOff:
    """Record that the operator does not pay us a charge; the first answer for a repeat.

    Raises:
        RefundNotMade: a rule forbids it, which was recorded.
        UnknownCharge, UnknownFinding, FindingAlreadyClosed, OtherContent: it was asked for
        wrongly; nothing was recorded.
        RulesOutdated: the book follows other rules than were loaded here.
    """
    written_off = write_off_id(desk.book, request.charge, request.id)

    def decide(history: list[Recorded], known: Known) -> list[Draft]:
        return write_off(request, history, known, now)

    settled = await _settle(desk, (request.charge, request.finding), decide, origin, now)
    for one in _told(settled, written_off):
        if isinstance(one.fact, ChargeWrittenOff) and one.fact.write_off == written_off:
            closed = _closed(settled.facts, one.id)
            return WrittenOff(one.fact, closed, not settled.appended, one.position)
    raise AssertionError("a write-off is recorded, refused or known")


async def _settle(
    desk: Desk,
    about: tuple[str, str | None],
    decide: Callable[[list[Recorded], Known], list[Draft]],
    origin: Origin,
    now: datetime,
) -> Settled:
    """Decide on all facts of a charge and a finding, if one is named, and on the charge's terms."""
    charge, finding = about
    wanted = [tag("charge", charge)] + ([tag("finding", finding)] if finding else [])

    async def once() -> Settled:
        known = desk.known(now)
        facts = [Interest((one,)) for one in wanted]
        query = (*facts, Interest((TRADE,), after=desk.catalogue.position))
        return await desk.settle(query, lambda history: decide(history, known), origin)

    return await desk.attempt(once)


def _told(settled: Settled, asked: str) -> tuple[Recorded, ...]:
    """Give what was recorded, unless that is a refusal of what was asked for.

    Raises: RefundNotMade.
    """
    for one in settled.facts:
        if isinstance(one.fact, RefundRefused) and one.fact.refund == asked:
            left = f"{micros_text(one.fact.left)} {one.fact.currency}"
            raise RefundNotMade(asked, one.fact.rule, left, one.position)
    return settled.facts


def _closed(facts: Iterable[Recorded], cause: str) -> tuple[str, ...]:
    return tuple(
        one.fact.finding
        for one in facts
        if isinstance(one.fact, FindingClosed) and one.caused_by == cause
    )
