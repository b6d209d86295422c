"""Tells local days quickly: a zone's offset changes at most once within a minute, at its start."""

from datetime import date, datetime
from functools import lru_cache

from ledger.words import local_day

MINUTES = 16_384
"""How many minutes are remembered: more than eleven days."""


def day_of(at: datetime, zone: str) -> date:
    """Give the calendar day that `at` (in UTC) falls on in `zone`, as `local_day` does."""
    return _day_of_minute(at.replace(second=0, microsecond=0), zone)


@lru_cache(maxsize=MINUTES)
def _day_of_minute(minute: datetime, zone: str) -> date:
    return local_day(minute, zone)
