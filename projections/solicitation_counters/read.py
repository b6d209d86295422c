"""Asks the counters of solicitations: a consumer's, a merchant's, all of them, and what runs out.

What counts depends on the instant: an allowance that nobody used counts until it runs out.
"""

from datetime import UTC, datetime
from typing import Any, LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "solicitation_counters"

_COUNTED: LiteralString = """
SELECT
    consumer, short_code, merchant,
    (
        SELECT count(*)
        FROM jsonb_each(allowed) AS one
        WHERE used ? one.key OR (one.value ->> 'until')::timestamptz > %(at)s
    ),
    (
        SELECT count(*)
        FROM jsonb_each(allowed) AS one
        WHERE NOT used ? one.key AND (one.value ->> 'until')::timestamptz > %(at)s
    ),
    returned_at, last_allowed_at, md5(merchant || ' ' || consumer)
FROM solicitation_counters
WHERE book = %(book)s AND last_allowed_at IS NOT NULL
"""
_OF_CONSUMER: LiteralString = (
    _COUNTED
    + """
AND consumer = %(consumer)s
AND (short_code, merchant) > (%(short_code)s, %(other)s)
ORDER BY short_code, merchant
LIMIT %(limit)s + 1
"""
)
_OF_MERCHANT: LiteralString = (
    _COUNTED
    + """
AND merchant = %(merchant)s
AND (short_code, md5(merchant || ' ' || consumer)) > (%(short_code)s, %(other)s)
ORDER BY short_code, md5(merchant || ' ' || consumer)
LIMIT %(limit)s + 1
"""
)
_ALL: LiteralString = (
    _COUNTED
    + """
AND (consumer, short_code, merchant) > (%(consumer)s, %(short_code)s, %(merchant)s)
ORDER BY consumer, short_code, merchant
LIMIT %(limit)s
"""
)
_STATES: LiteralString = """
SELECT consumer, short_code, merchant, returned_at, last_allowed_at, allowed, used
FROM solicitation_counters
WHERE
    book = %(book)s
    AND (consumer, short_code, merchant) > (%(consumer)s, %(short_code)s, %(merchant)s)
ORDER BY consumer, short_code, merchant
LIMIT %(limit)s
"""
_HOW_MANY: LiteralString = "SELECT count(*) FROM solicitation_counters WHERE book = %(book)s"
_EXPIRING: LiteralString = """
SELECT one.key, (one.value ->> 'until')::timestamptz
FROM solicitation_counters, jsonb_each(allowed) AS one
WHERE
    book = %(book)s
    AND next_expiry <= %(before)s
    AND NOT used ? one.key
    AND (one.value ->> 'until')::timestamptz <= %(before)s
    AND ((one.value ->> 'until')::timestamptz, one.key) > (%(since)s, %(solicitation)s)
ORDER BY 2, 1
LIMIT %(limit)s
"""


class Key(NamedTuple):
    """A consumer, a code and a merchant; the empty one comes before all."""

    consumer: str = ""
    short_code: str = ""
    merchant: str = ""


class Counter(NamedTuple):
    """A counter at an instant."""

    consumer: str
    short_code: str
    merchant: str
    counted: int
    """Solicitations since the last return that count then."""
    reserved: int
    """Those of them that are allowed and not used so far."""
    returned_at: datetime | None
    last_allowed_at: datetime
    cover: str
    """In the place of the consumer, for a merchant that is not told who it is."""

    @property
    def key(self) -> Key:
        """What it counts for."""
        return Key(self.consumer, self.short_code, self.merchant)


class Allowed(NamedTuple):
    """One allowance that a counter holds."""

    solicitation: str
    allowed_at: datetime
    expires_at: datetime
    used: bool


class State(NamedTuple):
    """A counter with all that it counts, oldest first."""

    key: Key
    returned_at: datetime | None
    last_allowed_at: datetime | None
    allowed: tuple[Allowed, ...]


class Expiring(NamedTuple):
    """An allowance that nobody used, and when it runs out."""

    solicitation: str
    expires_at: datetime


class PageEnd(NamedTuple):
    """Where a page ended: a code, and there the merchant, or the cover of the consumer."""

    short_code: str = ""
    other: str = ""

    def __str__(self) -> str:
        """Write it as one word, such as `81014.ludotel`."""
        return f"{self.short_code}.{self.other}"

    @classmethod
    def parse(cls, text: str) -> "PageEnd":
        """Read what `str` wrote.

        Raises:
            ValueError: it is not such a word.
        """
        short_code, _, other = text.partition(".")
        if not (short_code.isascii() and short_code.isdigit() and other):
            raise ValueError(f"{text!r} is not the end of a page")
        return cls(short_code, other)


FIRST = PageEnd()
"""Before the first page."""


class Page(NamedTuple):
    """Counters of who was ever solicited; `end` asks for the next page, none when this is all."""

    counters: list[Counter]
    end: PageEnd | None


def of_consumer(consumer: str, at: datetime, limit: int, after: PageEnd = FIRST) -> Read[Page]:
    """Ask for a consumer's counters as they are at an instant, by code and merchant."""
    params = {"consumer": consumer, "at": at, "limit": limit, **after._asdict()}

    def shape(rows: Rows) -> Page:
        return _page(rows, limit, "merchant")

    return Read(PROJECTION, _OF_CONSUMER, shape, params)


def of_merchant(merchant: str, at: datetime, limit: int, after: PageEnd = FIRST) -> Read[Page]:
    """Ask for a merchant's counters as they are at an instant, by code."""
    params = {"merchant": merchant, "at": at, "limit": limit, **after._asdict()}

    def shape(rows: Rows) -> Page:
        return _page(rows, limit, "cover")

    return Read(PROJECTION, _OF_MERCHANT, shape, params)


def everybody(at: datetime, limit: int, after: Key = Key()) -> Read[list[Counter]]:  # noqa: B008 - an immutable tuple
    """Ask for the counters of all who were ever solicited, as they are at an instant."""
    params = {"at": at, "limit": limit, **after._asdict()}
    return Read(PROJECTION, _ALL, lambda rows: [Counter(*row) for row in rows], params)


def states(limit: int, after: Key = Key()) -> Read[list[State]]:  # noqa: B008 - an immutable tuple
    """Ask for every row as it stands, also of those who were never solicited."""
    params = {"limit": limit, **after._asdict()}
    return Read(PROJECTION, _STATES, lambda rows: [_state(row) for row in rows], params)


def how_many() -> Read[int]:
    """Ask how many rows there are."""
    return Read(PROJECTION, _HOW_MANY, lambda rows: int(rows[0][0]))


def expiring(before: datetime, limit: int, after: Expiring | None = None) -> Read[list[Expiring]]:
    """Ask for allowances that ran out unused up to `before`, the longest ago first."""
    params = {
        "before": before,
        "limit": limit,
        "since": after.expires_at if after else datetime.min.replace(tzinfo=UTC),
        "solicitation": after.solicitation if after else "",
    }
    return Read(PROJECTION, _EXPIRING, lambda rows: [Expiring(*row) for row in rows], params)


def _page(rows: Rows, limit: int, other: str) -> Page:
    """Cut off the one row that only tells whether there is more."""
    counters = [Counter(*row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(counters, None)
    last = counters[-1]
    return Page(counters, PageEnd(last.short_code, str(getattr(last, other))))


def _state(row: tuple[Any, ...]) -> State:
    *key, returned_at, last_allowed_at, allowed, used = row
    found = [
        Allowed(one, _instant(span["at"]), _instant(span["until"]), one in used)
        for one, span in allowed.items()
    ]
    found.sort(key=lambda one: (one.allowed_at, one.solicitation))
    return State(Key(*key), returned_at, last_allowed_at, tuple(found))


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
