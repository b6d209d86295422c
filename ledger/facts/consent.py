"""Facts of consent: what a consumer stopped, and what came after."""

from ledger.facts.base import Consumer, Fact, HexId, Operator, ShortCode, ShortId
from ledger.words import Instant


class OptedOut(Fact, frozen=True, kw_only=True, tag="opted_out.v1"):
    """A consumer said STOP; one free confirmation, then silence."""

    consumer: Consumer
    mo: HexId
    short_code: ShortCode
    operator: Operator
    merchant: ShortId | None = None
    service: ShortId | None = None
    """The one service that stops; none named means every service on the code."""
    everywhere: bool = False
    """Whether every code is meant, and not this one alone."""
    word: str
    """The service word as it was recognised."""
    test: bool = False
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO that said so."""
        return self.mo


class OptOutLifted(Fact, frozen=True, kw_only=True, tag="opt_out_lifted.v1"):
    """The consumer wrote to the code again, which allows replies and nothing more."""

    consumer: Consumer
    mo: HexId
    """The MO that lifts it."""
    short_code: ShortCode
    operator: Operator
    service: ShortId | None = None
    """The scope that was stopped, as `opted_out` gave it."""
    everywhere: bool = False
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO that lifts it."""
        return self.mo
