"""Asks the outbox: what is to be tried next, what is in doubt, and the list page by page."""

from datetime import UTC, datetime
from typing import LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "outbox"
_TOLD, _STORED = {"sent": "written"}, {"written": "sent"}
"""A notice is kept as sent once it has become a message; how far that came is the message's own."""
NOTICE_STATES = frozenset({"due", "written", "dropped"})
"""Of what an entry may be in, those of a notice; a message is in one of the others."""

_FIELDS: LiteralString = """
SELECT
    item, is_notice, kind, state, changed_at, due_at, attempts, raw_status, reason,
    began_at, began_position, gateway, smsc, consumer, short_code, operator, merchant, service,
    charge
FROM outbox
WHERE book = %(book)s
"""
_PAGE: LiteralString = (
    _FIELDS
    + """
AND began_position < %(before)s
AND state = coalesce(%(state)s, state)
AND gateway = coalesce(%(gateway)s, gateway)
ORDER BY began_position DESC
LIMIT %(limit)s + 1
"""
)
_DUE: LiteralString = """
SELECT item, due_at, gateway
FROM outbox
WHERE
    book = %(book)s
    AND is_notice = %(is_notice)s
    AND due_at <= %(before)s
    AND (due_at, item) > (%(since)s, %(item)s)
ORDER BY due_at, item
LIMIT %(limit)s
"""
_IN_DOUBT: LiteralString = """
SELECT item, changed_at, gateway
FROM outbox
WHERE
    book = %(book)s
    AND state = 'unknown'
    AND charge IS NOT NULL
    AND changed_at <= %(before)s
    AND (changed_at, item) > (%(since)s, %(item)s)
ORDER BY changed_at, item
LIMIT %(limit)s
"""
_COUNTS: LiteralString = """
SELECT state, count(*)
FROM outbox
WHERE book = %(book)s
GROUP BY state
ORDER BY state
"""
FOR_EVER = datetime.max.replace(tzinfo=UTC)
NEWEST = (1 << 63) - 1
"""Before the first page."""


class Due(NamedTuple):
    """A message or notice whose turn has come, and since when."""

    item: str
    since: datetime
    gateway: str


class Entry(NamedTuple):
    """A message or notice of the outbox; a notice whose message is written is `written`."""

    item: str
    is_notice: bool
    kind: str
    state: str
    changed_at: datetime
    due_at: datetime | None
    attempts: int
    raw_status: str | None
    reason: str | None
    began_at: datetime
    began_position: int
    gateway: str
    smsc: str | None
    consumer: str
    short_code: str
    operator: str
    merchant: str | None
    service: str | None
    charge: str | None


class Page(NamedTuple):
    """Entries, newest first; `end` asks for the next page, none when this is the last."""

    entries: list[Entry]
    end: int | None


def waiting(before: datetime, limit: int, after: Due | None = None) -> Read[list[Due]]:
    """Ask for the messages to be offered to their gateways by then, longest due first."""
    return _due(_DUE, before, limit, after)


def notices_due(
    limit: int, after: Due | None = None, before: datetime = FOR_EVER
) -> Read[list[Due]]:
    """Ask for the notices that nobody has sent yet, longest due first."""
    return _due(_DUE, before, limit, after, is_notice=True)


def unknown_charged(before: datetime, limit: int, after: Due | None = None) -> Read[list[Due]]:
    """Ask for charged messages whose handover is unknown since then, longest first."""
    return _due(_IN_DOUBT, before, limit, after)


def page(
    limit: int, before: int = NEWEST, state: str | None = None, gateway: str | None = None
) -> Read[Page]:
    """Ask for the whole outbox, newest first; in one state, or of one gateway."""
    stored = state and _STORED.get(state, state)
    params = {"limit": limit, "before": before, "state": stored, "gateway": gateway}

    def shape(rows: Rows) -> Page:
        entries = [_told(Entry(*row)) for row in rows[:limit]]
        return Page(entries, entries[-1].began_position if len(rows) > limit else None)

    return Read(PROJECTION, _PAGE, shape, params)


def counts() -> Read[dict[str, int]]:
    """Ask how many messages and notices are in each state."""

    def shape(rows: Rows) -> dict[str, int]:
        found = dict[str, int](rows)
        return {_TOLD.get(state, state): number for state, number in found.items()}

    return Read(PROJECTION, _COUNTS, shape)


def _told(entry: Entry) -> Entry:
    return entry._replace(state=_TOLD.get(entry.state, entry.state))


def _due(
    sql: LiteralString,
    before: datetime,
    limit: int,
    after: Due | None,
    *,
    is_notice: bool = False,
) -> Read[list[Due]]:
    params = {
        "before": before,
        "limit": limit,
        "since": after.since if after else datetime.min.replace(tzinfo=UTC),
        "item": after.item if after else "",
        "is_notice": is_notice,
    }
    return Read(PROJECTION, sql, lambda rows: [Due(*row) for row in rows], params)
