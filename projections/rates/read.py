"""Asks for the rates of some days: conversion, churn and revenue, by day, by service and in all.

Amounts are in micros. A rate is an exact fraction, or None where there is nothing to divide by.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from operator import add
from typing import Any, LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "rates"

# Of both legs of an exchange, the one counts that carries the end of it: `mt` is the greater word.
# What was before the first day tells only which subscriptions are active on it.
_RATES: LiteralString = """
WITH found AS (
    SELECT
        *,
        leg = max(leg) OVER (
            PARTITION BY merchant, day, service, short_code, operator, tariff_version
        ) AS carries
    FROM rates
    WHERE
        book = %(book)s
        AND day <= %(last)s
        AND (day >= %(first)s OR started <> 0 OR stopped <> 0)
        AND merchant = coalesce(%(merchant)s, merchant)
        AND service = coalesce(%(service)s, service)
        AND short_code = coalesce(%(short_code)s, short_code)
        AND operator = coalesce(%(operator)s, operator)
)
SELECT
    CASE WHEN day >= %(first)s THEN day END AS within, service, currency,
    sum(price_micros), sum(tax_micros), sum(share_micros), sum(refunded_micros),
    sum(matched), sum(unmatched),
    coalesce(sum(authorized) FILTER (WHERE carries), 0),
    coalesce(sum(released) FILTER (WHERE carries), 0),
    coalesce(sum(captured) FILTER (WHERE carries), 0),
    sum(cycles), sum(cycles_captured), sum(earned), sum(refunds),
    sum(opt_outs), sum(requested), sum(started), sum(stopped), sum(solicited)
FROM found
GROUP BY within, service, currency
ORDER BY within, service, currency
"""


class Revenue(NamedTuple):
    """What was earned in one currency on the day that it was captured, and what was given back."""

    price: int = 0
    """What consumers paid, tax included."""
    tax: int = 0
    share: int = 0
    """The merchants' share."""
    refunded: int = 0
    """What consumers got back, by whomever, tax included; it is taken from nothing here."""


class Counts(NamedTuple):
    """How many of each."""

    matched: int = 0
    """Messages that asked for a service."""
    unmatched: int = 0
    """Messages that asked for nothing on sale; they are no merchant's."""
    authorized: int = 0
    """Exchanges begun by a message that may be charged, by the day of the message."""
    released: int = 0
    captured: int = 0
    """Of the authorized, by their own day. An exchange of two charged legs counts once."""
    cycles: int = 0
    """Charges of subscriptions' cycles, by the day that the cycle began."""
    cycles_captured: int = 0
    earned: int = 0
    """Captures of every cause and leg, by the day of the capture: what revenue consists of."""
    refunds: int = 0
    opt_outs: int = 0
    requested: int = 0
    """Subscriptions asked for, to be confirmed."""
    started: int = 0
    stopped: int = 0
    solicited: int = 0
    """Solicitations allowed."""


class Figures(NamedTuple):
    """What happened in a stretch of days, and how many subscriptions were active at its start."""

    counts: Counts
    active: int
    revenue: dict[str, Revenue]
    """By currency; each that the answer knows at all."""

    @property
    def conversion(self) -> Fraction | None:
        """Captured exchanges over matched messages; of both, those of the same days."""
        return _ratio(self.counts.captured, self.counts.matched)

    @property
    def churn(self) -> Fraction | None:
        """Subscriptions stopped over those active at the start."""
        return _ratio(self.counts.stopped, self.active)


class Rates(NamedTuple):
    """Every day from the first to the last, each service, and all of it together."""

    days: dict[date, Figures]
    services: dict[str, Figures]
    """By name; under the empty name what is no single service's."""
    total: Figures


class Wanted(NamedTuple):
    """What to ask about; none named means all of them."""

    merchant: str | None = None
    service: str | None = None
    short_code: str | None = None
    operator: str | None = None


EVERYTHING = Wanted()


class _Line(NamedTuple):
    """One row: a day (None: before the first one), a service, and what happened."""

    day: date | None
    service: str
    currency: str
    revenue: Revenue
    counts: Counts

    @property
    def begun(self) -> int:
        """How many more subscriptions are active after it than before."""
        return self.counts.started - self.counts.stopped


def rates(first: date, last: date, wanted: Wanted = EVERYTHING) -> Read[Rates]:
    """Ask for some local days, both included."""
    params: dict[str, Any] = {"first": first, "last": last, **wanted._asdict()}

    def shape(rows: Rows) -> Rates:
        return _rates(first, last, [_line(row) for row in rows])

    return Read(PROJECTION, _RATES, shape, params)


def _line(row: tuple[Any, ...]) -> _Line:
    day, service, currency, *sums = row
    revenue, counts = sums[: len(Revenue._fields)], sums[len(Revenue._fields) :]
    return _Line(day, service, currency, Revenue(*map(int, revenue)), Counts(*map(int, counts)))


def _rates(first: date, last: date, lines: list[_Line]) -> Rates:
    before = [line for line in lines if line.day is None]
    within = [line for line in lines if line.day is not None]
    currencies = sorted({line.currency for line in within} - {""})
    active = sum(line.begun for line in before)
    services: dict[str, Figures] = {}
    for service in sorted({line.service for line in lines}):
        some = [line for line in within if line.service == service]
        standing = sum(line.begun for line in before if line.service == service)
        services[service] = _figures(some, standing, currencies)
    days = _days(first, last, within, active, currencies)
    return Rates(days, services, _figures(within, active, currencies))


def _days(
    first: date, last: date, lines: list[_Line], active: int, currencies: list[str]
) -> dict[date, Figures]:
    """Give every day, also one on which nothing happened, with what was active at its start."""
    by_day: dict[date | None, list[_Line]] = {}
    for line in lines:
        by_day.setdefault(line.day, []).append(line)
    found: dict[date, Figures] = {}
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        some = by_day.get(day, [])
        found[day] = _figures(some, active, currencies)
        active += sum(line.begun for line in some)
    return found


def _figures(lines: Iterable[_Line], active: int, currencies: list[str]) -> Figures:
    counts, revenue = Counts(), {currency: Revenue() for currency in currencies}
    for line in lines:
        counts = Counts(*map(add, counts, line.counts))
        if line.currency:
            known = revenue[line.currency]
            revenue[line.currency] = Revenue(*map(add, known, line.revenue))
    return Figures(counts, active, revenue)


def _ratio(part: int, whole: int) -> Fraction | None:
    return Fraction(part, whole) if whole else None
