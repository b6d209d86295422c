"""What each operator is expected to declare for a month, to hold against what it declares."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from api.access import Allow, Caller
from api.shapes import Money, Month, first_day
from api.watermark import Reader
from projections.expected import read as projected
from projections.expected.fold import Sum

router = APIRouter(tags=["settlement"])

Accountant = Annotated[Caller, Depends(Allow("finance", "admin"))]
Operator = Annotated[
    str | None,
    Query(pattern="^[0-9]{5,6}$", description="One operator, by MCC and MNC; none: all of them."),
]


class ExpectedSum(BaseModel):
    """How many charges, and what they come to."""

    charges: int
    price: Money
    """What consumers pay, tax included."""
    tax: Money
    reversement: Money
    """What the operator owes us of it, net of tax."""


class ExpectedFigures(BaseModel):
    """What was taken from consumers, and what was taken back, each in the month it happened."""

    captured: ExpectedSum
    refunded: ExpectedSum
    """By the operator, on the bill."""
    unpaid: ExpectedSum
    """Never paid by the consumer."""
    clawback: ExpectedSum
    """Paid to us, and taken back."""
    left: ExpectedSum
    """Captured, less all of these; may be less than nothing."""


class ExpectedParts(BaseModel):
    """All that an operator counts, and what within it is no merchant's."""

    all: ExpectedFigures
    unattributed: ExpectedFigures
    """Charged for what nobody sold."""
    test: ExpectedFigures
    """Charged to test numbers."""


class ExpectedLine(ExpectedParts):
    """One code, tariff and leg."""

    short_code: str
    tariff: str
    leg: str


class OperatorMonth(BaseModel):
    """One operator's month, in one currency."""

    operator: str
    currency: str = Field(pattern="^[A-Z]{3}$")
    total: ExpectedParts
    lines: list[ExpectedLine]


class ExpectedMonth(BaseModel):
    """Every operator that took or took back anything in a local month."""

    month: Month
    operators: list[OperatorMonth]


@router.get("/expected/{month}")
async def get_expected(
    _: Accountant, reader: Annotated[Reader, Depends()], month: Month, operator: Operator = None
) -> ExpectedMonth:
    """Read what operators are expected to declare, by code, tariff and leg."""
    found = await reader.ask(projected.expected(first_day(month), operator))
    return told(found, month)


def told(found: list[projected.OperatorMonth], month: str) -> ExpectedMonth:
    """Write out what is expected for a month, such as `2026-08`."""
    return ExpectedMonth(month=month, operators=[_month(one) for one in found])


def _month(one: projected.OperatorMonth) -> OperatorMonth:
    return OperatorMonth(
        operator=one.operator,
        currency=one.currency,
        total=ExpectedParts(**_parts(one.total, one.currency)),
        lines=[
            ExpectedLine(
                short_code=line.short_code,
                tariff=line.tariff,
                leg=line.leg,
                **_parts(line.expected, one.currency),
            )
            for line in one.lines
        ],
    )


def _parts(found: projected.Expected, currency: str) -> dict[str, ExpectedFigures]:
    parts = found._asdict().items()
    return {name: _figures(figures, currency) for name, figures in parts}


def _figures(found: projected.Figures, currency: str) -> ExpectedFigures:
    return ExpectedFigures(
        captured=_sum(found.captured, currency),
        refunded=_sum(found.refunded, currency),
        unpaid=_sum(found.unpaid, currency),
        clawback=_sum(found.clawback, currency),
        left=_sum(found.left, currency),
    )


def _sum(found: Sum, currency: str) -> ExpectedSum:
    return ExpectedSum(
        charges=found.charges,
        price=Money.of(found.price, currency),
        tax=Money.of(found.tax, currency),
        reversement=Money.of(found.reversement, currency),
    )
