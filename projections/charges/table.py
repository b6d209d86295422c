"""Keeps the list of charges in its table."""

from collections.abc import Hashable
from operator import attrgetter
from typing import Any

from projections.charges.fold import CHARGES, Charge
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
    own.charge, own.position, terms.state, own.since, terms.state_day, terms.late, own.mt,
    terms.reason, terms.authorized_day, own.authorized_at, own.authorized_position,
    terms.captures_on, terms.leg, own.mo, own.subscription, own.cycle, own.consumer,
    terms.merchant, terms.service, terms.category, terms.keyword,
    terms.short_code, terms.operator, terms.tariff,
    terms.operator_contract, terms.merchant_contract, terms.rules, terms.acting, terms.test,
    terms.currency, terms.price_micros, terms.tax_micros,
    terms.operator_micros, terms.aggregator_micros, terms.merchant_micros,
    own.refunded_micros, own.written_off
FROM json_to_recordset(%(rows)s::json) AS own (
    n integer,
    charge text,
    position bigint,
    since timestamptz,
    mt text,
    authorized_at timestamptz,
    authorized_position bigint,
    mo text,
    subscription text,
    cycle date,
    consumer text,
    refunded_micros bigint,
    written_off text
)
INNER JOIN json_to_recordset(%(terms)s::json) AS terms (
    n integer,
    state text,
    state_day date,
    late boolean,
    reason text,
    authorized_day date,
    captures_on text,
    leg text,
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
    merchant_micros bigint
) ON own.n = terms.n
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
    }
    if charge.written_off is not None:
        row["written_off"] = charge.written_off
    standing, authorized = charge.standing, charge.authorized
    if standing is not None:
        ref = standing.ref
        row |= {"since": standing.since, "consumer": ref.consumer, "mo": ref.mo, "mt": standing.mt}
        if ref.subscription is not None:
            row |= {"subscription": ref.subscription, "cycle": ref.cycle}
    if authorized is not None:
        row["authorized_at"] = authorized.at
        row["authorized_position"] = authorized.position
    return row


def _terms_of(charge: Charge) -> Hashable:
    standing, authorized = charge.standing, charge.authorized
    assert standing is not None
    captures_on = authorized.captures_on if authorized else None
    return _state_of(standing), _ref_of(standing.ref), standing.amounts, captures_on


def _terms(charge: Charge) -> dict[str, Any]:
    standing, authorized = charge.standing, charge.authorized
    assert standing is not None
    amounts = standing.amounts
    return {
        **{name: getattr(standing, name) for name in _STATE},
        **{name: getattr(standing.ref, name) for name in _REF},
        "captures_on": authorized.captures_on if authorized else None,
        "price_micros": amounts.price,
        "tax_micros": amounts.tax,
        "operator_micros": amounts.operator,
        "aggregator_micros": amounts.aggregator,
        "merchant_micros": amounts.merchant,
    }


_STATE = ("state", "state_day", "late", "reason", "authorized_day", "currency")
_REF = (
    *("leg", "merchant", "service", "category", "keyword", "short_code", "operator", "tariff"),
    *("operator_contract", "merchant_contract", "rules", "acting", "test"),
)
"""What is kept of a charge's standing and reference, under the same names: shared by many."""

_state_of, _ref_of = attrgetter(*_STATE), attrgetter(*_REF)

PROJECTION = Projection(
    CHARGES, Table(CHARGES.name, _UPSERT, _row, _UPDATE, _only_changes, _terms_of, _terms)
)
