"""Asks the balances: of every account, of one, and whether the books balance.

A balance on a day, as known on another, counts what is for a day up to the first and was
recorded on a day up to the second. All amounts are in micros.
"""

from datetime import date
from typing import LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "balances"

_ACCOUNTS: LiteralString = """
SELECT account, party, currency, sum(debit), sum(credit)
FROM balances
WHERE
    book = %(book)s
    AND account = coalesce(%(account)s, account)
    AND party = coalesce(%(party)s, party)
    AND value_day <= %(value_day)s
    AND recorded_day <= %(known_on)s
GROUP BY account, party, currency
ORDER BY account, party, currency
"""
_TRIAL: LiteralString = """
SELECT currency, sum(debit), sum(credit)
FROM balances
WHERE book = %(book)s AND value_day <= %(value_day)s AND recorded_day <= %(known_on)s
GROUP BY currency
ORDER BY currency
"""


class Balance(NamedTuple):
    """Both sides of one account of one party; `party` is empty for our own."""

    account: str
    party: str
    currency: str
    debit: int
    credit: int

    @property
    def balance(self) -> int:
        """Debit less credit, so that what we owe is negative."""
        return self.debit - self.credit


class Trial(NamedTuple):
    """Both sides of a whole book in one currency."""

    currency: str
    debit: int
    credit: int

    @property
    def balance(self) -> int:
        """Debit less credit: zero, or the books are wrong."""
        return self.debit - self.credit


def balances(
    value_day: date = date.max,
    known_on: date = date.max,
    account: str | None = None,
    party: str | None = None,
) -> Read[list[Balance]]:
    """Ask for the balance on a day as known on another; none named means the latest.

    An account without a line in the answer has had nothing posted to it by then. A day before the
    book's first fact, or that is not projected whole, is an error: see `reading.NotKnown`.
    """
    params = {"value_day": value_day, "known_on": known_on, "account": account, "party": party}
    return Read(PROJECTION, _ACCOUNTS, _balances, params, _day(known_on))


def trial_balance(value_day: date = date.max, known_on: date = date.max) -> Read[list[Trial]]:
    """Ask for the sums of both sides in each currency, on a day as known on another."""
    params = {"value_day": value_day, "known_on": known_on}
    return Read(PROJECTION, _TRIAL, _trial, params, _day(known_on))


def _day(known_on: date) -> date | None:
    return None if known_on == date.max else known_on


def _balances(rows: Rows) -> list[Balance]:
    return [
        Balance(account, party, currency, int(debit), int(credit))
        for account, party, currency, debit, credit in rows
    ]


def _trial(rows: Rows) -> list[Trial]:
    return [Trial(currency, int(debit), int(credit)) for currency, debit, credit in rows]
