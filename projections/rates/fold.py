"""Folds traffic, charges and consents into counts and revenue by day.

An exchange of two legs makes two charges, yet is one purchase: it counts on the leg that pays for
the answer, or on the message's own where the answer is free. Which one that is, the match knows
by its prices, and a charge alone does not; but both name the fact that set these prices, and by
that they meet in the same place. Nothing is looked up.
"""

from collections.abc import Iterator
from datetime import date, datetime
from operator import add
from typing import NamedTuple

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
    ChargeRef,
    ChargeRefunded,
    ChargeReleased,
)
from ledger.facts.consent import OptedOut
from ledger.facts.solicitations import SolicitationAllowed, SolicitationRef
from ledger.facts.subscriptions import (
    SubscriptionRef,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import KeywordMatched, KeywordUnmatched
from projections.days import day_of
from projections.fold import Context, Fold, facts_of

Charged = ChargeAuthorized | ChargeReleased | ChargeCaptured | ChargeRefunded
Subscribed = SubscriptionRequested | SubscriptionStarted | SubscriptionStopped
Message = KeywordMatched | KeywordUnmatched | OptedOut


class Place(NamedTuple):
    """A day at one service, code and operator, at one price and leg; empty for what has none."""

    merchant: str
    day: date
    service: str
    short_code: str
    operator: str
    tariff_version: str = ""
    leg: str = ""
    currency: str = ""


class Counts(NamedTuple):
    """How many of each, and amounts in micros."""

    matched: int = 0
    unmatched: int = 0
    authorized: int = 0
    released: int = 0
    captured: int = 0
    cycles: int = 0
    cycles_captured: int = 0
    earned: int = 0
    price_micros: int = 0
    tax_micros: int = 0
    share_micros: int = 0
    refunds: int = 0
    refunded_micros: int = 0
    opt_outs: int = 0
    requested: int = 0
    started: int = 0
    stopped: int = 0
    solicited: int = 0


Changes = Iterator[tuple[Place, Counts]]


def _changes(recorded: Recorded, context: Context) -> Changes:
    fact = recorded.fact
    match fact:
        case KeywordMatched() | KeywordUnmatched() | OptedOut():
            return _message(fact, context)
        case SubscriptionRequested() | SubscriptionStarted() | SubscriptionStopped():
            return _subscribed(fact, context)
        case SolicitationAllowed():
            return _beside(fact.ref, fact.occurred_at, context, Counts(solicited=1))
        case ChargeAuthorized() | ChargeReleased() | ChargeCaptured() | ChargeRefunded():
            return iter(()) if _nobodys(fact.ref) else _charged(fact)
        case _:
            raise AssertionError(type(fact).__name__)


def _message(fact: Message, context: Context) -> Changes:
    if fact.test:
        return
    day = day_of(fact.occurred_at, context.zone)
    where = (fact.short_code, fact.operator)
    match fact:
        case KeywordMatched():
            leg = "mo" if fact.mo_price and not fact.price else "mt"
            price = (fact.tariff_version, leg, fact.currency)
            yield Place(fact.merchant, day, fact.service, *where, *price), Counts(matched=1)
        case KeywordUnmatched():
            yield Place("", day, "", *where), Counts(unmatched=1)
        case OptedOut():
            service = (fact.merchant or "", day, fact.service or "")
            yield Place(*service, *where), Counts(opt_outs=1)


def _subscribed(fact: Subscribed, context: Context) -> Changes:
    match fact:
        case SubscriptionRequested():
            found = Counts(requested=1)
        case SubscriptionStarted():
            found = Counts(started=1)
        case SubscriptionStopped():
            found = Counts(stopped=1)
    return _beside(fact.ref, fact.occurred_at, context, found)


def _beside(
    ref: SubscriptionRef | SolicitationRef, at: datetime, context: Context, found: Counts
) -> Changes:
    """Count what has no price here, on the local day that it happened."""
    if not ref.test:
        day = day_of(at, context.zone)
        yield Place(ref.merchant, day, ref.service, ref.short_code, ref.operator), found


def _nobodys(ref: ChargeRef) -> bool:
    return ref.merchant is None or ref.test


def _charged(fact: Charged) -> Changes:
    match fact:
        case ChargeAuthorized():
            if fact.released_day is not None:
                # The earlier attempt is none any more: this one stands in its place.
                yield _place(fact, fact.released_day), _stood(fact, -1, -1)
            yield _place(fact, fact.value_day), _stood(fact, 1, 0)
        case ChargeReleased():
            yield _place(fact, fact.authorized_day), _stood(fact, 0, 1)
        case ChargeCaptured():
            yield _place(fact, fact.authorized_day), _captured(fact)
            yield _place(fact, fact.value_day), _earned(fact)
        case ChargeRefunded():
            given_back = Counts(refunds=1, refunded_micros=fact.price)
            yield _place(fact, fact.value_day), given_back


def _place(fact: Charged, day: date) -> Place:
    ref = fact.ref
    assert ref.merchant is not None
    where = (ref.service or "", ref.short_code, ref.operator)
    return Place(ref.merchant, day, *where, ref.tariff_version, ref.leg, fact.currency)


def _stood(fact: Charged, authorized: int, released: int) -> Counts:
    if fact.ref.subscription is not None:
        return Counts(cycles=authorized)
    return Counts(authorized=authorized, released=released)


def _captured(fact: ChargeCaptured) -> Counts:
    if fact.ref.subscription is not None:
        return Counts(cycles_captured=1)
    return Counts(captured=1, released=-1 if fact.late else 0)


def _earned(fact: ChargeCaptured) -> Counts:
    amounts = fact.amounts
    return Counts(
        earned=1,
        price_micros=amounts.price,
        tax_micros=amounts.tax,
        share_micros=amounts.merchant,
    )


def merged(earlier: Counts, later: Counts) -> Counts:
    """Add two ranges' counts up."""
    return Counts(*map(add, earlier, later))


RATES = Fold(
    name="rates",
    version=1,
    reads=frozenset(
        {
            *(traffic.KeywordMatched, traffic.KeywordUnmatched, consent.OptedOut),
            *(charges.ChargeAuthorized, charges.ChargeReleased, charges.ChargeCaptured),
            *(charges.ChargeRefunded, solicitations.SolicitationAllowed),
            *(subscriptions.SubscriptionRequested, subscriptions.SubscriptionStarted),
            subscriptions.SubscriptionStopped,
        }
    ),
    ignores=facts_of(*(book, handover, notices, findings, catalogue, access))
    | {
        *(traffic.MoReceived, traffic.ConflictingDuplicateReceived, traffic.DuplicateSuspected),
        *(traffic.MtEmitted, traffic.MtSubmitted, imported.ExchangeImported),
        *(traffic.DeliveryReceived, traffic.DeliveryOrphaned),
        *(charges.ChargeRefused, charges.ChargeUnresolved),
        *(charges.RefundRefused, charges.ChargeWrittenOff),
        consent.OptOutLifted,
        *(subscriptions.SubscriptionRefused, subscriptions.SubscriptionRenewed),
        subscriptions.RenewalRefused,
        *(solicitations.SolicitationRefused, solicitations.SolicitationExpired),
    },
    changes=_changes,
    merge=merged,
    sums=True,
)
