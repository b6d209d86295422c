"""Keeps the counts and revenue of each day in their table."""

from typing import Any

from projections.rates.fold import RATES, Counts, Place
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, merchant, day, service, short_code, operator, tariff_version, leg, currency,
    matched, unmatched, authorized, released, captured, cycles, cycles_captured,
    earned, price_micros, tax_micros, share_micros, refunds, refunded_micros,
    opt_outs, requested, started, stopped, solicited
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    merchant text,
    day date,
    service text,
    short_code text,
    operator text,
    tariff_version text,
    leg text,
    currency text,
    matched bigint,
    unmatched bigint,
    authorized bigint,
    released bigint,
    captured bigint,
    cycles bigint,
    cycles_captured bigint,
    earned bigint,
    price_micros numeric,
    tax_micros numeric,
    share_micros numeric,
    refunds bigint,
    refunded_micros numeric,
    opt_outs bigint,
    requested bigint,
    started bigint,
    stopped bigint,
    solicited bigint
)
ON CONFLICT (
    book, merchant, day, service, short_code, operator, tariff_version, leg, currency
) DO UPDATE SET
matched = live.matched + excluded.matched,
unmatched = live.unmatched + excluded.unmatched,
authorized = live.authorized + excluded.authorized,
released = live.released + excluded.released,
captured = live.captured + excluded.captured,
cycles = live.cycles + excluded.cycles,
cycles_captured = live.cycles_captured + excluded.cycles_captured,
earned = live.earned + excluded.earned,
price_micros = live.price_micros + excluded.price_micros,
tax_micros = live.tax_micros + excluded.tax_micros,
share_micros = live.share_micros + excluded.share_micros,
refunds = live.refunds + excluded.refunds,
refunded_micros = live.refunded_micros + excluded.refunded_micros,
opt_outs = live.opt_outs + excluded.opt_outs,
requested = live.requested + excluded.requested,
started = live.started + excluded.started,
stopped = live.stopped + excluded.stopped,
solicited = live.solicited + excluded.solicited
"""


def _row(place: Place, counts: Counts) -> dict[str, Any]:
    sums = {name: str(number) for name, number in counts._asdict().items()}
    return place._asdict() | sums


PROJECTION = Projection(RATES, Table(RATES.name, _UPSERT, _row))
