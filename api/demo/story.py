"""One consumer's exchange told fact by fact: what it says beside its text, in words."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.handover import MtHandedOver, MtHandoverUnknown
from ledger.facts.registry import stored_name
from ledger.facts.subscriptions import (
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import (
    DeliveryReceived,
    KeywordMatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from ledger.money import micros_text
from ledger.postings import postings


class Told(NamedTuple):
    """One fact of the story."""

    position: int
    at: datetime
    """When it happened, in the book's own zone."""
    type: str
    detail: str
    text: str | None
    """What was written, as the API shows it to a regulator."""


def tell(body: Mapping[str, Any], facts: Sequence[Recorded], zone: str) -> list[Told]:
    """Tell an exchange as the API gave it; `facts` is the whole book, in order."""
    shown: list[dict[str, Any]] = body["facts"]
    local = ZoneInfo(zone)
    return [_told(facts[int(one["position"]) - 1], one["content"], local) for one in shown]


def subscription_story(facts: Sequence[Recorded], zone: str) -> list[Told]:
    """Tell the life of the one subscription in a book, without any text.

    That an operator accepted a message is left out: it says so before or after other things.
    """
    local = ZoneInfo(zone)
    return [_told(one, None, local) for one in facts if _of_a_subscription(one.fact)]


def _of_a_subscription(fact: Any) -> bool:  # noqa: ANN401 - facts of every type
    if isinstance(fact, MtSubmitted | DeliveryReceived):
        return False
    return getattr(getattr(fact, "ref", None), "subscription", None) is not None


def _told(one: Recorded, text: str | None, zone: ZoneInfo) -> Told:
    fact: Any = one.fact
    at: datetime = fact.occurred_at
    detail = _DETAIL[type(one.fact)](fact) if type(one.fact) in _DETAIL else ""
    return Told(one.position, at.astimezone(zone), stored_name(type(one.fact)), detail, text)


def _received(fact: MoReceived) -> str:
    return f"{fact.consumer[:10]}… of {fact.operator} wrote to {fact.short_code}"


def _matched(fact: KeywordMatched) -> str:
    price = f"{micros_text(fact.price)} {fact.currency}"
    return f"{fact.keyword}: {fact.service} of {fact.merchant}, {price}; argument"


def _authorized(fact: ChargeAuthorized) -> str:
    parts = ("tax", "operator", "aggregator", "merchant")
    amounts = [f"{part} {micros_text(getattr(fact.amounts, part))}" for part in parts]
    return f"{micros_text(fact.amounts.price)} = {' + '.join(amounts)}, if {fact.captures_on}"


def _emitted(fact: MtEmitted) -> str:
    return f"{fact.kind}, billing code {fact.billing_code}"


def _submitted(_: MtSubmitted) -> str:
    return "the operator accepted the MT"


def _delivered(fact: DeliveryReceived) -> str:
    return f"{fact.outcome}; billed: {fact.billed}"


def _captured(fact: ChargeCaptured) -> str:
    lines = [
        f"{'debit' if line.debit else 'credit'} {line.account} {line.party}".strip()
        + f" {micros_text(line.debit or line.credit)}"
        for line in postings(fact)
    ]
    return "; ".join(lines)


def _released(fact: ChargeReleased) -> str:
    return f"not billed: {fact.reason}"


def _requested(fact: SubscriptionRequested) -> str:
    ref = fact.ref
    price = f"{micros_text(ref.price)} {ref.currency} every {ref.every.n} {ref.every.unit}"
    return f"{ref.keyword}: {ref.service} of {ref.merchant}, {price}; {fact.confirm} confirms"


def _started(fact: SubscriptionStarted) -> str:
    return "proof: " + " and ".join(one.step.replace("_", " ") for one in fact.consent)


def _renewed(fact: SubscriptionRenewed) -> str:
    return f"cycle {fact.number}"


def _stopped(fact: SubscriptionStopped) -> str:
    return f"by the {fact.by}"


def _offered(fact: MtHandoverUnknown) -> str:
    return f"attempt {fact.attempt}: on its way to the gateway"


def _taken(_: MtHandedOver) -> str:
    return "the gateway took it"


_DETAIL: Mapping[type[Fact], Callable[[Any], str]] = {
    MoReceived: _received,
    KeywordMatched: _matched,
    ChargeAuthorized: _authorized,
    MtEmitted: _emitted,
    MtSubmitted: _submitted,
    DeliveryReceived: _delivered,
    ChargeCaptured: _captured,
    ChargeReleased: _released,
    MtHandoverUnknown: _offered,
    MtHandedOver: _taken,
    SubscriptionRequested: _requested,
    SubscriptionStarted: _started,
    SubscriptionRenewed: _renewed,
    SubscriptionStopped: _stopped,
}
