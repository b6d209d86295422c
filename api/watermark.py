"""Up to where an answer is complete, told in its headers; and waiting for a position.

A reader that has just written names the position it got, in `at_least` or `Obole-At-Least`, and
is answered when that is reached, or told how far it came. What it is told is read on its behalf,
so that the database itself gives no more than its key opens.
"""

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Annotated, NamedTuple, TypeVar

from fastapi import Header
from fastapi import Query as QueryParameter
from psycopg import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response

from api.access import caller_of, face_of
from api.shapes import Position
from ledger.keyring import Pool
from ledger.log.rows import StoredRow
from ledger.log.scripts import asking_head, picking
from ledger.log.writer import run_async
from ledger.words import instant_text
from projections.reading import (
    Answer,
    NotReached,
    Read,
    Watermark,
    answer_async,
    wait_for_async,
)
from projections.shown import Viewer, shown_range

T = TypeVar("T")

LOG = "log"
"""What a watermark of the log itself names in the place of a projection."""

_FIRST_PAUSE_SECONDS = 0.005
_LONGEST_PAUSE_SECONDS = 0.1


class _Reach(NamedTuple):
    """Where to read, and how far it must have come."""

    pool: Pool
    book: str
    at_least: int
    wait_seconds: float


class Reader:
    """Asks on behalf of one request, and marks its answer; a FastAPI dependency."""

    def __init__(
        self,
        request: Request,
        response: Response,
        at_least: Annotated[
            Position, QueryParameter(description="The position that the answer must include.")
        ] = 0,
        obole_at_least: Annotated[
            Position, Header(description="As at_least; the greater of the two counts.")
        ] = 0,
    ) -> None:
        face = face_of(request)
        wanted = max(at_least, obole_at_least)
        book = str(request.path_params["book"])
        self._reach = _Reach(face.books.pool, book, wanted, face.wait_seconds)
        self._request = request
        self._response = response

    @property
    def viewer(self) -> Viewer:
        """On whose behalf this reads: known once the caller was admitted."""
        grant = caller_of(self._request).grant
        return Viewer(self._reach.book, grant.role, grant.merchant or "", grant.gateway or "")

    async def ask(self, read: Read[T]) -> T:
        """Ask a projection, once it is where it must be.

        Raises: NotProjected, NotReached.
        """
        book, viewer = self._reach.book, self.viewer
        return await self.ask_with(
            read.projection, lambda one: answer_async(one, book, read, viewer)
        )

    async def ask_with(
        self, projection: str, ask: Callable[[AsyncConnection], Awaitable[Answer[T]]]
    ) -> T:
        """Ask over a connection, once a projection is where it must be.

        Raises: NotProjected, NotReached.
        """
        pool, _, at_least, wait = self._reach
        if at_least:
            await patiently(lambda: _projected(self._reach, projection), wait)
        async with pool.connection() as connection:
            found = await ask(connection)
        self.mark(found.watermark)
        return found.value

    async def log_at(self, at_least: int = 0) -> Watermark:
        """Wait until the log itself is at a position; gives where it stands.

        Raises: NotReached.
        """
        wanted = max(at_least, self._reach.at_least)
        return await patiently(lambda: _recorded(self._reach, wanted), self._reach.wait_seconds)

    async def log_beyond(self, position: int, seconds: float) -> Watermark:
        """Wait for the log to grow beyond a position; gives where it stands, grown or not."""
        try:
            return await patiently(lambda: _recorded(self._reach, position + 1), seconds)
        except NotReached as behind:
            return behind.watermark

    async def log_after(self, after: int, upto: int) -> list[StoredRow]:
        """Read every fact after one position up to another that the caller may see."""
        async with self._reach.pool.connection() as connection:
            return await shown_range(connection, self.viewer, after, upto)

    async def mark_head(self, head: int) -> dict[str, str]:
        """Mark an answer from the log, complete up to `head`."""
        pool, book, _, _ = self._reach
        async with pool.connection() as connection:
            (row,) = await run_async(connection, picking(book, [head]))
        return self.mark(Watermark(book, LOG, head, row.recorded_at, None))

    def mark(self, watermark: Watermark) -> dict[str, str]:
        """Put a watermark into the answer's headers, and give them."""
        headers = {"Obole-Book": watermark.book, "Obole-Position": str(watermark.position)}
        if watermark.recorded_at is not None:
            headers["Obole-Recorded-At"] = instant_text(watermark.recorded_at)
        self._response.headers.update(headers)
        return headers


async def patiently(look: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Look again, with growing pauses, for as long as there is time; holds nothing in between.

    Raises: NotReached when it is not there in time, or stands still.
    """
    deadline = monotonic() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return await look()
        except NotReached as behind:
            if behind.watermark.parked_position is not None or monotonic() >= deadline:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


async def _projected(reach: _Reach, projection: str) -> Watermark:
    async with reach.pool.connection() as connection:
        return await wait_for_async(connection, reach.book, projection, reach.at_least, timeout=0)


async def _recorded(reach: _Reach, at_least: int) -> Watermark:
    async with reach.pool.connection() as connection:
        position, recorded_at = await run_async(connection, asking_head(reach.book))
    watermark = Watermark(reach.book, LOG, position, recorded_at, None)
    if position < at_least:
        raise NotReached(watermark, at_least)
    return watermark
