"""The feed of facts: every one, in the order of the log, as it is stored, without a gap."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.responses import Response

from api.access import Allow, Caller
from api.facts import StoredFact, json_answer, stored
from api.shapes import Position
from api.watermark import Reader

router = APIRouter(tags=["facts"])

LONGEST_WAIT_SECONDS = 30


class Feed(BaseModel):
    """The next facts; `after` is where the next request goes on from."""

    facts: list[StoredFact]
    after: int
    more: bool
    """Whether there were further facts already."""


@router.get("/facts", response_model=Feed)
async def get_facts(
    _: Annotated[Caller, Depends(Allow("finance", "regulator", "admin"))],
    reader: Annotated[Reader, Depends()],
    after: Annotated[Position, Query(description="The last position that is known.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    wait: Annotated[
        int, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for a new fact.")
    ] = 0,
) -> Response:
    """Read the facts after a position. One that this book has not come to is refused.

    Somebody who knows of more than there is must hear it: an empty list would hide a loss.
    """
    standing = await reader.log_at(after)
    if wait and standing.position == after:
        standing = await reader.log_beyond(after, wait)
    rows = await reader.log_after(after, min(after + limit, standing.position))
    last = rows[-1].position if rows else after
    body = {
        "facts": [stored(row) for row in rows],
        "after": last,
        "more": last < standing.position,
    }
    return json_answer(body, reader.mark(standing))
