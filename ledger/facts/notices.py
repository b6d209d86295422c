"""Facts of notices: a consumer has spent so much that the price must be told again."""

from typing import Literal

from msgspec import Struct

from ledger.facts.base import Consumer, Fact, HexId, Operator, ShortCode, ShortId
from ledger.money import Currency, Price
from ledger.words import Instant


class NoticeRef(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Whom to tell what; the same on all facts of one notice."""

    notice: HexId
    name: str
    """The rule, as the pack names it."""
    consumer: Consumer
    gateway: ShortId
    smsc: str
    merchant: ShortId
    service: ShortId
    short_code: ShortCode
    operator: Operator
    test: bool = False


class NoticeDue(Fact, frozen=True, kw_only=True, tag="notice_due.v1"):
    """A charge took a consumer's spending over a threshold, or over several at once."""

    ref: NoticeRef
    mo: HexId | None = None
    charge: HexId
    """The charge that crossed it."""
    every: Price
    """The step between thresholds, in micros."""
    threshold: Price
    """The highest one that was crossed."""
    crossed: int
    """How many were crossed at once."""
    spent: Price
    """With that charge."""
    currency: Currency
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The notice."""
        return self.ref.notice


class NoticeSent(Fact, frozen=True, kw_only=True, tag="notice_sent.v1"):
    """The notice's free message was emitted."""

    ref: NoticeRef
    mt: HexId
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The notice."""
        return self.ref.notice


class NoticeDropped(Fact, frozen=True, kw_only=True, tag="notice_dropped.v1"):
    """The notice will not be sent: the consumer wants no message, or nobody can be named."""

    ref: NoticeRef
    reason: Literal["opted_out", "code_closed"]
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The notice."""
        return self.ref.notice
