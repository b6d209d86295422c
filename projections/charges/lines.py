"""Asks which charges each line of a merchant's month consists of, a page at a time, oldest first.

They are those that the merchant's account counts: in the month of their authorization until they
are earned, then in that of their capture; none of a test number.
"""

from collections.abc import Callable
from datetime import date
from typing import Any, Literal, LiteralString, NamedTuple

from projections.charges.read import PageEnd, Period
from projections.reading import Read, Rows

PROJECTION = "charges"

State = Literal["authorized", "unresolved", "captured", "released"]

_BY_AUTHORIZATION: LiteralString = """
SELECT charge, state, authorized_day, authorized_position, position
FROM charges
WHERE
    book = %(book)s
    AND merchant = %(merchant)s
    AND authorized_day BETWEEN %(first)s AND %(last)s
    AND (authorized_day, authorized_position) > (%(day)s, %(position)s)
    AND state = ANY(%(states)s)
    AND NOT test
ORDER BY authorized_day, authorized_position
LIMIT %(limit)s + 1
"""
_BY_CAPTURE: LiteralString = """
SELECT charge, state, state_day, authorized_position, position
FROM charges
WHERE
    book = %(book)s
    AND merchant = %(merchant)s
    AND state = 'captured'
    AND state_day BETWEEN %(first)s AND %(last)s
    AND (state_day, authorized_position) > (%(day)s, %(position)s)
    AND NOT test
ORDER BY state_day, authorized_position
LIMIT %(limit)s + 1
"""

OLDEST = PageEnd(date.min, 0)
"""Before the first page."""


class Member(NamedTuple):
    """A charge of a line, and where the facts stand that brought it there."""

    charge: str
    state: State
    day: date
    authorized_position: int
    position: int
    """Of the latest fact: past its capture where something of it was given back."""


class Members(NamedTuple):
    """A page of a line; `end` asks for the next one, none when this is the last."""

    charges: list[Member]
    end: PageEnd | None


def standing(
    merchant: str, period: Period, states: tuple[State, ...], after: PageEnd, limit: int
) -> Read[Members]:
    """Ask for charges authorized in a period that are in one of some states, none of it earned."""
    params = {"merchant": merchant, "states": list(states), "limit": limit}
    params |= period._asdict() | after._asdict()
    return Read(PROJECTION, _BY_AUTHORIZATION, _members(limit), params)


def earned(merchant: str, period: Period, after: PageEnd, limit: int) -> Read[Members]:
    """Ask for charges captured in a period."""
    params: dict[str, Any] = {"merchant": merchant, "limit": limit}
    return Read(
        PROJECTION, _BY_CAPTURE, _members(limit), params | period._asdict() | after._asdict()
    )


def _members(limit: int) -> Callable[[Rows], Members]:
    def shape(rows: Rows) -> Members:
        charges = [Member(*row) for row in rows[:limit]]
        last = charges[-1] if len(rows) > limit else None
        return Members(charges, PageEnd(last.day, last.authorized_position) if last else None)

    return shape
