"""What the log stores and how it is asked for: rows, interests, and the bytes that are hashed.

The log knows nothing of what a fact means. It sees a type, tags and bytes.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.words import instant_text

MAX_ENTRY_BYTES = 60_000
"""The most that one entry may hold, so that it fits an entry bundle's 16-bit length.

Source: C2SP tlog-tiles, "Log entries" (uint16 length), less a margin.
"""

MAX_TAG_BYTES = 2_046
"""The most that one tag may hold."""


class Row(NamedTuple):
    """One fact ready to be appended; `tags` are unique and sorted bytewise."""

    type: str
    tags: tuple[str, ...]
    data: bytes


class StoredRow(NamedTuple):
    """One fact as the log holds it, `position` counted from 1 without a gap in its book."""

    book: str
    position: int
    recorded_at: datetime
    type: str
    tags: tuple[str, ...]
    data: bytes


class Interest(NamedTuple):
    """The facts that a decision rests on: all of `tags`, one of `types` (none named: any).

    Only facts after position `after` are meant; 0 is the whole book.
    """

    tags: tuple[str, ...]
    types: frozenset[str] = frozenset()
    after: int = 0


Query = tuple[Interest, ...]
"""Several interests; a fact belongs to the query when it belongs to one of them."""


def matches(query: Iterable[Interest], row: Row | StoredRow) -> bool:
    """Tell whether a row belongs to a query, its position left aside."""
    return any(
        (not interest.types or row.type in interest.types)
        and all(tag in row.tags for tag in interest.tags)
        for interest in query
    )


def entry_bytes(row: StoredRow) -> bytes:
    """Lay a stored row out as the bytes that are hashed and sealed.

    Lines end in a line feed, all but the last: `obole/v1`, book, position, recorded_at,
    type, tags with one space between, data verbatim.
    """
    head = "\n".join(
        (
            "obole/v1",
            row.book,
            str(row.position),
            instant_text(row.recorded_at),
            row.type,
            " ".join(row.tags),
        )
    )
    return head.encode() + b"\n" + row.data
