"""Finds which positions of a book were recorded on some local days.

`recorded_at` never runs back along the positions, so each end is found by halving.
"""

from collections.abc import Awaitable
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Protocol, TypeVar
from zoneinfo import ZoneInfo

from ledger.log.scripts import Script, picking

T = TypeVar("T")

EARLIEST, LATEST = date(2000, 1, 1), date(9998, 12, 31)
"""No fact is recorded outside these. Source: migrations/0001_log.sql."""


class Ask(Protocol):
    """Puts a question to the log, over whichever connection there is."""

    def __call__(self, script: Script[T]) -> Awaitable[T]:
        """Perform a script that only reads."""
        ...


class Stretch(NamedTuple):
    """Positions after one and up to another."""

    after: int
    upto: int


class Asked(NamedTuple):
    """Which book is asked, and how far it is."""

    ask: Ask
    book: str
    zone: str
    head: int


async def stretch(asked: Asked, first: date, last: date) -> Stretch:
    """Give the positions recorded on the days from `first` to `last`, both included."""
    begins = _midnight(max(first, EARLIEST), asked.zone)
    ends = _midnight(min(last, LATEST) + timedelta(days=1), asked.zone)
    return Stretch(await _recorded_before(asked, begins), await _recorded_before(asked, ends))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


async def _recorded_before(asked: Asked, instant: datetime) -> int:
    """Give the last position that was recorded before an instant; 0 when none was."""
    below, above = 0, asked.head + 1
    while above - below > 1:
        middle = (below + above) // 2
        (row,) = await asked.ask(picking(asked.book, [middle]))
        below, above = (middle, above) if row.recorded_at < instant else (below, middle)
    return below
