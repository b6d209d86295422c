"""What consumers have stopped: scopes of one consumer, STOPs of a code, how many by month."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.access import Allow, Caller
from api.shapes import MAX_POSITION, Consumer, Month, ShortCode, first_day, last_day
from api.watermark import Reader
from projections.opt_outs import read as listed

router = APIRouter(tags=["opt-outs"])

Auditor = Annotated[Caller, Depends(Allow("finance", "regulator", "admin"))]
OnCode = Annotated[
    ShortCode | None, Query(description="Only what was said on this code; none: on any.")
]


class OptOut(BaseModel):
    """A STOP, and what opened its scope again, where something did."""

    consumer: str
    short_code: str
    """Where it was said; with `everywhere` every code is meant."""
    service: str | None
    """None where every service on the code is meant."""
    everywhere: bool
    since: datetime
    operator: str
    merchant: str | None
    word: str
    """The service word, as it was recognised."""
    mo: str
    test: bool
    """Said by a test number."""
    stands: bool
    lifted_at: datetime | None
    """When the consumer wrote again, which allows replies and nothing more."""
    lifted_by: str | None
    """The message by which they did."""


class OptOuts(BaseModel):
    """A page of STOPs, the last recorded first."""

    short_code: str | None
    month: str | None
    opt_outs: list[OptOut]
    next: int | None
    """The cursor of the next page; none when this is the last."""


class ConsumerOptOuts(BaseModel):
    """Each scope that a consumer has ever stopped, by the STOP that counts there."""

    consumer: str
    opt_outs: list[OptOut]


class OptOutCount(BaseModel):
    """How often STOP was said on a code in a month, test numbers left out."""

    month: str
    short_code: str
    opt_outs: int
    lifted: int
    """Those of them whose scope was opened again since."""


class OptOutCounts(BaseModel):
    """The STOPs of each month and code."""

    months: list[OptOutCount]


@router.get("/opt-outs")
async def get_opt_outs(
    *,
    _: Auditor,
    reader: Annotated[Reader, Depends()],
    short_code: OnCode = None,
    month: Annotated[Month | None, Query()] = None,
    cursor: Annotated[int, Query(ge=1, le=MAX_POSITION)] = listed.LATEST,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> OptOuts:
    """List the STOPs said on a code in a month; a cursor stays good whatever is said meanwhile."""
    first, last = (first_day(month), last_day(month)) if month else (date.min, date.max)
    page = await reader.ask(listed.on_code(short_code, limit, first, last, cursor))
    return OptOuts(
        short_code=short_code,
        month=month,
        opt_outs=[told(one) for one in page.opt_outs],
        next=page.end,
    )


@router.get("/opt-outs/months")
async def get_opt_out_counts(
    _: Auditor, reader: Annotated[Reader, Depends()], short_code: OnCode = None
) -> OptOutCounts:
    """Count the STOPs of each month, by the code that they were said on."""
    found = await reader.ask(listed.by_month(short_code))
    return OptOutCounts(months=[counted(one) for one in found])


@router.get("/consumers/{consumer}/opt-outs")
async def get_consumer_opt_outs(
    _: Auditor, reader: Annotated[Reader, Depends()], consumer: Consumer
) -> ConsumerOptOuts:
    """Read what a consumer has stopped, and what they opened again by writing to us."""
    found = await reader.ask(listed.of_consumer(consumer))
    return ConsumerOptOuts(consumer=consumer, opt_outs=[told(one) for one in found])


def counted(one: listed.Count) -> OptOutCount:
    """Write out how many there are of a month."""
    return OptOutCount.model_validate(one._asdict() | {"month": f"{one.month:%Y-%m}"})


def told(one: listed.OptOut) -> OptOut:
    """Write one out."""
    known = {name: value for name, value in one._asdict().items() if name in OptOut.model_fields}
    return OptOut.model_validate({**known, "stands": one.stands})
