"""A merchant's statement as CSV: a line for each code, operator and service, then the totals."""

from collections.abc import Iterator

from api.documents.cells import csv_lines
from ledger.money import micros_text
from projections.merchant_accounts.read import Money, Position, Statement

NOT_RECORDED = "not recorded"
"""In the place of an amount that needs facts which are not there yet; it is never 0."""

_STATES = (
    *("pending", "unresolved", "released", "earned", "refunded", "written_off"),
    *("declared", "collected", "payable"),
)
COLUMNS = (
    *("line", "merchant", "month", "short_code", "operator", "service", "currency"),
    *(column for state in _STATES for column in (f"{state}_charges", f"{state}_share")),
    *("paid_by_consumers", "tax"),
)
"""`line` is `line` or `total`; a total has no code, operator and service. Unresolved lies within
pending. Amounts have a decimal point; shares are the merchant's, net of tax."""


def statement_csv(statement: Statement) -> str:
    """Write a statement in `COLUMNS`, headed by their names."""
    return "".join(csv_lines([COLUMNS, *_rows(statement)]))


def _rows(statement: Statement) -> Iterator[tuple[object, ...]]:
    about = (statement.merchant, f"{statement.month:%Y-%m}")
    for line in statement.lines:
        sold = (line.short_code, line.operator, line.service, line.currency)
        yield ("line", *about, *sold, *_amounts(line.position))
    for currency, position in statement.totals.items():
        yield ("total", *about, None, None, None, currency, *_amounts(position))


def _amounts(position: Position) -> Iterator[object]:
    for state in _STATES:
        money: Money | None = getattr(position, state)
        if money is None:
            yield from (NOT_RECORDED, NOT_RECORDED)
        else:
            yield from (money.charges, micros_text(money.micros))
    yield from (micros_text(position.price), micros_text(position.tax))
