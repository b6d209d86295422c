"""Whether this process lives, and whether it is ready for work; for anyone, so it names no book."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request

from api.access import face_of
from ledger.keyring import Pool
from ledger.log.scripts import asking_head
from ledger.log.writer import run_async
from projections.known import PROJECTIONS
from projections.reading import NotReached, Watermark, wait_for_async

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """The database answers, so messages are taken in; and how far behind the reads are."""

    status: Literal["ready"] = "ready"
    projections_behind: int
    """Facts that the projection furthest behind has still to take, over all books."""
    projections_parked: int
    """Projections that stand still at a fact that they could not take."""


@router.get("/livez")
async def livez() -> Alive:
    """Say that the process lives; nothing else is looked at."""
    return Alive()


@router.get("/readyz")
async def readyz(request: Request) -> Ready:
    """Say that the database is there; a projection that is behind keeps nobody from writing."""
    books = face_of(request).books
    behind: list[int] = []
    parked = 0
    for name in books.by_name:
        head, marks = await _standings(books.pool, name)
        behind += [head - mark.position for mark in marks]
        parked += sum(1 for mark in marks if mark.parked_position is not None)
    return Ready(projections_behind=max([0, *behind]), projections_parked=parked)


async def _standings(pool: Pool, book: str) -> tuple[int, list[Watermark]]:
    async with pool.connection() as connection:
        head, _ = await run_async(connection, asking_head(book))
        marks: list[Watermark] = []
        for projection in PROJECTIONS:
            try:
                mark = await wait_for_async(connection, book, projection.name, 0, timeout=0)
            except NotReached as never:
                mark = never.watermark
            marks.append(mark)
    return head, marks
