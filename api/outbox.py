"""What is on its way to consumers: pushed messages and notices, and how far each has come."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.access import Allow, Caller
from api.shapes import MAX_POSITION
from api.watermark import Reader
from projections.outbox import read as listed

router = APIRouter(tags=["outbox"])

Viewer = Annotated[Caller, Depends(Allow("gateway", "finance", "admin"))]
State = Literal[
    "due", "written", "dropped", "waiting", "unknown", "refused", "handed_over", "cancelled"
]
"""The first three are a notice's, the others a message's. Written: it became a message."""


class Item(BaseModel):
    """A pushed message, or a notice that becomes one."""

    item: str
    """The message's own id, or the notice's."""
    what: Literal["message", "notice"]
    kind: str
    """What the message is for; of a notice, the rule that asks for it."""
    state: State
    """Unknown: it was offered to its gateway, and nobody knows whether it came."""
    began_at: datetime
    changed_at: datetime
    due_at: datetime | None
    """When it is tried next; none where it never is by itself."""
    attempts: int
    raw_status: str | None
    """What the gateway said last."""
    reason: str | None
    """Why it was cancelled or dropped."""
    gateway: str
    smsc: str | None
    short_code: str
    operator: str
    merchant: str | None
    service: str | None
    charge: str | None
    """What rides on it; none where it is free."""
    consumer: str | None
    """Not told to gateways."""


class Outbox(BaseModel):
    """A page of the outbox, newest first."""

    states: dict[State, int] | None
    """How many are in each state, of all gateways; not told to one of them."""
    items: list[Item]
    next: int | None
    """The cursor of the next page; none when this is the last."""


@router.get("/outbox")
async def get_outbox(
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    state: State | None = None,
    cursor: Annotated[int, Query(ge=1, le=MAX_POSITION)] = listed.NEWEST,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Outbox:
    """List what is pushed; a gateway sees its own. A cursor stays good whatever comes meanwhile."""
    gateway = caller.grant.gateway
    states = None if gateway else await reader.ask(listed.counts())
    page = await reader.ask(listed.page(limit, cursor, state, gateway))
    return Outbox.model_validate(
        {
            "states": states,
            "items": [_told(one, to_gateway=gateway is not None) for one in page.entries],
            "next": page.end,
        }
    )


def _told(one: listed.Entry, *, to_gateway: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {
        name: value for name, value in one._asdict().items() if name in Item.model_fields
    }
    shown["what"] = "notice" if one.is_notice else "message"
    return shown | ({"consumer": None} if to_gateway else {})
