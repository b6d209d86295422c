"""Giving charges back, and writing off what operators do not pay.

An id of the caller's own makes each refund and write-off one: asked for again with the same
content it has the same effect and the same answer. What a rule forbids is recorded too.
"""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel
from starlette.requests import Request

from api.access import Allow, Caller, face_of
from api.problems import FieldError, FieldsInvalid
from api.shapes import STRICT, HexId, MessageId, Money, Price, ShortId, Words
from ledger.commands.refunds import Refunded, refund_charge, write_off_charge
from ledger.decisions.refund import By, RefundRequest
from ledger.decisions.write_off import WriteOffRequest
from ledger.facts.charges import BorneBy

router = APIRouter(tags=["refunds"])

Cashier = Annotated[Caller, Depends(Allow("finance", "admin"))]
Seller = Annotated[Caller, Depends(Allow("merchant"))]


class MerchantRefund(BaseModel):
    """What a merchant gave a consumer back at its own expense."""

    model_config = STRICT

    id: MessageId
    """Your own name for this refund of this charge."""
    channel: Literal["transfer", "voucher"]
    amount: Price
    reason: Words


class Refund(BaseModel):
    """What a consumer gets back, from whom and how."""

    model_config = STRICT

    id: MessageId
    """Your own name for this refund of this charge."""
    by: By
    channel: Literal["bill", "transfer", "voucher"]
    """On the bill by an operator, and by nobody else."""
    amount: Price | None = None
    """An operator gives the whole price back, with or without naming it."""
    reason: Words
    finding: HexId | None = None
    """The finding that it answers. One that says that nobody sold this is found by itself."""


class WriteOff(BaseModel):
    """What an operator does not pay."""

    model_config = STRICT

    id: MessageId
    """Your own name for this write-off of this charge."""
    reason: Literal["unpaid", "clawback"]
    """Unpaid: the consumer never paid it. Clawback: the operator had paid us, and takes it back."""
    note: Words
    finding: HexId | None = None


class Watermark(BaseModel):
    """The position to ask readers for, so that they answer with this included."""

    book: str
    position: int


class RefundMade(BaseModel):
    """A refund as it was recorded."""

    refund: str
    charge: str
    by: By
    channel: str
    amount: Money
    borne_by: BorneBy
    """Each its part: the operator reverses the charge as it was split."""
    value_day: date
    closed: list[str]
    """The findings that it closed."""
    repeated: bool
    """Whether it had been recorded before."""
    watermark: Watermark


class WriteOffMade(BaseModel):
    """A write-off as it was recorded."""

    write_off: str
    charge: str
    reason: str
    unpaid: Money
    """What the operator owed us of the charge."""
    merchant_share: Money
    borne_by: Literal["merchant", "aggregator"]
    """Who bears the merchant's share of it."""
    value_day: date
    closed: list[str]
    """The findings that it closed."""
    repeated: bool
    watermark: Watermark


@router.post("/charges/{charge}/refunds")
async def post_refund(
    caller: Cashier, request: Request, charge: HexId, refund: Refund
) -> RefundMade:
    """Record that a consumer got a charge back, or part of it."""
    _check_channel(refund)
    wanted = RefundRequest(
        id=refund.id,
        charge=charge,
        by=refund.by,
        channel=refund.channel,
        reason=refund.reason,
        price=_micros(caller, refund.amount),
        currency=refund.amount and refund.amount.currency,
        finding=refund.finding,
    )
    now = face_of(request).books.clock()
    return _made(caller, await refund_charge(caller.book.desk, wanted, caller.origin, now))


@router.post("/merchants/{merchant}/charges/{charge}/refunds")
async def post_merchant_refund(
    caller: Seller, request: Request, merchant: ShortId, charge: HexId, refund: MerchantRefund
) -> RefundMade:
    """Record what a merchant gave a consumer of its own back, and bears itself.

    Where its contract lets us bear refunds, we record what is owed to it for one.
    """
    wanted = RefundRequest(
        id=refund.id,
        charge=charge,
        by="merchant",
        channel=refund.channel,
        reason=refund.reason,
        price=_micros(caller, refund.amount),
        currency=refund.amount.currency,
        merchant=merchant,
    )
    now = face_of(request).books.clock()
    return _made(caller, await refund_charge(caller.book.desk, wanted, caller.origin, now))


@router.post("/charges/{charge}/write-offs")
async def post_write_off(
    caller: Cashier, request: Request, charge: HexId, write_off: WriteOff
) -> WriteOffMade:
    """Record that an operator does not pay us a charge."""
    wanted = WriteOffRequest(charge=charge, **write_off.model_dump())
    now = face_of(request).books.clock()
    made = await write_off_charge(caller.book.desk, wanted, caller.origin, now)
    fact = made.fact
    return WriteOffMade(
        write_off=fact.write_off,
        charge=fact.ref.charge,
        reason=fact.reason,
        unpaid=Money.of(fact.amounts.reversement, fact.currency),
        merchant_share=Money.of(fact.amounts.merchant, fact.currency),
        borne_by=fact.borne_by,
        value_day=fact.value_day,
        closed=list(made.closed),
        repeated=made.repeated,
        watermark=Watermark(book=caller.name, position=made.position),
    )


def _check_channel(refund: Refund) -> None:
    """See that a refund is given by a channel of whoever gives it, and says how much.

    Raises: FieldsInvalid.
    """
    by_operator = refund.by == "operator"
    if by_operator != (refund.channel == "bill"):
        wrong = "an operator gives back on the bill, and nobody else does"
        raise FieldsInvalid([FieldError(field="channel", message=wrong)])
    if not by_operator and refund.amount is None:
        wrong = "only an operator gives the whole price back without naming it"
        raise FieldsInvalid([FieldError(field="amount", message=wrong)])


def _micros(caller: Caller, asked: Price | None) -> int | None:
    """Read an amount in the book's currency.

    Raises: FieldsInvalid: it is in another, or too large.
    """
    if asked is None:
        return None
    book = caller.book.desk.catalogue.book
    if book is not None and asked.currency != book.currency:
        wrong = FieldError(field="amount.currency", message=f"this book is in {book.currency}")
        raise FieldsInvalid([wrong])
    return asked.micros


def _made(caller: Caller, made: Refunded) -> RefundMade:
    fact = made.fact
    return RefundMade(
        refund=fact.refund,
        charge=fact.ref.charge,
        by=fact.by,
        channel=fact.channel,
        amount=Money.of(fact.price, fact.currency),
        borne_by=fact.borne_by,
        value_day=fact.value_day,
        closed=list(made.closed),
        repeated=made.repeated,
        watermark=Watermark(book=caller.name, position=made.position),
    )
