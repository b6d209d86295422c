"""What is said to PostgreSQL, and in which order, without saying it: see `steps`.

A script is a generator: it yields a step, is sent the answers, and returns its result. The
synchronous and the asynchronous shell run the same scripts, so they keep the same promises.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from ledger.log import statements as sql
from ledger.log.archive import Span
from ledger.log.batch import Decided, Outcome, Proposal, belongs, decide_all, place
from ledger.log.encoding import arrays, encoded
from ledger.log.errors import UnknownBook
from ledger.log.older import before, fetched, older
from ledger.log.rows import Interest, Query, StoredRow
from ledger.log.steps import Ask, Script

ROOM_AHEAD = 1 << 22
"""Positions that should be left in a book's partitions; whoever leaves fewer makes the next."""

NEVER = datetime(2000, 1, 1, tzinfo=UTC)
"""The time recorded of nothing."""

RANGE_STEP = 1_000
"""Rows read at a time where a whole range has to be looked through."""

TAIL_LIMIT = 5_000
"""Rows that may be read under the lock; a longer tail means that the reading has to be renewed."""

ANY_TAIL = 1 << 62
"""No limit, for a decision that has been overtaken too often."""

PATIENCE = (TAIL_LIMIT, TAIL_LIMIT, ANY_TAIL)
"""The limits of a batch's successive attempts; the last one succeeds whatever came between."""


class Reading(NamedTuple):
    """The histories of several queries, all of them complete up to `head`."""

    head: int
    histories: list[tuple[StoredRow, ...]]


def reading(book: str, queries: Sequence[Query]) -> Script[Reading]:
    """Read what belongs to each query; interests that several name are looked up once.

    Raises:
        UnknownBook: The book was never opened.
        FactsMissing: Some are neither in the database nor in a file.
    """
    interests = list(dict.fromkeys(interest for query in queries for interest in query))
    tagged = [interest for interest in interests if interest.tags and _may_be_there(interest)]
    (records,) = yield (Ask(sql.READ_BY_TAGS, _look_up(book, tagged)),)
    if not records:
        raise UnknownBook(book)
    head: int = records[0][0]
    found, elsewhere = _found(book, tagged, records)
    if elsewhere:
        yield from _fetched(book, found, elsewhere)
    for interest in interests:
        if interest.tags:
            found.setdefault(interest, [])
        else:
            found[interest] = yield from _looked_through(book, interest, head)
    return Reading(head, [_history(found, query) for query in queries])


class Appended(NamedTuple):
    """What a batch came to, the head after it, and whether the book's room is running out."""

    outcomes: list[Outcome | Exception]
    head: int
    wants_room: bool = False
    crowded: bool = False
    """Somebody else appended meanwhile, so that the next had better lock the head first."""


def appending(
    book: str,
    proposals: Sequence[Proposal],
    read: Reading,
    tail_limit: int,
    *,
    crowded: bool,
    before: Sequence[Decided] = (),
) -> Script[Appended | None]:
    """Decide, and append: at once if nobody has since `read`, else under the lock, after the tail.

    Where it is `crowded` the first is not even tried. `before` is what was decided on `read`, if it
    was. Returns none, and writes nothing, if more than `tail_limit` rows were appended since then.
    """
    decided = before or decide_all(proposals, read.histories, prepare=encoded)
    if not any(this.rows for this in decided):
        return Appended(place(book, decided, read.head, NEVER), read.head, crowded=crowded)
    if not crowded:
        (found,) = yield (append_after(book, read.head, decided),)
        if landed := landed_after(book, read.head, decided, found):
            return landed
    return (yield from _under_the_lock(book, proposals, read, decided, tail_limit))


def append_after(book: str, head: int, decided: Sequence[Decided]) -> Ask:
    """Ask to append the rows of a batch if the book's head is this."""
    rows = [row for this in decided for row in this.prepared]
    return Ask(sql.APPEND_FACTS, (book, head, *arrays(rows)))


def landed_after(
    book: str,
    head: int,
    decided: Sequence[Decided],
    found: Sequence[Sequence[Any]],
    known: Mapping[int, StoredRow] | None = None,
) -> Appended | None:
    """Give what a batch came to that was to be appended after `head`; none if it was not.

    Raises:
        UnknownBook: The book was never opened.
    """
    ((found_head, room, recorded_at),) = found
    if found_head is None:
        raise UnknownBook(book)
    if found_head != head:
        return None
    outcomes = place(book, decided, head, recorded_at, known)
    last = head + sum(len(this.rows) for this in decided)
    return Appended(outcomes, last, room - last < ROOM_AHEAD)


def _under_the_lock(
    book: str,
    proposals: Sequence[Proposal],
    read: Reading,
    before: Sequence[Decided],
    tail_limit: int,
) -> Script[Appended | None]:
    _, locked, records = yield (
        Ask(sql.BEGIN),
        Ask(sql.LOCK_HEAD, (book,)),
        Ask(sql.READ_RANGE, (book, read.head, read.head + tail_limit)),
    )
    if not locked:
        yield (Ask(sql.COMMIT),)
        raise UnknownBook(book)
    head: int = locked[0][0]
    # Fewer than that, too, if they were archived meanwhile.
    if head - read.head != len(records):
        yield (Ask(sql.COMMIT),)
        return None
    tail = [_stored(book, position, fields) for position, *fields in records]
    decided = decide_all(proposals, read.histories, tail, before, encoded)
    if not any(this.rows for this in decided):
        yield (Ask(sql.COMMIT),)
        return Appended(place(book, decided, head, NEVER), head, crowded=bool(tail))
    found, _ = yield (append_after(book, head, decided), Ask(sql.COMMIT))
    landed = landed_after(book, head, decided, found)
    return landed and landed._replace(crowded=bool(tail))


def making_room(book: str) -> Script[None]:
    """Make the partitions that the head calls for, beside those who append."""
    yield (Ask(sql.ENSURE_ROOM, (ROOM_AHEAD, book)),)


def ranging(book: str, after: int, upto: int) -> Script[list[StoredRow]]:
    """Read all rows after one position up to and including another, in order.

    Raises:
        FactsMissing: Some are neither in the database nor in a file.
    """
    (records,) = yield (Ask(sql.READ_RANGE, (book, after, upto)),)
    rows = [_stored(book, position, fields) for position, *fields in records]
    return (yield from before(book, after, upto, rows))


def picking(book: str, positions: Sequence[int]) -> Script[list[StoredRow]]:
    """Read the rows at these positions, in order of position; beyond the head there are none.

    Raises:
        FactsMissing: Some are neither in the database nor in a file.
    """
    (records,) = yield (Ask(sql.READ_POSITIONS, (book, list(positions))),)
    rows = [_stored(book, position, fields) for position, *fields in records]
    missing = sorted(set(positions) - {row.position for row in rows})
    if not missing:
        return rows
    old = yield from older(book, [Span(one, one) for one in missing])
    return old + rows


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


def _looked_through(book: str, interest: Interest, head: int) -> Script[list[StoredRow]]:
    found: list[StoredRow] = []
    for after in range(interest.after, head, RANGE_STEP):
        rows = yield from ranging(book, after, min(after + RANGE_STEP, head))
        found += (row for row in rows if belongs(interest, row))
    return found


def _may_be_there(interest: Interest) -> bool:
    """Tell whether the database can be asked at all: what it cannot hold is not there."""
    text = "".join(interest.tags)
    surrogates = not text.isascii() and any("\ud800" <= one <= "\udfff" for one in text)
    return "\0" not in text and not surrogates


Found = dict[Interest, list[StoredRow]]
Elsewhere = list[tuple[Interest, int, int]]
"""Between which positions an interest has facts in a file, both included."""


def _fetched(book: str, found: Found, elsewhere: Elsewhere) -> Script[None]:
    spans = [
        Span(first, last, interest.tags[0], interest.types) for interest, first, last in elsewhere
    ]
    answers = yield from fetched(book, spans)
    for (interest, _, _), rows in zip(elsewhere, answers, strict=True):
        found[interest] += [row for row in rows if belongs(interest, row)]


def _found(
    book: str, interests: Sequence[Interest], records: Iterable[Sequence[Any]]
) -> tuple[Found, Elsewhere]:
    found: Found = {interest: [] for interest in interests}
    elsewhere: Elsewhere = []
    rows: dict[int, StoredRow] = {}
    for _, number, position, *fields, span in records:
        if position is None:
            break  # the one row that says that there is none
        interest = interests[int(number) - 1]
        if fields[-1] is None:
            elsewhere.append((interest, position - span, position))
            continue
        row = rows.get(position) or rows.setdefault(position, _stored(book, position, fields))
        # Another tag may share the hash, so the tags themselves decide.
        if belongs(interest, row):
            found[interest].append(row)
    return found, elsewhere


def _look_up(book: str, interests: Sequence[Interest]) -> dict[str, Any]:
    return {
        "book": book,
        "tags": _text_array([interest.tags[0] for interest in interests]),
        "others": _text_array([" ".join(interest.tags[1:]) for interest in interests]),
        "types": _text_array([_lines(interest.types) for interest in interests]),
        "afters": f"{{{','.join([str(interest.after) for interest in interests])}}}",
    }


@lru_cache(maxsize=1_024)
def _lines(types: frozenset[str]) -> str:
    return "\n".join(sorted(types))


def _text_array(values: Sequence[str]) -> str:
    """Write a `text[]` as text, which is several times as quick as having each value converted."""
    text = "".join(values)
    if '"' in text or "\\" in text:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}' if values else "{}"


def _stored(book: str, position: int, fields: Sequence[Any]) -> StoredRow:
    recorded_at, type_, line, data = fields
    tags = tuple(line.split(" ")) if line else ()
    return StoredRow(book, position, recorded_at, type_, tags, data)


def _history(found: Mapping[Interest, list[StoredRow]], query: Query) -> tuple[StoredRow, ...]:
    rows = {row.position: row for interest in query for row in found[interest]}
    return tuple([rows[position] for position in sorted(rows)]) if rows else ()
