"""Facts of the traffic: messages in, what they matched, messages out, and receipts."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.facts.base import Consumer, Fact, HexId, Operator, Sealed, ShortCode, ShortId
from ledger.money import Currency, Micros
from ledger.words import Instant

Outcome = Literal["buffered", "delivered", "failed", "rejected"]
Billed = Literal["yes", "no", "unknown"]
MtKind = Literal[
    "content",
    "error",
    "service_word",
    "opt_out_confirmation",
    "subscription_offer",
    "renewal",
    "solicitation",
    "tariff_notice",
]
GatewayMessageId = Annotated[str, Meta(min_length=1, max_length=128)]


UnmatchedReason = Literal[
    "unknown_code", "no_words", "unknown_keyword", "not_on_sale", "suspended", "stopped_since"
]
"""Not on sale: the keyword is assigned, but its service or price is not in force. Stopped since:
the message was sent before a STOP that reached us first."""


class MtRef(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Which message it is and to whom; the same on all its facts."""

    mt: HexId
    mo: HexId | None = None
    """The MO that it answers; none for a message that nobody had just asked for."""
    gateway: ShortId
    """Where it goes out, and so the only one whose receipts count."""
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    merchant: ShortId | None = None
    service: ShortId | None = None
    charge: HexId | None = None
    """The charge that rides on it; none for a free message."""
    subscription: HexId | None = None
    """The subscription that it belongs to."""
    solicitation: HexId | None = None
    """The allowance that it uses up."""
    notice: HexId | None = None
    """The notice that it brings."""
    test: bool = False
    """To a test number: no part of any count."""


class MoReceived(Fact, frozen=True, kw_only=True, tag="mo_received.v1"):
    """A consumer's message reached us through a gateway."""

    mo: HexId
    gateway: ShortId
    smsc: str
    gateway_message_id: GatewayMessageId
    operator_message_id: str | None = None
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    text: Sealed | None = None
    fingerprint: HexId
    """HMAC of (sender, code, text) under the data key: the same message has the same."""
    occurred_at: Instant
    stated_at: str | None = None
    """The gateway's own time as it wrote it, where it was too far from ours to be taken."""
    test: bool = False
    """From a test number: no part of any count."""

    @property
    def subject(self) -> str:
        """The MO."""
        return self.mo


class ConflictingDuplicateReceived(
    Fact, frozen=True, kw_only=True, tag="conflicting_duplicate_received.v1"
):
    """A message came under the id of another: kept as evidence, with no further effect."""

    mo: HexId
    """The id that both claim."""
    gateway: ShortId
    smsc: str
    gateway_message_id: GatewayMessageId
    operator_message_id: str | None = None
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    text: Sealed | None = None
    fingerprint: HexId
    occurred_at: Instant
    stated_at: str | None = None

    @property
    def subject(self) -> str:
        """The MO that came first."""
        return self.mo


class DuplicateSuspected(Fact, frozen=True, kw_only=True, tag="duplicate_suspected.v1"):
    """A consumer's same words came again at once, under another id: answered, not charged again."""

    mo: HexId
    like: HexId
    """The MO that came before, of the same consumer, code and text."""
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    merchant: ShortId
    service: ShortId
    window_seconds: int
    """Within which the service takes such a message for a repeat."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO that came again."""
        return self.mo


class KeywordMatched(Fact, frozen=True, kw_only=True, tag="keyword_matched.v1"):
    """The message asked for a service; merchant and price are frozen here."""

    mo: HexId
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    keyword: str
    text: Sealed | None = None
    """The argument: what followed the keyword, as written."""
    choice: str | None = None
    """The argument again, in the clear, only where the service itself lists it as a choice."""
    merchant: ShortId
    service: ShortId
    tariff: ShortId
    tariff_version: HexId
    """The fact that set it."""
    price: Micros
    """Of the answer, tax included; what the MO itself costs stands beside it."""
    mo_price: Micros = 0
    currency: Currency
    catalogue_position: int
    """The last catalogue fact that this decision knew."""
    test: bool = False
    """From a test number: no part of any count."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO."""
        return self.mo


class KeywordUnmatched(Fact, frozen=True, kw_only=True, tag="keyword_unmatched.v1"):
    """The message asked for nothing we know, so nothing may be charged for its answer."""

    mo: HexId
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    reason: UnmatchedReason
    catalogue_position: int
    test: bool = False
    """From a test number: no part of any count."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO."""
        return self.mo


class MtEmitted(Fact, frozen=True, kw_only=True, tag="mt_emitted.v1"):
    """A message was decided: handed back in the gateway's own response, or to be pushed."""

    ref: MtRef
    kind: MtKind
    billing_code: str
    """What tells the operator the price, the free code included."""
    tariff: ShortId | None = None
    tariff_version: HexId | None = None
    """The fact that set the tariff; none for a message that is free whatever it answers."""
    parts: Annotated[int, Meta(ge=1)]
    text: Sealed | None = None
    pushed: bool = False
    """Whether it answers no request, so that somebody has to hand it to the gateway."""
    smsc: str | None = None
    """The link that a pushed message goes out by, as the gateway calls it."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt


class MtSubmitted(Fact, frozen=True, kw_only=True, tag="mt_submitted.v1"):
    """The operator's SMSC accepted the message: neither delivered nor billed yet."""

    ref: MtRef
    billed: Billed = "unknown"
    part: Annotated[int, Meta(ge=1)] | None = None
    """The part of the message that it speaks of, where it says so."""
    raw_status: str
    operator_message_id: str | None = None
    occurred_at: Instant
    stated_at: str | None = None

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt


class DeliveryReceived(Fact, frozen=True, kw_only=True, tag="delivery_received.v1"):
    """A receipt said what became of a message, and perhaps whether it was billed."""

    ref: MtRef
    outcome: Outcome
    billed: Billed
    part: Annotated[int, Meta(ge=1)] | None = None
    """The part of the message that it speaks of, where it says so."""
    raw_status: str
    operator_message_id: str | None = None
    contradicts: bool = False
    """Whether an earlier receipt of the same message said otherwise: its end, or whether billed."""
    occurred_at: Instant
    stated_at: str | None = None

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt


class DeliveryOrphaned(Fact, frozen=True, kw_only=True, tag="delivery_orphaned.v1"):
    """A receipt named a message that we do not know so far, or not from that gateway."""

    mt: HexId
    gateway: ShortId
    outcome: Literal["submitted", "buffered", "delivered", "failed", "rejected"]
    billed: Billed
    part: Annotated[int, Meta(ge=1)] | None = None
    raw_status: str
    operator_message_id: str | None = None
    occurred_at: Instant
    stated_at: str | None = None

    @property
    def subject(self) -> str:
        """The MT, as the receipt named it."""
        return self.mt
