"""Findings: what a person has to look at, opened once for each subject and closed once.

A finding's id follows from its kind and subject, so that whoever comes upon the same thing
again finds it open, or closed.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.decisions.refusals import FindingAlreadyClosed, UnknownFinding
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.charges import ChargeRef
from ledger.facts.findings import FindingClosed, FindingKind, FindingOpened
from ledger.facts.traffic import MtRef
from ledger.words import derived_id

ByPerson = Literal["resolved", "no_fault"]
"""How a person may close one: it was set right, or nothing was wrong."""

How = Literal["refunded", "written_off", "resolved", "no_fault"]


class About(NamedTuple):
    """What a finding points at; `amount` is what a refund would come to, in micros with tax."""

    consumer: str
    short_code: str
    operator: str
    merchant: str | None = None
    mo: str | None = None
    mt: str | None = None
    charge: str | None = None
    leg: Literal["mo", "mt"] | None = None
    amount: int | None = None
    currency: str | None = None
    test: bool = False


class Closing(NamedTuple):
    """How a finding is closed; `note` says why, in a person's words."""

    how: How
    note: str
    refund: str | None = None


def finding_id(book: str, kind: FindingKind, subject: str) -> str:
    """Give the id of the finding of a kind about a subject: a charge, or the message at fault."""
    return derived_id(book, "finding", kind, subject)


def about_charge(
    ref: ChargeRef, amount: int | None, currency: str | None, mt: str | None = None
) -> About:
    """Point at a charge, and at the message `mt` whose receipt brought it up, if one did."""
    return About(
        consumer=ref.consumer,
        short_code=ref.short_code,
        operator=ref.operator,
        merchant=ref.merchant,
        mo=ref.mo,
        mt=mt,
        charge=ref.charge,
        leg=ref.leg,
        amount=amount,
        currency=currency,
        test=ref.test,
    )


def about_message(ref: MtRef, amount: int | None = None, currency: str | None = None) -> About:
    """Point at a message and at what rides on it."""
    return About(
        consumer=ref.consumer,
        short_code=ref.short_code,
        operator=ref.operator,
        merchant=ref.merchant,
        mo=ref.mo,
        mt=ref.mt,
        charge=ref.charge,
        leg="mt" if ref.charge else None,
        amount=amount,
        currency=currency,
        test=ref.test,
    )


def opened(book: str, kind: FindingKind, subject: str, about: About, at: datetime) -> FindingOpened:
    """Give the fact that opens a finding; `subject` is what tells it from others of its kind."""
    return FindingOpened(
        finding=finding_id(book, kind, subject), kind=kind, occurred_at=at, **about._asdict()
    )


def closed(found: FindingOpened, closing: Closing, at: datetime) -> FindingClosed:
    """Give the fact that closes a finding."""
    return FindingClosed(
        finding=found.finding,
        kind=found.kind,
        how=closing.how,
        note=closing.note,
        refund=closing.refund,
        charge=found.charge,
        consumer=found.consumer,
        merchant=found.merchant,
        short_code=found.short_code,
        operator=found.operator,
        # Nothing is closed before it was opened, whatever a clock says.
        occurred_at=max(at, found.occurred_at),
    )


def still_open(history: Iterable[Fact]) -> list[FindingOpened]:
    """Give the findings among `history` that nobody has closed, in the order they were opened."""
    found: dict[str, FindingOpened] = {}
    for fact in history:
        if isinstance(fact, FindingOpened):
            found.setdefault(fact.finding, fact)
        elif isinstance(fact, FindingClosed):
            found.pop(fact.finding, None)
    return list(found.values())


def close(
    finding: str, how: ByPerson, note: str, history: Iterable[Recorded], now: datetime
) -> list[Draft]:
    """Decide on a person's closing of a finding; `history` holds all of the finding's facts.

    The same closing again changes nothing.

    Raises:
        UnknownFinding: no such finding was opened.
        FindingAlreadyClosed: it was closed before, otherwise.
    """
    facts = [one for one in history if one.fact.subject == finding]
    found = next((one for one in facts if isinstance(one.fact, FindingOpened)), None)
    if found is None or not isinstance(found.fact, FindingOpened):
        raise UnknownFinding(finding)
    for one in facts:
        if isinstance(one.fact, FindingClosed):
            if (one.fact.how, one.fact.note) == (how, note):
                return []
            raise FindingAlreadyClosed(finding, one.fact.how)
    fact = closed(found.fact, Closing(how, note), now)
    return [Draft(fact, exchange=found.exchange, caused_by=found.id)]
