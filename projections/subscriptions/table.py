"""Keeps the list of subscriptions in its table."""

from typing import Any

from projections.subscriptions.fold import SUBSCRIPTIONS, Subscription
from projections.table import Projection, Table

# Numbers, days and due times of cycles grow together, so the greatest of each are of one cycle.
# Of the terms only the operator, and whether it tests, can be others at the start than before.
_UPSERT = """
INSERT INTO {table} AS live (
    book, subscription, position, first_position,
    consumer, merchant, service, keyword, short_code, operator, tariff, price_micros, currency,
    every_n, every_unit, test,
    requested_at, expires_at, started_at, cycle_number, cycle, next_due_at,
    charge_cycle, charge, charge_state, charge_since, charge_attempts,
    stopped_at, stopped_by, stop_reason
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    subscription text,
    position bigint,
    first_position bigint,
    consumer text,
    merchant text,
    service text,
    keyword text,
    short_code text,
    operator text,
    tariff text,
    price_micros bigint,
    currency text,
    every_n integer,
    every_unit text,
    test boolean,
    requested_at timestamptz,
    expires_at timestamptz,
    started_at timestamptz,
    cycle_number integer,
    cycle date,
    next_due_at timestamptz,
    charge_cycle date,
    charge text,
    charge_state text,
    charge_since timestamptz,
    charge_attempts integer,
    stopped_at timestamptz,
    stopped_by text,
    stop_reason text
)
ON CONFLICT (book, subscription) DO UPDATE SET
position = excluded.position,
first_position = coalesce(live.first_position, excluded.first_position),
consumer = coalesce(live.consumer, excluded.consumer),
merchant = coalesce(live.merchant, excluded.merchant),
service = coalesce(live.service, excluded.service),
keyword = coalesce(live.keyword, excluded.keyword),
short_code = coalesce(live.short_code, excluded.short_code),
operator = coalesce(excluded.operator, live.operator),
tariff = coalesce(live.tariff, excluded.tariff),
price_micros = coalesce(live.price_micros, excluded.price_micros),
currency = coalesce(live.currency, excluded.currency),
every_n = coalesce(live.every_n, excluded.every_n),
every_unit = coalesce(live.every_unit, excluded.every_unit),
test = coalesce(excluded.test, live.test),
requested_at = coalesce(live.requested_at, excluded.requested_at),
expires_at = coalesce(live.expires_at, excluded.expires_at),
started_at = coalesce(live.started_at, excluded.started_at),
cycle_number = greatest(live.cycle_number, excluded.cycle_number),
cycle = greatest(live.cycle, excluded.cycle),
next_due_at = greatest(live.next_due_at, excluded.next_due_at),
charge_cycle = greatest(live.charge_cycle, excluded.charge_cycle),
charge = CASE
    WHEN excluded.charge_cycle < live.charge_cycle OR excluded.charge_cycle IS NULL
        THEN live.charge
    ELSE excluded.charge
END,
charge_state = CASE
    WHEN excluded.charge_cycle < live.charge_cycle OR excluded.charge_cycle IS NULL
        THEN live.charge_state
    ELSE excluded.charge_state
END,
charge_since = CASE
    WHEN excluded.charge_cycle < live.charge_cycle OR excluded.charge_cycle IS NULL
        THEN live.charge_since
    ELSE excluded.charge_since
END,
charge_attempts = CASE
    WHEN excluded.charge_cycle < live.charge_cycle OR excluded.charge_cycle IS NULL
        THEN live.charge_attempts
    WHEN excluded.charge_cycle = live.charge_cycle
        THEN live.charge_attempts + excluded.charge_attempts
    ELSE excluded.charge_attempts
END,
stopped_at = coalesce(live.stopped_at, excluded.stopped_at),
stopped_by = coalesce(live.stopped_by, excluded.stopped_by),
stop_reason = coalesce(live.stop_reason, excluded.stop_reason)
"""

_TERMS = (
    *("consumer", "merchant", "service", "keyword", "short_code", "operator", "tariff"),
    *("currency", "test"),
)
"""What is kept of a subscription's reference, under the same names."""


def _row(key: str, row: Subscription) -> dict[str, Any]:
    ref = row.begun.ref if row.begun else None
    return {
        "subscription": key,
        "position": row.position,
        "first_position": row.begun.position if row.begun else None,
        **{name: getattr(ref, name, None) for name in _TERMS},
        "price_micros": ref.price if ref else None,
        "every_n": ref.every.n if ref else None,
        "every_unit": ref.every.unit if ref else None,
        "requested_at": row.offered.requested_at if row.offered else None,
        "expires_at": row.offered.expires_at if row.offered else None,
        "started_at": row.started_at,
        **_cycle(row),
        "stopped_at": row.stopped.at if row.stopped else None,
        "stopped_by": row.stopped.by if row.stopped else None,
        "stop_reason": row.stopped.reason if row.stopped else None,
    }


def _cycle(row: Subscription) -> dict[str, Any]:
    cycle, charged = row.cycle, row.charged
    return {
        "cycle_number": cycle.number if cycle else None,
        "cycle": cycle.day if cycle else None,
        "next_due_at": cycle.next_due_at if cycle else None,
        "charge_cycle": charged.day if charged else None,
        "charge": charged.charge if charged else None,
        "charge_state": charged.state if charged else None,
        "charge_since": charged.since if charged else None,
        "charge_attempts": charged.attempts if charged else None,
    }


PROJECTION = Projection(SUBSCRIPTIONS, Table(SUBSCRIPTIONS.name, _UPSERT, _row))
