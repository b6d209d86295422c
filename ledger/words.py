"""The ledger's small words: derived ids, instants and local days, and what free words may not say.

Ids are derived and never drawn, so that a retried or repeated request finds the
facts it made the first time.
"""

import hashlib
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from msgspec import Meta

Instant = Annotated[datetime, Meta(tz=True)]
"""A moment, aware of its zone; always UTC inside the ledger, to the microsecond."""

LocalDay = date
"""A calendar day in the book's own zone, decided once and then stored."""


_DAY = re.compile(r"(?<!\d)(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?!\d)")
_BETWEEN = r"[\s./()\u2010-\u2015\u2212\u00ad\u200b-\u200f\u2060\ufeff-]"
"""What people write between the digits of a number, and what cannot be seen there."""
_NUMBER = re.compile(rf"\d(?:{_BETWEEN}*\d){{5}}")

NUMBER_TOLD = (
    "has six digits or more in a row: a telephone number may not stand in the log in clear "
    "(a day may, as 2026-08-01)"
)
"""Why free words that tell a number are refused."""


def derived_id(*parts: str | int) -> str:
    """Give the id that follows from `parts`: 32 hexadecimal digits, 128 bits of SHA-256.

    Each part is preceded by its length, so that no two lists of parts run together.
    """
    return hashlib.sha256(framed(*parts).encode()).hexdigest()[:32]


def derived_among(before: str, part: str, after: str) -> str:
    """Give the id that follows from parts of which one alone is new.

    `before` and `after` are the others, framed: `derived_id(*b, part, *a)` is
    `derived_among(framed(*b), part, framed(*a))`.
    """
    size = len(part) if part.isascii() else len(part.encode())
    text = f"{before}{size}:{part}{after}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def framed(*parts: str | int) -> str:
    """Write parts one behind the other, each preceded by how many bytes of UTF-8 it takes."""
    texts = [str(part) for part in parts]
    joined = "".join([f"{len(text)}:{text}" for text in texts])
    if joined.isascii():
        return joined
    return "".join([f"{len(text.encode())}:{text}" for text in texts])


# What most ids begin and end with: a book's name, a gateway's, a kind, a number.
framed_often = lru_cache(maxsize=1_024, typed=True)(framed)
"""Write parts as `framed` does, where the same few come again and again."""


def instant_text(at: datetime) -> str:
    """Write an instant as RFC 3339 in UTC with six decimals: `2026-08-01T09:30:00.000000Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def local_day(at: datetime, zone: str) -> LocalDay:
    """Give the calendar day that `at` falls on in `zone` (an IANA name)."""
    return at.astimezone(ZoneInfo(zone)).date()


def tells_number(words: str) -> bool:
    """Tell whether free words may hold a telephone number, however it is written.

    That is six digits or more with nothing between them but spaces, dots, dashes, slashes and
    brackets. Days such as 2026-08-01 are passed over, and join what stands around them.
    """
    return _NUMBER.search(_DAY.sub("-", words)) is not None
