"""Asks the list of charges: a merchant's page by page, and those that still wait for an answer.

A page is found by its end, which never moves: charges that come meanwhile stand before it or
where their day puts them, and none that was there is shown twice or left out. A charge that is
tried again after it had failed moves to the day of that, as a new one would.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "charges"

_FIELDS: LiteralString = """
SELECT
    charge, state, since, state_day, late, mt, reason,
    authorized_day, authorized_at, authorized_position, captures_on,
    leg, mo, subscription, cycle, consumer, merchant, service, category, keyword,
    short_code, operator, tariff, operator_contract, merchant_contract, rules, acting, test,
    currency, price_micros, tax_micros, operator_micros, aggregator_micros, merchant_micros,
    refunded_micros, written_off, position
FROM charges
WHERE book = %(book)s
"""
_AUTHORIZED: LiteralString = (
    _FIELDS
    + """
AND merchant = %(merchant)s
AND authorized_day BETWEEN %(first)s AND %(last)s
AND (authorized_day, authorized_position) < (%(day)s, %(position)s)
AND (%(state)s::text IS NULL OR state = %(state)s)
ORDER BY authorized_day DESC, authorized_position DESC
LIMIT %(limit)s + 1
"""
)
_EARNED: LiteralString = (
    _FIELDS
    + """
AND merchant = %(merchant)s
AND state = 'captured'
AND state_day BETWEEN %(first)s AND %(last)s
AND (state_day, authorized_position) < (%(day)s, %(position)s)
ORDER BY state_day DESC, authorized_position DESC
LIMIT %(limit)s + 1
"""
)
_UNATTRIBUTED: LiteralString = (
    _FIELDS
    + """
AND merchant IS NULL
AND state_day BETWEEN %(first)s AND %(last)s
AND (state_day, authorized_position) < (%(day)s, %(position)s)
ORDER BY state_day DESC, authorized_position DESC
LIMIT %(limit)s + 1
"""
)
_ONE: LiteralString = _FIELDS + "AND charge = %(charge)s"
_WAITING: LiteralString = """
SELECT charge, authorized_at, operator, short_code, leg
FROM charges
WHERE
    book = %(book)s
    AND state = 'authorized'
    AND authorized_at <= %(before)s
    AND (authorized_at, charge) > (%(since)s, %(charge)s)
ORDER BY authorized_at, charge
LIMIT %(limit)s
"""
_LAST_POSITION = (1 << 63) - 1


class Charge(NamedTuple):
    """A charge with its terms and present state; amounts in micros.

    `since` is when it entered its state and `state_day` the local day of that: of a captured or
    released charge, when it was settled. Without a merchant it is unattributed: an operator
    billed what nobody sold. Without `authorized_at` it was billed and never authorized.
    """

    charge: str
    state: str
    since: datetime
    state_day: date
    late: bool
    mt: str | None
    reason: str | None
    authorized_day: date
    authorized_at: datetime | None
    authorized_position: int
    captures_on: str | None
    leg: str
    mo: str | None
    subscription: str | None
    cycle: date | None
    consumer: str
    merchant: str | None
    service: str | None
    category: str
    keyword: str | None
    short_code: str
    operator: str
    tariff: str
    operator_contract: str
    merchant_contract: str | None
    rules: str
    acting: str
    test: bool
    currency: str
    price: int
    tax: int
    operator_share: int
    aggregator_share: int
    merchant_share: int
    refunded: int
    written_off: str | None
    position: int


class PageEnd(NamedTuple):
    """Where a page ended; the next one begins after it."""

    day: date
    position: int

    def __str__(self) -> str:
        """Write it as one word, such as `2026-08-01.4711`."""
        return f"{self.day.isoformat()}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> "PageEnd":
        """Read what `str` wrote.

        Raises:
            ValueError: it is not such a word.
        """
        day, _, position = text.partition(".")
        if not (position.isascii() and position.isdigit()) or int(position) > _LAST_POSITION:
            raise ValueError(f"{text!r} is not the end of a page")
        return cls(date.fromisoformat(day), int(position))


NEWEST = PageEnd(date.max, _LAST_POSITION)
"""Before the first page."""


class Page(NamedTuple):
    """Charges, newest first; `end` asks for the next page, none when this is the last."""

    charges: list[Charge]
    end: PageEnd | None


class Period(NamedTuple):
    """Local days, both included."""

    first: date = date.min
    last: date = date.max


class Waiting(NamedTuple):
    """A charge that nobody has answered for, with what tells how long it may wait."""

    charge: str
    authorized_at: datetime
    operator: str
    short_code: str
    leg: str


def authorized(
    merchant: str,
    limit: int,
    period: Period = Period(),  # noqa: B008 - an immutable tuple
    state: str | None = None,
    after: PageEnd = NEWEST,
) -> Read[Page]:
    """Ask for a merchant's charges by the day of their authorization, newest first."""
    params = {"merchant": merchant, "limit": limit, "state": state}

    def shape(rows: Rows) -> Page:
        return _page(rows, limit, lambda charge: charge.authorized_day)

    return Read(PROJECTION, _AUTHORIZED, shape, params | period._asdict() | after._asdict())


def earned(
    merchant: str,
    limit: int,
    period: Period = Period(),  # noqa: B008 - an immutable tuple
    after: PageEnd = NEWEST,
) -> Read[Page]:
    """Ask for what a merchant's earnings of some days consist of, newest first."""
    params = {"merchant": merchant, "limit": limit}

    def shape(rows: Rows) -> Page:
        return _page(rows, limit, lambda charge: charge.state_day)

    return Read(PROJECTION, _EARNED, shape, params | period._asdict() | after._asdict())


def unattributed(
    limit: int,
    period: Period = Period(),  # noqa: B008 - an immutable tuple
    after: PageEnd = NEWEST,
) -> Read[Page]:
    """Ask for what operators billed and nobody sold, by the day of the capture, newest first."""

    def shape(rows: Rows) -> Page:
        return _page(rows, limit, lambda charge: charge.state_day)

    params = {"limit": limit} | period._asdict() | after._asdict()
    return Read(PROJECTION, _UNATTRIBUTED, shape, params)


def one(charge: str) -> Read[Charge | None]:
    """Ask for a single charge."""
    return Read(
        PROJECTION, _ONE, lambda rows: Charge(*rows[0]) if rows else None, {"charge": charge}
    )


def waiting(before: datetime, limit: int, after: Waiting | None = None) -> Read[list[Waiting]]:
    """Ask for charges authorized up to `before` that nobody has answered for, longest first."""
    params = {
        "before": before,
        "limit": limit,
        "since": after.authorized_at if after else datetime.min.replace(tzinfo=UTC),
        "charge": after.charge if after else "",
    }
    return Read(PROJECTION, _WAITING, lambda rows: [Waiting(*row) for row in rows], params)


def _page(rows: Rows, limit: int, day: Callable[[Charge], date]) -> Page:
    """Cut off the one row that only tells whether there is more."""
    charges = [Charge(*row) for row in rows[:limit]]
    more = len(rows) > limit
    end = PageEnd(day(charges[-1]), charges[-1].authorized_position) if more else None
    return Page(charges, end)
