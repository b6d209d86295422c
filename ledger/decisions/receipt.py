"""What a delivery receipt changes: a message's outcome, and perhaps its charge.

*Submitted*, *delivered* and *billed* are three things. What captures a charge was written
on it when it was authorized. Every receipt is recorded once; a repeat changes nothing; one
that contradicts an earlier one is recorded as such, and money that was captured stays.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.decisions.effect import Receipt, effect_of
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.registry import fact_id
from ledger.facts.traffic import (
    DeliveryOrphaned,
    DeliveryReceived,
    MtEmitted,
    MtSubmitted,
)
from ledger.words import local_day

FINAL = frozenset({"delivered", "failed", "rejected"})


class Charge(NamedTuple):
    """Where a charge stands, and the fact that brought it there."""

    authorized: ChargeAuthorized
    status: Literal["authorized", "unresolved", "released", "captured"]


class Message(NamedTuple):
    """What is known of one message before the receipt."""

    emitted: MtEmitted | None = None
    submitted: tuple[MtSubmitted, ...] = ()
    receipts: tuple[DeliveryReceived, ...] = ()
    orphans: tuple[DeliveryOrphaned, ...] = ()
    charge: Charge | None = None


def message(facts: Iterable[Fact], mt: str) -> Message:
    """Fold what is known of the message `mt` and of the charge that rides on it."""
    known = Message()
    for fact in facts:
        known = _take_in(known, fact, mt)
    return known


def receive(receipt: Receipt, known: Message, book: str, zone: str) -> list[Draft]:
    """Decide what a receipt adds: itself once, and what it means for the charge."""
    if known.emitted is None or known.emitted.ref.gateway != receipt.gateway:
        return _orphan(receipt, known)
    if _is_repeat(receipt, known):
        return []
    recorded = _record(receipt, known, known.emitted)
    if known.charge is None:
        return [recorded]
    cause = fact_id(book, type(recorded.fact), receipt.mt, recorded.n)
    return [recorded, *_book(receipt, known.charge, zone, cause)]


def join(known: Message, book: str, zone: str) -> list[Draft]:
    """Decide on the receipts that came before their message, now that it is there."""
    drafts: list[Draft] = []
    for place, orphan in enumerate(known.orphans):
        if known.emitted is None or orphan.gateway != known.emitted.ref.gateway:
            continue  # Another gateway's word is evidence, and nothing more.
        receipt = Receipt(
            mt=orphan.mt,
            gateway=orphan.gateway,
            outcome=orphan.outcome,
            billed=orphan.billed,
            raw_status=orphan.raw_status,
            operator_message_id=orphan.operator_message_id,
            occurred_at=orphan.occurred_at,
            stated_at=orphan.stated_at,
        )
        new = receive(receipt, known, book, zone)
        for draft in new:
            known = _take_in(known, draft.fact, orphan.mt)
        cause = fact_id(book, DeliveryOrphaned, orphan.mt, place)
        drafts.extend(draft._replace(caused_by=draft.caused_by or cause) for draft in new)
    return drafts


def _take_in(known: Message, fact: Fact, mt: str) -> Message:
    match fact:
        case MtEmitted() if fact.ref.mt == mt:
            return known._replace(emitted=fact)
        case MtSubmitted() if fact.ref.mt == mt:
            return known._replace(submitted=(*known.submitted, fact))
        case DeliveryReceived() if fact.ref.mt == mt:
            return known._replace(receipts=(*known.receipts, fact))
        case DeliveryOrphaned() if fact.mt == mt:
            return known._replace(orphans=(*known.orphans, fact))
        case _:
            return known._replace(charge=_moved(known.charge, fact))


def charge_of(facts: Iterable[Fact]) -> Charge | None:
    """Fold where the one charge among `facts` stands."""
    charge = None
    for fact in facts:
        charge = _moved(charge, fact)
    return charge


def _moved(charge: Charge | None, fact: Fact) -> Charge | None:
    if isinstance(fact, ChargeAuthorized):
        return Charge(fact, "authorized")
    if charge is None:
        return None
    match fact:
        case ChargeCaptured():
            return charge._replace(status="captured")
        case ChargeReleased():
            return charge._replace(status="released")
        case ChargeUnresolved():
            return charge._replace(status="unresolved")
        case _:
            return charge


def _orphan(receipt: Receipt, known: Message) -> list[Draft]:
    """Keep a receipt for a message that we do not know, or not from that gateway, once."""
    said = (receipt.gateway, receipt.outcome, receipt.billed)
    if said in {(one.gateway, one.outcome, one.billed) for one in known.orphans}:
        return []
    fact = DeliveryOrphaned(
        mt=receipt.mt,
        gateway=receipt.gateway,
        outcome=receipt.outcome,
        billed=receipt.billed,
        raw_status=receipt.raw_status,
        operator_message_id=receipt.operator_message_id,
        occurred_at=receipt.occurred_at,
        stated_at=receipt.stated_at,
    )
    return [Draft(fact, n=len(known.orphans))]


def _is_repeat(receipt: Receipt, known: Message) -> bool:
    if receipt.outcome == "submitted":
        return receipt.billed in {one.billed for one in known.submitted}
    return (receipt.outcome, receipt.billed) in {
        (one.outcome, one.billed) for one in known.receipts
    }


def _record(receipt: Receipt, known: Message, emitted: MtEmitted) -> Draft:
    ref = emitted.ref
    if receipt.outcome == "submitted":
        submitted = MtSubmitted(
            ref=ref,
            billed=receipt.billed,
            raw_status=receipt.raw_status,
            operator_message_id=receipt.operator_message_id,
            occurred_at=receipt.occurred_at,
            stated_at=receipt.stated_at,
        )
        return Draft(submitted, n=len(known.submitted), exchange=ref.mo)
    received = DeliveryReceived(
        ref=ref,
        outcome=receipt.outcome,
        billed=receipt.billed,
        raw_status=receipt.raw_status,
        operator_message_id=receipt.operator_message_id,
        contradicts=_contradicts(receipt, known),
        occurred_at=receipt.occurred_at,
        stated_at=receipt.stated_at,
    )
    return Draft(received, n=len(known.receipts), exchange=ref.mo)


def _contradicts(receipt: Receipt, known: Message) -> bool:
    """Tell whether an earlier receipt named another end, or said otherwise of the billing."""
    ends = {one.outcome for one in known.receipts} & FINAL - {receipt.outcome}
    billings = {one.billed for one in (*known.submitted, *known.receipts)}
    otherwise = {"yes": "no", "no": "yes", "unknown": None}[receipt.billed]
    return (receipt.outcome in FINAL and bool(ends)) or otherwise in billings


def _book(receipt: Receipt, charge: Charge, zone: str, cause: str) -> list[Draft]:
    """Decide what the receipt does to its charge; `cause` is the receipt's fact id."""
    match effect_of(receipt, charge.authorized.captures_on), charge.status:
        case ("none", _) | (_, "captured") | ("release", "released"):
            return []
        case "capture", ("authorized" | "unresolved" | "released") as was:
            fact: Fact = _captured(receipt, charge.authorized, was, zone)
        case "release", ("authorized" | "unresolved") as was:
            fact = _released(receipt, charge.authorized, was, zone)
    return [Draft(fact, exchange=charge.authorized.ref.mo, caused_by=cause)]


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
