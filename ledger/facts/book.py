"""Facts about the book itself: its opening, the rules in force, the gateways it hears."""

from typing import Annotated, Any

from msgspec import Meta

from ledger.facts.base import Fact, Operator, ShortId
from ledger.money import Currency
from ledger.words import Instant

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class BookOpened(Fact, frozen=True, kw_only=True, tag="book_opened.v1"):
    """A jurisdiction's ledger began; always position 1."""

    book: ShortId
    jurisdiction: str
    """ISO 3166-1 alpha-2 country code."""
    legal_entity: str
    currency: Currency
    zone: str
    """IANA time zone in which days and months are told."""
    log_origin: str
    """The scheme-less URL that names this book's transparency log. Source: C2SP tlog-checkpoint."""
    pseudonym_scheme: str
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The book."""
        return self.book


class RulesAdopted(Fact, frozen=True, kw_only=True, tag="rules_adopted.v1"):
    """From here on decisions follow this pack and these settings."""

    pack: ShortId
    pack_sha256: Sha256
    settings_sha256: Sha256
    settings: dict[str, Any]
    """Every setting's value, as adopted."""
    pack_toml: str | None = None
    """The pack's own text, so that the log alone says what the rules were; none in early books."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The pack and settings together."""
        return f"{self.pack_sha256}/{self.settings_sha256}"


class GatewayDeclared(Fact, frozen=True, kw_only=True, tag="gateway_declared.v1"):
    """A gateway may hand messages over, and this is how its ids and links are read."""

    gateway: ShortId
    operators: dict[str, Operator]
    """Operator by the name that the gateway gives its link (Kannel's smsc-id)."""
    recycles_ids: bool
    """Whether its message ids come again on another day."""
    repeat_horizon_days: Annotated[int, Meta(ge=1)]
    """For how long it may still hand the same message over again."""
    clock_tolerance_seconds: Annotated[int, Meta(ge=0)] | None = None
    """How far its clock may be from ours before ours is taken; none given: the book's setting."""
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The gateway."""
        return self.gateway
