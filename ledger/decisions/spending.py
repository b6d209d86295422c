"""What a consumer has spent, as far as this ledger knows: for caps, and for notices.

What is authorized counts, and what was captured; what was released does not. A cap is judged
before a charge, a notice falls due with it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeReleased,
)
from ledger.facts.notices import NoticeDue
from ledger.facts.registry import stored_name
from ledger.rules.codes import covers
from ledger.rules.inforce import Cap, Notice
from ledger.spans import holds

TYPES = frozenset(
    stored_name(fact) for fact in (ChargeAuthorized, ChargeCaptured, ChargeReleased, NoticeDue)
)
"""The facts that tell what was spent, and of what a consumer was told already."""


_MOVING = (ChargeAuthorized, ChargeCaptured, ChargeReleased)


class Spent(NamedTuple):
    """One charge of a consumer, made or to be made, in micros with tax."""

    charge: str
    merchant: str | None
    service: str | None
    short_code: str
    price: int
    at: datetime


class Reached(NamedTuple):
    """A cap that a charge would go beyond, and what counts towards it already."""

    cap: Cap
    spent: int


class Crossing(NamedTuple):
    """The thresholds of a notice that a charge takes a consumer's spending over."""

    notice: Notice
    threshold: int
    """The highest of them."""
    crossed: int
    spent: int
    """With the charge."""


def spent(facts: Iterable[Fact]) -> tuple[Spent, ...]:
    """Fold one consumer's charges into what still counts, in the order they began."""
    known: dict[str, Spent] = {}
    released: set[str] = set()
    for fact in [one for one in facts if isinstance(one, _MOVING)]:
        match fact:
            case ChargeAuthorized():
                # Tried again, it counts where it is tried: a month's end between is no way out.
                charge = fact.ref.charge
                known[charge] = _of(fact.ref, fact.amounts.price, fact.occurred_at)
                released.discard(charge)
            case ChargeCaptured():
                charge = fact.ref.charge
                known.setdefault(charge, _of(fact.ref, fact.amounts.price, fact.occurred_at))
                released.discard(charge)
            case ChargeReleased():
                released.add(fact.ref.charge)
    return tuple(one for charge, one in known.items() if charge not in released)


def _of(ref: ChargeRef, price: int, at: datetime) -> Spent:
    return Spent(ref.charge, ref.merchant, ref.service, ref.short_code, price, at)


def reached(caps: Iterable[Cap], wanted: Spent, before: Sequence[Spent]) -> Reached | None:
    """Give the first cap that a charge would go beyond; none, and it may be made."""
    for cap in caps:
        if cap.codes is not None and not covers(cap.codes, wanted.short_code):
            continue
        counted = sum(one.price for one in before if _counts(cap, wanted, one))
        if counted + wanted.price > cap.amount:
            return Reached(cap, counted)
    return None


def _counts(cap: Cap, wanted: Spent, one: Spent) -> bool:
    """Tell whether an earlier charge counts towards the same cap as the one wanted."""
    if one.charge == wanted.charge or not holds(cap.window, wanted.at, one.at):
        return False
    if cap.codes is not None and not covers(cap.codes, one.short_code):
        return False
    match cap.counted_per:
        case "consumer":
            return True
        case "consumer_and_merchant":
            return one.merchant == wanted.merchant
        case "consumer_and_service":
            return one.service == wanted.service


def crossings(
    notices: Iterable[Notice], made: Spent, before: Sequence[Spent], facts: Iterable[Fact]
) -> list[Crossing]:
    """Give the notices that fall due with a charge that was just authorized.

    A threshold of which the consumer was told counts as told for ever, although what was spent
    may have been released since; so what brings the sum there again tells nobody twice.
    """
    told = [fact for fact in facts if isinstance(fact, NoticeDue)]
    sum_after = made.price + sum(
        one.price for one in before if one.service == made.service and one.charge != made.charge
    )
    found: list[Crossing] = []
    for notice in notices:
        of_it = [
            one for one in told if (one.ref.name, one.ref.service) == (notice.name, made.service)
        ]
        highest = max((one.threshold for one in of_it), default=0)
        threshold = sum_after // notice.every * notice.every
        if threshold > highest:
            count = (threshold - highest) // notice.every
            found.append(Crossing(notice, threshold, count, sum_after))
    return found
