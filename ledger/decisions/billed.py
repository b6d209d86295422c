"""What became of a charge's money after it was billed: given back, written off, or still there.

A fold of one charge's own facts. All that may still be given back follows from it, whoever
gives it and by whatever channel.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.decisions.finding import still_open
from ledger.decisions.refusals import UnknownCharge
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeRefunded,
    ChargeReleased,
    ChargeUnresolved,
    ChargeWrittenOff,
    RefundRefused,
)
from ledger.facts.findings import FindingClosed, FindingOpened
from ledger.money import Waterfall

Life = ChargeAuthorized | ChargeUnresolved | ChargeReleased | ChargeCaptured


class Billed(NamedTuple):
    """One charge, whether it was captured, and what was taken from it since."""

    ref: ChargeRef
    amounts: Waterfall
    currency: str
    exchange: str | None
    """The chain that it stands in."""
    cause: str
    """The id of the fact that brought it where it stands."""
    capture: ChargeCaptured | None = None
    refunds: tuple[ChargeRefunded, ...] = ()
    write_offs: tuple[ChargeWrittenOff, ...] = ()
    """One at most."""
    refused: tuple[RefundRefused, ...] = ()
    findings: tuple[FindingOpened, ...] = ()
    """Those about this charge, or its message, that are still open."""
    closed: tuple[FindingClosed, ...] = ()

    @property
    def taken_back(self) -> bool:
        """Whether the operator gave the consumer all of it back, and us nothing of it."""
        return any(one.taken_back is not None for one in self.refunds)

    @property
    def given_back(self) -> int:
        """What the consumer got back so far, over all channels, in micros."""
        return sum(one.price for one in self.refunds)

    @property
    def left(self) -> int:
        """What could still be given back, in micros; nothing where nobody paid."""
        if self.capture is None or any(one.reason == "unpaid" for one in self.write_offs):
            return 0
        return self.amounts.price - self.given_back

    @property
    def nobodys(self) -> bool:
        """Whether nobody earns it: an operator billed what nobody sold, or it was a test."""
        return self.ref.merchant is None or self.ref.test

    @property
    def unattributed(self) -> int:
        """What of its reversement still stands unattributed, in micros."""
        if not self.nobodys or self.capture is None or self.taken_back or self.write_offs:
            return 0
        return self.amounts.reversement - sum(one.unattributed for one in self.refunds)

    def draft(self, fact: Fact, caused_by: str | None = None) -> Draft:
        """Let a fact follow from what is known of the charge, or from the fact `caused_by`."""
        return Draft(fact, exchange=self.exchange, caused_by=caused_by or self.cause)


def billed(history: Iterable[Recorded], charge: str) -> Billed:
    """Fold what is known of a charge; `history` holds all facts that are tagged with it.

    It may also hold findings about other things, which count as far as they are about its message:
    of two legs one is to be given back where the other failed.

    Raises:
        UnknownCharge: this book never knew such a charge.
    """
    facts = list(history)
    found: Billed | None = None
    for one in facts:
        if isinstance(one.fact, Life) and one.fact.ref.charge == charge:
            found = _lived(found, one, one.fact)
        elif found is not None:
            found = _taken(found, one.fact)
    if found is None:
        raise UnknownCharge(charge)
    about = tuple(one for one in still_open(one.fact for one in facts) if _is_about(one, found))
    closed = tuple(one.fact for one in facts if isinstance(one.fact, FindingClosed))
    return found._replace(findings=about, closed=closed)


def _is_about(finding: FindingOpened, charge: Billed) -> bool:
    ref = charge.ref
    return finding.charge == ref.charge or (ref.mo is not None and finding.mo == ref.mo)


def captured_at(charge: Billed, now: datetime) -> tuple[ChargeCaptured, datetime]:
    """Give a captured charge's capture, and `now` but never before it, whatever a clock says."""
    assert charge.capture is not None, "only what was captured gets here"
    return charge.capture, max(now, charge.capture.occurred_at)


def _lived(known: Billed | None, one: Recorded, fact: Life) -> Billed:
    if known is not None and known.capture is not None:
        return known
    # The terms and parts are those of the latest attempt, which is the one that was billed.
    exchange = known.exchange if known else one.exchange
    capture = fact if isinstance(fact, ChargeCaptured) else None
    standing = known or Billed(fact.ref, fact.amounts, fact.currency, exchange, one.id)
    return standing._replace(ref=fact.ref, amounts=fact.amounts, cause=one.id, capture=capture)


def _taken(known: Billed, fact: Fact) -> Billed:
    match fact:
        case ChargeRefunded():
            return known._replace(refunds=(*known.refunds, fact))
        case ChargeWrittenOff():
            return known._replace(write_offs=(*known.write_offs, fact))
        case RefundRefused():
            return known._replace(refused=(*known.refused, fact))
        case _:
            return known
