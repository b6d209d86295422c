"""What is due to merchants for a month, as far as it is known, and the facts of every line.

What can be paid out needs the operators' money, which this ledger does not record yet: `payable`
is null and named in `not_recorded`.
"""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, NamedTuple

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel, Field
from starlette.requests import Request

from api.access import Allow, Caller, face_of
from api.documents import lines
from api.documents.lines import Line, LineFact, Wanted
from api.registered import check_registered
from api.shapes import Money, Month, ShortId, first_day, last_day
from api.watermark import Reader
from projections.charges.lines import OLDEST
from projections.charges.read import PageEnd, Period
from projections.merchant_accounts import read as accounts

router = APIRouter(tags=["merchant accounts"])

NOT_RECORDED = ["payable"]

Cashier = Annotated[Caller, Depends(Allow("finance", "admin"))]
Payee = Annotated[Caller, Depends(Allow("merchant", "finance", "admin"))]


class Sum(BaseModel):
    """How many facts a line has, and what they come to: the merchant's share, net of tax."""

    facts: int
    share: Money


class Lines(BaseModel):
    """A merchant's month by what became of its money."""

    pending: Sum
    """Authorized in the month, and nobody said yet whether it was billed."""
    unresolved: Sum
    """The part of `pending` that nobody spoke of in time."""
    earned: Sum
    """Billed in the month."""
    refunded: Sum
    """Given back in the month, as far as the merchant bears it; it lowers what is due."""
    written_off: Sum
    """Not paid by the operator, as far as the merchant bears it; it lowers what is due."""
    payable: Sum | None
    """What can be paid out; null because it is not recorded yet."""


class Payout(BaseModel):
    """One merchant in one currency."""

    merchant: str
    currency: str
    lines: Lines


class Total(BaseModel):
    """All merchants here in one currency."""

    currency: str
    lines: Lines


class Payouts(BaseModel):
    """What is due for a month."""

    month: Month
    provisional: Literal[True] = True
    """It may still change: late receipts, the operators' files, returns."""
    not_recorded: list[str]
    """What is null because this ledger does not record it yet."""
    payouts: list[Payout]
    totals: list[Total]


class OneFact(BaseModel):
    """One fact of a line, found in the feed of facts by its position."""

    position: int
    fact: str = Field(description="The fact's id.")
    type: str = Field(examples=["charge_captured.v1"])
    charge: str
    day: date
    """The local day that it counts for."""
    amount: Money
    """What the consumer paid, or got back, tax included."""
    share: Money
    """What it adds to the line."""


class LineFacts(BaseModel):
    """A page of the facts that a line consists of, oldest first."""

    merchant: str
    month: Month
    line: Line
    facts: list[OneFact]
    next: str | None
    """The cursor of the next page; none when this is the last."""


def _page_end(value: str) -> str:
    PageEnd.parse(value)
    return value


Cursor = Annotated[
    str, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\.[0-9]{1,19}$"), AfterValidator(_page_end)
]


@router.get("/payouts/{month}")
async def get_payouts(_: Cashier, reader: Annotated[Reader, Depends()], month: Month) -> Payouts:
    """Read what is due to each merchant for a month, and to all of them."""
    found = await reader.ask(accounts.overview(first_day(month), last_day(month)))
    return payouts(month, found)


@router.get("/merchants/{merchant}/payouts/{month}")
async def get_payout(
    caller: Payee,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    month: Month,
) -> Payouts:
    """Read what is due to one merchant for a month."""
    await check_registered(caller.book.desk, merchant, face_of(request).books.clock())
    found = await reader.ask(accounts.statement(merchant, first_day(month)))
    return payouts(month, of_one(found))


class _Place(NamedTuple):
    """Which stretch of a line is wanted."""

    line: Line
    after: PageEnd
    limit: int


def _place(
    line: Line,
    cursor: Cursor | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> _Place:
    return _Place(line, PageEnd.parse(cursor) if cursor else OLDEST, limit)


@router.get("/merchants/{merchant}/payouts/{month}/facts")
async def get_payout_facts(
    *,
    caller: Payee,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    month: Month,
    place: Annotated[_Place, Depends(_place)],
) -> LineFacts:
    """Read the facts that a line consists of; their shares sum to the line."""
    books = face_of(request).books
    await check_registered(caller.book.desk, merchant, books.clock())
    wanted = Wanted(caller.name, merchant, period_of(month), place.line, reader.viewer)
    found = await reader.ask_with(
        lines.PROJECTION, lambda one: lines.page_of(one, wanted, place.after, place.limit)
    )
    return LineFacts(
        merchant=merchant,
        month=month,
        line=place.line,
        facts=[shown(one) for one in found.facts],
        next=str(found.end) if found.end else None,
    )


def period_of(month: str) -> Period:
    """Give the local days of a month."""
    return Period(first_day(month), last_day(month))


def of_one(statement: accounts.Statement) -> list[accounts.MerchantTotal]:
    """Give a merchant's statement as its part of an overview."""
    return [
        accounts.MerchantTotal(statement.merchant, currency, position)
        for currency, position in statement.totals.items()
    ]


def payouts(month: str, found: Iterable[accounts.MerchantTotal]) -> Payouts:
    """Shape what merchants have of a month; one of whom all has moved elsewhere is left out."""
    there = [one for one in found if any(money.charges for money in _sums(one.position))]
    return Payouts(
        month=month,
        not_recorded=NOT_RECORDED,
        payouts=[
            Payout(
                merchant=one.merchant,
                currency=one.currency,
                lines=_lines(_sums(one.position), one.currency),
            )
            for one in there
        ],
        totals=[
            Total(currency=currency, lines=_lines(_summed(there, currency), currency))
            for currency in sorted({one.currency for one in there})
        ],
    )


class _Sums(NamedTuple):
    pending: accounts.Money
    unresolved: accounts.Money
    earned: accounts.Money
    refunded: accounts.Money
    written_off: accounts.Money


def _sums(position: accounts.Position) -> _Sums:
    return _Sums(*(getattr(position, name) for name in _Sums._fields))


def _summed(found: Iterable[accounts.MerchantTotal], currency: str) -> _Sums:
    each = [_sums(one.position) for one in found if one.currency == currency]
    return _Sums(
        *(accounts.Money(*map(sum, zip(*line, strict=True))) for line in zip(*each, strict=True))
    )


def _lines(sums: _Sums, currency: str) -> Lines:
    shown = {
        name: Sum(facts=money.charges, share=Money.of(money.micros, currency))
        for name, money in sums._asdict().items()
    }
    return Lines(**shown, payable=None)


def shown(one: LineFact) -> OneFact:
    """Show a fact of a line, without its consumer."""
    return OneFact(
        position=one.position,
        fact=one.fact,
        type=one.type,
        charge=one.charge,
        day=one.day,
        amount=Money.of(one.price, one.currency),
        share=Money.of(one.share, one.currency),
    )
