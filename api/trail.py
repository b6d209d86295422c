"""Stories out of the log itself: one exchange, and all that was recorded of a consumer.

What was written stays sealed unless it is asked for, by someone who may, and then that is
recorded before it is shown.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.access import Allow, Caller, face_of
from api.facts import ToldFact, json_answer, told
from api.problems import NotAllowed
from api.shapes import Consumer, HexId, Position
from api.watermark import Reader
from ledger.commands.evidence import Story, Texts, read_exchange, read_trail, show_texts
from ledger.commands.evidence import Viewer as TextViewer

router = APIRouter(tags=["evidence"])

_SHOWN_TEXTS = frozenset({"regulator", "admin"})

Auditor = Annotated[Caller, Depends(Allow("finance", "regulator", "admin"))]
Content = Annotated[
    bool,
    Query(description="Show what was written. For regulators and administrators; it is recorded."),
]


class Exchange(BaseModel):
    """One message and all that followed from it, in order."""

    mo: str
    facts: list[ToldFact]


class Trail(BaseModel):
    """All that was recorded of a consumer, a page at a time."""

    consumer: str
    facts: list[ToldFact]
    next: str | None
    """The cursor of the next page; none when this is the last."""


@router.get("/exchanges/{mo}", response_model=Exchange)
async def get_exchange(
    *,
    caller: Auditor,
    reader: Annotated[Reader, Depends()],
    request: Request,
    mo: HexId,
    content: Content = False,
) -> Response:
    """Read one exchange, from the message to what became of its charge."""
    _check(caller, content=content)
    await reader.log_at()
    story = await read_exchange(caller.book.desk, mo)
    texts = await _texts(request, caller, story, mo) if content else None
    body = {"mo": mo, "facts": told(story.rows, texts)}
    return json_answer(body, await reader.mark_head(story.head))


@router.get("/consumers/{consumer}/trail", response_model=Trail)
async def get_trail(  # noqa: PLR0913 - each is a parameter of the request
    *,
    caller: Auditor,
    reader: Annotated[Reader, Depends()],
    request: Request,
    consumer: Consumer,
    cursor: Annotated[Position, Query(description="`next` of the page before.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    content: Content = False,
) -> Response:
    """Read what was recorded of a consumer, oldest first."""
    _check(caller, content=content)
    await reader.log_at(cursor)
    story = await read_trail(caller.book.desk, consumer, cursor, limit)
    texts = await _texts(request, caller, story, None) if content else None
    body = {
        "consumer": consumer,
        "facts": told(story.rows, texts),
        "next": str(story.rows[-1].position) if story.more else None,
    }
    return json_answer(body, await reader.mark_head(story.head))


def _check(caller: Caller, *, content: bool) -> None:
    if content and caller.grant.role not in _SHOWN_TEXTS:
        raise NotAllowed


async def _texts(request: Request, caller: Caller, story: Story, mo: str | None) -> Texts:
    who = TextViewer(caller.grant, mo, caller.origin)
    return await show_texts(caller.book.desk, story, who, face_of(request).books.clock())
