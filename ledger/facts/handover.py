"""Facts of a pushed message on its way to the gateway: offered, taken, refused, or cancelled."""

from typing import Annotated, Literal

from msgspec import Meta

from ledger.facts.base import Fact
from ledger.facts.traffic import MtRef
from ledger.words import Instant


class MtHandoverUnknown(Fact, frozen=True, kw_only=True, tag="mt_handover_unknown.v1"):
    """A pushed message is on its way to the gateway, and until it says so nobody knows if it came.

    Recorded before each attempt, so that a crash in between leaves this and not silence. Unless
    the gateway is known to have refused it, it is never attempted again.
    """

    ref: MtRef
    attempt: Annotated[int, Meta(ge=1)]
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt


class MtHandedOver(Fact, frozen=True, kw_only=True, tag="mt_handed_over.v1"):
    """The gateway took a pushed message."""

    ref: MtRef
    attempt: Annotated[int, Meta(ge=1)]
    raw_status: str
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt


class MtHandoverRefused(Fact, frozen=True, kw_only=True, tag="mt_handover_refused.v1"):
    """The gateway certainly did not take a pushed message, so it may be offered again."""

    ref: MtRef
    attempt: Annotated[int, Meta(ge=1)]
    raw_status: str
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt


MtCancelReason = Literal[
    "opted_out", "subscription_stopped", "withdrawn", "expired", "never_taken", "forgotten"
]
"""Withdrawn: its service is suspended, or its code closed. Expired: its hour or cycle passed
before it went out. Never taken: the gateway refused it too often. Forgotten: the consumer's
address, or the key of its text, was destroyed."""


class MtCancelled(Fact, frozen=True, kw_only=True, tag="mt_cancelled.v1"):
    """A pushed message that no gateway has taken will not be sent."""

    ref: MtRef
    reason: MtCancelReason
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MT."""
        return self.ref.mt
