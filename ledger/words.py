"""The ledger's small words: derived ids, instants and local days.

Ids are derived and never drawn, so that a retried or repeated request finds the
facts it made the first time.
"""

import hashlib
from datetime import UTC, date, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

Instant = Annotated[datetime, Meta(tz=True)]
"""A moment, aware of its zone; always UTC inside the ledger, to the microsecond."""

LocalDay = date
"""A calendar day in the book's own zone, decided once and then stored."""


def derived_id(*parts: str | int) -> str:
    """Give the id that follows from `parts`: 32 hexadecimal digits, 128 bits of SHA-256.

    Each part is preceded by its length, so that no two lists of parts run together.
    """
    encoded = [str(part).encode() for part in parts]
    message = b"".join([b"%d:%b" % (len(part), part) for part in encoded])
    return hashlib.sha256(message).hexdigest()[:32]


def instant_text(at: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with six decimals: `2026-08-01T09:30:00.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def local_day(at: datetime, zone: str) -> LocalDay:
    """Give the calendar day that `at` falls on in `zone` (an IANA name)."""
    return at.astimezone(ZoneInfo(zone)).date()
