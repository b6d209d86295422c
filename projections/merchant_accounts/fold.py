"""Folds charges into what each merchant has in every state of its money.

A charge is in one state at a time. It is counted in the month of its authorization while it is
pending or released, and in the month of its capture once it is earned. It stays earned there when
it is given back or written off: that is counted beside it, in the month in which it happens. Each
fact says which state and day it leaves, so every change is a sum and nothing is looked up. This
rests on a charge's amounts being the same on all its facts.
"""

from collections.abc import Iterator
from datetime import date
from operator import add
from typing import NamedTuple

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
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefunded,
    ChargeReleased,
    ChargeUnresolved,
    ChargeWrittenOff,
)
from ledger.money import Waterfall
from ledger.postings import Account as Books
from ledger.postings import postings
from projections.fold import Context, Fold, facts_of

Moved = ChargeAuthorized | ChargeUnresolved | ChargeReleased | ChargeCaptured
Taken = ChargeRefunded | ChargeWrittenOff

_OWED_TO_THE_MERCHANT = frozenset({Books.MERCHANT_ACCRUED, Books.REFUNDS_BORNE_BY_MERCHANT})
"""Where the books hold what we owe a merchant, and what it bears of refunds that we paid."""


class Account(NamedTuple):
    """One line of a merchant's account."""

    merchant: str
    month: date
    """The first day of a local month."""
    short_code: str
    operator: str
    service: str
    currency: str


class States(NamedTuple):
    """Charges by the state they are in: how many, and the merchant's share of them in micros."""

    pending: int = 0
    pending_micros: int = 0
    unresolved: int = 0
    """Those of the pending that nobody answered for in time."""
    unresolved_micros: int = 0
    released: int = 0
    released_micros: int = 0
    earned: int = 0
    earned_micros: int = 0
    price_micros: int = 0
    """What consumers paid for the earned, tax included."""
    tax_micros: int = 0
    """The tax within that price."""
    refunded: int = 0
    """How many refunds of its charges there were, whoever bore them."""
    refunded_micros: int = 0
    """By how much they lower what we owe it: not at all where we bear them."""
    written_off: int = 0
    written_off_micros: int = 0


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[Account, States]]:
    fact = recorded.fact
    assert isinstance(fact, Moved | Taken), type(fact).__name__
    if fact.ref.merchant is None or fact.ref.test:
        return  # Nobody's earnings: see the account `unattributed`.
    if isinstance(fact, Taken):
        yield _account(fact, fact.value_day), _taken(fact)
    else:
        yield from _moved(fact)


def _moved(fact: Moved) -> Iterator[tuple[Account, States]]:
    """Move a charge from the state that it left into the one that it entered."""
    match fact:
        case ChargeAuthorized():
            if fact.released_day is not None:
                # Tried again, it is no longer what had failed, in the month of that.
                yield _account(fact, fact.released_day), _standing("released", fact.amounts, -1)
            yield _account(fact, fact.value_day), _standing("authorized", fact.amounts, 1)
        case ChargeUnresolved():
            share = fact.amounts.merchant
            yield _account(fact, fact.authorized_day), States(unresolved=1, unresolved_micros=share)
        case ChargeReleased():
            account = _account(fact, fact.authorized_day)
            yield account, _standing(fact.was, fact.amounts, -1)
            yield account, _standing("released", fact.amounts, 1)
        case ChargeCaptured():
            yield _account(fact, fact.authorized_day), _standing(fact.was, fact.amounts, -1)
            yield _account(fact, fact.value_day), _earned(fact.amounts)


def _taken(fact: Taken) -> States:
    if isinstance(fact, ChargeRefunded):
        return States(refunded=1, refunded_micros=_lost(fact))
    return States(written_off=1, written_off_micros=_lost(fact))


def _lost(fact: Taken) -> int:
    """Give by how much the books owe the merchant less; the books alone decide it."""
    return sum(
        line.debit - line.credit for line in postings(fact) if line.account in _OWED_TO_THE_MERCHANT
    )


def _account(fact: Moved | Taken, day: date) -> Account:
    ref = fact.ref
    assert ref.merchant is not None
    assert ref.service is not None
    month = day.replace(day=1)
    return Account(ref.merchant, month, ref.short_code, ref.operator, ref.service, fact.currency)


def _standing(state: str, amounts: Waterfall, sign: int) -> States:
    """Put one charge into a state that is not earned, or with `sign` -1 take it out."""
    share = sign * amounts.merchant
    match state:
        case "authorized":
            return States(pending=sign, pending_micros=share)
        case "unresolved":
            return States(sign, share, sign, share)
        case "released":
            return States(released=sign, released_micros=share)
        case "unauthorized":
            return States()  # It stood nowhere before.
        case _:
            raise AssertionError(state)


def _earned(amounts: Waterfall) -> States:
    return States(
        earned=1,
        earned_micros=amounts.merchant,
        price_micros=amounts.price,
        tax_micros=amounts.tax,
    )


def merged(earlier: States, later: States) -> States:
    """Add two ranges' charges up, state by state."""
    return States(*map(add, earlier, later))


MERCHANT_ACCOUNTS = Fold(
    name="merchant_accounts",
    version=2,
    reads=frozenset(
        {
            charges.ChargeAuthorized,
            charges.ChargeUnresolved,
            charges.ChargeReleased,
            charges.ChargeCaptured,
            charges.ChargeRefunded,
            charges.ChargeWrittenOff,
        }
    ),
    ignores=facts_of(
        *(book, traffic, handover, consent, subscriptions, solicitations, notices, findings),
        *(imported, catalogue, access),
    )
    | {charges.ChargeRefused, charges.RefundRefused},
    changes=_changes,
    merge=merged,
    sums=True,
)
