"""Asks the log whether what was known at the end of a day can be told from a projection."""

from datetime import date, datetime

from ledger.facts.book import BookOpened
from ledger.facts.registry import REGISTRY
from ledger.log.scripts import Script, asking_head, picking
from ledger.words import local_day


def knowing(book: str, position: int, known_on: date) -> Script[tuple[bool, bool]]:
    """Tell of a day whether the book was not there yet, and whether not all of it is projected.

    `position` is the watermark's. What is not projected of a day is told by the first fact behind
    it, for time in the log never runs back; a day that is not over in the log is as complete as
    its watermark says.
    """
    rows = yield from picking(book, sorted({1, max(position, 1), position + 1}))
    found = {row.position: row for row in rows}
    opening = REGISTRY.decode(found[1]).fact if 1 in found else None
    if not isinstance(opening, BookOpened):
        return True, False
    _, latest = yield from asking_head(book)
    zone = opening.zone

    def day(at: datetime) -> date:
        return local_day(at, zone)

    behind, reached = found.get(position + 1), found.get(position)
    lacking = behind is not None and day(behind.recorded_at) <= known_on
    begun = reached is not None and day(reached.recorded_at) >= known_on
    unprojected = lacking and (day(latest) > known_on or not begun)
    return day(found[1].recorded_at) > known_on, unprojected
