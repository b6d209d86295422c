"""The renewal of a subscription: one charge a cycle, its message tried again while the cycle runs.

Cycles are counted from the start and fall due at its local time. Only the one that runs now is
ever charged: what nobody renewed in time is left out, and a clock that jumps back finds what it
did before. The ids follow from subscription and cycle, so two schedulers renew it once.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ledger.decisions import opt_out, spending
from ledger.decisions.charging import charge
from ledger.decisions.crossed import Way, notices_due
from ledger.decisions.cycles import FAILED, TYPES, Attempted, Life, life_of, refused_before
from ledger.decisions.past import NOTHING, Account, Past
from ledger.decisions.pushed import Priced, pushed, pushed_mt_id
from ledger.decisions.refusals import UnknownSubscription
from ledger.decisions.story import Known
from ledger.decisions.subscribed import Cycle, content, cycle_id, purchase, service_of
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.registry import fact_id, stored_name
from ledger.facts.subscriptions import (
    RenewalRefused,
    RenewalRule,
    Stopper,
    SubscriptionRef,
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import MtEmitted, MtRef
from ledger.log.rows import Interest, Query
from ledger.rules.inforce import Rules, Subscriptions
from ledger.spans import cycle_at, due_at, due_day
from ledger.words import LocalDay, local_day

_CONSENT = frozenset({stored_name(OptedOut), stored_name(OptOutLifted)})


class Asking(NamedTuple):
    """Who asks for the renewal of what, and when."""

    subscription: str
    now: datetime
    request: str | None = None
    """The asker's own name for it; none for a scheduler, which asks in vain without a trace."""


class NotDue(NamedTuple):
    """Why nothing is charged now, and when it would be, where that is known."""

    rule: RenewalRule
    due_at: datetime | None = None


class Due(NamedTuple):
    """The cycle to charge; `before` is what came of it so far."""

    number: int
    day: LocalDay
    before: Attempted | None


class Ending(NamedTuple):
    """Who ends which subscription, and why."""

    subscription: str
    by: Stopper
    reason: str
    now: datetime


def rests_on(ref: SubscriptionRef, known: Known, past: Past = NOTHING) -> Query:
    """Give what a renewal rests on: its own life, and what the consumer did since `past`."""
    return (
        Interest((tag("subscription", ref.subscription),), TYPES),
        Interest((tag("consumer", ref.consumer),), _CONSENT | spending.TYPES, past.position),
        Interest((TRADE,), after=known.catalogue.position),
    )


def renew(facts: Sequence[Fact], asking: Asking, known: Known, own: Account) -> list[Draft]:
    """Decide on the renewal of a subscription: its life is among `facts`, its consumer's in `own`.

    Raises:
        UnknownSubscription: nobody ever asked for it.
    """
    life = life_of(facts, asking.subscription)
    if life is None:
        raise UnknownSubscription(asking.subscription)
    if asking.request in life.refusals:
        return []
    due = due_now(life, own.facts, known, asking.now)
    if isinstance(due, NotDue):
        return [_refused(life, due, asking, known.book)] if asking.request is not None else []
    terms = known.rules.subscriptions
    if terms is not None and _unpaid(life, due, terms):
        ending = Ending(asking.subscription, "unpaid", "", asking.now)
        return [_stopped(life, ending, known.book)]
    return _attempt(life, due, (facts, own), known, asking.now)


def stop(facts: Iterable[Fact], ending: Ending, book: str) -> list[Draft]:
    """End a subscription that is live; one that has ended stays as it is.

    Raises:
        UnknownSubscription: it never began.
    """
    life = life_of(facts, ending.subscription)
    if life is None or life.started is None:
        raise UnknownSubscription(ending.subscription)
    return [] if life.stopped else [_stopped(life, ending, book)]


def due_now(life: Life, facts: Iterable[Fact], known: Known, now: datetime) -> Due | NotDue:
    """Find the cycle that runs and may be charged, or charged again; or why none may."""
    ref, terms = life.ref, known.rules.subscriptions
    if life.started is None:
        return NotDue("no_such_subscription")
    if life.stopped or _silenced(ref, facts, known.rules):
        return NotDue("stopped")
    if terms is None or _withdrawn(ref, known, now):
        return NotDue("suspended")
    anchor, zone = life.started.occurred_at, known.rules.zone
    number = cycle_at(anchor, zone, ref.every, now)
    day = due_day(local_day(anchor, zone), ref.every, number)
    ends = due_at(anchor, zone, ref.every, number + 1)
    if any(later > day for later in life.cycles):
        return NotDue("not_due")  # The clock has jumped back: a later cycle was charged already.
    before = life.cycles.get(day)
    if before is None:
        return Due(number, day, None)
    return _again(before, terms, now, ends) or Due(number, day, before)


def _again(before: Attempted, terms: Subscriptions, now: datetime, ends: datetime) -> NotDue | None:
    """Tell why a cycle that was tried is not tried again; None where it is."""
    if before.state not in FAILED:
        return NotDue("renewed_already", ends)
    retry_at = before.since + timedelta(seconds=terms.retry_after_seconds)
    if before.attempts >= terms.attempts:
        return NotDue("not_due", ends)
    return NotDue("not_due", min(retry_at, ends)) if now < retry_at else None


def _silenced(ref: SubscriptionRef, facts: Iterable[Fact], rules: Rules) -> bool:
    if "subscriptions" not in rules.stop.ends:
        return False
    return opt_out.silenced(opt_out.stopped(facts), ref.short_code, ref.service)


def _withdrawn(ref: SubscriptionRef, known: Known, now: datetime) -> bool:
    """Tell whether the service sells nothing now, or its code is closed to this operator."""
    closed = known.catalogue.code(ref.short_code, ref.operator, now) is None
    return closed or known.catalogue.suspended(ref.service, now)


def _unpaid(life: Life, due: Due, terms: Subscriptions) -> bool:
    """Tell whether the last cycles, one after the other, are known to have brought no money.

    One that nobody has answered for yet is not known to, so it ends the row.
    """
    if due.before is not None:
        return False  # Told at a cycle's beginning; this one has begun.
    earlier = [cycle for _, cycle in sorted(life.cycles.items())]
    last = earlier[-terms.unpaid_cycles :]
    return len(last) == terms.unpaid_cycles and all(one.state in FAILED for one in last)


def _attempt(
    life: Life, due: Due, read: tuple[Sequence[Fact], Account], known: Known, now: datetime
) -> list[Draft]:
    """Charge the cycle and emit its message, or record why it may not be charged."""
    ref, book, rules, (facts, own) = life.ref, known.book, known.rules, read
    service = service_of(ref, known.catalogue, now)
    test = known.catalogue.is_test(ref.consumer, now)
    bought = purchase(book, ref, service, Cycle(due.day, now, test))
    made = charge(bought, known.basis, spending.spent(own.facts))
    chain = _Chain(book, ref, due.day)
    if isinstance(made, ChargeRefused):
        chain.add(made, refused_before(facts, made.charge))
        return chain.drafts
    tried = due.before.authorized if due.before else ()
    if tried:
        made = _on_the_same_terms(tried[-1], made)
    emitted, text = _message(ref, made, content(ref, service, rules), (book, len(tried)))
    if due.day not in life.renewed:
        anchor = life.started.occurred_at if life.started else now
        ends = due_at(anchor, rules.zone, ref.every, due.number + 1)
        chain.add(_renewed(ref, due, made, (emitted.ref.mt, ends)))
    chain.add(made, len(tried))
    way, charges = Way(ref.gateway, ref.smsc), (*own.facts, made)
    for notice in notices_due(book, rules, made, charges, way, own.sums):
        chain.beside(notice)
    chain.add(emitted, text=text)
    return chain.drafts


def _on_the_same_terms(first: ChargeAuthorized, now: ChargeAuthorized) -> ChargeAuthorized:
    """Authorize a charge again as it was: what a charge divides into never changes in its life.

    Nor does whether it is a test: what was counted under one is released under the same.
    """
    return msgspec.structs.replace(
        first,
        was="released",
        released_day=first.value_day,
        value_day=now.value_day,
        occurred_at=now.occurred_at,
    )


class _Chain:
    """The facts of one cycle as they come about, each caused by the one before it."""

    def __init__(self, book: str, ref: SubscriptionRef, day: LocalDay) -> None:
        self.drafts: list[Draft] = []
        self._book = book
        self._exchange = cycle_id(book, ref.subscription, day)
        self._cause = fact_id(book, SubscriptionStarted, ref.subscription)

    def add(self, fact: Fact, n: int = 0, text: str | None = None) -> None:
        """Let a fact follow from the last one."""
        self.beside(fact, n, text)
        self._cause = fact_id(self._book, type(fact), fact.subject, n)

    def beside(self, fact: Fact, n: int = 0, text: str | None = None) -> None:
        """Let a fact follow from the last one, and the next one not from it."""
        self.drafts.append(Draft(fact, n, self._exchange, self._cause, text))


def _renewed(
    ref: SubscriptionRef, due: Due, made: ChargeAuthorized, brings: tuple[str, datetime]
) -> SubscriptionRenewed:
    mt, ends = brings
    return SubscriptionRenewed(
        ref=ref,
        cycle=due.day,
        number=due.number,
        charge=made.ref.charge,
        mt=mt,
        next_due_at=ends,
        occurred_at=made.occurred_at,
    )


def _message(
    ref: SubscriptionRef, made: ChargeAuthorized, text: str, attempt: tuple[str, int]
) -> tuple[MtEmitted, str]:
    """Give the message that carries a charge: a new one for each attempt at it."""
    book, n = attempt
    to = MtRef(
        mt=pushed_mt_id(book, made.ref.charge, "renewal", n),
        gateway=ref.gateway,
        consumer=ref.consumer,
        short_code=ref.short_code,
        operator=ref.operator,
        merchant=ref.merchant,
        service=ref.service,
        charge=made.ref.charge,
        subscription=ref.subscription,
        test=made.ref.test,
    )
    priced = Priced(ref.billing_code, ref.tariff, ref.tariff_version)
    return pushed(to, "renewal", text, priced, ref.smsc, made.occurred_at), text


def _stopped(life: Life, ending: Ending, book: str) -> Draft:
    fact = SubscriptionStopped(
        ref=life.ref, by=ending.by, reason=ending.reason, occurred_at=ending.now
    )
    return _since_the_start(fact, life, book)


def _refused(life: Life, why: NotDue, asking: Asking, book: str) -> Draft:
    assert asking.request is not None
    fact = RenewalRefused(
        ref=life.ref,
        rule=why.rule,
        due_at=why.due_at,
        request=asking.request,
        occurred_at=asking.now,
    )
    return _since_the_start(fact, life, book)


def _since_the_start(fact: Fact, life: Life, book: str) -> Draft:
    """Let what no cycle brought about follow from the start, in its exchange; or from nothing."""
    if life.started is None:
        return Draft(fact)
    cause = fact_id(book, SubscriptionStarted, life.started.subject)
    return Draft(fact, exchange=life.started.mo, caused_by=cause)
