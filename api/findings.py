"""What a person has to look at: the list, what it comes to, and closing one."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request

from api.access import Allow, Caller, face_of
from api.shapes import MAX_POSITION, STRICT, HexId, Money, Words
from api.watermark import Reader
from ledger.commands.findings import close_finding
from ledger.decisions.finding import ByPerson
from ledger.decisions.refusals import UnknownFinding
from ledger.facts.findings import FindingKind
from projections.findings import read as listed

router = APIRouter(prefix="/findings", tags=["findings"])

Auditor = Annotated[Caller, Depends(Allow("finance", "regulator", "admin"))]
Cashier = Annotated[Caller, Depends(Allow("finance", "admin"))]


class Closed(BaseModel):
    """How a finding was closed."""

    at: datetime
    how: Literal["refunded", "written_off", "resolved", "no_fault"]
    note: str
    refund: str | None
    """The refund that closed it, if one did."""


class Finding(BaseModel):
    """Something that was billed or left undone and should not have been."""

    finding: str
    kind: FindingKind
    state: listed.State
    opened_at: datetime
    amount: Money | None
    """What a refund would come to, tax included."""
    mo: str | None
    mt: str | None
    charge: str | None
    leg: Literal["mo", "mt"] | None
    consumer: str
    merchant: str | None
    short_code: str
    operator: str
    test: bool
    closed: Closed | None


class Findings(BaseModel):
    """A page of findings, newest first."""

    findings: list[Finding]
    next: int | None
    """The cursor of the next page; none when this is the last."""


class Sum(BaseModel):
    """So many findings, and what refunds of them would come to where an amount is known."""

    findings: int
    amount: Money | None


class OfKind(BaseModel):
    """All findings of one kind, without those of test numbers."""

    kind: FindingKind
    open: Sum
    closed: Sum


class Summary(BaseModel):
    """What there is to look at, and what was."""

    kinds: list[OfKind]


class Closing(BaseModel):
    """How a person closes a finding: it was set right, or nothing was wrong."""

    model_config = STRICT

    how: ByPerson
    note: Words


class Watermark(BaseModel):
    """The position to ask readers for, so that they answer with this included."""

    book: str
    position: int


class NowClosed(BaseModel):
    """A finding that needs nobody any more."""

    finding: str
    kind: FindingKind
    closed: Closed
    repeated: bool
    """Whether it had been closed so before."""
    watermark: Watermark


@router.get("")
async def get_findings(
    *,
    _: Auditor,
    reader: Annotated[Reader, Depends()],
    kind: FindingKind | None = None,
    state: listed.State | None = None,
    cursor: Annotated[int, Query(ge=1, le=MAX_POSITION)] = listed.LAST_POSITION,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Findings:
    """List findings; a cursor stays good whatever is found meanwhile."""
    page = await reader.ask(listed.findings(limit, kind, state, cursor))
    return Findings(findings=[told(one) for one in page.findings], next=page.end)


@router.get("/kinds")
async def get_kinds(_: Auditor, reader: Annotated[Reader, Depends()]) -> Summary:
    """Count the findings of each kind, and sum up what they come to."""
    return summed(await reader.ask(listed.by_kind()))


@router.get("/{finding}")
async def get_finding(_: Auditor, reader: Annotated[Reader, Depends()], finding: HexId) -> Finding:
    """Read one finding."""
    found = await reader.ask(listed.one(finding))
    if found is None:
        raise UnknownFinding(finding)
    return told(found)


@router.post("/{finding}/close")
async def post_closing(
    caller: Cashier, request: Request, finding: HexId, closing: Closing
) -> NowClosed:
    """Close a finding that needs nobody any more."""
    now = face_of(request).books.clock()
    said: tuple[ByPerson, str] = (closing.how, closing.note)
    done = await close_finding(caller.book.desk, finding, said, caller.origin, now)
    fact = done.fact
    return NowClosed(
        finding=fact.finding,
        kind=fact.kind,
        closed=Closed(at=fact.occurred_at, how=fact.how, note=fact.note, refund=fact.refund),
        repeated=done.repeated,
        watermark=Watermark(book=caller.name, position=done.position),
    )


def told(one: listed.Finding) -> Finding:
    """Write a finding out."""
    known = {name: value for name, value in one._asdict().items() if name in Finding.model_fields}
    closed = {"at": one.closed_at, "how": one.how, "note": one.note, "refund": one.refund}
    return Finding.model_validate(
        {
            **known,
            "state": one.state,
            "amount": _money(one.amount, one.currency),
            "closed": closed if one.closed_at else None,
        }
    )


def summed(found: list[listed.Kind]) -> Summary:
    """Write out what there is of each kind."""
    return Summary(
        kinds=[
            OfKind.model_validate(
                {
                    "kind": one.kind,
                    "open": _sum(one.open, one.open_micros, one.currency),
                    "closed": _sum(one.closed, one.closed_micros, one.currency),
                }
            )
            for one in found
        ]
    )


def _sum(findings: int, micros: int, currency: str | None) -> Sum:
    return Sum(findings=findings, amount=_money(micros, currency))


def _money(micros: int | None, currency: str | None) -> Money | None:
    return Money.of(micros, currency) if micros is not None and currency else None
