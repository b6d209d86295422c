"""Facts of access: who may come in, and who was shown what."""

from typing import Annotated, Literal

from msgspec import Meta

from ledger.facts.base import Consumer, Fact, HexId, ShortCode, ShortId
from ledger.facts.book import Sha256
from ledger.words import Instant, LocalDay

Role = Literal["gateway", "merchant", "finance", "regulator", "admin"]
KeyId = Annotated[str, Meta(pattern=r"^[0-9a-f]{16}\Z")]


class AccessGranted(Fact, frozen=True, kw_only=True, tag="access_granted.v1"):
    """A key opens this book, in one role, until it expires or is revoked."""

    key: KeyId
    secret_sha256: Sha256
    """Of the secret's 256 random bits; the secret itself is shown once and never kept."""
    role: Role
    merchant: ShortId | None = None
    """The only merchant a merchant's key may see."""
    gateway: ShortId | None = None
    """The only gateway that a gateway's key may speak for."""
    label: str
    expires_at: Instant
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The key."""
        return self.key


class AccessRevoked(Fact, frozen=True, kw_only=True, tag="access_revoked.v1"):
    """A key opens nothing any more."""

    key: KeyId
    reason: str
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The key."""
        return self.key


class EvidenceDisclosed(Fact, frozen=True, kw_only=True, tag="evidence_disclosed.v1"):
    """Somebody was shown personal content, by whom it was asked and of whom it was."""

    disclosure: HexId
    key: KeyId
    role: Role
    consumer: Consumer
    mo: HexId | None = None
    """The one exchange that was shown; none means a stretch of the consumer's trail."""
    after_position: int = 0
    through_position: int
    """The first position after which, and the last up to which it was shown."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The disclosure."""
        return self.disclosure


class AuditExported(Fact, frozen=True, kw_only=True, tag="audit_exported.v1"):
    """Somebody was given the facts of a period, a code or a consumer, sealed texts as sealed."""

    export: HexId
    key: KeyId | None = None
    """The key that asked; none for whoever runs the ledger."""
    first_day: LocalDay
    last_day: LocalDay
    """Local days by `recorded_at`, both included."""
    short_code: ShortCode | None = None
    consumer: Consumer | None = None
    facts: int
    through_position: int
    """The position that it is complete up to."""
    manifest_sha256: Sha256
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The export."""
        return self.export
