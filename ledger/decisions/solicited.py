"""What the facts say of inviting a consumer again: what counts, and what the consumer has paid.

A counter belongs to a consumer, a short code and a merchant. It counts the allowances since the
consumer last returned, by the time of both and not by the order in which we learnt of them.
Facts of test numbers are no part of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.decisions import opt_out
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRef, ChargeRefunded
from ledger.facts.consent import OptedOut
from ledger.facts.registry import stored_name
from ledger.facts.solicitations import SolicitationAllowed, SolicitationExpired, SolicitationRef
from ledger.facts.tags import tag
from ledger.facts.traffic import KeywordMatched, MtEmitted
from ledger.log.rows import Interest


class Counter(NamedTuple):
    """Whose solicitations count together."""

    consumer: str
    short_code: str
    merchant: str


_COUNTED = frozenset(
    stored_name(fact)
    for fact in (KeywordMatched, SolicitationAllowed, SolicitationExpired, MtEmitted)
)


def interest(counter: Counter) -> Interest:
    """Give the facts that a counter is counted from."""
    tags = (("consumer", counter.consumer), ("code", counter.short_code))
    named = (*tags, ("merchant", counter.merchant))
    return Interest(tuple(tag(kind, value) for kind, value in named), _COUNTED)


class Allowance(NamedTuple):
    """One permission to send, which counts once it is used, and before that until it runs out."""

    solicitation: str
    allowed_at: datetime
    expires_at: datetime
    used: bool

    def counts(self, now: datetime) -> bool:
        """Tell whether it counts; at the instant it runs out, it does no longer."""
        return self.used or now < self.expires_at


class Standing(NamedTuple):
    """Where a counter stands; allowances that were recorded as expired are not among them."""

    returned_at: datetime | None = None
    """When the consumer last asked this merchant for something on the code."""
    last_allowed_at: datetime | None = None
    """Whether it was used or not, and whether or not the consumer returned since."""
    allowances: tuple[Allowance, ...] = ()
    """Since that return, oldest first."""

    def count(self, now: datetime) -> int:
        """Give how many solicitations count."""
        return sum(1 for one in self.allowances if one.counts(now))


def standing(facts: Iterable[Fact], counter: Counter) -> Standing:
    """Say where a counter stands, from facts that may be of others as well."""
    own = [fact for fact in facts if _counter_of(fact) == counter]
    returns = [fact.occurred_at for fact in own if isinstance(fact, KeywordMatched)]
    allowed = [fact for fact in own if isinstance(fact, SolicitationAllowed)]
    expired = {fact.subject for fact in own if isinstance(fact, SolicitationExpired)}
    used = {fact.ref.solicitation for fact in own if isinstance(fact, MtEmitted)}
    returned_at = max(returns, default=None)
    counted = [
        Allowance(fact.subject, fact.occurred_at, fact.expires_at, fact.subject in used)
        for fact in allowed
        if fact.subject not in expired and (returned_at is None or fact.occurred_at > returned_at)
    ]
    return Standing(
        returned_at,
        max((fact.occurred_at for fact in allowed), default=None),
        tuple(sorted(counted, key=lambda one: (one.allowed_at, one.solicitation))),
    )


def _counter_of(fact: Fact) -> Counter | None:
    """Give the counter that a fact is part of."""
    match fact:
        case KeywordMatched(test=False):
            return Counter(fact.consumer, fact.short_code, fact.merchant)
        case SolicitationAllowed(ref=ref) | SolicitationExpired(ref=ref) if not ref.test:
            return counter_of(ref)
        case MtEmitted(ref=ref) if ref.solicitation and ref.merchant and not ref.test:
            return Counter(ref.consumer, ref.short_code, ref.merchant)
        case _:
            return None


def counter_of(ref: SolicitationRef) -> Counter:
    """Give the counter that a solicitation is part of."""
    return Counter(ref.consumer, ref.short_code, ref.merchant)


class Paid(NamedTuple):
    """A charge that the consumer paid and was not given back whole."""

    ref: ChargeRef
    authorized_at: datetime | None
    """When it was first allowed; never, where an operator billed what we had refused."""
    captured_at: datetime


def paid(facts: Sequence[Fact], *, test: bool = False) -> tuple[Paid, ...]:
    """Give what a consumer paid; `test` counts the charges of test numbers as well."""
    authorized: dict[str, datetime] = {}
    refunded: dict[str, int] = {}
    for fact in facts:
        if isinstance(fact, ChargeAuthorized):
            known = authorized.get(fact.subject, fact.occurred_at)
            authorized[fact.subject] = min(known, fact.occurred_at)
        elif isinstance(fact, ChargeRefunded):
            refunded[fact.ref.charge] = refunded.get(fact.ref.charge, 0) + fact.price
    return tuple(
        Paid(fact.ref, authorized.get(fact.subject), fact.occurred_at)
        for fact in facts
        if isinstance(fact, ChargeCaptured)
        and refunded.get(fact.subject, 0) < fact.amounts.price
        and (test or not fact.ref.test)
    )


def opted_out(facts: Iterable[Fact], bought: Iterable[Paid], ref: SolicitationRef) -> bool:
    """Tell whether a STOP stands in the way: one that no new paid transaction came after.

    New: with this merchant, within what was stopped, and asked for after the STOP.
    """
    return any(
        not any(_reopens(one, stop, ref) for one in bought)
        for stop in facts
        if isinstance(stop, OptedOut)
        and opt_out.covers(opt_out.scope_of(stop), ref.short_code, ref.service)
    )


def _reopens(one: Paid, stop: OptedOut, ref: SolicitationRef) -> bool:
    return (
        one.ref.merchant == ref.merchant
        and opt_out.covers(opt_out.scope_of(stop), one.ref.short_code, one.ref.service)
        and one.authorized_at is not None
        and one.authorized_at > stop.occurred_at
    )
