"""Subscriptions: a merchant's list, where one stands, ending one, and asking for a renewal.

Merchants see what was subscribed to, and not by whom.
"""

from datetime import date, datetime
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request

from api.access import Allow, Caller, face_of
from api.registered import check_registered
from api.shapes import MAX_POSITION, STRICT, HexId, Money, ShortId, Words
from api.watermark import Reader
from ledger.commands.desk import Settled
from ledger.commands.subscriptions import (
    find_subscription,
    renew_subscription,
    stop_subscription,
)
from ledger.decisions.refusals import UnknownSubscription
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.subscriptions import Stopper, SubscriptionStopped
from projections.subscriptions import read as listed

router = APIRouter(tags=["subscriptions"])

Viewer = Annotated[Caller, Depends(Allow("merchant", "finance", "regulator", "admin"))]
Auditor = Annotated[Caller, Depends(Allow("finance", "regulator", "admin"))]
Seller = Annotated[Caller, Depends(Allow("merchant", "admin"))]
Supervisor = Annotated[Caller, Depends(Allow("regulator", "admin"))]
Cashier = Annotated[Caller, Depends(Allow("finance", "admin"))]


class Every(BaseModel):
    """How far apart its cycles are."""

    n: int
    unit: str


class Attempted(BaseModel):
    """The latest cycle of which a charge was tried."""

    cycle: date
    charge: str
    state: Literal["authorized", "refused", "unresolved", "released", "captured"]
    since: datetime
    attempts: int


class Subscription(BaseModel):
    """A subscription as it stands."""

    subscription: str
    state: Literal["requested", "live", "stopped"]
    """Requested: offered, and not confirmed; that may have run out, or been answered by STOP."""
    merchant: str
    service: str
    keyword: str
    short_code: str
    operator: str
    tariff: str
    price: Money
    """Of each cycle, as the consumer was told it."""
    every: Every
    test: bool
    requested_at: datetime | None
    expires_at: datetime | None
    """Until when the offer could be confirmed."""
    started_at: datetime | None
    cycle_number: int | None
    """Of the latest cycle that began, counted from the start."""
    cycle: date | None
    next_due_at: datetime | None
    """When the next cycle is due; none once it is stopped."""
    last_charge: Attempted | None
    stopped_at: datetime | None
    stopped_by: str | None
    stop_reason: str | None


class Subscriptions(BaseModel):
    """A page of subscriptions, those that began last first."""

    merchant: str
    subscriptions: list[Subscription]
    next: int | None
    """The cursor of the next page; none when this is the last."""


class Named(Subscription):
    """A subscription with whose it is."""

    consumer: str


class End(BaseModel):
    """Why a subscription is to end."""

    model_config = STRICT

    reason: Words


class Watermark(BaseModel):
    """The position to ask readers for, so that they answer with this included."""

    book: str
    position: int


class Ended(BaseModel):
    """A subscription has ended: by whom, and why, the first time that it was."""

    subscription: str
    by: Stopper
    reason: str
    stopped_at: datetime
    repeated: bool
    """Whether it had ended before."""
    watermark: Watermark


class RenewalWanted(BaseModel):
    """Ask for what is due to be charged now."""

    model_config = STRICT

    request: ShortId
    """Your own name for this request: sent again, it has the same effect, once."""


class Renewal(BaseModel):
    """What came of it."""

    subscription: str
    outcome: Literal["charged", "charge_refused", "stopped"]
    """Stopped: as many cycles as the settings allow had brought no money."""
    cycle: date | None
    charge: str | None
    repeated: bool
    """Whether this very request had come before."""
    watermark: Watermark


@router.get("/merchants/{merchant}/subscriptions")
async def get_subscriptions(  # noqa: PLR0913 - each is a parameter of the request
    *,
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    state: listed.State | None = None,
    cursor: Annotated[int, Query(ge=1, le=MAX_POSITION)] = listed.LATEST,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Subscriptions:
    """List a merchant's subscriptions; a cursor stays good whatever begins meanwhile."""
    await check_registered(caller.book.desk, merchant, face_of(request).books.clock())
    page = await reader.ask(listed.of_merchant(merchant, limit, state, cursor))
    return Subscriptions(
        merchant=merchant,
        subscriptions=[told(one) for one in page.subscriptions],
        next=page.end,
    )


@router.get("/subscriptions/{subscription}")
async def get_subscription(
    _: Auditor, reader: Annotated[Reader, Depends()], subscription: HexId
) -> Named:
    """Read where one subscription stands, and whose it is."""
    found = await reader.ask(listed.one(subscription))
    if found is None:
        raise UnknownSubscription(subscription)
    return Named(consumer=found.consumer, **told(found).model_dump())


@router.post("/merchants/{merchant}/subscriptions/{subscription}/stop")
async def post_merchant_stop(
    caller: Seller, request: Request, merchant: ShortId, subscription: HexId, end: End
) -> Ended:
    """End a subscription to one of the merchant's services."""
    ref = await find_subscription(caller.book.desk, subscription)
    if ref.merchant != merchant:
        raise UnknownSubscription(subscription)
    return await _stop(request, caller, _Wish(subscription, "merchant", end.reason))


@router.post("/subscriptions/{subscription}/stop")
async def post_stop(caller: Supervisor, request: Request, subscription: HexId, end: End) -> Ended:
    """End a subscription on the word of a regulator."""
    return await _stop(request, caller, _Wish(subscription, "regulator", end.reason))


@router.post("/subscriptions/{subscription}/renewals")
async def post_renewal(
    caller: Cashier, request: Request, subscription: HexId, wanted: RenewalWanted
) -> Renewal:
    """Charge the cycle that runs now, if that is due; refused, and kept, where nothing is."""
    now, desk = face_of(request).books.clock(), caller.book.desk
    settled = await renew_subscription(
        desk, subscription, caller.origin, now, request=wanted.request
    )
    return _renewal(caller.name, subscription, wanted.request, settled)


class _Wish(NamedTuple):
    subscription: str
    by: Stopper
    reason: str


async def _stop(request: Request, caller: Caller, wish: _Wish) -> Ended:
    now = face_of(request).books.clock()
    settled = await stop_subscription(caller.book.desk, *wish, caller.origin, now)
    fact = next(one.fact for one in settled.facts if isinstance(one.fact, SubscriptionStopped))
    return Ended(
        subscription=wish.subscription,
        by=fact.by,
        reason=fact.reason,
        stopped_at=fact.occurred_at,
        repeated=not settled.appended,
        watermark=_watermark(caller.name, settled),
    )


def _renewal(book: str, subscription: str, request: str, settled: Settled) -> Renewal:
    """Tell what a request led to, now or when it came the first time."""
    told = Renewal(
        subscription=subscription,
        outcome="stopped",
        cycle=None,
        charge=None,
        repeated=not settled.appended,
        watermark=_watermark(book, settled),
    )
    for one in (one for one in settled.facts if one.request == request):
        match one.fact:
            case ChargeAuthorized(ref=ref) if ref.subscription == subscription:
                found = {"outcome": "charged", "cycle": ref.cycle, "charge": ref.charge}
            case ChargeRefused(cycle=cycle, charge=charge, subscription=name) if (
                name == subscription
            ):
                found = {"outcome": "charge_refused", "cycle": cycle, "charge": charge}
            case _:
                continue
        told = told.model_copy(update=found)
    return told


def _watermark(book: str, settled: Settled) -> Watermark:
    return Watermark(book=book, position=settled.head)


def told(one: listed.Subscription) -> Subscription:
    """Write a subscription out, without its consumer."""
    known = one._asdict()
    fields = {name: value for name, value in known.items() if name in Subscription.model_fields}
    return Subscription.model_validate(
        {
            **fields,
            "price": Money.of(one.price, one.currency),
            "every": Every(n=one.every_n, unit=one.every_unit),
            "next_due_at": None if one.stopped_at else one.next_due_at,
            "last_charge": _attempted(one),
        }
    )


def _attempted(one: listed.Subscription) -> dict[str, object] | None:
    if one.charge_cycle is None:
        return None
    return {
        "cycle": one.charge_cycle,
        "charge": one.charge,
        "state": one.charge_state,
        "since": one.charge_since,
        "attempts": one.charge_attempts,
    }
