"""Giving a consumer back what they paid: by the operator on the bill, or directly.

By the operator it is the whole price, and the operator takes back what it owed us. Directly, by
us or the merchant, it is any part of the price, borne as the merchant's contract says; what a
merchant records by itself, it bears. Over all channels never more than was captured. What a rule
forbids is a fact, and raised afterwards.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.catalogue import Catalogue
from ledger.decisions.billed import Billed, billed, captured_at
from ledger.decisions.finding import Closing, closed
from ledger.decisions.refusals import (
    FindingAlreadyClosed,
    OtherContent,
    OtherCurrency,
    SoldByNobody,
    UnknownCharge,
    UnknownFinding,
)
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import BorneBy, ChargeRefunded, RefundRefused, RefundRule
from ledger.facts.findings import FindingOpened
from ledger.facts.registry import fact_id
from ledger.words import derived_id, local_day

By = Literal["operator", "aggregator", "merchant"]
Channel = Literal["bill", "transfer", "voucher"]

Bearer = Literal["merchant", "aggregator"]

_ANSWERED_BY_MONEY = frozenset({"unattributed", "billed_twice"})
"""Findings that a refund of their charge closes, also when it does not name them."""


class RefundRequest(NamedTuple):
    """What is asked for; `id` is the caller's own, and the same id is the same refund."""

    id: str
    charge: str
    by: By
    channel: Channel
    reason: str
    price: int | None = None
    """In micros, tax included; none means the whole price."""
    currency: str | None = None
    finding: str | None = None
    """The finding that it answers, if it is to answer a certain one."""
    merchant: str | None = None
    """The merchant that asks by itself: it finds none but its own charges, and bears what it gave.

    That we owe it any of it is for us to record. None where we do, whoever gave it back.
    """


def refund_id(book: str, charge: str, caller_id: str) -> str:
    """Give the id of a refund by what its caller named it."""
    return derived_id(book, "refund", charge, caller_id)


def refund(
    request: RefundRequest, history: Iterable[Recorded], known: Known, now: datetime
) -> list[Draft]:
    """Decide on a refund; `history` holds all facts of its charge and of the finding it names.

    Raises:
        UnknownCharge: this book knows no such charge, or the merchant that asks does not.
        OtherCurrency: the amount is not in the charge's currency.
        SoldByNobody: a merchant is to give back what no merchant earns.
        UnknownFinding: the finding that it names is not about this charge.
        FindingAlreadyClosed: that finding was closed before.
        OtherContent: the same id was asked for with something else.
    """
    charge = billed(history, request.charge)
    _check_asked(request, charge)
    refund = refund_id(known.book, request.charge, request.id)
    price = charge.amounts.price if request.price is None else request.price
    bearer = _borne_by(request, charge, known.catalogue)
    if _answered(request, charge, (refund, price, bearer)):
        return []
    rule = _forbidden(request.by, price, charge)
    if rule is not None:
        return [refused(charge, refund, price, rule, now, request.by)]
    findings = _findings(request, charge, charge.given_back + price)
    terms = (refund, price, bearer)
    fact = _refunded(request, charge, terms, findings, (known.rules.zone, now))
    cause = fact_id(known.book, ChargeRefunded, refund)
    closing = Closing("refunded", request.reason, refund)
    return [charge.draft(fact), *closings(charge, findings, closing, cause, fact.occurred_at)]


def refused(
    charge: Billed,
    asked: str,
    price: int,
    rule: RefundRule,
    now: datetime,
    by: By | None = None,
) -> Draft:
    """Record what a rule forbids; `asked` is the id of the refund or, without `by`, write-off."""
    fact = RefundRefused(
        refund=asked,
        ref=charge.ref,
        by=by,
        rule=rule,
        price=price,
        left=charge.left,
        currency=charge.currency,
        occurred_at=now,
    )
    return charge.draft(fact)


def closings(
    charge: Billed,
    findings: Iterable[FindingOpened],
    closing: Closing,
    cause: str,
    at: datetime,
) -> list[Draft]:
    """Close findings about a charge, because of the fact with the id `cause`."""
    return [charge.draft(closed(found, closing, at), cause) for found in findings]


def named(finding: str, charge: Billed) -> FindingOpened:
    """Find a finding about a charge, or about its message, that is still open.

    Raises: UnknownFinding, FindingAlreadyClosed.
    """
    for found in charge.findings:
        if found.finding == finding:
            return found
    for past in charge.closed:
        if past.finding == finding:
            raise FindingAlreadyClosed(finding, past.how)
    raise UnknownFinding(finding)


def answered_by_money(charge: Billed) -> list[FindingOpened]:
    """Give the open findings that say that this charge should not have been billed."""
    return [
        found
        for found in charge.findings
        if found.kind in _ANSWERED_BY_MONEY and found.charge == charge.ref.charge
    ]


def terms_of(charge: Billed, catalogue: Catalogue) -> tuple[Bearer, Bearer]:
    """Give who bears a direct refund, and who what is unpaid, by the contract of the charge.

    What nobody earns, no merchant bears.
    """
    contract = charge.ref.merchant_contract
    agreed = catalogue.contract(contract) if contract and not charge.nobodys else None
    if agreed is None:
        return "aggregator", "aggregator"
    return agreed.fact.refunds_borne_by, agreed.fact.unpaid_borne_by


def _check_asked(request: RefundRequest, charge: Billed) -> None:
    if request.merchant is not None and request.merchant != charge.ref.merchant:
        raise UnknownCharge(request.charge)
    if request.currency not in {None, charge.currency}:
        raise OtherCurrency(request.currency or "", charge.currency)
    if request.by == "merchant" and charge.nobodys:
        raise SoldByNobody(request.charge)


def _borne_by(request: RefundRequest, charge: Billed, catalogue: Catalogue) -> BorneBy:
    """Give who bears it.

    Of a voucher of 3.00 on a charge of which the merchant earned 1.00:

    - The merchant records it by itself: 3.00 are its own, in no book of ours, whatever is agreed.
    - We record it, and the contract lets us bear refunds: 3.00 are our loss, and owed to it.
    - We record it, and the contract lets the merchant bear them: nothing moves.
    """
    if request.by == "operator":
        return "each_its_part"
    if request.merchant is not None:
        return "merchant"
    bearer, _ = terms_of(charge, catalogue)
    return bearer


def _answered(request: RefundRequest, charge: Billed, terms: tuple[str, int, BorneBy]) -> bool:
    """Tell whether this very refund was decided before.

    Raises: OtherContent.
    """
    refund, price, bearer = terms
    asked = request.by, price
    for fact in (*charge.refunds, *charge.refused):
        if fact.refund != refund:
            continue
        if (fact.by, fact.price) != asked or not _says_the_same(fact, request, bearer):
            raise OtherContent(request.id)
        return True
    return False


def _says_the_same(
    fact: ChargeRefunded | RefundRefused, request: RefundRequest, bearer: BorneBy
) -> bool:
    """Compare what a refusal does not keep: it stands, whatever words it is asked for with."""
    if isinstance(fact, RefundRefused):
        return True
    asked = request.channel, request.reason, bearer
    same = (fact.channel, fact.reason, fact.borne_by) == asked
    return same and request.finding in {None, fact.finding}


def _forbidden(by: By, price: int, charge: Billed) -> RefundRule | None:
    if charge.capture is None:
        return "not_captured"
    # What the operator does not pay us, it cannot take back from us another time.
    if charge.taken_back or (by == "operator" and charge.write_offs):
        return "already_taken_back"
    if by == "operator" and price != charge.amounts.price:
        return "operator_refunds_whole"
    if price > charge.left or not charge.left:
        return "above_what_is_left"
    return None


def _findings(request: RefundRequest, charge: Billed, given_back: int) -> list[FindingOpened]:
    """Give what the refund answers, the finding that it names first; `given_back` with it."""
    found = answered_by_money(charge)
    if request.finding is not None:
        first = named(request.finding, charge)
        found = [first, *(one for one in found if one is not first)]
    whole = charge.amounts.price
    return [one for one in found if given_back >= (whole if one.amount is None else one.amount)]


def _refunded(
    request: RefundRequest,
    charge: Billed,
    terms: tuple[str, int, BorneBy],
    findings: Sequence[FindingOpened],
    when: tuple[str, datetime],
) -> ChargeRefunded:
    (refund, price, bearer), (zone, now) = terms, when
    capture, at = captured_at(charge, now)
    by_operator = request.by == "operator"
    return ChargeRefunded(
        refund=refund,
        ref=charge.ref,
        by=request.by,
        channel=request.channel,
        price=price,
        taken_back=charge.amounts if by_operator else None,
        borne_by=bearer,
        unattributed=0 if by_operator else min(price, charge.unattributed),
        finding=request.finding or next((one.finding for one in findings), None),
        reason=request.reason,
        currency=charge.currency,
        captured_day=capture.value_day,
        value_day=local_day(at, zone),
        occurred_at=at,
    )
