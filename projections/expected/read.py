"""Asks what operators are expected to declare for a month: one of them, or all.

Amounts are in micros. What was taken back counts in the month in which that happened, so what is
left of a month may be less than nothing.
"""

from collections.abc import Iterable
from datetime import date
from operator import sub
from typing import LiteralString, NamedTuple

from projections.expected.fold import Sum, merged
from projections.reading import Read, Rows

PROJECTION = "expected"

_MONTH: LiteralString = """
SELECT
    operator, currency, short_code, tariff, leg, whose, what,
    charges, price_micros, tax_micros, reversement_micros
FROM expected
WHERE
    book = %(book)s
    AND month = %(month)s
    AND operator = coalesce(%(operator)s, operator)
ORDER BY operator, currency, short_code, tariff, leg
"""


class Figures(NamedTuple):
    """What was taken from consumers, and what was taken back, each by its kind."""

    captured: Sum = Sum()
    refunded: Sum = Sum()
    """By the operator, on the bill."""
    unpaid: Sum = Sum()
    """Never paid by the consumer."""
    clawback: Sum = Sum()
    """Paid to us, and taken back."""

    @property
    def left(self) -> Sum:
        """What remains of the captured; may be less than nothing."""
        left = self.captured
        for back in (self.refunded, self.unpaid, self.clawback):
            left = Sum(*map(sub, left, back))
        return left


class Expected(NamedTuple):
    """All that an operator counts, and what within it is no merchant's."""

    all: Figures = Figures()
    unattributed: Figures = Figures()
    """Charged for what nobody sold."""
    test: Figures = Figures()
    """Charged to test numbers."""


class Line(NamedTuple):
    """One code, tariff and leg of an operator's month."""

    short_code: str
    tariff: str
    leg: str
    expected: Expected


class OperatorMonth(NamedTuple):
    """An operator's month in one currency: its lines, and their total."""

    operator: str
    currency: str
    lines: list[Line]
    total: Expected


_Row = tuple[tuple[str, str, str], str, str, Sum]
"""A line's code, tariff and leg; whose; what; and how much."""


def expected(month: date, operator: str | None = None) -> Read[list[OperatorMonth]]:
    """Ask for a month (any day of it) of one operator, or of every operator."""
    params = {"month": month.replace(day=1), "operator": operator}
    return Read(PROJECTION, _MONTH, _months, params)


def _months(rows: Rows) -> list[OperatorMonth]:
    found: dict[tuple[str, str], list[_Row]] = {}
    for operator, currency, code, tariff, leg, whose, what, *sums in rows:
        row = ((code, tariff, leg), whose, what, Sum(*map(int, sums)))
        found.setdefault((operator, currency), []).append(row)
    return [_month(*key, rows) for key, rows in found.items()]


def _month(operator: str, currency: str, rows: list[_Row]) -> OperatorMonth:
    lines: dict[tuple[str, str, str], list[_Row]] = {}
    for row in rows:
        lines.setdefault(row[0], []).append(row)
    told = [Line(*key, _added(some)) for key, some in lines.items()]
    return OperatorMonth(operator, currency, told, _added(rows))


def _added(rows: Iterable[_Row]) -> Expected:
    found = Expected()
    for _, whose, what, amount in rows:
        for part in ("all", whose):
            if part in Expected._fields:
                found = found._replace(**{part: _with(getattr(found, part), what, amount)})
    return found


def _with(figures: Figures, what: str, amount: Sum) -> Figures:
    return figures._replace(**{what: merged(getattr(figures, what), amount)})
