"""The books: every account's balance on a day, as known on another, and whether they balance."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from api.access import Allow, Caller
from api.shapes import Day, Money
from api.watermark import Reader
from projections.balances.read import balances, trial_balance

router = APIRouter(tags=["books"])

Accountant = Annotated[Caller, Depends(Allow("finance", "regulator", "admin"))]
ValueDay = Annotated[
    Day | None, Query(description="Count what is for days up to this one; none: all of it.")
]
KnownOn = Annotated[
    Day | None, Query(description="Count what was recorded up to this day; none: all of it.")
]


class Balance(BaseModel):
    """Both sides of an account; `balance` is debit less credit, so what we owe is negative."""

    account: str
    party: str | None
    """The operator or merchant whose account it is; none for our own."""
    debit: Money
    credit: Money
    balance: Money


class Balances(BaseModel):
    """Every account that anything was posted to."""

    value_day: date | None
    known_on: date | None
    accounts: list[Balance]


class Trial(BaseModel):
    """Both sides of all accounts in one currency."""

    debit: Money
    credit: Money
    balance: Money


class TrialBalance(BaseModel):
    """Whether what was posted balances, in every currency."""

    value_day: date | None
    known_on: date | None
    balanced: bool
    currencies: list[Trial]


@router.get("/balances")
async def get_balances(
    _: Accountant,
    reader: Annotated[Reader, Depends()],
    value_day: ValueDay = None,
    known_on: KnownOn = None,
) -> Balances:
    """Read the balance of every account, on a day as known on another."""
    found = await reader.ask(balances(value_day or date.max, known_on or date.max))
    return Balances(
        value_day=value_day,
        known_on=known_on,
        accounts=[
            Balance(
                account=one.account,
                party=one.party or None,
                debit=Money.of(one.debit, one.currency),
                credit=Money.of(one.credit, one.currency),
                balance=Money.of(one.balance, one.currency),
            )
            for one in found
        ],
    )


@router.get("/trial-balance")
async def get_trial_balance(
    _: Accountant,
    reader: Annotated[Reader, Depends()],
    value_day: ValueDay = None,
    known_on: KnownOn = None,
) -> TrialBalance:
    """Read the sums of both sides in each currency; they differ only if the books are wrong."""
    found = await reader.ask(trial_balance(value_day or date.max, known_on or date.max))
    return TrialBalance(
        value_day=value_day,
        known_on=known_on,
        balanced=all(one.balance == 0 for one in found),
        currencies=[
            Trial(
                debit=Money.of(one.debit, one.currency),
                credit=Money.of(one.credit, one.currency),
                balance=Money.of(one.balance, one.currency),
            )
            for one in found
        ],
    )
