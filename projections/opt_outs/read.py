"""Asks what is stopped: by one consumer, on one code page by page, and how many by month.

A page ends at a position, which never moves: what is said meanwhile stands before it.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "opt_outs"

LATEST = (1 << 63) - 1
"""Before the first page: beyond every position."""

# What opened a scope again is the next lifting in it, or one that was sent after a STOP which
# reached us late: as the decisions have it.
_STOPS: LiteralString = """
FROM opt_outs AS stop
LEFT JOIN LATERAL (
    SELECT said_at, mo, position
    FROM opt_outs
    WHERE
        book = stop.book
        AND consumer = stop.consumer
        AND lifts
        AND everywhere = stop.everywhere
        AND service = stop.service
        AND (everywhere OR short_code = stop.short_code)
        AND (position > stop.position OR said_at > stop.said_at)
    ORDER BY position
    LIMIT 1
) AS lift ON true
WHERE stop.book = %(book)s AND NOT stop.lifts
"""
_FIELDS: LiteralString = """
SELECT
    stop.consumer, stop.short_code, nullif(stop.service, ''), stop.everywhere,
    stop.said_at, stop.day, stop.operator, stop.merchant, stop.word, stop.mo, stop.test,
    stop.position, lift.said_at, lift.mo, lift.position
"""
_OF_CONSUMER: LiteralString = (
    _FIELDS
    + _STOPS
    + """
AND stop.consumer = %(consumer)s
ORDER BY stop.position
"""
)
_ON_CODE: LiteralString = (
    _FIELDS
    + _STOPS
    + """
AND stop.short_code = coalesce(%(short_code)s, stop.short_code)
AND stop.day BETWEEN %(first)s AND %(last)s
AND stop.position < %(before)s
ORDER BY stop.position DESC
LIMIT %(limit)s + 1
"""
)
_BY_MONTH: LiteralString = (
    """
SELECT date_trunc('month', stop.day)::date AS month, stop.short_code, count(*), count(lift.position)
"""
    + _STOPS
    + """
AND NOT stop.test
AND stop.short_code = coalesce(%(short_code)s, stop.short_code)
AND stop.day BETWEEN %(first)s AND %(last)s
GROUP BY month, stop.short_code
ORDER BY month, stop.short_code
"""
)


class OptOut(NamedTuple):
    """One STOP, and what opened its scope again, where something did."""

    consumer: str
    short_code: str
    """Where it was said; with `everywhere` every code is meant."""
    service: str | None
    """None where every service on the code is meant."""
    everywhere: bool
    since: datetime
    """When the consumer said so."""
    day: date
    """The local day of that."""
    operator: str
    merchant: str | None
    word: str
    mo: str
    test: bool
    position: int
    lifted_at: datetime | None
    """When the consumer wrote again: for replies alone, never for a solicitation."""
    lifted_by: str | None
    """The MO by which they did."""
    lifted_position: int | None

    @property
    def scope(self) -> tuple[str | None, str | None]:
        """The code and service that it is about; none stands for all of them."""
        return (None if self.everywhere else self.short_code, self.service)

    @property
    def stands(self) -> bool:
        """Whether nothing has opened its scope again."""
        return self.lifted_at is None


class Page(NamedTuple):
    """STOPs, the last recorded first; `end` asks for the next page, none when this is the last."""

    opt_outs: list[OptOut]
    end: int | None


class Count(NamedTuple):
    """How often STOP was said on a code in a month, test numbers left out."""

    month: date
    """Its first day."""
    short_code: str
    opt_outs: int
    lifted: int
    """Those of them whose scope was opened again since, whenever that was."""


def of_consumer(consumer: str) -> Read[list[OptOut]]:
    """Ask for each scope that a consumer has ever stopped: the STOP that counts there now.

    Of a scope that is open again, it is the one that was lifted last.
    """

    def shape(rows: Rows) -> list[OptOut]:
        return _counting([OptOut(*row) for row in rows])

    return Read(PROJECTION, _OF_CONSUMER, shape, {"consumer": consumer})


def on_code(
    short_code: str | None,
    limit: int,
    first: date = date.min,
    last: date = date.max,
    before: int = LATEST,
) -> Read[Page]:
    """Ask for the STOPs said on a code (none: on any) on local days, both of them included."""
    period = {"short_code": short_code, "first": first, "last": last}

    def shape(rows: Rows) -> Page:
        found = [OptOut(*row) for row in rows[:limit]]
        return Page(found, found[-1].position if len(rows) > limit else None)

    return Read(PROJECTION, _ON_CODE, shape, {**period, "limit": limit, "before": before})


def by_month(
    short_code: str | None = None, first: date = date.min, last: date = date.max
) -> Read[list[Count]]:
    """Ask how many STOPs were said by month and code, on local days, both of them included."""
    period = {"short_code": short_code, "first": first, "last": last}
    return Read(PROJECTION, _BY_MONTH, lambda rows: [Count(*row) for row in rows], period)


def _counting(stops: Sequence[OptOut]) -> list[OptOut]:
    """Give for each scope the STOP that its state goes by.

    Those that stand before those that were lifted, and of these the last lifted; among several,
    the one that was said last.
    """
    found: dict[tuple[str | None, str | None], OptOut] = {}
    for stop in stops:
        known = found.get(stop.scope)
        found[stop.scope] = max(known, stop, key=_rank) if known else stop
    return list(found.values())


def _rank(stop: OptOut) -> tuple[int, datetime, int]:
    until = LATEST if stop.lifted_position is None else stop.lifted_position
    return (until, stop.since, stop.position)
