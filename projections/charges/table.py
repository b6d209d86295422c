"""Keeps the list of charges in its table."""

from typing import Any

from projections.charges.fold import CHARGES, Charge, Standing
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, charge, position, state, since, state_day, late, mt, reason,
    authorized_day, authorized_at, authorized_position, captures_on,
    leg, mo, subscription, cycle, consumer, merchant, service, category, keyword,
    short_code, operator, tariff, operator_contract, merchant_contract, rules, acting, test,
    currency, price_micros, tax_micros, operator_micros, aggregator_micros, merchant_micros,
    refunded_micros, written_off
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
    subscription text,
    cycle date,
    consumer text,
    merchant text,
    service text,
    category text,
    keyword text,
    short_code text,
    operator text,
    tariff text,
    operator_contract text,
    merchant_contract text,
    rules text,
    acting text,
    test boolean,
    currency text,
    price_micros bigint,
    tax_micros bigint,
    operator_micros bigint,
    aggregator_micros bigint,
    merchant_micros bigint,
    refunded_micros bigint,
    written_off text
)
ON CONFLICT (book, charge) DO UPDATE SET
position = excluded.position,
state = excluded.state,
since = excluded.since,
state_day = excluded.state_day,
late = excluded.late,
mt = excluded.mt,
reason = excluded.reason,
authorized_day = excluded.authorized_day,
authorized_at = CASE
    WHEN excluded.authorized_position IS NULL THEN live.authorized_at
    ELSE excluded.authorized_at
END,
authorized_position = coalesce(excluded.authorized_position, live.authorized_position),
captures_on = coalesce(excluded.captures_on, live.captures_on),
tariff = excluded.tariff,
operator_contract = excluded.operator_contract,
merchant_contract = excluded.merchant_contract,
rules = excluded.rules,
price_micros = excluded.price_micros,
tax_micros = excluded.tax_micros,
operator_micros = excluded.operator_micros,
aggregator_micros = excluded.aggregator_micros,
merchant_micros = excluded.merchant_micros,
refunded_micros = live.refunded_micros + excluded.refunded_micros,
written_off = coalesce(live.written_off, excluded.written_off)
WHERE excluded.position > live.position
"""

# A range may hold what was given back and not how the charge came to stand where it does. It has
# no row to propose then, and the charge has one already: its capture always comes before.
_UPDATE = """
UPDATE {table} AS live SET
    position = delta.position,
    refunded_micros = live.refunded_micros + delta.refunded_micros,
    written_off = coalesce(live.written_off, delta.written_off)
FROM json_to_recordset(%(rows)s::json) AS delta (
    charge text,
    position bigint,
    refunded_micros bigint,
    written_off text
)
WHERE live.book = %(book)s AND live.charge = delta.charge AND delta.position > live.position
"""


def _only_changes(charge: Charge) -> bool:
    return charge.standing is None


def _row(key: str, charge: Charge) -> dict[str, Any]:
    row: dict[str, Any] = {
        "charge": key,
        "position": charge.position,
        "refunded_micros": charge.refunded,
        "written_off": charge.written_off,
    }
    if charge.authorized is not None:
        row["authorized_at"] = charge.authorized.at
        row["authorized_position"] = charge.authorized.position
        row["captures_on"] = charge.authorized.captures_on
    return row if charge.standing is None else row | _standing(charge.standing)


def _standing(standing: Standing) -> dict[str, Any]:
    ref, amounts = standing.ref, standing.amounts
    return {
        **{name: getattr(standing, name) for name in _STATE},
        **{name: getattr(ref, name) for name in _TERMS},
        "price_micros": amounts.price,
        "tax_micros": amounts.tax,
        "operator_micros": amounts.operator,
        "aggregator_micros": amounts.aggregator,
        "merchant_micros": amounts.merchant,
    }


_STATE = (
    *("state", "since", "state_day", "late", "mt", "reason"),
    *("authorized_day", "currency"),
)
_TERMS = (
    *("leg", "mo", "subscription", "cycle", "consumer", "merchant", "service", "category"),
    *("keyword", "short_code", "operator", "tariff", "operator_contract", "merchant_contract"),
    *("rules", "acting", "test"),
)
"""What is kept of a charge's standing and reference, under the same names."""

PROJECTION = Projection(CHARGES, Table(CHARGES.name, _UPSERT, _row, _UPDATE, _only_changes))
