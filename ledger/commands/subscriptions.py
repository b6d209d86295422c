"""Renew and stop subscriptions: proposed by a scheduler, or asked for by a person.

What a scheduler asks in vain leaves no trace. A person's request has a name of its own, so the
same request again has the same effect once, and one that is refused is kept and told.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial

from ledger.commands.desk import Desk, Settled
from ledger.decisions import cycles, renewal
from ledger.decisions.past import Past, account, need
from ledger.decisions.refusals import RenewalNotDue, SubscriptionEnded, UnknownSubscription
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.subscriptions import (
    RenewalRefused,
    Stopper,
    SubscriptionRef,
    SubscriptionStopped,
)
from ledger.facts.tags import tag
from ledger.log.rows import Interest, Query
from ledger.vault import DataKeyId, utc_month


async def renew_subscription(
    desk: Desk, subscription: str, origin: Origin, now: datetime, request: str | None = None
) -> Settled:
    """Charge the cycle that runs at `now` and emit its message, if that is due.

    Without a `request`, a scheduler's: where nothing is due, nothing happens.

    Raises:
        UnknownSubscription: nobody ever asked for it.
        RenewalNotDue: a person asked, and nothing is due; kept as a fact.
        SubscriptionEnded: a person asked, and it was stopped; kept as a fact.
        RulesOutdated: this process decides by other rules than the book.
    """
    asked = origin if request is None else origin._replace(request=request)

    async def once() -> Settled:
        ref = await _ref(desk, subscription)
        known = desk.known(now)
        key = DataKeyId(ref.consumer, utc_month(now), "text")
        keys = {key: await desk.keys.ensure(key)}
        past = await _past(desk, ref, known, now)

        def decide(history: list[Recorded]) -> list[Draft]:
            if request is not None and _done(history, subscription, request):
                return []
            asking = renewal.Asking(subscription, now, request)
            own = account(past, history)
            return renewal.renew([one.fact for one in history], asking, known, own)

        settled = await desk.settle(renewal.rests_on(ref, known, past), decide, asked, keys)
        desk.pasts.saw(ref.consumer, past, settled.history)
        return settled

    settled = await desk.attempt(once)
    if request is not None:
        _tell(settled, subscription, request)
    return settled


async def stop_subscription(
    desk: Desk, subscription: str, by: Stopper, reason: str, origin: Origin, now: datetime
) -> Settled:
    """End a subscription for its merchant, a regulator or whoever asked them; once.

    Raises:
        UnknownSubscription: it never began.
    """
    ending = renewal.Ending(subscription, by, reason, now)

    def decide(history: list[Recorded]) -> list[Draft]:
        return renewal.stop([one.fact for one in history], ending, desk.book)

    return await desk.settle(_life(subscription), decide, origin)


async def find_subscription(desk: Desk, subscription: str) -> SubscriptionRef:
    """Give whose subscription it is, and to what.

    Raises:
        UnknownSubscription: nobody ever asked for it.
    """
    return await _ref(desk, subscription)


async def _past(desk: Desk, ref: SubscriptionRef, known: Known, now: datetime) -> Past:
    """Give what is known already of a subscriber's past."""
    wanted = partial(need, ref.consumer, known.rules.caps, now)
    await desk.pasts.learn(desk.log, [(ref.consumer, wanted)])
    return desk.pasts.of(ref.consumer, wanted)


def _life(subscription: str) -> Query:
    return (Interest((tag("subscription", subscription),), cycles.TYPES),)


async def _ref(desk: Desk, subscription: str) -> SubscriptionRef:
    """Read whose it is and to what."""
    rows, _ = await desk.log.read(_life(subscription))
    life = cycles.life_of((REGISTRY.decode(row).fact for row in rows), subscription)
    if life is None:
        raise UnknownSubscription(subscription)
    return life.ref


def _done(history: Iterable[Recorded], subscription: str, request: str) -> bool:
    """Tell whether this very request charged or ended the subscription before."""
    return any(one.request == request and _moves(one, subscription) for one in history)


def _moves(one: Recorded, subscription: str) -> bool:
    match one.fact:
        case ChargeAuthorized(ref=ref) | SubscriptionStopped(ref=ref):
            return ref.subscription == subscription
        case ChargeRefused(subscription=found):
            return found == subscription
        case _:
            return False


def _tell(settled: Settled, subscription: str, request: str) -> None:
    """Raise what a person's request was refused with, now or when it came the first time."""
    for one in settled.facts:
        fact = one.fact
        if not isinstance(fact, RenewalRefused) or fact.request != request:
            continue
        if fact.ref.subscription != subscription:
            continue
        if fact.rule == "no_such_subscription":
            raise UnknownSubscription(subscription)
        if fact.rule == "stopped":
            raise SubscriptionEnded(subscription, one.position)
        due_at = fact.due_at.isoformat() if fact.due_at else ""
        raise RenewalNotDue(subscription, fact.rule, due_at, one.position)
