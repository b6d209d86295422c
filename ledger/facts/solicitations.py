"""Facts of solicitations: may a past buyer be written to, and was the permission used."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.facts.base import Consumer, Fact, HexId, Operator, ShortCode, ShortId
from ledger.words import Instant


class SolicitationRef(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Who is to be invited to buy what again; the same on all facts of one asking."""

    solicitation: HexId
    consumer: Consumer
    gateway: ShortId
    smsc: str
    """The gateway, and the link there, that the invitation would go out by."""
    merchant: ShortId
    service: ShortId
    short_code: ShortCode
    operator: Operator
    test: bool = False


class SolicitationAllowed(Fact, frozen=True, kw_only=True, tag="solicitation_allowed.v1"):
    """One message may be sent until then; it counts from now on, until it expires unused."""

    ref: SolicitationRef
    count: Annotated[int, Meta(ge=1)]
    """Solicitations since the consumer last returned, this one included."""
    limit: Annotated[int, Meta(ge=1)]
    charter: str
    """Whose hours were kept."""
    expires_at: Instant
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The asking."""
        return self.ref.solicitation


SolicitationRule = Literal[
    "unknown_consumer",
    "no_charter",
    "opted_out",
    "never_bought",
    "alias_window",
    "limit_without_return",
    "outside_hours",
    "service_suspended",
    "not_on_sale",
]
"""Never bought: no paid transaction with this merchant, or none since the opt-out."""


class SolicitationRefused(Fact, frozen=True, kw_only=True, tag="solicitation_refused.v1"):
    """Somebody asked to solicit a consumer, and this rule forbids it."""

    ref: SolicitationRef
    rule: SolicitationRule
    count: int
    """Solicitations since the consumer last returned."""
    limit: int
    charter: str
    opens_at: Instant | None = None
    """Outside hours: when the next permitted hour begins."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The asking."""
        return self.ref.solicitation


class SolicitationExpired(Fact, frozen=True, kw_only=True, tag="solicitation_expired.v1"):
    """An allowance was not used in time, so it no longer counts."""

    ref: SolicitationRef
    allowed_at: Instant
    occurred_at: Instant
    """When it ran out, whenever that was noticed."""

    @property
    def subject(self) -> str:
        """The asking."""
        return self.ref.solicitation
