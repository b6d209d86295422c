"""Keeps the counters of solicitations in their table."""

from operator import attrgetter
from typing import Any

from ledger.words import instant_text
from projections.solicitation_counters.fold import SOLICITATION_COUNTERS, Key, State
from projections.table import Projection, Table

# The same as the fold's merge: union, less what expired, less what lies at or before the return.
_MERGE = """
ON CONFLICT (book, consumer, short_code, merchant) DO UPDATE SET
(returned_at, last_allowed_at, allowed, expired, used, next_expiry) = (
    WITH merged AS (
        SELECT
            greatest(live.returned_at, excluded.returned_at) AS returned_at,
            live.allowed || excluded.allowed AS allowed,
            live.expired || excluded.expired AS expired,
            live.used || excluded.used AS used
    ),
    allowed AS (
        SELECT one.key, one.value
        FROM merged, jsonb_each(merged.allowed) AS one
        WHERE
            NOT merged.expired ? one.key
            AND coalesce((one.value ->> 'at')::timestamptz > merged.returned_at, TRUE)
    ),
    expired AS (
        SELECT one.key, one.value
        FROM merged, jsonb_each(merged.expired) AS one
        WHERE
            NOT merged.allowed ? one.key
            AND coalesce((one.value #>> '{{}}')::timestamptz > merged.returned_at, TRUE)
    ),
    used AS (
        SELECT one.key, one.value
        FROM merged, jsonb_each(merged.used) AS one
        WHERE coalesce((one.value #>> '{{}}')::timestamptz > merged.returned_at, TRUE)
    )
    SELECT
        merged.returned_at,
        greatest(live.last_allowed_at, excluded.last_allowed_at),
        coalesce((SELECT jsonb_object_agg(key, value) FROM allowed), '{{}}'),
        coalesce((SELECT jsonb_object_agg(key, value) FROM expired), '{{}}'),
        coalesce((SELECT jsonb_object_agg(key, value) FROM used), '{{}}'),
        (
            SELECT min((allowed.value ->> 'until')::timestamptz)
            FROM allowed
            WHERE NOT EXISTS (SELECT FROM used WHERE used.key = allowed.key)
        )
    FROM merged
)
"""

_UPSERT = (
    """
INSERT INTO {table} AS live (
    book, consumer, short_code, merchant,
    returned_at, last_allowed_at, allowed, expired, used, next_expiry
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    consumer text,
    short_code text,
    merchant text,
    returned_at timestamptz,
    last_allowed_at timestamptz,
    allowed jsonb,
    expired jsonb,
    used jsonb,
    next_expiry timestamptz
)
"""
    + _MERGE
)

# A message that asks for something is by far the most frequent, and is a return and nothing more.
_RETURN = (
    """
INSERT INTO {table} AS live (
    book, consumer, short_code, merchant, returned_at, allowed, expired, used
)
SELECT
    %(book)s,
    delta.*,
    '{{}}',
    '{{}}',
    '{{}}'
FROM json_to_recordset(%(rows)s::json) AS delta (
    consumer text,
    short_code text,
    merchant text,
    returned_at timestamptz
)
"""
    + _MERGE
)


def _row(key: Key, state: State) -> dict[str, Any]:
    consumer, short_code, merchant = key
    whose: dict[str, Any] = {
        "consumer": consumer,
        "short_code": short_code,
        "merchant": merchant,
        "returned_at": state.returned_at,
    }
    return whose if state.only_returned else whose | _allowances(state)


def _allowances(state: State) -> dict[str, Any]:
    return {
        "last_allowed_at": state.last_allowed_at,
        "allowed": {
            one: {
                "at": instant_text(reserved.allowed_at),
                "until": instant_text(reserved.expires_at),
            }
            for one, reserved in state.allowed.items()
        },
        "expired": {one: instant_text(at) for one, at in state.expired.items()},
        "used": {one: instant_text(at) for one, at in state.used.items()},
        "next_expiry": state.next_expiry,
    }


PROJECTION = Projection(
    SOLICITATION_COUNTERS,
    Table(SOLICITATION_COUNTERS.name, _UPSERT, _row, _RETURN, attrgetter("only_returned")),
)
