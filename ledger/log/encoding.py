"""Rows as the facts table takes them: terms, and PostgreSQL's binary COPY format.

All of a row but its book, position and time is encoded before the lock is taken, so that little
is left to do under it.

Source: PostgreSQL manual, COPY, "Binary Format"; src/backend/utils/adt/{array,timestamp}.c.
"""

import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b

from ledger.log.rows import Row

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = struct.pack("!h", -1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
TEXT_OID = 25
BIGINT_OID = 20

_length = struct.Struct("!i").pack
_fields = struct.Struct("!hi").pack
_place = struct.Struct("!iqiq").pack
_array = struct.Struct("!iiiii").pack
_empty_array = struct.Struct("!iii").pack
_bigint = struct.Struct("!iq").pack


@lru_cache(maxsize=16_384)
def term(book: str, tag: str) -> int:
    """Give the 64-bit hash under which a tag of a book is found; two tags may share one."""
    # Asking for a tag that cannot be stored is harmless: nothing is found.
    text = f"{book}\0{tag}".encode(errors="surrogatepass")
    digest = blake2b(text, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def encoded_row(book: str, row: Row) -> bytes:
    """Encode what is known of a row before it has a place: type, tags, terms and data.

    Raises:
        UnicodeEncodeError: The type or a tag cannot be written as UTF-8.
    """
    tags = [tag.encode() for tag in row.tags]
    return b"".join(
        (
            _sized(row.type.encode()),
            _sized(_array_of(TEXT_OID, b"".join([_sized(tag) for tag in tags]), len(tags))),
            _sized(
                _array_of(BIGINT_OID, _bigints([term(book, tag) for tag in row.tags]), len(tags))
            ),
            _sized(row.data),
        )
    )


def copy_payload(
    book: str, head: int, recorded_at: datetime, encoded_rows: Iterable[bytes]
) -> bytes:
    """Lay encoded rows out as one binary COPY, from position `head` + 1 on."""
    name = book.encode()
    start = _fields(7, len(name)) + name
    time = (recorded_at - EPOCH) // MICROSECOND
    parts = [SIGNATURE]
    for position, encoded in enumerate(encoded_rows, head + 1):
        parts += (start, _place(8, position, 8, time), encoded)
    parts.append(TRAILER)
    return b"".join(parts)


def _sized(content: bytes) -> bytes:
    return _length(len(content)) + content


def _bigints(values: list[int]) -> bytes:
    return b"".join([_bigint(8, value) for value in values])


def _array_of(oid: int, elements: bytes, count: int) -> bytes:
    return _array(1, 0, oid, count, 1) + elements if count else _empty_array(0, 0, oid)
