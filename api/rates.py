"""A merchant's conversion, churn and revenue, day by day."""

from datetime import date
from fractions import Fraction
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from starlette.requests import Request

from api.access import Allow, Caller, face_of
from api.problems import FieldError, FieldsInvalid
from api.registered import check_registered
from api.shapes import Day, Money, ShortCode, ShortId
from api.watermark import Reader
from projections.rates import read as projected

router = APIRouter(tags=["rates"])

Viewer = Annotated[Caller, Depends(Allow("merchant", "finance", "admin"))]
Staff = Annotated[Caller, Depends(Allow("finance", "admin"))]

MOST_DAYS = 366


class Where(BaseModel):
    """What a question may be narrowed down to."""

    service: ShortId | None = None
    short_code: ShortCode | None = None
    operator: Annotated[str | None, Query(pattern="^[0-9]{5,6}$")] = None


class Ratio(BaseModel):
    """An exact fraction, in its lowest terms."""

    numerator: int
    denominator: int


class RevenueOf(BaseModel):
    """What was earned in one currency, by the day of the capture."""

    price: Money
    """What consumers paid, tax included."""
    tax: Money
    merchant_share: Money
    refunded: Money
    """What consumers got back, by whomever, tax included; taken from none of the others."""


class RateFigures(BaseModel):
    """What happened in a stretch of local days, test numbers left out."""

    matched: int
    """Messages that asked for a service."""
    unmatched: int
    """Messages that asked for nothing on sale; no merchant's."""
    authorized: int
    """Exchanges that may be charged, by the day of the message; one of two legs counts once."""
    released: int
    captured: int
    cycles: int
    """Charges of subscriptions' cycles, by the day that the cycle began."""
    cycles_captured: int
    earned: int
    """Charges captured, of every cause and leg, by the day of the capture."""
    refunds: int
    opt_outs: int
    requested: int
    """Subscriptions asked for, to be confirmed."""
    started: int
    stopped: int
    solicited: int
    """Solicitations allowed."""
    active_at_start: int
    """Subscriptions."""
    conversion: Ratio | None
    """Captured over matched; null where nothing was matched."""
    churn: Ratio | None
    """Stopped over active at the start; null where none was active."""
    revenue: list[RevenueOf]
    """One for each currency in the answer: a book has one."""


class RateDay(RateFigures):
    """One local day."""

    day: date


class RateService(RateFigures):
    """One service, over all the days."""

    service: str | None
    """None: what is no single service's."""


class Rates(BaseModel):
    """Every day from the first to the last, each service, and all of it together."""

    merchant: str | None
    first: date
    last: date
    total: RateFigures
    services: list[RateService]
    days: list[RateDay]


class Days:
    """The local days that are asked for, both included; a FastAPI dependency."""

    def __init__(
        self,
        first: Annotated[Day, Query(alias="from", description="The first local day.")],
        last: Annotated[Day, Query(alias="to", description="The last local day, included.")],
    ) -> None:
        number = (last - first).days + 1
        if not 1 <= number <= MOST_DAYS:
            wanted = f"must be on or after `from`, and {MOST_DAYS} days in all at most"
            raise FieldsInvalid([FieldError(field="to", message=wanted)])
        self.first, self.last = first, last


@router.get("/merchants/{merchant}/rates")
async def get_merchant_rates(
    caller: Viewer,
    reader: Annotated[Reader, Depends()],
    request: Request,
    merchant: ShortId,
    days: Annotated[Days, Depends()],
    where: Annotated[Where, Depends()],
) -> Rates:
    """Read a merchant's rates, by day and by service."""
    await check_registered(caller.book.desk, merchant, face_of(request).books.clock())
    return await _rates(reader, days, where, merchant)


@router.get("/rates")
async def get_rates(
    _: Staff,
    reader: Annotated[Reader, Depends()],
    days: Annotated[Days, Depends()],
    where: Annotated[Where, Depends()],
) -> Rates:
    """Read the rates of all merchants together, and of what was no merchant's."""
    return await _rates(reader, days, where, None)


async def _rates(reader: Reader, days: Days, where: Where, merchant: str | None) -> Rates:
    wanted = projected.Wanted(merchant, where.service, where.short_code, where.operator)
    found = await reader.ask(projected.rates(days.first, days.last, wanted))
    return told(found, merchant)


def told(found: projected.Rates, merchant: str | None) -> Rates:
    """Write rates out; `merchant` is whose they are."""
    days = list(found.days)
    return Rates(
        merchant=merchant,
        first=days[0],
        last=days[-1],
        total=_figures(found.total),
        services=[
            RateService(service=name or None, **dict(_figures(one)))
            for name, one in found.services.items()
        ],
        days=[RateDay(day=day, **dict(_figures(one))) for day, one in found.days.items()],
    )


def _figures(found: projected.Figures) -> RateFigures:
    return RateFigures(
        **found.counts._asdict(),
        active_at_start=found.active,
        conversion=_ratio(found.conversion),
        churn=_ratio(found.churn),
        revenue=[_revenue(one, currency) for currency, one in found.revenue.items()],
    )


def _ratio(found: Fraction | None) -> Ratio | None:
    if found is None:
        return None
    return Ratio(numerator=found.numerator, denominator=found.denominator)


def _revenue(found: projected.Revenue, currency: str) -> RevenueOf:
    return RevenueOf(
        price=Money.of(found.price, currency),
        tax=Money.of(found.tax, currency),
        merchant_share=Money.of(found.share, currency),
        refunded=Money.of(found.refunded, currency),
    )
