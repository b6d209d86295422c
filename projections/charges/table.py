"""Keeps the list of charges in its table."""

from typing import Any

from projections.charges.fold import CHARGES, Charge
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, charge, position, state, since, state_day, late, mt, reason,
    authorized_day, authorized_at, authorized_position, captures_on,
    leg, mo, consumer, merchant, service, category, short_code, operator, tariff,
    operator_contract, merchant_contract, rules, acting,
    currency, price_micros, tax_micros, operator_micros, aggregator_micros, merchant_micros
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    charge text,
    position bigint,
    state text,
    since timestamptz,
    state_day date,
    late boolean,
    mt text,
    reason text,
    authorized_day date,
    authorized_at timestamptz,
    authorized_position bigint,
    captures_on text,
    leg text,
    mo text,
    consumer text,
    merchant text,
    service text,
    category text,
    short_code text,
    operator text,
    tariff text,
    operator_contract text,
    merchant_contract text,
    rules text,
    acting text,
    currency text,
    price_micros bigint,
    tax_micros bigint,
    operator_micros bigint,
    aggregator_micros bigint,
    merchant_micros bigint
)
ON CONFLICT (book, charge) DO UPDATE SET
position = excluded.position,
state = excluded.state,
since = excluded.since,
state_day = excluded.state_day,
late = excluded.late,
mt = excluded.mt,
reason = excluded.reason,
authorized_at = coalesce(live.authorized_at, excluded.authorized_at),
authorized_position = coalesce(live.authorized_position, excluded.authorized_position),
captures_on = coalesce(live.captures_on, excluded.captures_on)
WHERE excluded.position > live.position
"""


def _row(key: str, charge: Charge) -> dict[str, Any]:
    ref, amounts, authorized = charge.ref, charge.amounts, charge.authorized
    return {
        "charge": key,
        "position": charge.position,
        "state": charge.state,
        "since": charge.since,
        "state_day": charge.state_day,
        "late": charge.late,
        "mt": charge.mt,
        "reason": charge.reason,
        "authorized_day": charge.authorized_day,
        "authorized_at": authorized.at if authorized else None,
        "authorized_position": authorized.position if authorized else None,
        "captures_on": authorized.captures_on if authorized else None,
        **{name: getattr(ref, name) for name in _TERMS},
        "currency": charge.currency,
        "price_micros": amounts.price,
        "tax_micros": amounts.tax,
        "operator_micros": amounts.operator,
        "aggregator_micros": amounts.aggregator,
        "merchant_micros": amounts.merchant,
    }


_TERMS = (
    *("leg", "mo", "consumer", "merchant", "service", "category", "short_code", "operator"),
    *("tariff", "operator_contract", "merchant_contract", "rules", "acting"),
)
"""What is kept of a charge's reference, under the same names."""

PROJECTION = Projection(CHARGES, Table(CHARGES.name, _UPSERT, _row))
