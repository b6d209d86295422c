"""What a receipt means for a charge, by what captures that charge."""

from datetime import datetime
from typing import Literal, NamedTuple

from ledger.facts.traffic import Billed

ReceiptOutcome = Literal["submitted", "buffered", "delivered", "failed", "rejected"]
Effect = Literal["capture", "release", "none"]


class Receipt(NamedTuple):
    """What a gateway reports about a message, its time already judged."""

    mt: str
    gateway: str
    outcome: ReceiptOutcome
    billed: Billed
    raw_status: str
    operator_message_id: str | None
    occurred_at: datetime
    stated_at: str | None
    part: int | None = None
    """The part of the message that it speaks of; none speaks of the whole."""


def effect_of(receipt: Receipt, captures_on: str) -> Effect:
    """Tell what a receipt means for a charge that is captured on `captures_on`.

    A message that the SMSC rejected was never sent, so it frees the charge; the gateway's
    word is nothing only where the operator's file decides. Where acceptance captures, *failed*
    alone leaves the charge pending: nobody said that it was accepted.
    """
    match captures_on:
        case "smsc_accepted":
            accepted = receipt.outcome in {"submitted", "buffered", "delivered"}
            return "capture" if accepted else _release_if(receipt, "rejected")
        case "delivered":
            return _by_delivery(receipt)
        case "billed_flag":
            return _by_flag(receipt)
        case _:
            return "none"


def _release_if(receipt: Receipt, *outcomes: str) -> Effect:
    return "release" if receipt.outcome in outcomes else "none"


def _by_delivery(receipt: Receipt) -> Effect:
    """Where delivery captures, one that says *not billed* settles nothing either way."""
    if receipt.outcome == "delivered":
        return "none" if receipt.billed == "no" else "capture"
    return _release_if(receipt, "rejected", "failed")


def _by_flag(receipt: Receipt) -> Effect:
    match receipt.billed:
        case "yes":
            return "capture"
        case "no":
            return "release"
        case "unknown":
            return _release_if(receipt, "rejected")
