"""Keeps the outbox in its table."""

from typing import Any

from ledger.facts.notices import NoticeRef
from projections.outbox.fold import OUTBOX, Item
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} AS live (
    book, item, is_notice, position, state, changed_at, due_at, attempts, raw_status, reason,
    kind, began_at, began_position, smsc,
    gateway, consumer, short_code, operator, merchant, service, charge
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    item text,
    is_notice boolean,
    position bigint,
    state text,
    changed_at timestamptz,
    due_at timestamptz,
    attempts int,
    raw_status text,
    reason text,
    kind text,
    began_at timestamptz,
    began_position bigint,
    smsc text,
    gateway text,
    consumer text,
    short_code text,
    operator text,
    merchant text,
    service text,
    charge text
)
ON CONFLICT (book, item) DO UPDATE SET
position = excluded.position,
state = excluded.state,
changed_at = excluded.changed_at,
due_at = excluded.due_at,
attempts = greatest(live.attempts, excluded.attempts),
raw_status = coalesce(excluded.raw_status, live.raw_status),
reason = excluded.reason,
kind = coalesce(live.kind, excluded.kind),
began_at = coalesce(live.began_at, excluded.began_at),
began_position = coalesce(live.began_position, excluded.began_position),
smsc = coalesce(live.smsc, excluded.smsc)
WHERE excluded.position > live.position
"""


def _row(key: str, item: Item) -> dict[str, Any]:
    about, beginning = item.about, item.beginning
    is_notice = isinstance(about, NoticeRef)
    return {
        "item": key,
        "is_notice": is_notice,
        "position": item.position,
        "state": item.state,
        "changed_at": item.changed_at,
        "due_at": item.due_at,
        "attempts": item.attempts,
        "raw_status": item.raw_status,
        "reason": item.reason,
        "kind": beginning.kind if beginning else None,
        "began_at": beginning.at if beginning else None,
        "began_position": beginning.position if beginning else None,
        "smsc": beginning.smsc if beginning else None,
        **{name: getattr(about, name) for name in _TERMS},
        "charge": None if is_notice else about.charge,
    }


_TERMS = ("gateway", "consumer", "short_code", "operator", "merchant", "service")
"""What is kept of an item's reference, under the same names."""

PROJECTION = Projection(OUTBOX, Table(OUTBOX.name, _UPSERT, _row))
