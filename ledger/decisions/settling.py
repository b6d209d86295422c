"""What a receipt does to the charge on its message: capture, release, or billed once too often.

At most one message is captured for one charge. Where a second one was billed all the same, that
is recorded as what it is: billed without our leave, earned by nobody, and to be refunded.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

import msgspec

from ledger.decisions.effect import Receipt, effect_of
from ledger.decisions.finding import Closing, about_charge, closed, opened, still_open
from ledger.decisions.standing import Charge
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.traffic import MtEmitted
from ledger.money import Waterfall
from ledger.words import derived_id, local_day


class Place(NamedTuple):
    """The book in which it happens, and its zone."""

    book: str
    zone: str


def settle(receipt: Receipt, charge: Charge, facts: Sequence[Fact], place: Place) -> list[Fact]:
    """Decide what a receipt does to its charge; `facts` are those of message and charge."""
    authorized = charge.authorized
    effect = effect_of(receipt, authorized.captures_on)
    match effect, charge.status:
        case ("none", _) | ("release", "released" | "captured"):
            return []
        case "capture", "captured":
            return _again(receipt, charge, facts, place)
        case "capture", ("authorized" | "unresolved" | "released") as was:
            captured = _captured(receipt, authorized, was, place.zone)
            return [captured, *_leg_came_after_all(authorized, facts, captured.occurred_at)]
        case "release", ("authorized" | "unresolved") as was:
            if _superseded(receipt.mt, authorized.ref.charge, facts):
                return []
            released = _released(receipt, authorized, was, place.zone)
            return [released, *_leg_failed(authorized, facts, place.book, released.occurred_at)]


def _again(receipt: Receipt, charge: Charge, facts: Sequence[Fact], place: Place) -> list[Fact]:
    """Record that another message on a captured charge was billed too, once for each."""
    if charge.captured_by in {None, receipt.mt}:
        return []
    if any(isinstance(one, ChargeCaptured) and one.mt == receipt.mt for one in facts):
        return []
    authorized = charge.authorized
    at = _not_before(authorized, receipt)
    day = local_day(at, place.zone)
    amounts = authorized.amounts
    nobodys = Waterfall(
        price=amounts.price,
        tax=amounts.tax,
        operator=amounts.operator,
        aggregator=amounts.reversement,
        merchant=0,
    )
    ref = msgspec.structs.replace(
        authorized.ref,
        charge=derived_id(place.book, "charge", receipt.mt, "billed again"),
        merchant=None,
        service=None,
        keyword=None,
        merchant_contract=None,
    )
    captured = ChargeCaptured(
        ref=ref,
        amounts=nobodys,
        currency=authorized.currency,
        authorized_day=day,
        was="unauthorized",
        mt=receipt.mt,
        value_day=day,
        occurred_at=at,
    )
    about = about_charge(ref, amounts.price, authorized.currency, receipt.mt)
    return [captured, opened(place.book, "billed_twice", receipt.mt, about, at)]


def _superseded(mt: str, charge: str, facts: Sequence[Fact]) -> bool:
    """Tell whether a later message carries the charge now, so that this one's failing is old."""
    on_it = [
        fact.ref.mt for fact in facts if isinstance(fact, MtEmitted) and fact.ref.charge == charge
    ]
    return bool(on_it) and on_it[-1] != mt


def _leg_failed(
    authorized: ChargeAuthorized, facts: Sequence[Fact], book: str, at: datetime
) -> list[Fact]:
    """Find that the operator charged the message although its answer came to nothing."""
    ref = authorized.ref
    other = any(
        isinstance(one, ChargeAuthorized)
        and one.ref.leg == "mo"
        and one.ref.mo is not None
        and one.ref.mo == ref.mo
        for one in facts
    )
    if ref.leg == "mo" or not other:
        return []
    found = opened(book, "leg_failed", ref.charge, about_charge(ref, None, None), at)
    return [] if any(one.subject == found.subject for one in facts) else [found]


def _leg_came_after_all(
    authorized: ChargeAuthorized, facts: Sequence[Fact], at: datetime
) -> list[Fact]:
    failed = [
        one
        for one in still_open(facts)
        if one.kind == "leg_failed" and one.charge == authorized.ref.charge
    ]
    return [
        closed(one, Closing("resolved", "the answer was billed after all"), at) for one in failed
    ]


def _captured(
    receipt: Receipt,
    authorized: ChargeAuthorized,
    was: Literal["authorized", "unresolved", "released"],
    zone: str,
) -> ChargeCaptured:
    at = _not_before(authorized, receipt)
    return ChargeCaptured(
        ref=authorized.ref,
        amounts=authorized.amounts,
        currency=authorized.currency,
        authorized_day=authorized.value_day,
        was=was,
        mt=receipt.mt,
        value_day=local_day(at, zone),
        occurred_at=at,
    )


def _released(
    receipt: Receipt,
    authorized: ChargeAuthorized,
    was: Literal["authorized", "unresolved"],
    zone: str,
) -> ChargeReleased:
    at = _not_before(authorized, receipt)
    return ChargeReleased(
        ref=authorized.ref,
        amounts=authorized.amounts,
        currency=authorized.currency,
        authorized_day=authorized.value_day,
        was=was,
        mt=receipt.mt,
        reason=_reason(receipt),
        value_day=local_day(at, zone),
        occurred_at=at,
    )


def _not_before(authorized: ChargeAuthorized, receipt: Receipt) -> datetime:
    """Give when a receipt counts: no charge ends before it began, whatever a clock says."""
    return max(receipt.occurred_at, authorized.occurred_at)


def _reason(receipt: Receipt) -> Literal["failed", "rejected", "not_billed"]:
    match receipt.outcome:
        case "failed" | "rejected":
            return receipt.outcome
        case "submitted" | "buffered" | "delivered":
            return "not_billed"


def chained(
    facts: Sequence[Fact], before: Sequence[Fact], exchange: str | None, cause: str
) -> list[Draft]:
    """Put what follows from a receipt into drafts, the facts of each kind and subject counted."""
    drafts: list[Draft] = []
    for fact in facts:
        same = (type(fact), fact.subject)
        n = sum(1 for one in before if (type(one), one.subject) == same)
        drafts.append(Draft(fact, n, exchange=exchange, caused_by=cause))
    return drafts
