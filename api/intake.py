"""Messages and receipts as JSON, for a gateway that is not Kannel.

Both are answered 200, the first time and every time again: the answer comes after the commit and
is told from what is stored, so there is nothing left to accept or to create.
"""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request

from api.access import Allow, Caller, face_of, speaks_for
from api.shapes import (
    STRICT,
    HexId,
    Link,
    MessageId,
    Moment,
    Sender,
    ShortCode,
    ShortId,
    Text,
)
from ledger.commands.traffic import IncomingMo, IncomingReceipt, receive_mo, receive_receipt
from ledger.decisions.effect import ReceiptOutcome
from ledger.facts.traffic import Billed, MtEmitted

router = APIRouter(tags=["intake"])

RawStatus = Annotated[str, Field(pattern="^[A-Za-z0-9 :=._-]{0,64}$")]
"""The operator's own code; its letters leave no room for what a consumer wrote."""
OperatorMessageId = Annotated[str, Field(pattern="^[A-Za-z0-9._:-]{1,64}$")]


class Message(BaseModel):
    """A consumer's message as a gateway hands it over."""

    model_config = STRICT

    gateway: ShortId
    smsc: Link
    """The link that it came by, as the gateway was declared with it."""
    id: MessageId
    """The gateway's own id, the same whenever it hands this message over again."""
    sender: Sender
    short_code: ShortCode
    text: Text
    sent_at: Moment | None = None
    operator_message_id: OperatorMessageId | None = None


class Watermark(BaseModel):
    """The position to ask readers for, so that they answer with this included."""

    book: str
    position: int


class Reply(BaseModel):
    """What is to be sent to the consumer: with no `mt`, nothing."""

    mo: HexId
    mt: HexId | None
    text: str
    billing_code: str
    repeated: bool
    """Whether this very message had come before; the answer is the first one."""
    watermark: Watermark


class Receipt(BaseModel):
    """What became of a message of ours."""

    model_config = STRICT

    gateway: ShortId
    mt: HexId
    outcome: ReceiptOutcome
    billed: Billed = "unknown"
    status: RawStatus = ""
    occurred_at: Moment | None = None
    operator_message_id: OperatorMessageId | None = None
    part: Annotated[int, Field(ge=1, le=255)] | None = None
    """The part of the message that this speaks of; none speaks of the whole."""


class Taken(BaseModel):
    """A receipt is recorded."""

    mt: HexId
    joined: bool
    """Whether its message is known, as this gateway's; if not yet, it is joined when it appears."""
    repeated: bool
    """Whether it said nothing that was not known."""
    watermark: Watermark


@router.post("/messages")
async def post_message(
    caller: Annotated[Caller, Depends(Allow("gateway"))], message: Message, request: Request
) -> Reply:
    """Hand a consumer's message over, and be told what to answer; the same again for a repeat."""
    speaks_for(caller, message.gateway)
    incoming = IncomingMo(
        gateway=message.gateway,
        smsc=message.smsc,
        gateway_message_id=message.id,
        sender=message.sender,
        short_code=message.short_code,
        text=message.text,
        stated_at=message.sent_at,
        operator_message_id=message.operator_message_id,
    )
    now = face_of(request).books.clock()
    answer = await receive_mo(caller.book.desk, incoming, caller.origin, now)
    return Reply(
        mo=answer.mo,
        mt=answer.mt,
        text=answer.text,
        billing_code=answer.billing_code,
        repeated=answer.repeated,
        watermark=Watermark(book=caller.name, position=answer.position),
    )


@router.post("/receipts")
async def post_receipt(
    caller: Annotated[Caller, Depends(Allow("gateway"))], receipt: Receipt, request: Request
) -> Taken:
    """Say what became of a message, as often as one likes."""
    speaks_for(caller, receipt.gateway)
    incoming = IncomingReceipt(
        mt=receipt.mt,
        gateway=receipt.gateway,
        outcome=receipt.outcome,
        billed=receipt.billed,
        raw_status=receipt.status,
        stated_at=receipt.occurred_at,
        operator_message_id=receipt.operator_message_id,
        part=receipt.part,
    )
    now = face_of(request).books.clock()
    settled = await receive_receipt(caller.book.desk, incoming, caller.origin, now)
    return Taken(
        mt=receipt.mt,
        joined=any(
            isinstance(one.fact, MtEmitted) and one.fact.ref.gateway == receipt.gateway
            for one in settled.facts
        ),
        repeated=not settled.appended,
        watermark=Watermark(book=caller.name, position=settled.head),
    )
