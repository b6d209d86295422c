"""Solicitations: ask before you write to a past buyer, then hand over the one message of it.

A refusal is what was asked for, so it is answered 200 like a permission, with the rule that
forbids it; asking again under the same id gives the same answer. The message goes out by the
ledger's own outbox, through the gateway that was named: nobody else is to send it.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel
from starlette.requests import Request

from api.access import Allow, Caller, face_of, speaks_for
from api.registered import check_registered
from api.shapes import STRICT, Consumer, HexId, Legible, Link, MessageId, Sender, ShortCode, ShortId
from api.watermark import Reader
from ledger.commands.solicitations import (
    Asker,
    GatewayAsks,
    MerchantAsks,
    Told,
    ask_solicitation,
    use_solicitation,
)
from ledger.decisions.solicitation import MOST_PARTS
from ledger.facts.solicitations import SolicitationAllowed, SolicitationRefused
from ledger.texts import segments
from projections.solicitation_counters import read as counted

router = APIRouter(tags=["solicitations"])

Gateway = Annotated[Caller, Depends(Allow("gateway"))]
Merchant = Annotated[Caller, Depends(Allow("merchant"))]
Auditor = Annotated[Caller, Depends(Allow("regulator", "admin"))]
Viewer = Annotated[Caller, Depends(Allow("merchant", "regulator", "admin"))]


def _fit(value: str) -> str:
    parts = segments(value).parts
    if parts > MOST_PARTS:
        raise ValueError(f"takes {parts} parts, and at most {MOST_PARTS} are sent")
    return value


FitText = Annotated[Legible, AfterValidator(_fit)]


class Question(BaseModel):
    """Whom a gateway wants to solicit, and for what."""

    model_config = STRICT

    id: MessageId
    """The gateway's own name for this question, the same when it asks again."""
    gateway: ShortId
    smsc: Link
    """The link that the message is to go out by."""
    sender: Sender
    """The consumer, as the operator names them there."""
    short_code: ShortCode
    service: ShortId


class MerchantQuestion(BaseModel):
    """Whom a merchant wants to solicit: whoever wrote a message that it answered."""

    model_config = STRICT

    id: MessageId
    """The merchant's own name for this question, the same when it asks again."""
    mo: HexId
    service: ShortId


class Watermark(BaseModel):
    """The position to ask readers for, so that they answer with this included."""

    book: str
    position: int


class Verdict(BaseModel):
    """Whether one message may be sent; if not, the first rule that forbids it."""

    solicitation: HexId
    """What to send the message under, and to ask about later."""
    allowed: bool
    rule: str | None
    count: int
    """Solicitations since the consumer last returned, this one included if it is allowed."""
    limit: int
    charter: str
    """Whose hours are kept; empty where no charter is in force."""
    expires_at: datetime | None
    """Until when the message must be handed over; at that instant it is too late."""
    opens_at: datetime | None
    """Outside hours: when the next permitted hour begins."""
    asked_at: datetime
    repeated: bool
    watermark: Watermark


class Message(BaseModel):
    """What is to be sent."""

    model_config = STRICT

    text: FitText


class Emitted(BaseModel):
    """The message is recorded and will be pushed, free for the consumer."""

    solicitation: HexId
    mt: HexId
    parts: int
    billing_code: str
    repeated: bool
    watermark: Watermark


class Counter(BaseModel):
    """Solicitations of one consumer for one merchant on one code."""

    consumer: str | None
    """Merchants are not told who it is."""
    short_code: str
    merchant: str
    count: int
    """Since the last return, as far as they count now."""
    reserved: int
    """Those of them that are allowed and not sent so far."""
    limit: int | None
    """None where no charter is in force, so that nobody may be solicited."""
    returned_at: datetime | None
    last_allowed_at: datetime


class Counters(BaseModel):
    """A page of counters of who was ever solicited, by code."""

    at: datetime
    counters: list[Counter]
    next: str | None
    """The cursor of the next page; none when this is the last."""


def _page_end(value: str) -> str:
    counted.PageEnd.parse(value)
    return value


Cursor = Annotated[
    str, Query(pattern=r"^[0-9]{3,8}\.[A-Za-z0-9._-]{1,64}$"), AfterValidator(_page_end)
]
Limit = Annotated[int, Query(ge=1, le=500)]


@router.post("/solicitations")
async def post_solicitation(caller: Gateway, question: Question, request: Request) -> Verdict:
    """Ask whether a consumer may be solicited; allowed, it counts until it expires unused."""
    speaks_for(caller, question.gateway)
    asks = GatewayAsks(
        asked=question.id,
        gateway=question.gateway,
        smsc=question.smsc,
        sender=question.sender,
        short_code=question.short_code,
        service=question.service,
    )
    now = face_of(request).books.clock()
    return _verdict(caller, await ask_solicitation(caller.book.desk, asks, caller.origin, now))


@router.post("/merchants/{merchant}/solicitations")
async def post_merchants_solicitation(
    caller: Merchant, merchant: ShortId, question: MerchantQuestion, request: Request
) -> Verdict:
    """Ask whether whoever wrote a message may be solicited for a service of this merchant."""
    asks = MerchantAsks(question.id, merchant, question.mo, question.service)
    now = face_of(request).books.clock()
    return _verdict(caller, await ask_solicitation(caller.book.desk, asks, caller.origin, now))


@router.post("/solicitations/{solicitation}/message")
async def post_message(
    caller: Gateway, solicitation: HexId, message: Message, request: Request
) -> Emitted:
    """Hand over the message of an allowance, once; the same again for a repeat."""
    return await _emit(request, caller, solicitation, message, Asker(gateway=caller.grant.gateway))


@router.post("/merchants/{merchant}/solicitations/{solicitation}/message")
async def post_merchants_message(
    caller: Merchant, merchant: ShortId, solicitation: HexId, message: Message, request: Request
) -> Emitted:
    """Hand over the message of an allowance of this merchant, once."""
    return await _emit(request, caller, solicitation, message, Asker(merchant=merchant))


@router.get("/merchants/{merchant}/counters")
async def get_merchants_counters(
    *,
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    cursor: Cursor | None = None,
    limit: Limit = 100,
) -> Counters:
    """List how often each consumer was solicited for a merchant since they last returned."""
    now = face_of(request).books.clock()
    await check_registered(caller.book.desk, merchant, now)
    after = counted.PageEnd.parse(cursor) if cursor else counted.FIRST
    page = await reader.ask(counted.of_merchant(merchant, now, limit, after))
    return _counters(caller, page, now)


@router.get("/consumers/{consumer}/counters")
async def get_consumers_counters(
    *,
    caller: Auditor,
    reader: Annotated[Reader, Depends()],
    request: Request,
    consumer: Consumer,
    cursor: Cursor | None = None,
    limit: Limit = 100,
) -> Counters:
    """List how often a consumer was solicited for each merchant since they last returned."""
    now = face_of(request).books.clock()
    after = counted.PageEnd.parse(cursor) if cursor else counted.FIRST
    page = await reader.ask(counted.of_consumer(consumer, now, limit, after))
    return _counters(caller, page, now)


def _verdict(caller: Caller, told: Told) -> Verdict:
    fact = told.fact
    return Verdict(
        solicitation=fact.subject,
        allowed=isinstance(fact, SolicitationAllowed),
        rule=fact.rule if isinstance(fact, SolicitationRefused) else None,
        count=fact.count,
        limit=fact.limit,
        charter=fact.charter,
        expires_at=fact.expires_at if isinstance(fact, SolicitationAllowed) else None,
        opens_at=fact.opens_at if isinstance(fact, SolicitationRefused) else None,
        asked_at=fact.occurred_at,
        repeated=told.repeated,
        watermark=Watermark(book=caller.name, position=told.position),
    )


async def _emit(
    request: Request, caller: Caller, solicitation: str, message: Message, asker: Asker
) -> Emitted:
    desk, now = caller.book.desk, face_of(request).books.clock()
    sent = await use_solicitation(
        desk, solicitation, message.text, asker, origin=caller.origin, now=now
    )
    return Emitted(
        solicitation=solicitation,
        mt=sent.emitted.ref.mt,
        parts=sent.emitted.parts,
        billing_code=sent.emitted.billing_code,
        repeated=sent.repeated,
        watermark=Watermark(book=caller.name, position=sent.position),
    )


def _counters(caller: Caller, page: counted.Page, now: datetime) -> Counters:
    hours = caller.book.desk.rules.at(now).solicitations
    hidden = caller.grant.role == "merchant"
    return Counters(
        at=now,
        counters=[
            Counter(
                consumer=None if hidden else one.consumer,
                short_code=one.short_code,
                merchant=one.merchant,
                count=one.counted,
                reserved=one.reserved,
                limit=hours.limit_without_return if hours else None,
                returned_at=one.returned_at,
                last_allowed_at=one.last_allowed_at,
            )
            for one in page.counters
        ],
        next=str(page.end) if page.end else None,
    )
