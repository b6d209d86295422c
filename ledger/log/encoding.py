"""Rows as `append_facts` takes them: three arrays in PostgreSQL's binary format.

A row is encoded before the lock is taken, so that nothing is left to do under it; and what is wrong
with its tags is said here, where it is still known whose row it is.

Source: PostgreSQL's src/backend/utils/adt/arrayfuncs.c, array_send; the types' oids in pg_type.dat.
"""

import struct
from collections.abc import Iterable
from functools import lru_cache
from operator import lt

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.log.errors import RowRefused
from ledger.log.rows import MAX_ENTRY_BYTES, MAX_TAG_BYTES, Row

Encoded = tuple[bytes, bytes, bytes]
"""A row's type, its tags on one line, and its data, each after its length."""

_BYTEA, _TEXT = 17, 25

_length = struct.Struct("!i").pack
_array = struct.Struct("!iiiii").pack


class TextArray(bytes):
    """A `text[]` in binary format."""


class ByteaArray(bytes):
    """A `bytea[]` in binary format."""


class _TextArrayDumper(Dumper):
    oid, format = 1009, Format.BINARY

    def dump(self, obj: TextArray) -> bytes:
        return obj


class _ByteaArrayDumper(Dumper):
    oid, format = 1001, Format.BINARY

    def dump(self, obj: ByteaArray) -> bytes:
        return obj


psycopg.adapters.register_dumper(TextArray, _TextArrayDumper)
psycopg.adapters.register_dumper(ByteaArray, _ByteaArrayDumper)


def encoded(row: Row) -> Encoded:
    """Encode what is known of a row before it has a place.

    Raises:
        RowRefused: A tag cannot be told from its neighbours, they are not unique and sorted, or
            there are more bytes than an entry may have.
        UnicodeEncodeError: The type or a tag cannot be written as UTF-8.
    """
    tags = row.tags
    line = b" ".join(map(_word, tags))
    # Code points sort as their UTF-8 does.
    if not all(map(lt, tags, tags[1:])):
        raise RowRefused("tags_are_unique_and_sorted")
    # What its place adds is not known here; the database counts it.
    if len(row.type) + len(line) + len(row.data) > MAX_ENTRY_BYTES:
        raise RowRefused("entry_is_at_most_60000_bytes")
    return _type(row.type), _length(len(line)) + line, _length(len(row.data)) + row.data


def arrays(rows: Iterable[tuple[bytes, ...]]) -> tuple[TextArray, TextArray, ByteaArray]:
    """Lay rows, as `encoded` gives them, out as arrays of their types, lines of tags, and data."""
    types, lines, datas = zip(*rows, strict=True)
    head = _array(1, 0, _TEXT, len(types), 1)
    return (
        TextArray(head + b"".join(types)),
        TextArray(head + b"".join(lines)),
        ByteaArray(_array(1, 0, _BYTEA, len(types), 1) + b"".join(datas)),
    )


@lru_cache(maxsize=1_024)
def _type(name: str) -> bytes:
    text = name.encode()
    return _length(len(text)) + text


# A decision names the same few tags on each of its rows.
@lru_cache(maxsize=16_384)
def _word(tag: str) -> bytes:
    """Give a tag's bytes, once it is known to be a single word."""
    text = tag.encode()
    if len(text) > MAX_TAG_BYTES:
        raise RowRefused("a_tag_is_at_most_2046_bytes")
    if not text:
        raise RowRefused("no_tag_is_null_or_empty")
    if b" " in text or b"\n" in text:
        raise RowRefused("tags_are_single_words")
    return text
