"""Keeps merchants' accounts in their table."""

from typing import Any

from projections.merchant_accounts.fold import MERCHANT_ACCOUNTS, Account, States
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, merchant, month, short_code, operator, service, currency,
    pending, pending_micros, unresolved, unresolved_micros, released, released_micros,
    earned, earned_micros, price_micros, tax_micros,
    refunded, refunded_micros, written_off, written_off_micros
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    merchant text,
    month date,
    short_code text,
    operator text,
    service text,
    currency text,
    pending bigint,
    pending_micros numeric,
    unresolved bigint,
    unresolved_micros numeric,
    released bigint,
    released_micros numeric,
    earned bigint,
    earned_micros numeric,
    price_micros numeric,
    tax_micros numeric,
    refunded bigint,
    refunded_micros numeric,
    written_off bigint,
    written_off_micros numeric
)
ON CONFLICT (book, merchant, month, short_code, operator, service, currency) DO UPDATE SET
pending = live.pending + excluded.pending,
pending_micros = live.pending_micros + excluded.pending_micros,
unresolved = live.unresolved + excluded.unresolved,
unresolved_micros = live.unresolved_micros + excluded.unresolved_micros,
released = live.released + excluded.released,
released_micros = live.released_micros + excluded.released_micros,
earned = live.earned + excluded.earned,
earned_micros = live.earned_micros + excluded.earned_micros,
price_micros = live.price_micros + excluded.price_micros,
tax_micros = live.tax_micros + excluded.tax_micros,
refunded = live.refunded + excluded.refunded,
refunded_micros = live.refunded_micros + excluded.refunded_micros,
written_off = live.written_off + excluded.written_off,
written_off_micros = live.written_off_micros + excluded.written_off_micros
"""


def _row(account: Account, states: States) -> dict[str, Any]:
    sums = {name: str(number) for name, number in states._asdict().items()}
    return account._asdict() | sums


PROJECTION = Projection(MERCHANT_ACCOUNTS, Table(MERCHANT_ACCOUNTS.name, _UPSERT, _row))
