"""Asks for subscriptions: a merchant's page by page, a single one, and those that are due.

A page is found by its end, the position at which a subscription began, which never moves.
"""

from datetime import UTC, date, datetime
from typing import Literal, LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "subscriptions"

LATEST = (1 << 63) - 1
"""Before the first page: beyond every position."""

State = Literal["requested", "live", "stopped"]

_STATE: LiteralString = """
CASE
    WHEN stopped_at IS NOT NULL THEN 'stopped'
    WHEN started_at IS NOT NULL THEN 'live'
    ELSE 'requested'
END
"""
_FIELDS: LiteralString = (
    """
SELECT
    subscription,"""
    + _STATE
    + """,
    consumer, merchant, service, keyword, short_code, operator, tariff, price_micros, currency,
    every_n, every_unit, test,
    requested_at, expires_at, started_at, cycle_number, cycle, next_due_at,
    charge_cycle, charge, charge_state, charge_since, charge_attempts,
    stopped_at, stopped_by, stop_reason, first_position
FROM subscriptions
WHERE book = %(book)s
"""
)
_ONE: LiteralString = _FIELDS + "AND subscription = %(subscription)s"
_OF_MERCHANT: LiteralString = (
    _FIELDS
    + """
AND merchant = %(merchant)s
AND (%(state)s::text IS NULL OR %(state)s ="""
    + _STATE
    + """)
AND first_position < %(before)s
ORDER BY first_position DESC
LIMIT %(limit)s + 1
"""
)
# A cycle whose charge was refused did not begin, so the one before it still says when it was due.
_DUE: LiteralString = """
WITH live AS NOT MATERIALIZED (
    SELECT * FROM subscriptions
    WHERE book = %(book)s AND started_at IS NOT NULL AND stopped_at IS NULL
),

due AS (
    (
        SELECT subscription, next_due_at AS due_at FROM live
        WHERE
            next_due_at <= %(before)s
            AND (charge_cycle <= cycle OR charge_since <= %(failed_before)s)
            AND (next_due_at, subscription) > (%(since)s, %(subscription)s)
        ORDER BY next_due_at, subscription
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT subscription, charge_since AS due_at FROM live
        WHERE
            charge_state IN ('released', 'refused')
            AND charge_since <= %(failed_before)s
            AND charge_attempts < %(attempts)s
            AND next_due_at > %(before)s
            AND (charge_since, subscription) > (%(since)s, %(subscription)s)
        ORDER BY charge_since, subscription
        LIMIT %(limit)s
    )
)

SELECT subscription, due_at FROM due
ORDER BY due_at, subscription
LIMIT %(limit)s
"""


class Subscription(NamedTuple):
    """A subscription as it stands; amounts in micros."""

    subscription: str
    state: State
    """Requested: it was offered, and may have run out since or been answered by a STOP."""
    consumer: str
    merchant: str
    service: str
    keyword: str
    short_code: str
    operator: str
    tariff: str
    price: int
    currency: str
    every_n: int
    every_unit: str
    test: bool
    requested_at: datetime | None
    """None where one message was enough."""
    expires_at: datetime | None
    started_at: datetime | None
    cycle_number: int | None
    """Of the latest cycle that began, counted from the start."""
    cycle: date | None
    """The local day that it began."""
    next_due_at: datetime | None
    charge_cycle: date | None
    """The latest cycle of which a charge was tried."""
    charge: str | None
    charge_state: str | None
    charge_since: datetime | None
    charge_attempts: int | None
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None
    first_position: int


class Page(NamedTuple):
    """Subscriptions, the newest first; `end` asks for the next page, none when this is the last."""

    subscriptions: list[Subscription]
    end: int | None


class Due(NamedTuple):
    """A subscription that may be renewed now, or whose cycle may be tried again."""

    subscription: str
    due_at: datetime
    """When its next cycle was due, or when its last attempt failed."""


class Retry(NamedTuple):
    """Which failed attempts are to be repeated, as the rules of the moment say."""

    failed_before: datetime
    """Up to then, an attempt has waited long enough."""
    attempts: int
    """A cycle that was tried as often is left alone."""


def one(subscription: str) -> Read[Subscription | None]:
    """Ask for a single subscription."""
    return Read(
        PROJECTION,
        _ONE,
        lambda rows: Subscription(*rows[0]) if rows else None,
        {"subscription": subscription},
    )


def of_merchant(
    merchant: str, limit: int, state: State | None = None, before: int = LATEST
) -> Read[Page]:
    """Ask for a merchant's subscriptions, those that began last first."""
    params = {"merchant": merchant, "limit": limit, "state": state, "before": before}

    def shape(rows: Rows) -> Page:
        found = [Subscription(*row) for row in rows[:limit]]
        return Page(found, found[-1].first_position if len(rows) > limit else None)

    return Read(PROJECTION, _OF_MERCHANT, shape, params)


def due(
    before: datetime, limit: int, after: Due | None = None, retry: Retry | None = None
) -> Read[list[Due]]:
    """Ask for what is due at `before`, the longest first; the decision checks each again.

    Without `retry`, whatever failed is proposed at once and for as long as its cycle runs.
    """
    again = retry or Retry(before, LATEST)
    params = {
        "before": before,
        "limit": limit,
        "since": after.due_at if after else datetime.min.replace(tzinfo=UTC),
        "subscription": after.subscription if after else "",
        **again._asdict(),
    }
    return Read(PROJECTION, _DUE, lambda rows: [Due(*row) for row in rows], params)
