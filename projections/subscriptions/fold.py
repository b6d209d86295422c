"""Folds a subscription's life into one row: its terms, its latest cycle, and how it ended.

The parts of a row come from different facts, and each is merged by itself: what is told once
stays, terms are as they were told last, of cycles the later one counts, and what a cycle's charge
went through adds up.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Literal, NamedTuple

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    consent,
    findings,
    handover,
    imported,
    notices,
    solicitations,
    subscriptions,
    traffic,
)
from ledger.facts.base import Recorded
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.subscriptions import (
    SubscriptionRef,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from projections.fold import Context, Fold, facts_of

ChargeState = Literal["authorized", "refused", "unresolved", "released", "captured"]
Money = ChargeAuthorized | ChargeRefused | ChargeCaptured | ChargeReleased | ChargeUnresolved
Told = SubscriptionRequested | SubscriptionStarted | SubscriptionRenewed | SubscriptionStopped


class Begun(NamedTuple):
    """Where a subscription's first fact stands, and the terms that the latest one told."""

    position: int
    ref: SubscriptionRef
    """The operator, and whether it tests, may be another at the start than at the request."""


class Offered(NamedTuple):
    """When it was asked for, and until when it could be confirmed."""

    requested_at: datetime
    expires_at: datetime


class Cycle(NamedTuple):
    """The latest cycle that began."""

    number: int
    day: date
    next_due_at: datetime


class Charged(NamedTuple):
    """What came of the charge of the latest cycle that was tried."""

    day: date
    """That the cycle began."""
    charge: str
    state: ChargeState
    since: datetime
    attempts: int
    """How often it was tried, refusals included; of a range of facts, in that range."""


class Stopped(NamedTuple):
    """Who ended it, and why."""

    at: datetime
    by: str
    reason: str


class Subscription(NamedTuple):
    """A subscription as far as a range of facts tells of it."""

    position: int
    """Of the latest fact."""
    begun: Begun | None = None
    offered: Offered | None = None
    started_at: datetime | None = None
    cycle: Cycle | None = None
    charged: Charged | None = None
    stopped: Stopped | None = None


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[str, Subscription]]:
    position, fact = recorded.position, recorded.fact
    if isinstance(fact, _OF_A_CHARGE):
        # Most charges are no subscription's: that is asked first.
        if fact.ref.subscription is None:
            return
        name, charged = _charged(fact)
    elif isinstance(fact, ChargeRefused):
        name, charged = _charged(fact)
    else:
        assert isinstance(fact, Told), type(fact).__name__
        yield fact.ref.subscription, _told(position, fact)
        return
    if name is not None and charged is not None:
        yield name, Subscription(position, charged=charged)


_OF_A_CHARGE = (ChargeAuthorized, ChargeCaptured, ChargeReleased, ChargeUnresolved)


def _told(position: int, fact: Told) -> Subscription:
    at = fact.occurred_at
    row = Subscription(position, begun=Begun(position, fact.ref))
    match fact:
        case SubscriptionRequested():
            return row._replace(offered=Offered(at, fact.expires_at))
        case SubscriptionStarted():
            return row._replace(started_at=at)
        case SubscriptionRenewed():
            return row._replace(cycle=Cycle(fact.number, fact.cycle, fact.next_due_at))
        case SubscriptionStopped():
            return row._replace(stopped=Stopped(at, fact.by, fact.reason))


def _state(
    fact: ChargeAuthorized | ChargeCaptured | ChargeReleased | ChargeUnresolved,
) -> ChargeState:
    match fact:
        case ChargeAuthorized():
            return "authorized"
        case ChargeCaptured():
            return "captured"
        case ChargeReleased():
            return "released"
        case ChargeUnresolved():
            return "unresolved"


def _charged(fact: Money) -> tuple[str | None, Charged | None]:
    """Give what a fact says of a cycle's charge, and of which subscription; none of others."""
    at, tries = fact.occurred_at, isinstance(fact, ChargeAuthorized)
    match fact:
        # A message that was refused is a confirmation in vain, and began no cycle.
        case ChargeRefused(subscription=str(name), cycle=date() as day, mo=None):
            return name, Charged(day, fact.charge, "refused", at, 1)
        case (
            ChargeAuthorized(ref=ref)
            | ChargeCaptured(ref=ref)
            | ChargeReleased(ref=ref)
            | ChargeUnresolved(ref=ref)
        ) if ref.subscription is not None and ref.cycle is not None:
            charged = Charged(ref.cycle, ref.charge, _state(fact), at, int(tries))
            return ref.subscription, charged
        case _:
            return None, None


def _merge(earlier: Subscription, later: Subscription) -> Subscription:
    return Subscription(
        position=later.position,
        begun=_begun(earlier.begun, later.begun),
        offered=earlier.offered or later.offered,
        started_at=earlier.started_at or later.started_at,
        cycle=_later_cycle(earlier.cycle, later.cycle),
        charged=_later_charge(earlier.charged, later.charged),
        stopped=earlier.stopped or later.stopped,
    )


def _begun(earlier: Begun | None, later: Begun | None) -> Begun | None:
    if earlier is None or later is None:
        return earlier or later
    return Begun(earlier.position, later.ref)


def _later_cycle(earlier: Cycle | None, later: Cycle | None) -> Cycle | None:
    if earlier is None or later is None:
        return earlier or later
    return later if later.number >= earlier.number else earlier


def _later_charge(earlier: Charged | None, later: Charged | None) -> Charged | None:
    """Take the later cycle's; of one cycle the later state, and all attempts."""
    if earlier is None or later is None:
        return earlier or later
    if earlier.day == later.day:
        return later._replace(attempts=earlier.attempts + later.attempts)
    return later if later.day > earlier.day else earlier


SUBSCRIPTIONS = Fold(
    name="subscriptions",
    version=1,
    reads=frozenset(
        {
            *(SubscriptionRequested, SubscriptionStarted, SubscriptionRenewed),
            *(SubscriptionStopped, ChargeAuthorized, ChargeRefused, ChargeCaptured),
            *(ChargeReleased, ChargeUnresolved),
        }
    ),
    ignores=facts_of(
        *(book, traffic, handover, consent, solicitations, notices, findings),
        *(imported, catalogue, access),
    )
    | {
        *(subscriptions.SubscriptionRefused, subscriptions.RenewalRefused),
        *(charges.ChargeRefunded, charges.RefundRefused, charges.ChargeWrittenOff),
    },
    changes=_changes,
    merge=_merge,
)
