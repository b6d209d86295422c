"""Keeps what operators are expected to declare in its table."""

from typing import Any

from projections.expected.fold import EXPECTED, Declared, Sum
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, operator, month, short_code, tariff, leg, whose, what, currency,
    charges, price_micros, tax_micros, reversement_micros
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    operator text,
    month date,
    short_code text,
    tariff text,
    leg text,
    whose text,
    what text,
    currency text,
    charges bigint,
    price numeric,
    tax numeric,
    reversement numeric
)
ON CONFLICT (book, month, operator, short_code, tariff, leg, whose, what, currency) DO UPDATE SET
charges = live.charges + excluded.charges,
price_micros = live.price_micros + excluded.price_micros,
tax_micros = live.tax_micros + excluded.tax_micros,
reversement_micros = live.reversement_micros + excluded.reversement_micros
"""


def _row(line: Declared, found: Sum) -> dict[str, Any]:
    return line._asdict() | {name: str(number) for name, number in found._asdict().items()}


PROJECTION = Projection(EXPECTED, Table(EXPECTED.name, _UPSERT, _row))
