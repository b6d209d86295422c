"""What a consumer has spent, as far as this ledger knows: for caps, and for notices.

What is authorized counts, and what was captured; what was released does not. A cap is judged
before a charge, a notice falls due with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
)
from ledger.facts.notices import NoticeDue
from ledger.facts.registry import stored_name
from ledger.rules.codes import covers
from ledger.rules.inforce import Cap, Notice
from ledger.spans import begins as window_begins
from ledger.spans import holds

TYPES = frozenset(
    stored_name(fact) for fact in (ChargeAuthorized, ChargeCaptured, ChargeReleased, NoticeDue)
)
"""The facts that tell what was spent, and of what a consumer was told already."""

Moving = ChargeAuthorized | ChargeCaptured | ChargeReleased
"""The facts of charges that change what was spent."""

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
    """Fold one consumer's charges into what still counts, in the order they began.

    A charge whose beginning is not among `facts` is left out, whatever came of it: see `changes`.
    """
    moving = [one for one in facts if isinstance(one, _MOVING)]
    released: set[str] = set()
    for fact in moving:
        if isinstance(fact, ChargeReleased):
            released.add(fact.ref.charge)
        else:
            released.discard(fact.ref.charge)
    return tuple(one for charge, one in begun(moving).items() if charge not in released)


def begun(facts: Iterable[Fact]) -> dict[str, Spent]:
    """Give the charges whose beginning is among `facts`, by their ids, whatever came of them.

    An operator may bill what nobody authorized: then it begins so.
    """
    known: dict[str, Spent] = {}
    for fact in facts:
        if isinstance(fact, ChargeAuthorized):
            # Tried again, it counts where it is tried: a month's end between is no way out.
            known[fact.ref.charge] = _of(fact)
        elif isinstance(fact, ChargeCaptured) and fact.was == "unauthorized":
            known.setdefault(fact.ref.charge, _of(fact))
    return known


def changes(facts: Iterable[Fact]) -> Iterator[tuple[str | None, int]]:
    """Give by how much charges that began before `facts` changed what was spent: service, micros.

    Each fact tells from what state it takes its charge, so nothing before it has to be known.
    """
    for fact, known in _moving(facts):
        if known:
            continue
        if isinstance(fact, ChargeReleased):
            yield fact.ref.service, -fact.amounts.price
        elif fact.was == "released":
            yield fact.ref.service, fact.amounts.price


def since_begun(facts: Iterable[Fact]) -> Iterator[Moving]:
    """Give the facts of charges from where each begins on."""
    return (fact for fact, known in _moving(facts) if known)


def _moving(facts: Iterable[Fact]) -> Iterator[tuple[Moving, bool]]:
    """Give the facts of charges, and of each whether its charge has begun with it or before."""
    known: set[str] = set()
    for fact in facts:
        if isinstance(fact, _MOVING):
            if isinstance(fact, ChargeAuthorized) or fact.was == "unauthorized":
                known.add(fact.ref.charge)
            yield fact, fact.ref.charge in known


def _of(fact: ChargeAuthorized | ChargeCaptured) -> Spent:
    ref, price = fact.ref, fact.amounts.price
    return Spent(ref.charge, ref.merchant, ref.service, ref.short_code, price, fact.occurred_at)


def begins(caps: Iterable[Cap], at: datetime) -> datetime:
    """Give when the longest window of a charge at `at` begins; nothing before counts for a cap."""
    windows = (cap.window for cap in caps)
    return min((window_begins(one, at) for one in windows), default=at)


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
    notices: Iterable[Notice],
    made: Spent,
    before: Sequence[Spent],
    facts: Iterable[Fact],
    earlier: int = 0,
) -> list[Crossing]:
    """Give the notices that fall due with a charge that was just authorized.

    `earlier` is what charges of the service came to that are not in `before`, in micros.
    A threshold of which the consumer was told counts as told for ever, although what was spent
    may have been released since; so what brings the sum there again tells nobody twice.
    """
    told = [fact for fact in facts if isinstance(fact, NoticeDue)]
    sum_after = (
        earlier
        + made.price
        + sum(
            one.price for one in before if one.service == made.service and one.charge != made.charge
        )
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
