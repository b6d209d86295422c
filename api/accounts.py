"""A merchant's account: its statement of a month, and the charges that it consists of.

What needs facts that are not recorded yet is null, and named in `not_recorded`; it is never 0.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import AfterValidator, BaseModel
from starlette.requests import Request
from starlette.responses import Response

from api.access import Allow, Caller, face_of
from api.documents.statement import statement_csv
from api.problems import FieldError, FieldsInvalid
from api.registered import check_registered
from api.shapes import Money, Month, ShortId, first_day, last_day
from api.watermark import Reader
from projections.charges import read as listed
from projections.merchant_accounts import read as accounts

router = APIRouter(prefix="/merchants/{merchant}", tags=["merchant accounts"])

Viewer = Annotated[Caller, Depends(Allow("merchant", "finance", "regulator", "admin"))]


class Share(BaseModel):
    """How many charges, and the merchant's share of them, net of tax."""

    charges: int
    share: Money


class States(BaseModel):
    """A merchant's money in each of its states."""

    pending: Share
    """Authorized, and nobody said yet whether it was billed."""
    unresolved: Share
    """The part of `pending` that nobody spoke of in time."""
    released: Share
    earned: Share
    refunded: Share
    """Given back in the month, as far as the merchant bears it; it lowers what is earned."""
    written_off: Share
    """Not paid by the operator, as far as the merchant bears it; it lowers what is earned."""
    declared: Share | None
    collected: Share | None
    payable: Share | None
    paid_by_consumers: Money
    """For what is earned, tax included."""
    tax: Money


class Total(BaseModel):
    """All of a month in one currency."""

    currency: str
    states: States


class Line(BaseModel):
    """One service on one code through one operator."""

    short_code: str
    operator: str
    service: str
    currency: str
    states: States


class Statement(BaseModel):
    """A merchant's month as it is known now."""

    merchant: str
    month: Month
    provisional: Literal[True] = True
    """It may still change: late receipts, the operators' files, returns."""
    not_recorded: list[str]
    """What is null because this ledger does not record it yet."""
    totals: list[Total]
    lines: list[Line]


class Waterfall(BaseModel):
    """How the price divides; the four parts sum to it, to the millionth."""

    price: Money
    tax: Money
    operator: Money
    aggregator: Money
    merchant: Money


class Charge(BaseModel):
    """One charge and where it stands."""

    charge: str
    mo: str | None
    """The message that it came of; none where a subscription's cycle is the cause."""
    subscription: str | None
    cycle: date | None
    """That cause: which subscription, and the day its cycle began."""
    mt: str | None
    """The message whose receipt brought it where it stands, if one did."""
    state: Literal["authorized", "unresolved", "captured", "released"]
    since: datetime
    state_day: date
    late: bool
    """Captured after it had been released."""
    reason: str | None
    """Why it was released."""
    authorized_at: datetime | None
    """None where it was billed and never authorized."""
    authorized_day: date
    captures_on: str | None
    leg: str
    service: str
    category: str
    short_code: str
    operator: str
    tariff: str
    amounts: Waterfall
    refunded: Money
    """What the consumer got back of the price, over all channels."""
    written_off: Literal["unpaid", "clawback"] | None
    """Why its operator does not pay it, if it does not."""


class Charges(BaseModel):
    """A page of charges, newest first."""

    merchant: str
    charges: list[Charge]
    next: str | None
    """The cursor of the next page; none when this is the last."""


def _page_end(value: str) -> str:
    listed.PageEnd.parse(value)
    return value


Cursor = Annotated[
    str, Query(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}\.[0-9]{1,19}$"), AfterValidator(_page_end)
]


# The one with the suffix first: a month would match its name too.
@router.get(
    "/statements/{month}.csv",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}, "description": "A header row, then lines."}},
)
async def get_statement_csv(
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    request: Request,
    response: Response,
    merchant: ShortId,
    month: Month,
) -> Response:
    """Read the statement as CSV: a line for each code, operator and service, then the totals.

    It is safe to open in a spreadsheet. What is not recorded is in words, never 0.
    """
    await check_registered(caller.book.desk, merchant, face_of(request).books.clock())
    found = await reader.ask(accounts.statement(merchant, first_day(month)))
    name = f"statement-{merchant}-{month}.csv"
    headers = {**response.headers, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(statement_csv(found), headers=headers, media_type="text/csv; charset=utf-8")


@router.get("/statements/{month}")
async def get_statement(
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    month: Month,
) -> Statement:
    """Read what a merchant has of a month, in every state, by code, operator and service."""
    await check_registered(caller.book.desk, merchant, face_of(request).books.clock())
    return shown(await reader.ask(accounts.statement(merchant, first_day(month))), month)


@router.get("/charges")
async def get_charges(  # noqa: PLR0913 - each is a parameter of the request
    *,
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    month: Annotated[Month | None, Query()] = None,
    basis: Annotated[
        Literal["authorized", "earned"],
        Query(description="Whether the month is that of the authorization or of the capture."),
    ] = "authorized",
    state: Literal["authorized", "unresolved", "captured", "released"] | None = None,
    cursor: Cursor | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Charges:
    """List a merchant's charges; a cursor stays good whatever is charged meanwhile."""
    await check_registered(caller.book.desk, merchant, face_of(request).books.clock())
    period = listed.Period(first_day(month), last_day(month)) if month else listed.Period()
    after = listed.PageEnd.parse(cursor) if cursor else listed.NEWEST
    if basis == "authorized":
        read = listed.authorized(merchant, limit, period, state, after)
    elif state in {None, "captured"}:
        read = listed.earned(merchant, limit, period, after)
    else:
        wrong = FieldError(field="state", message="only captured charges are earned")
        raise FieldsInvalid([wrong])
    page = await reader.ask(read)
    return Charges(
        merchant=merchant,
        charges=[_charge(one) for one in page.charges],
        next=str(page.end) if page.end else None,
    )


def shown(found: accounts.Statement, month: str) -> Statement:
    """Shape a statement as it is told in JSON."""
    return Statement(
        merchant=found.merchant,
        month=month,
        not_recorded=["declared", "collected", "payable"],
        totals=[
            Total(currency=currency, states=_states(position, currency))
            for currency, position in found.totals.items()
        ],
        lines=[_line(line) for line in found.lines],
    )


def _line(line: accounts.Line) -> Line:
    return Line(
        short_code=line.short_code,
        operator=line.operator,
        service=line.service,
        currency=line.currency,
        states=_states(line.position, line.currency),
    )


def _states(position: accounts.Position, currency: str) -> States:
    return States(
        pending=_share(position.pending, currency),
        unresolved=_share(position.unresolved, currency),
        released=_share(position.released, currency),
        earned=_share(position.earned, currency),
        refunded=_share(position.refunded, currency),
        written_off=_share(position.written_off, currency),
        declared=position.declared and _share(position.declared, currency),
        collected=position.collected and _share(position.collected, currency),
        payable=position.payable and _share(position.payable, currency),
        paid_by_consumers=Money.of(position.price, currency),
        tax=Money.of(position.tax, currency),
    )


def _share(money: accounts.Money, currency: str) -> Share:
    return Share(charges=money.charges, share=Money.of(money.micros, currency))


def _charge(one: listed.Charge) -> Charge:
    """Show a charge without its consumer: merchants see what was sold, not to whom."""
    return Charge.model_validate(
        {
            **{name: value for name, value in one._asdict().items() if name in Charge.model_fields},
            "refunded": Money.of(one.refunded, one.currency),
            "amounts": Waterfall(
                price=Money.of(one.price, one.currency),
                tax=Money.of(one.tax, one.currency),
                operator=Money.of(one.operator_share, one.currency),
                aggregator=Money.of(one.aggregator_share, one.currency),
                merchant=Money.of(one.merchant_share, one.currency),
            ),
        }
    )
