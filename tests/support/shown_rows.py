"""Rows of every projection's table, of two books, two merchants and two gateways each."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import product
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from ledger.log.session import connect
from tests.support.database import TestDatabase
from tests.support.history import NOON, History
from tests.support.projected import store

BOOKS = ("fr", "be")
MERCHANTS = ("ludotel", "astrolys")
GATEWAYS = ("kannel-a", "kannel-b")

_AT = datetime(2026, 7, 10, 12, tzinfo=UTC)
_DAY = date(2026, 7, 1)
_WHERE = {"short_code": "81014", "operator": "20801"}
_MONEY = dict.fromkeys(
    ("price_micros", "tax_micros", "operator_micros", "aggregator_micros", "merchant_micros"), 0
)


class Owner(NamedTuple):
    """Whose row it is."""

    book: str
    merchant: str
    gateway: str


OWNERS = [Owner(*one) for one in product(BOOKS, MERCHANTS, GATEWAYS)]


def _balances(owner: Owner, key: str) -> dict[str, Any]:
    days = {"value_day": _DAY, "recorded_day": _DAY}
    return {"account": key, "party": owner.merchant, "currency": "EUR", "debit": 1, "credit": 0} | (
        days
    )


def _merchant_accounts(_: Owner, key: str) -> dict[str, Any]:
    counts = ("pending", "unresolved", "released", "earned")
    amounts = ("price_micros", "tax_micros", *(f"{one}_micros" for one in counts))
    zeros = dict.fromkeys((*counts, *amounts), 0)
    return zeros | _WHERE | {"month": _DAY, "service": key, "currency": "EUR", "pending": 1}


def charge_row(_: Owner, key: str) -> dict[str, Any]:
    """Fill a charge."""
    words = ("tariff", "operator_contract", "merchant_contract", "rules", "category", "service")
    return (
        dict.fromkeys(words, "x")
        | _WHERE
        | _MONEY
        | {"charge": key, "mo": key, "consumer": key, "leg": "mt", "acting": "agent"}
        | {"state": "authorized", "since": _AT, "state_day": _DAY, "late": False}
        | {"authorized_day": _DAY, "authorized_at": _AT, "authorized_position": len(key)}
        | {"currency": "EUR", "position": 1}
    )


def _findings(_: Owner, key: str) -> dict[str, Any]:
    opened = {"opened_at": _AT, "opened_position": 1, "position": 1, "test": False}
    return _WHERE | opened | {"finding": key, "kind": "unattributed", "consumer": key}


def _solicitation_counters(_: Owner, key: str) -> dict[str, Any]:
    empty = dict.fromkeys(("allowed", "expired", "used"), "{}")
    return empty | {"consumer": key, "short_code": "81014"}


def _subscriptions(_: Owner, key: str) -> dict[str, Any]:
    return {"subscription": key, "position": 1}


def _opt_outs(_: Owner, key: str) -> dict[str, Any]:
    said = {"said_at": _AT, "day": _DAY, "lifts": False, "word": "STOP", "everywhere": False}
    place = {"position": int(key, 16), "mo": key, "consumer": key, "service": "x", "test": False}
    return _WHERE | said | place


def _expected(_: Owner, key: str) -> dict[str, Any]:
    what = {"leg": "mt", "whose": "sold", "what": "captured", "currency": "EUR", "charges": 1}
    zeros = dict.fromkeys(("price_micros", "tax_micros", "reversement_micros"), 0)
    return _WHERE | zeros | what | {"month": _DAY, "tariff": key}


def rate_row(_: Owner, key: str) -> dict[str, Any]:
    """Fill a day's counts."""
    counts = (
        *("matched", "unmatched", "authorized", "released", "captured", "cycles"),
        *("cycles_captured", "earned", "price_micros", "tax_micros", "share_micros"),
        *("refunds", "refunded_micros", "opt_outs", "requested", "started", "stopped", "solicited"),
    )
    nothing = dict.fromkeys(("tariff_version", "leg", "currency"), "")
    return dict.fromkeys(counts, 0) | _WHERE | nothing | {"day": _DAY, "service": key}


def _outbox(_: Owner, key: str) -> dict[str, Any]:
    how_far = {"state": "waiting", "changed_at": _AT, "attempts": 0, "is_notice": False}
    return _WHERE | how_far | {"item": key, "position": 1, "consumer": key}


FILLED = {
    "balances": _balances,
    "merchant_accounts": _merchant_accounts,
    "charges": charge_row,
    "findings": _findings,
    "solicitation_counters": _solicitation_counters,
    "subscriptions": _subscriptions,
    "opt_outs": _opt_outs,
    "expected": _expected,
    "rates": rate_row,
    "outbox": _outbox,
}
"""How each table's row is filled, beside whose it is."""


def fill(database: TestDatabase) -> dict[str, dict[str, Owner]]:
    """Put a row of every owner into every table; gives whose each is, by table and ctid."""
    with psycopg.connect(database.app_url) as connection:
        return {table: dict(_filled(connection, table)) for table in FILLED}


def _filled(connection: psycopg.Connection, table: str) -> Iterator[tuple[str, Owner]]:
    for number, owner in enumerate(OWNERS, 1):
        yield insert(connection, table, owner, f"{number:032x}"), owner


def insert(connection: psycopg.Connection, table: str, owner: Owner, key: str) -> str:
    """Write one row, and give where it lies."""
    row = {"book": owner.book} | FILLED[table](owner, key)
    if table == "outbox":
        row["gateway"] = owner.gateway
    if table not in {"balances", "expected"}:
        row["merchant"] = owner.merchant
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING ctid::text").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    found = connection.execute(statement, row).fetchone()
    assert found is not None
    return str(found[0])


def record(database: TestDatabase) -> None:
    """Write a short log for each book: one exchange of each merchant."""
    with connect(database.app_url) as connection:
        for book in BOOKS:
            history = History(book)
            for merchant in MERCHANTS:
                history.exchange(f"{book}-{merchant}", NOON, merchant=merchant)
            store(connection, history.rows)
