"""A subscription's life so far: its cycles, and what each of them brought."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.registry import stored_name
from ledger.facts.subscriptions import (
    RenewalRefused,
    SubscriptionRef,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.words import LocalDay

_KINDS: tuple[type[Fact], ...] = (
    *(SubscriptionRequested, SubscriptionStarted, SubscriptionRenewed, SubscriptionStopped),
    *(RenewalRefused, ChargeAuthorized, ChargeRefused, ChargeCaptured, ChargeReleased),
    ChargeUnresolved,
)
TYPES = frozenset(stored_name(kind) for kind in _KINDS)
"""The facts of a subscription that tell its life."""

CycleState = Literal["authorized", "refused", "unresolved", "captured", "released"]
FAILED = frozenset({"refused", "released"})
"""What brought no money, as far as is known, and may be tried again."""


class Attempted(NamedTuple):
    """A cycle of which a charge was tried."""

    state: CycleState
    since: datetime
    authorized: tuple[ChargeAuthorized, ...] = ()
    refused: int = 0

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return len(self.authorized) + self.refused


class Life(NamedTuple):
    """What happened to one subscription."""

    ref: SubscriptionRef
    started: SubscriptionStarted | None = None
    stopped: SubscriptionStopped | None = None
    renewed: frozenset[LocalDay] = frozenset()
    """The cycles that began."""
    cycles: dict[LocalDay, Attempted] = {}  # noqa: RUF012 - never written to; `_tried` makes a new one
    """By the day that each began."""
    refusals: frozenset[str] = frozenset()
    """The requests that were refused."""


def life_of(facts: Iterable[Fact], subscription: str) -> Life | None:
    """Fold the life of one subscription out of its consumer's facts; None if there is none."""
    life: Life | None = None
    for fact in facts:
        match fact:
            case SubscriptionRequested() | SubscriptionStarted() if (
                life is None and fact.subject == subscription
            ):
                life = Life(fact.ref)
            case _:
                pass
        if life is not None:
            life = _charged(_told(life, fact), fact)
    return life


def _told(life: Life, fact: Fact) -> Life:
    name = life.ref.subscription
    match fact:
        case SubscriptionStarted() if fact.subject == name:
            return life._replace(ref=fact.ref, started=fact)
        case SubscriptionStopped() if fact.subject == name:
            return life._replace(stopped=fact)
        case SubscriptionRenewed() if fact.ref.subscription == name:
            return life._replace(renewed=life.renewed | {fact.cycle})
        case RenewalRefused() if fact.ref.subscription == name:
            return life._replace(refusals=life.refusals | {fact.request})
        case _:
            return life


def _charged(life: Life, fact: Fact) -> Life:
    name = life.ref.subscription
    match fact:
        case ChargeRefused(subscription=found, cycle=day) if found == name and day is not None:
            if life.started is None:
                return life  # A confirmation in vain began no cycle.
            before = life.cycles.get(day)
            refused = before.refused + 1 if before else 1
            authorized = before.authorized if before else ()
            tried = Attempted("refused", fact.occurred_at, authorized, refused)
        case (
            ChargeAuthorized(ref=ref)
            | ChargeCaptured(ref=ref)
            | ChargeReleased(ref=ref)
            | ChargeUnresolved(ref=ref)
        ) if ref.subscription == name and ref.cycle is not None:
            day = ref.cycle
            tried = _answered(life.cycles.get(day), fact)
        case _:
            return life
    return life._replace(cycles={**life.cycles, day: tried})


def _answered(
    before: Attempted | None,
    fact: ChargeAuthorized | ChargeCaptured | ChargeReleased | ChargeUnresolved,
) -> Attempted:
    at = fact.occurred_at
    known = before or Attempted("authorized", at)
    match fact:
        case ChargeAuthorized():
            return Attempted("authorized", at, (*known.authorized, fact), known.refused)
        case ChargeCaptured():
            return known._replace(state="captured", since=at)
        case ChargeReleased():
            return known._replace(state="released", since=at)
        case ChargeUnresolved():
            return known._replace(state="unresolved", since=at)


def refused_before(facts: Iterable[Fact], charge: str) -> int:
    """Count how often a charge was refused, also by confirmations before the start."""
    return sum(1 for one in facts if isinstance(one, ChargeRefused) and one.charge == charge)
