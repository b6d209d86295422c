"""What is said to PostgreSQL, and in which order, without saying it.

A script is a generator: it yields a step, is sent the answers, and returns its result. The
synchronous and the asynchronous shell run the same scripts, so they keep the same promises.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString, NamedTuple, TypeVar

import msgspec

from ledger.log import statements as sql
from ledger.log.batch import Decided, Outcome, Proposal, belongs, decide_all, place
from ledger.log.encoding import EPOCH, copy_payload, encoded_row, term
from ledger.log.errors import RowRefused, UnknownBook
from ledger.log.rows import MAX_TAG_BYTES, Interest, Query, Row, StoredRow

ROOM_AHEAD = 1 << 22
"""Positions that must be left in a book's partitions; below it, the next one is made."""

RANGE_STEP = 1_000
"""Rows read at a time where a whole range has to be looked through."""

TAIL_LIMIT = 5_000
"""Rows that may be read under the lock; a longer tail means that the reading has to be renewed."""

ANY_TAIL = 1 << 62
"""No limit, for a decision that has been overtaken too often."""

PATIENCE = (TAIL_LIMIT, TAIL_LIMIT, ANY_TAIL)
"""The limits of a batch's successive attempts; the last one succeeds whatever came between."""


class Ask(NamedTuple):
    """One statement with its parameters; the answer is its rows."""

    sql: LiteralString
    params: Sequence[Any] | Mapping[str, Any] = ()


class Copy(NamedTuple):
    """A binary COPY into facts; no answer."""

    payload: bytes


Step = tuple[Ask, ...] | Copy
"""Statements that are sent together and answered together, or a COPY."""

Answers = list[list[tuple[Any, ...]]]
"""For each statement of a step its rows."""

T = TypeVar("T")
Script = Generator[Step, Answers, T]


class Reading(NamedTuple):
    """The histories of several queries, all of them complete up to `head`."""

    head: int
    histories: list[tuple[StoredRow, ...]]


def reading(book: str, queries: Sequence[Query]) -> Script[Reading]:
    """Read what belongs to each query; interests that several name are looked up once.

    Raises:
        UnknownBook: The book was never opened.
    """
    interests = list(dict.fromkeys(interest for query in queries for interest in query))
    tagged = [interest for interest in interests if interest.tags]
    (records,) = yield (Ask(sql.READ_BY_TAGS, _look_up(book, tagged)),)
    if not records:
        raise UnknownBook(book)
    head: int = records[0][0]
    found = _found(book, tagged, records)
    for interest in interests:
        if not interest.tags:
            found[interest] = yield from _looked_through(book, interest, head)
    return Reading(head, [_history(found, query) for query in queries])


def appending(
    book: str, proposals: Sequence[Proposal], read: Reading, tail_limit: int
) -> Script[list[Outcome | Exception] | None]:
    """Decide, lock, check and append in one transaction.

    Returns none, and writes nothing, if more than `tail_limit` rows were appended since `read`.
    """

    def prepare(row: Row) -> bytes:
        _refuse_long_tags(row)
        return encoded_row(book, row)

    decided = decide_all(proposals, read.histories, prepare=prepare)
    if not any(this.rows for this in decided):
        return place(book, decided, read.head, EPOCH)
    _, ((head, room, recorded_at),), records = yield (
        Ask(sql.BEGIN),
        Ask(sql.LOCK_HEAD, (book,)),
        Ask(sql.READ_RANGE, (book, read.head, read.head + tail_limit)),
    )
    if head - read.head > tail_limit:
        yield (Ask(sql.COMMIT),)
        return None
    tail = [_stored(book, position, fields) for position, *fields in records]
    if tail:
        decided = decide_all(proposals, read.histories, tail, decided, prepare)
    yield from _written(book, decided, head, room, recorded_at)
    return place(book, decided, head, recorded_at)


def ranging(book: str, after: int, upto: int) -> Script[list[StoredRow]]:
    """Read all rows after one position up to and including another, in order."""
    (records,) = yield (Ask(sql.READ_RANGE, (book, after, upto)),)
    return [_stored(book, position, fields) for position, *fields in records]


def picking(book: str, positions: Sequence[int]) -> Script[list[StoredRow]]:
    """Read the rows at these positions, in order of position."""
    (records,) = yield (Ask(sql.READ_POSITIONS, (book, list(positions))),)
    return [_stored(book, position, fields) for position, *fields in records]


def asking_head(book: str) -> Script[tuple[int, datetime]]:
    """Read a book's last position and the time it was recorded at.

    Raises:
        UnknownBook: The book was never opened.
    """
    (records,) = yield (Ask(sql.HEAD, (book,)),)
    if not records:
        raise UnknownBook(book)
    position, recorded_at = records[0]
    return position, recorded_at


def _refuse_long_tags(row: Row) -> None:
    """Refuse here what the table's check of tags would answer with an error that is not about it.

    Raises:
        RowRefused: A tag is too long.
    """
    # No character takes more than four bytes, so that short ones need not be encoded.
    long = (tag for tag in row.tags if len(tag) > MAX_TAG_BYTES // 4)
    if any(len(tag.encode()) > MAX_TAG_BYTES for tag in long):
        raise RowRefused("a_tag_is_at_most_2046_bytes")


def _written(
    book: str, decided: Sequence[Decided], head: int, room: int, recorded_at: datetime
) -> Script[None]:
    encoded = [row for this in decided for row in this.prepared]
    if not encoded:
        yield (Ask(sql.COMMIT),)
        return
    last = head + len(encoded)
    if room - last < ROOM_AHEAD:
        yield (Ask(sql.ENSURE_PARTITIONS, (book, last + ROOM_AHEAD)),)
    yield Copy(copy_payload(book, head, recorded_at, encoded))
    yield (Ask(sql.COMMIT),)


def _looked_through(book: str, interest: Interest, head: int) -> Script[list[StoredRow]]:
    found: list[StoredRow] = []
    for after in range(interest.after, head, RANGE_STEP):
        rows = yield from ranging(book, after, min(after + RANGE_STEP, head))
        found += (row for row in rows if belongs(interest, row))
    return found


def _found(
    book: str, interests: Sequence[Interest], records: Iterable[Sequence[Any]]
) -> dict[Interest, list[StoredRow]]:
    found: dict[Interest, list[StoredRow]] = {interest: [] for interest in interests}
    rows: dict[int, StoredRow] = {}
    for _, n, position, *fields in records:
        if position is not None:
            interest = interests[int(n)]
            row = rows.get(position) or rows.setdefault(position, _stored(book, position, fields))
            # Another tag may share the hash, so the tags themselves decide.
            if belongs(interest, row):
                found[interest].append(row)
    return found


def _look_up(book: str, interests: Sequence[Interest]) -> dict[str, Any]:
    wanted = [
        {
            "n": n,
            "terms": [term(book, tag) for tag in interest.tags],
            "types": sorted(interest.types),
            "after": interest.after,
        }
        for n, interest in enumerate(interests)
    ]
    return {"book": book, "interests": msgspec.json.encode(wanted).decode()}


def _stored(book: str, position: int, fields: Sequence[Any]) -> StoredRow:
    recorded_at, type_, tags, data = fields
    return StoredRow(book, position, recorded_at, type_, tuple(tags), data)


def _history(found: Mapping[Interest, list[StoredRow]], query: Query) -> tuple[StoredRow, ...]:
    rows = {row.position: row for interest in query for row in found[interest]}
    return tuple(rows[position] for position in sorted(rows))
