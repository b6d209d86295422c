"""The catalogue over HTTP: what is in force at an instant, and changes of it.

A change is taken whole or not at all, and names in every problem the place that it comes from:
`tariffs[1].price`, entries counted from 1. What holds already is recorded no second time, so the
same change may be sent again.
"""

from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from api.access import Allow, Caller, face_of
from api.catalogue_file import CatalogueFileInvalid, read_values
from api.catalogue_shown import Shown, Sold, shown, sold
from api.problems import FieldError, FieldsInvalid
from api.shapes import STRICT, Consumer, Moment, Sender, ShortCode, ShortId, Words
from api.watermark import Reader
from ledger.commands.catalogue import (
    declare_test_number,
    load_catalogue,
    resume_service,
    suspend_service,
    withdraw_test_number,
)
from ledger.commands.desk import Settled
from ledger.commands.numbers import NumberWanted
from ledger.decisions.refusals import MerchantNotRegistered
from ledger.facts.registry import stored_name
from ledger.facts.traffic import MoReceived

router = APIRouter(tags=["catalogue"])

Admin = Annotated[Caller, Depends(Allow("admin"))]
Office = Annotated[Caller, Depends(Allow("admin", "finance", "regulator"))]
Supervisor = Annotated[Caller, Depends(Allow("admin", "regulator"))]
Seller = Annotated[Caller, Depends(Allow("merchant", "admin", "finance", "regulator"))]

At = Annotated[Moment | None, Query(description="The instant that is asked about; none: now.")]

_PAGE = 1_000


class Watermark(BaseModel):
    """The position to ask readers for, so that they answer with this included."""

    book: str
    position: int


class Changed(BaseModel):
    """What came of a change."""

    recorded: dict[str, int]
    """How many facts of each type are new; empty where everything held already."""
    watermark: Watermark


class Suspension(BaseModel):
    """Why a service shall sell nothing."""

    model_config = STRICT

    reason: Words


class TestNumber(BaseModel):
    """A number to test with, as the operator names it on a code."""

    model_config = STRICT

    operator: Annotated[str, Field(pattern="^[0-9]{5,6}$")]
    short_code: ShortCode
    sender: Sender
    """The number or alias itself: it is recorded nowhere."""
    label: Words


class Declared(Changed):
    """A number is one for testing."""

    consumer: str
    """Its pseudonym, by which alone it is known from here on."""


@router.get("/catalogue")
async def get_catalogue(
    caller: Office, reader: Annotated[Reader, Depends()], request: Request, at: At = None
) -> Shown:
    """Read everything in force at an instant; contracts are for finance and administrators."""
    reader.mark(await reader.log_at())
    catalogue = await caller.book.desk.refresh()
    contracts = caller.grant.role in {"admin", "finance"}
    return shown(catalogue, at or face_of(request).books.clock(), contracts=contracts)


@router.get("/merchants/{merchant}/catalogue")
async def get_merchant_catalogue(
    caller: Seller,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    at: At = None,
) -> Sold:
    """Read what a merchant sells at an instant: its services, keywords and their prices."""
    reader.mark(await reader.log_at())
    catalogue = await caller.book.desk.refresh()
    now = face_of(request).books.clock()
    if catalogue.merchant(merchant, max(at or now, now)) is None:
        raise MerchantNotRegistered(merchant)
    return sold(catalogue, merchant, at or now)


@router.post("/catalogue")
async def post_catalogue(
    caller: Admin, reader: Annotated[Reader, Depends()], request: Request, change: dict[str, Any]
) -> Changed:
    """Change the catalogue: the lists of a catalogue file, by the same names, as JSON.

    Days and instants are texts, amounts and percentages too. What is left out goes on as it was.
    """
    desk = caller.book.desk
    try:
        asked = read_values(change, caller.name, desk.rules.pack.zone)
    except CatalogueFileInvalid as invalid:
        found = [
            FieldError(field=one.place or "body", message=one.text) for one in invalid.problems
        ]
        raise FieldsInvalid(found) from invalid
    now = face_of(request).books.clock()
    traffic = await _has_traffic(reader)
    return _changed(
        caller, await load_catalogue(desk, asked, caller.origin, now, has_traffic=traffic)
    )


@router.post("/services/{service}/suspension")
async def post_suspension(
    caller: Supervisor, request: Request, service: ShortId, suspension: Suspension
) -> Changed:
    """Let a service sell, renew and solicit nothing from now on."""
    now = face_of(request).books.clock()
    settled = await suspend_service(
        caller.book.desk, service, suspension.reason, caller.origin, now
    )
    return _changed(caller, settled)


@router.post("/services/{service}/resumption")
async def post_resumption(caller: Admin, request: Request, service: ShortId) -> Changed:
    """Let a suspended service sell again from now on."""
    now = face_of(request).books.clock()
    return _changed(caller, await resume_service(caller.book.desk, service, caller.origin, now))


@router.post("/test-numbers")
async def post_test_number(caller: Admin, request: Request, number: TestNumber) -> Declared:
    """Let a number be one for testing from now on: nobody earns what it buys."""
    now = face_of(request).books.clock()
    fields = {name: name for name in TestNumber.model_fields}
    wanted = NumberWanted(**number.model_dump(), effective_from=now, place="body", fields=fields)
    consumer, settled = await declare_test_number(caller.book.desk, wanted, caller.origin, now)
    return Declared(**_changed(caller, settled).model_dump(), consumer=consumer)


@router.delete("/test-numbers/{consumer}")
async def delete_test_number(caller: Admin, request: Request, consumer: Consumer) -> Changed:
    """Let a number be an ordinary consumer's again from now on."""
    now = face_of(request).books.clock()
    settled = await withdraw_test_number(caller.book.desk, consumer, caller.origin, now)
    return _changed(caller, settled)


def _changed(caller: Caller, settled: Settled) -> Changed:
    recorded = Counter(stored_name(type(one.fact)) for one in settled.appended)
    position = max((one.position for one in settled.appended), default=settled.head)
    return Changed(
        recorded=dict(sorted(recorded.items())),
        watermark=Watermark(book=caller.name, position=position),
    )


async def _has_traffic(reader: Reader) -> bool:
    """Tell whether the book ever received a message: one is soon found, if there is any."""
    head, after, messages = (await reader.log_at()).position, 0, stored_name(MoReceived)
    while after < head:
        rows = await reader.log_after(after, min(after + _PAGE, head))
        if any(row.type == messages for row in rows):
            return True
        after += _PAGE
    return False
