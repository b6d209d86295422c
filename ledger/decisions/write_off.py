"""What the operator does not pay us for a captured charge: unpaid, or taken back afterwards.

Once for each charge, and not after the operator refunded it: it owes us nothing then. Whoever
bears the merchant's share of it stands in the merchant's contract.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.decisions.billed import Billed, billed, captured_at
from ledger.decisions.finding import Closing
from ledger.decisions.refund import answered_by_money, closings, named, refused, terms_of
from ledger.decisions.refusals import OtherContent
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import ChargeWrittenOff, RefundRule
from ledger.facts.findings import FindingOpened
from ledger.facts.registry import fact_id
from ledger.words import derived_id, local_day


class WriteOffRequest(NamedTuple):
    """What is asked for; `id` is the caller's own, and the same id is the same write-off."""

    id: str
    charge: str
    reason: Literal["unpaid", "clawback"]
    note: str
    finding: str | None = None
    """The finding that it answers, if it is to answer a certain one."""


def write_off_id(book: str, charge: str, caller_id: str) -> str:
    """Give the id of a write-off by what its caller named it."""
    return derived_id(book, "write_off", charge, caller_id)


def write_off(
    request: WriteOffRequest, history: Iterable[Recorded], known: Known, now: datetime
) -> list[Draft]:
    """Decide on a write-off; `history` holds all facts of its charge and of the finding it names.

    Raises:
        UnknownCharge: this book knows no such charge.
        UnknownFinding: the finding that it names is not about this charge.
        FindingAlreadyClosed: that finding was closed before.
        OtherContent: the same id was asked for with something else.
    """
    charge = billed(history, request.charge)
    asked = write_off_id(known.book, request.charge, request.id)
    if _answered(request, charge, asked):
        return []
    rule = _forbidden(charge)
    if rule is not None:
        return [refused(charge, asked, charge.amounts.price, rule, now)]
    findings = _findings(request, charge)
    fact = _written_off(request, charge, asked, known, now)
    cause = fact_id(known.book, ChargeWrittenOff, asked)
    closing = Closing("written_off", request.note)
    return [charge.draft(fact), *closings(charge, findings, closing, cause, fact.occurred_at)]


def _answered(request: WriteOffRequest, charge: Billed, asked: str) -> bool:
    """Tell whether this very write-off was decided before.

    Raises: OtherContent.
    """
    for fact in charge.write_offs:
        if fact.write_off == asked:
            if (fact.reason, fact.note) != (request.reason, request.note):
                raise OtherContent(request.id)
            return True
    return any(no.refund == asked for no in charge.refused)


def _forbidden(charge: Billed) -> RefundRule | None:
    if charge.capture is None:
        return "not_captured"
    if charge.taken_back or charge.write_offs:
        return "already_taken_back"
    return None


def _findings(request: WriteOffRequest, charge: Billed) -> list[FindingOpened]:
    found = answered_by_money(charge)
    if request.finding is None:
        return found
    first = named(request.finding, charge)
    return [first, *(one for one in found if one is not first)]


def _written_off(
    request: WriteOffRequest, charge: Billed, asked: str, known: Known, now: datetime
) -> ChargeWrittenOff:
    capture, at = captured_at(charge, now)
    _, borne_by = terms_of(charge, known.catalogue)
    return ChargeWrittenOff(
        write_off=asked,
        ref=charge.ref,
        reason=request.reason,
        amounts=charge.amounts,
        borne_by=borne_by,
        unattributed=charge.unattributed,
        note=request.note,
        currency=charge.currency,
        captured_day=capture.value_day,
        value_day=local_day(at, known.rules.zone),
        occurred_at=at,
    )
