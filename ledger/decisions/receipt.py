"""What a delivery receipt changes: a message's outcome, and perhaps its charge.

*Submitted*, *delivered* and *billed* are three things. What captures a charge was written
on it when it was authorized. Every receipt is recorded once; a repeat changes nothing; one
that contradicts an earlier one is recorded as such, and money that was captured stays.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ledger.decisions.effect import Receipt
from ledger.decisions.settling import Place, chained, settle
from ledger.decisions.standing import Charge, charge_of
from ledger.decisions.unallowed import bill
from ledger.facts.base import Draft, Fact
from ledger.facts.registry import fact_id
from ledger.facts.traffic import (
    DeliveryOrphaned,
    DeliveryReceived,
    MtEmitted,
    MtSubmitted,
)

FINAL = frozenset({"delivered", "failed", "rejected"})


class Message(NamedTuple):
    """What is known of one message before the receipt."""

    emitted: MtEmitted | None = None
    submitted: tuple[MtSubmitted, ...] = ()
    receipts: tuple[DeliveryReceived, ...] = ()
    orphans: tuple[DeliveryOrphaned, ...] = ()
    charge: Charge | None = None
    facts: tuple[Fact, ...] = ()
    """Everything that was read, in order."""
    exchange: str | None = None
    """What the message belongs to, as it was recorded with it."""


def message(facts: Iterable[Fact], mt: str, exchange: str | None = None) -> Message:
    """Fold what is known of the message `mt` and of the charge that rides on it."""
    known = Message(facts=tuple(facts), exchange=exchange)
    for fact in known.facts:
        known = _take_in(known, fact, mt)
    return _with_charge(known)


def _with_charge(known: Message) -> Message:
    charge = known.emitted.ref.charge if known.emitted else None
    return known._replace(charge=charge_of(known.facts, charge) if charge else None)


def receive(receipt: Receipt, known: Message, book: str, zone: str) -> list[Draft]:
    """Decide what a receipt adds: itself once, and what it means for the charge."""
    if known.emitted is None or known.emitted.ref.gateway != receipt.gateway:
        return _orphan(receipt, known)
    if _is_repeat(receipt, known):
        return []
    recorded = _record(receipt, known, known.emitted)
    cause = fact_id(book, type(recorded.fact), receipt.mt, recorded.n)
    whole = _of_the_whole(receipt, known, known.emitted)
    follows = _settled(whole, known, known.emitted, Place(book, zone))
    return [recorded, *chained(follows, known.facts, known.exchange, cause)]


def _settled(receipt: Receipt, known: Message, emitted: MtEmitted, place: Place) -> Sequence[Fact]:
    """Decide what a receipt does to the charge that its message carries, if it carries one."""
    if known.charge is not None:
        return settle(receipt, known.charge, known.facts, place)
    charge = emitted.ref.charge
    return [] if charge is None else bill(receipt, charge, known.facts, place.zone)


def _of_the_whole(receipt: Receipt, known: Message, emitted: MtEmitted) -> Receipt:
    """Let the parts of a message make one outcome: delivered once all are, failed once any is.

    A receipt that names no part speaks of the whole.
    """
    if receipt.part is None or emitted.parts == 1 or receipt.outcome != "delivered":
        return receipt
    delivered = {one.part for one in known.receipts if one.outcome == "delivered"}
    if {*range(1, emitted.parts + 1)} <= {*delivered, receipt.part}:
        return receipt
    return receipt._replace(outcome="buffered")


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
            part=orphan.part,
            raw_status=orphan.raw_status,
            operator_message_id=orphan.operator_message_id,
            occurred_at=orphan.occurred_at,
            stated_at=orphan.stated_at,
        )
        new = receive(receipt, known, book, zone)
        facts = (*known.facts, *(draft.fact for draft in new))
        known = message(facts, orphan.mt, known.exchange)
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
            return known


def _orphan(receipt: Receipt, known: Message) -> list[Draft]:
    """Keep a receipt for a message that we do not know, or not from that gateway, once."""
    said = (receipt.gateway, receipt.outcome, receipt.billed, receipt.part)
    if said in {(one.gateway, one.outcome, one.billed, one.part) for one in known.orphans}:
        return []
    fact = DeliveryOrphaned(
        mt=receipt.mt,
        gateway=receipt.gateway,
        outcome=receipt.outcome,
        billed=receipt.billed,
        part=receipt.part,
        raw_status=receipt.raw_status,
        operator_message_id=receipt.operator_message_id,
        occurred_at=receipt.occurred_at,
        stated_at=receipt.stated_at,
    )
    return [Draft(fact, n=len(known.orphans))]


def _is_repeat(receipt: Receipt, known: Message) -> bool:
    if receipt.outcome == "submitted":
        said = (receipt.billed, receipt.part)
        return said in {(one.billed, one.part) for one in known.submitted}
    return (receipt.outcome, receipt.billed, receipt.part) in {
        (one.outcome, one.billed, one.part) for one in known.receipts
    }


def _record(receipt: Receipt, known: Message, emitted: MtEmitted) -> Draft:
    ref = emitted.ref
    if receipt.outcome == "submitted":
        submitted = MtSubmitted(
            ref=ref,
            billed=receipt.billed,
            part=receipt.part,
            raw_status=receipt.raw_status,
            operator_message_id=receipt.operator_message_id,
            occurred_at=receipt.occurred_at,
            stated_at=receipt.stated_at,
        )
        return Draft(submitted, n=len(known.submitted), exchange=known.exchange)
    received = DeliveryReceived(
        ref=ref,
        outcome=receipt.outcome,
        billed=receipt.billed,
        part=receipt.part,
        raw_status=receipt.raw_status,
        operator_message_id=receipt.operator_message_id,
        contradicts=_contradicts(receipt, known),
        occurred_at=receipt.occurred_at,
        stated_at=receipt.stated_at,
    )
    return Draft(received, n=len(known.receipts), exchange=known.exchange)


def _contradicts(receipt: Receipt, known: Message) -> bool:
    """Tell whether an earlier receipt named another end, or said otherwise of the billing."""
    same = [one for one in known.receipts if receipt.part in {None, one.part}]
    ends = {one.outcome for one in same} & FINAL - {receipt.outcome}
    billings = {one.billed for one in (*known.submitted, *known.receipts)}
    otherwise = {"yes": "no", "no": "yes", "unknown": None}[receipt.billed]
    return (receipt.outcome in FINAL and bool(ends)) or otherwise in billings
