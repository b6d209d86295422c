"""Reads projections: every answer with its watermark, out of the same snapshot.

What is read for a caller is read as the database's role `obole_reader`, which sees what the
settings of the transaction allow: a question that forgets to ask for a merchant's own rows is
answered with those alone. See `migrations/0016_row_level_security.sql`.

ReadError
├── NotProjected    the projection has never run in this book: unknown is not the same as none
├── NotKnown        the day whose knowledge was asked for is not projected whole yet
│   └── BeforeTheBook   and never will be: it is before the book's first fact
└── NotReached      it did not come to the position that was asked for in time, or is parked
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from time import monotonic, sleep
from typing import Any, Generic, LiteralString, NamedTuple, TypeVar

from psycopg import AsyncConnection, Connection
from psycopg.rows import tuple_row

from ledger.log.postgres import run
from ledger.log.scripts import Script, picking
from ledger.log.session import SNAPSHOT
from ledger.log.writer import run_async
from projections.knowledge import knowing
from projections.shown import Viewer, acting

T = TypeVar("T")
Rows = list[tuple[Any, ...]]

_WATERMARK: LiteralString = """
SELECT reached.position, facts.recorded_at, reached.parked_position
FROM projection_positions AS reached
LEFT JOIN facts ON reached.book = facts.book AND reached.position = facts.position
WHERE reached.book = %s AND reached.projection = %s
ORDER BY reached.version DESC
LIMIT 1
"""
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1


class Watermark(NamedTuple):
    """Up to where an answer is complete."""

    book: str
    projection: str
    position: int
    recorded_at: datetime | None
    """When the fact at that position was recorded; none before the first."""
    parked_position: int | None
    """The fact at which the projection stands still, if it does."""


class ReadError(Exception):
    """The question has no answer here and now."""


class NotProjected(ReadError):
    """The projection has never run in this book."""

    def __init__(self, book: str, projection: str) -> None:
        super().__init__(f"{book}: {projection} has never run")
        self.book = book
        self.projection = projection


class NotKnown(ReadError):
    """What was known at the end of that day cannot be told: it is not projected whole yet."""

    why = "not projected whole yet"

    def __init__(self, watermark: Watermark, known_on: date) -> None:
        super().__init__(f"{watermark.book}: {known_on} is {self.why}")
        self.watermark = watermark
        self.known_on = known_on


class BeforeTheBook(NotKnown):
    """Nothing was known on that day, for the book was not there."""

    why = "before the book's first fact"


class NotReached(ReadError):
    """The projection is not where the reader wants it to be."""

    def __init__(self, watermark: Watermark, at_least: int) -> None:
        super().__init__(f"{watermark.projection} is at {watermark.position}, not at {at_least}")
        self.watermark = watermark
        self.at_least = at_least


@dataclass(frozen=True)
class Read(Generic[T]):
    """A question to one projection; `sql` takes `book` and `params`, and `shape` its rows."""

    projection: str
    sql: LiteralString
    shape: Callable[[Rows], T]
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    known_on: date | None = None
    """The local day as of whose end it asks what was known; None: as of now."""


class Answer(NamedTuple, Generic[T]):
    """What was asked for, and up to where it is complete."""

    watermark: Watermark
    value: T


def answer(connection: Connection, book: str, read: Read[T]) -> Answer[T]:
    """Ask over a connection in autocommit.

    Raises:
        NotProjected: the projection has never run in this book.
        NotKnown: what was known on the day that it names cannot be told.
    """
    cursor = connection.cursor(row_factory=tuple_row)
    with connection.transaction():
        cursor.execute(SNAPSHOT, prepare=False)
        marks = cursor.execute(_WATERMARK, (book, read.projection)).fetchall()
        watermark = run(connection, _timing(_watermark(book, read.projection, marks)))
        if read.known_on is not None:
            told = run(connection, knowing(book, watermark.position, read.known_on))
            _refuse_unknown(watermark, read.known_on, told)
        rows = cursor.execute(read.sql, {**read.params, "book": book}).fetchall()
    return Answer(watermark, read.shape(rows))


async def answer_async(
    connection: AsyncConnection, book: str, read: Read[T], viewer: Viewer | None = None
) -> Answer[T]:
    """Ask as `answer` does, without blocking the event loop; for a viewer, who sees its own."""
    cursor = connection.cursor(row_factory=tuple_row)
    async with connection.transaction():
        await cursor.execute(SNAPSHOT, prepare=False)
        await cursor.execute(_WATERMARK, (book, read.projection))
        marks = await cursor.fetchall()
        watermark = await run_async(connection, _timing(_watermark(book, read.projection, marks)))
        if read.known_on is not None:
            told = await run_async(connection, knowing(book, watermark.position, read.known_on))
            _refuse_unknown(watermark, read.known_on, told)
        async with acting(connection, viewer):
            await cursor.execute(read.sql, {**read.params, "book": book})
            rows = await cursor.fetchall()
    return Answer(watermark, read.shape(rows))


def wait_for(
    connection: Connection, book: str, projection: str, at_least: int, timeout: float
) -> Watermark:
    """Wait until a projection has come to a position; `timeout` in seconds.

    Raises:
        NotReached: it has not come there in time, or stands still before it.
    """
    for pause in _pauses(timeout):
        marks = connection.cursor(row_factory=tuple_row).execute(_WATERMARK, (book, projection))
        watermark = _arrived(book, projection, marks.fetchall(), at_least, last=pause is None)
        if watermark is not None:
            return watermark
        sleep(pause or 0)
    raise AssertionError("the last look either arrives or gives up")


async def wait_for_async(
    connection: AsyncConnection,
    book: str,
    projection: str,
    at_least: int,
    timeout: float,  # noqa: ASYNC109 - as `wait_for`
) -> Watermark:
    """Wait as `wait_for` does, without blocking the event loop."""
    cursor = connection.cursor(row_factory=tuple_row)
    for pause in _pauses(timeout):
        await cursor.execute(_WATERMARK, (book, projection))
        marks = await cursor.fetchall()
        watermark = _arrived(book, projection, marks, at_least, last=pause is None)
        if watermark is not None:
            return watermark
        await asyncio.sleep(pause or 0)
    raise AssertionError("the last look either arrives or gives up")


def _refuse_unknown(watermark: Watermark, known_on: date, told: tuple[bool, bool]) -> None:
    before, unprojected = told
    if before:
        raise BeforeTheBook(watermark, known_on)
    if unprojected:
        raise NotKnown(watermark, known_on)


def _timing(watermark: Watermark) -> Script[Watermark]:
    """Add when its fact was recorded, where that is archived, as while all is worked out anew."""
    if watermark.recorded_at is not None or not watermark.position:
        return watermark
    for row in (yield from picking(watermark.book, [watermark.position])):
        return watermark._replace(recorded_at=row.recorded_at)
    return watermark


def _watermark(book: str, projection: str, marks: Rows) -> Watermark:
    if not marks:
        raise NotProjected(book, projection)
    return Watermark(book, projection, *marks[0])


def _arrived(
    book: str, projection: str, marks: Rows, at_least: int, *, last: bool
) -> Watermark | None:
    nowhere: tuple[Any, ...] = (0, None, None)
    watermark = Watermark(book, projection, *(marks[0] if marks else nowhere))
    if marks and watermark.position >= at_least:
        return watermark
    if last or watermark.parked_position is not None:
        raise NotReached(watermark, at_least)
    return None


def _pauses(timeout: float) -> Generator[float | None]:
    """Give growing pauses, in seconds, for as long as there is time; then none, once."""
    deadline = monotonic() + timeout
    pause = _FIRST_PAUSE
    while (left := deadline - monotonic()) > 0:
        yield min(pause, left)
        pause = min(2 * pause, _LONGEST_PAUSE)
    yield None
