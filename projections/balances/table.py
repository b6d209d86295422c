"""Keeps balances in their table."""

from typing import Any

from projections.balances.fold import BALANCES, Account, Moved
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, account, party, currency, value_day, recorded_day, debit, credit
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    account text,
    party text,
    currency text,
    value_day date,
    recorded_day date,
    debit numeric,
    credit numeric
)
ON CONFLICT (book, account, party, currency, value_day, recorded_day) DO UPDATE SET
debit = live.debit + excluded.debit,
credit = live.credit + excluded.credit
"""


def _row(account: Account, moved: Moved) -> dict[str, Any]:
    return account._asdict() | {"debit": str(moved.debit), "credit": str(moved.credit)}


PROJECTION = Projection(BALANCES, Table(BALANCES.name, _UPSERT, _row))
