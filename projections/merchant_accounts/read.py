"""Asks merchants' accounts: one merchant's month line by line, and all merchants at a glance.

A statement read here is provisional: the month may still change. What needs facts that are not
recorded yet is None, never 0. All amounts are in micros.
"""

from datetime import date
from typing import Any, LiteralString, NamedTuple

from projections.merchant_accounts.fold import States, merged
from projections.reading import Read, Rows

PROJECTION = "merchant_accounts"

# A line whose charges have all moved to another month is left out.
_STATEMENT: LiteralString = """
SELECT
    currency, short_code, operator, service,
    pending, pending_micros, unresolved, unresolved_micros, released, released_micros,
    earned, earned_micros, price_micros, tax_micros,
    refunded, refunded_micros, written_off, written_off_micros
FROM merchant_accounts
WHERE
    book = %(book)s
    AND merchant = %(merchant)s
    AND month = %(month)s
    AND (pending <> 0 OR released <> 0 OR earned <> 0 OR refunded <> 0 OR written_off <> 0)
ORDER BY currency, short_code, operator, service
"""
_OVERVIEW: LiteralString = """
SELECT
    merchant, currency,
    sum(pending), sum(pending_micros), sum(unresolved), sum(unresolved_micros),
    sum(released), sum(released_micros), sum(earned), sum(earned_micros),
    sum(price_micros), sum(tax_micros),
    sum(refunded), sum(refunded_micros), sum(written_off), sum(written_off_micros)
FROM merchant_accounts
WHERE book = %(book)s AND month BETWEEN %(first)s AND %(last)s
GROUP BY merchant, currency
ORDER BY merchant, currency
"""


class Money(NamedTuple):
    """How many charges, and the merchant's share of them."""

    charges: int
    micros: int


class Position(NamedTuple):
    """A merchant's money in every state, and what consumers paid for what is earned.

    `unresolved` lies within `pending`. What was refunded or written off lowers what is earned, in
    this month or an earlier one. None means that it is not recorded.
    """

    pending: Money
    unresolved: Money
    released: Money
    earned: Money
    price: int
    tax: int
    refunded: Money = Money(0, 0)
    written_off: Money = Money(0, 0)
    declared: Money | None = None
    collected: Money | None = None
    payable: Money | None = None


class Line(NamedTuple):
    """One code, operator and service of a statement."""

    currency: str
    short_code: str
    operator: str
    service: str
    position: Position


class Statement(NamedTuple):
    """A merchant's month: its lines, and their total by currency."""

    merchant: str
    month: date
    lines: list[Line]
    totals: dict[str, Position]


class MerchantTotal(NamedTuple):
    """All that one merchant has in one currency."""

    merchant: str
    currency: str
    position: Position


def statement(merchant: str, month: date) -> Read[Statement]:
    """Ask for a merchant's month; `month` is any day of it."""
    first = month.replace(day=1)

    def shape(rows: Rows) -> Statement:
        lines = [_line(row) for row in rows]
        return Statement(merchant, first, lines, _totals(rows))

    return Read(PROJECTION, _STATEMENT, shape, {"merchant": merchant, "month": first})


def overview(first: date = date.min, last: date = date.max) -> Read[list[MerchantTotal]]:
    """Ask what each merchant has, over the months from `first`'s to `last`'s, both included."""

    def shape(rows: Rows) -> list[MerchantTotal]:
        return [_merchant_total(row) for row in rows]

    return Read(PROJECTION, _OVERVIEW, shape, {"first": first.replace(day=1), "last": last})


def _line(row: tuple[Any, ...]) -> Line:
    currency, short_code, operator, service, *sums = row
    return Line(currency, short_code, operator, service, _position(States(*map(int, sums))))


def _merchant_total(row: tuple[Any, ...]) -> MerchantTotal:
    merchant, currency, *sums = row
    return MerchantTotal(merchant, currency, _position(States(*map(int, sums))))


def _totals(rows: Rows) -> dict[str, Position]:
    sums: dict[str, States] = {}
    for currency, _code, _operator, _service, *states in rows:
        sums[currency] = merged(sums.get(currency, States()), States(*map(int, states)))
    return {currency: _position(states) for currency, states in sums.items()}


def _position(states: States) -> Position:
    return Position(
        pending=Money(states.pending, states.pending_micros),
        unresolved=Money(states.unresolved, states.unresolved_micros),
        released=Money(states.released, states.released_micros),
        earned=Money(states.earned, states.earned_micros),
        price=states.price_micros,
        tax=states.tax_micros,
        refunded=Money(states.refunded, states.refunded_micros),
        written_off=Money(states.written_off, states.written_off_micros),
    )
