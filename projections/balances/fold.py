"""Folds what is posted into balances by (value day, recorded day)."""

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

from ledger.facts.base import Recorded
from ledger.postings import NOT_POSTING, POSTING, postings
from projections.days import day_of
from projections.fold import Context, Fold


class Account(NamedTuple):
    """One account of one party in one currency on one pair of days."""

    account: str
    party: str
    """The operator or merchant whose account it is; empty for our own."""
    currency: str
    value_day: date
    """The day for which it counts."""
    recorded_day: date
    """The local day on which the ledger came to know it."""


class Moved(NamedTuple):
    """Both sides of what moved, in micros."""

    debit: int
    credit: int


def _changes(recorded: Recorded, context: Context) -> Iterator[tuple[Account, Moved]]:
    assert recorded.recorded_at is not None, "only what is written is projected"
    recorded_day = day_of(recorded.recorded_at, context.zone)
    for line in postings(recorded.fact):
        account = Account(
            line.account.value, line.party, line.currency, line.value_day, recorded_day
        )
        yield account, Moved(line.debit, line.credit)


def _merge(earlier: Moved, later: Moved) -> Moved:
    return Moved(earlier.debit + later.debit, earlier.credit + later.credit)


BALANCES = Fold(
    name="balances",
    version=1,
    reads=POSTING,
    ignores=NOT_POSTING,
    changes=_changes,
    merge=_merge,
    sums=True,
)
