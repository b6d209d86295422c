"""Counts facts that are alike, so that sums are worked out once for all of them.

Of 10,000 charges most are the same service at the same price on the same day. What such a fact does
to a sum rests on these terms alone and never on whose charge it is, so that one of them is folded
and its changes are multiplied.
"""

from collections.abc import Callable, Hashable, Iterable
from operator import attrgetter
from typing import Any

from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.traffic import KeywordMatched, KeywordUnmatched
from projections.days import day_of
from projections.fold import Context
from projections.quick import QUICK

Tally = dict[Hashable, tuple[Recorded, int]]
"""The first of some facts that are alike, and how many they are."""

_CHARGE = (
    *("ref.merchant", "ref.service", "ref.short_code", "ref.operator", "ref.tariff"),
    *("ref.tariff_version", "ref.leg", "ref.acting", "ref.test", "ref.subscription"),
    *("amounts", "currency", "value_day"),
)
_MESSAGE = ("short_code", "operator", "test")

_TERMS: dict[type[Fact], Callable[[Any], Hashable]] = {
    ChargeAuthorized: attrgetter(*_CHARGE, "released_day"),
    ChargeUnresolved: attrgetter(*_CHARGE, "authorized_day", "was"),
    ChargeReleased: attrgetter(*_CHARGE, "authorized_day", "was"),
    ChargeCaptured: attrgetter(*_CHARGE, "authorized_day", "was"),
    KeywordMatched: attrgetter(
        *_MESSAGE, "merchant", "service", "tariff_version", "price", "mo_price", "currency"
    ),
    KeywordUnmatched: attrgetter(*_MESSAGE),
}
"""All that a fold of sums may look at of a fact, beside its days; others are each by itself."""

_DATED = frozenset({KeywordMatched, KeywordUnmatched})
"""Those that bear no local day of their own."""

TERMS = {
    **{kind: (terms, kind in _DATED) for kind, terms in _TERMS.items()},
    **{QUICK[kind]: (terms, kind in _DATED) for kind, terms in _TERMS.items()},
}


def tally(facts: Iterable[Recorded], context: Context) -> Tally:
    """Put together facts that are alike, in the order of the first of each."""
    found: Tally = {}
    at, recorded_day = None, None
    for recorded in facts:
        fact = recorded.fact
        if recorded.recorded_at != at and recorded.recorded_at is not None:
            # A batch of facts was recorded at one instant.
            at = recorded.recorded_at
            recorded_day = day_of(at, context.zone)
        terms = TERMS.get(type(fact))
        if terms is None:
            found[recorded.position] = (recorded, 1)
            continue
        alike, dated = terms
        day = day_of(fact.occurred_at, context.zone) if dated else None  # type: ignore[attr-defined]
        key = (type(fact), recorded_day, day, alike(fact))
        first, number = found.get(key, (recorded, 0))
        found[key] = (first, number + 1)
    return found
