"""What still matters of a consumer's past, so that a decision's history stays short.

A consumer who has been with us for years has thousands of charges. Caps ask for those of their
windows, notices for a sum and the last threshold told, consent for the last word on each scope.
So the facts up to a position are reduced to the few that a decision could still tell from their
absence, and to one sum a service of the charges that are left out. Deciding on that and on what
came after gives what deciding on everything gives.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ledger.decisions import opt_out, spending, subscription
from ledger.decisions.asked import Asked
from ledger.decisions.crossed import NO_SUMS
from ledger.facts.base import Fact, Recorded
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.notices import NoticeDue
from ledger.facts.registry import stored_name
from ledger.facts.tags import tag
from ledger.facts.traffic import DuplicateSuspected, KeywordMatched, MoReceived
from ledger.log.rows import Interest, Query
from ledger.rules.inforce import Cap

_CONSENT = (OptedOut, OptOutLifted)
_BEFORE = (MoReceived, KeywordMatched, DuplicateSuspected)
TYPES = spending.TYPES | {stored_name(kind) for kind in (*_CONSENT, *_BEFORE)}
"""The facts of a consumer that a past is complete in."""

LATE = timedelta(days=2)
"""How much later than another a message may come and still find all that it needs."""
KEPT = 64
"""Facts up to which everything is kept, however old."""


class Need(NamedTuple):
    """What a decision needs of a consumer's past: all that was charged or asked from `since` on.

    Whoever reduces a past for it keeps what is of `keep` or later, for those that come late.
    """

    consumer: str
    since: datetime
    keep: datetime


class Past(NamedTuple):
    """A consumer's facts up to a position, of the types in `TYPES`, as far as they still matter.

    Of what was charged or asked before `since` only the sums are left: in micros, by service.
    """

    position: int = 0
    since: datetime = datetime.min.replace(tzinfo=UTC)
    facts: tuple[Recorded, ...] = ()
    sums: Mapping[str, int] = NO_SUMS


NOTHING = Past()
"""What is known of a consumer whose facts are all to be read."""


def needed(asked: Asked) -> Need | None:
    """Say what the decision on a message needs; None where it needs the whole past.

    That is one that may begin, confirm or stop a subscription; STOP calls back whatever is on its
    way, besides.
    """
    if subscription.interests(asked):
        return None
    repeated = asked.service.duplicate_window_seconds if asked.service else 0
    caps = asked.known.rules.caps
    return need(asked.mo.consumer, caps, asked.mo.occurred_at, timedelta(seconds=repeated))


def need(
    consumer: str, caps: Sequence[Cap], at: datetime, repeated: timedelta = timedelta()
) -> Need:
    """Say what a charge at `at` needs; `repeated` is how far back the same words count as one."""
    since, keep = (
        min(spending.begins(caps, moment), moment - repeated) for moment in (at, at - LATE)
    )
    return Need(consumer, since, keep)


def interests(consumer: str, past: Past) -> Query:
    """Ask for what came after a past."""
    return (Interest((tag("consumer", consumer),), TYPES, past.position),)


def after(past: Past, new: Iterable[Recorded], head: int, keep: datetime, kept: int = KEPT) -> Past:
    """Take in what came after a past: all of its types, complete up to `head`.

    Where there are more than `kept` facts, what lies before `keep` is left out.
    """
    recorded = (*past.facts, *new)
    since = max(past.since, keep) if len(recorded) > kept else past.since
    facts = [one.fact for one in recorded]
    begun = spending.begun(facts)
    recent = {charge for charge, one in begun.items() if one.at >= since}
    matters = {id(fact) for fact in _mattering(facts, recent, since)}
    return Past(
        head,
        since,
        tuple([one for one in recorded if id(one.fact) in matters]),
        _sums(past.sums, facts, recent),
    )


class Account(NamedTuple):
    """The facts of a consumer as far as they matter, and the sums of what is left out."""

    facts: tuple[Fact, ...]
    sums: Mapping[str, int]


def account(past: Past, history: Iterable[Recorded]) -> Account:
    """Put what came after a past behind it; what else was read of before is left aside."""
    new = [one.fact for one in history if not 0 < one.position <= past.position]
    return Account((*[one.fact for one in past.facts], *new), past.sums)


def _mattering(facts: Sequence[Fact], recent: set[str], since: datetime) -> Iterator[Fact]:
    yield from opt_out.mattering(facts)
    yield from {
        (fact.ref.name, fact.ref.service): fact for fact in facts if isinstance(fact, NoticeDue)
    }.values()
    # Whom CONTACT names is whom the consumer last bought from, however long ago.
    yield from {
        fact.short_code: fact for fact in facts if isinstance(fact, KeywordMatched)
    }.values()
    yield from (fact for fact in facts if isinstance(fact, _BEFORE) and fact.occurred_at >= since)
    yield from (fact for fact in spending.since_begun(facts) if fact.ref.charge in recent)


def _sums(before: Mapping[str, int], facts: Sequence[Fact], recent: set[str]) -> Mapping[str, int]:
    """Add what is left out now to what was left out before."""
    sums = dict(before)
    left_out = [one for one in spending.spent(facts) if one.charge not in recent]
    changes = [*[(one.service, one.price) for one in left_out], *spending.changes(facts)]
    for service, amount in changes:
        if service is not None:
            sums[service] = sums.get(service, 0) + amount
    return sums
