"""Folds what operators took from consumers, and what they took back, by the month of each.

An operator counts what it billed, whatever it was for: charges of test numbers and those for
what nobody sold are counted with the others, and can be told from them.
"""

from collections.abc import Iterator
from datetime import date
from operator import add
from typing import Literal, NamedTuple

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    consent,
    findings,
    handover,
    imported,
    notices,
    solicitations,
    subscriptions,
    traffic,
)
from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeCaptured, ChargeRef, ChargeRefunded, ChargeWrittenOff
from ledger.money import Waterfall
from projections.fold import Context, Fold, facts_of

Whose = Literal["sold", "unattributed", "test"]
What = Literal["captured", "refunded", "unpaid", "clawback"]


class Declared(NamedTuple):
    """One line of what an operator is expected to declare."""

    operator: str
    month: date
    """The first day of a local month."""
    short_code: str
    tariff: str
    leg: str
    whose: Whose
    what: What
    currency: str


class Sum(NamedTuple):
    """How many charges, and their amounts in micros."""

    charges: int = 0
    price: int = 0
    """Tax included."""
    tax: int = 0
    reversement: int = 0
    """What the operator owes us of it, net of tax."""


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[Declared, Sum]]:
    fact = recorded.fact
    match fact:
        case ChargeCaptured():
            yield _line(fact, "captured"), _sum(fact.amounts)
        case ChargeRefunded():
            if fact.taken_back is not None:  # What others give back is not the operator's.
                yield _line(fact, "refunded"), _sum(fact.taken_back)
        case ChargeWrittenOff():
            yield _line(fact, fact.reason), _sum(fact.amounts)
        case _:
            raise AssertionError(type(fact).__name__)


def _line(fact: ChargeCaptured | ChargeRefunded | ChargeWrittenOff, what: What) -> Declared:
    ref = fact.ref
    return Declared(
        operator=ref.operator,
        month=fact.value_day.replace(day=1),
        short_code=ref.short_code,
        tariff=ref.tariff,
        leg=ref.leg,
        whose=_whose(ref),
        what=what,
        currency=fact.currency,
    )


def _whose(ref: ChargeRef) -> Whose:
    if ref.test:
        return "test"
    return "unattributed" if ref.merchant is None else "sold"


def _sum(amounts: Waterfall) -> Sum:
    return Sum(1, amounts.price, amounts.tax, amounts.reversement)


def merged(earlier: Sum, later: Sum) -> Sum:
    """Add two sums up."""
    return Sum(*map(add, earlier, later))


EXPECTED = Fold(
    name="expected",
    version=1,
    reads=frozenset({ChargeCaptured, ChargeRefunded, ChargeWrittenOff}),
    ignores=facts_of(
        *(book, traffic, handover, consent, subscriptions, solicitations, notices, findings),
        *(imported, catalogue, access),
    )
    | {
        *(charges.ChargeAuthorized, charges.ChargeRefused, charges.ChargeUnresolved),
        *(charges.ChargeReleased, charges.RefundRefused),
    },
    changes=_changes,
    merge=merged,
    sums=True,
)
