"""What another platform says of a message: what it took it for, what it sent, what it charged."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.catalogue import Tariff
from ledger.decisions.effect import Receipt
from ledger.decisions.story import Exchange
from ledger.facts.base import Leg
from ledger.facts.catalogue import ServiceDeclared
from ledger.facts.traffic import MtKind, UnmatchedReason
from ledger.words import derived_id

State = Literal["authorized", "captured", "released", "refused"]


class ToldMatch(NamedTuple):
    """What the platform took the message for."""

    keyword: str
    argument: str
    merchant: str
    service: str


class ToldSent(NamedTuple):
    """Its answer."""

    text: str
    kind: MtKind
    sent_at: datetime


class ToldCharged(NamedTuple):
    """One amount that it charged, in micros with tax."""

    leg: Leg
    price: int
    currency: str
    state: State
    tariff: str | None = None
    category: str | None = None
    """The tax category by which it did, where nothing here says one."""
    ended_at: datetime | None = None


class Told(NamedTuple):
    """All that another platform says of one message."""

    match: ToldMatch | None
    unmatched: UnmatchedReason | None
    stopped: bool
    sent: ToldSent | None
    charges: tuple[ToldCharged, ...]
    receipts: tuple[Receipt, ...]

    @property
    def sold_as(self) -> tuple[str | None, str | None, str | None]:
        """Keyword, merchant and service, each none where nothing matched."""
        match = self.match
        return (match.keyword, match.merchant, match.service) if match else (None, None, None)

    @property
    def name(self) -> str:
        """Name what was told, texts aside, so that the same again is known from something else."""
        match = self.match and (self.match.keyword, self.match.merchant, self.match.service)
        sent = self.sent and (self.sent.kind, self.sent.sent_at.isoformat())
        parts = (match, self.unmatched, self.stopped, sent, self.charges, self.receipts)
        return derived_id("told", *map(str, parts))


class Sold(NamedTuple):
    """What is known here of what the platform sold, at that moment."""

    service: ServiceDeclared | None
    """None where it is not what this catalogue sells by that keyword."""
    tariff: Tariff | None


def sold_here(exchange: Exchange, match: ToldMatch | None) -> Sold:
    """Find in the catalogue what a platform says that it sold."""
    mo, catalogue = exchange.mo, exchange.known.catalogue
    at, code = mo.occurred_at, mo.short_code
    if match is None:
        return Sold(None, catalogue.code_tariff(code, at))
    tariff = catalogue.tariff(code, match.keyword, at)
    assignment = catalogue.assignment(code, match.keyword, at)
    service = catalogue.service(match.service, at)
    same = (
        service is not None
        and assignment is not None
        and (service.merchant, assignment.service) == (match.merchant, match.service)
        and not catalogue.suspended(match.service, at)
    )
    return Sold(service if same else None, tariff)


def told_id(exchange: Exchange, charges: Sequence[ToldCharged], place: int) -> str:
    """Give the id of a charge: the first one on a leg is the one that we would have made."""
    book, mo, leg = exchange.known.book, exchange.mo.mo, charges[place].leg
    before = sum(1 for one in charges[:place] if one.leg == leg)
    if not before:
        return derived_id(book, "charge", mo, leg)
    return derived_id(book, "charge", mo, leg, "told", before)


def carried(charges: Sequence[ToldCharged], leg: Leg) -> int | None:
    """Find the charge that a leg stands on: billed before pending, before one that may yet be.

    A message carries one charge, and what is reported of it is said of that one.
    """
    for state in ("captured", "authorized", "released"):
        for place, one in enumerate(charges):
            if (one.leg, one.state) == (leg, state):
                return place
    return None
