"""Rows as `append_facts` takes them: three arrays in PostgreSQL's binary format.

A row is encoded before the lock is taken, so that nothing is left to do under it; and what is wrong
with its tags is said here, where it is still known whose row it is.

Source: PostgreSQL's src/backend/utils/adt/arrayfuncs.c, array_send; the types' oids in pg_type.dat.
"""

import struct
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from operator import lt

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

from ledger.log.errors import RowRefused
from ledger.log.rows import MAX_ENTRY_BYTES, MAX_TAG_BYTES, Row

Encoded = tuple[bytes, bytes, bytes, bytes, bytes]
"""A row's type after its length; the length of its line of tags, and the line; of its data, too."""

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
    kind, tags, data = row
    text = " ".join(tags)
    line = text.encode()
    if tags:
        _hold_words(tags, text, line)
    # What its place adds is not known here; the database counts it.
    if len(kind) + len(line) + len(data) > MAX_ENTRY_BYTES:
        raise RowRefused("entry_is_at_most_60000_bytes")
    return _type(kind), _length(len(line)), line, _length(len(data)), data


def arrays(rows: Iterable[tuple[bytes, ...]]) -> tuple[TextArray, TextArray, ByteaArray]:
    """Lay rows, as `encoded` gives them, out as arrays of their types, lines of tags, and data."""
    types, lengths, lines, sizes, datas = zip(*rows, strict=True)
    head = _array(1, 0, _TEXT, len(types), 1)
    return (
        TextArray(head + b"".join(types)),
        TextArray(head + b"".join(chain.from_iterable(zip(lengths, lines, strict=True)))),
        ByteaArray(
            _array(1, 0, _BYTEA, len(types), 1)
            + b"".join(chain.from_iterable(zip(sizes, datas, strict=True)))
        ),
    )


@lru_cache(maxsize=1_024)
def _type(name: str) -> bytes:
    text = name.encode()
    return _length(len(text)) + text


def _hold_words(tags: tuple[str, ...], text: str, line: bytes) -> None:
    """Refuse tags that are not single words of their own, in order; `text`, `line` are all of them.

    That is asked of the whole line, and of each tag only where it may be too long.
    """
    # Code points sort as their UTF-8 does, and an empty tag comes first.
    if not all(map(lt, tags, tags[1:])):
        raise RowRefused("tags_are_unique_and_sorted")
    if not tags[0]:
        raise RowRefused("no_tag_is_empty")
    if text.count(" ") >= len(tags) or "\n" in text:
        raise RowRefused("tags_are_single_words")
    if len(line) > MAX_TAG_BYTES and any(len(tag.encode()) > MAX_TAG_BYTES for tag in tags):
        raise RowRefused("a_tag_is_at_most_2046_bytes")
