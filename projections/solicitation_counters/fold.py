"""Folds solicitations and returns into counters: what was allowed since the last return, by time.

The state of a counter is a union of what is known of each allowance, less what lies at or before
the last return. That holds in whatever ranges the facts come, so the merge is associative.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

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
    subscriptions,
    traffic,
)
from ledger.facts.base import Recorded
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
    SolicitationRefused,
)
from ledger.facts.traffic import KeywordMatched, MtEmitted
from projections.fold import Context, Fold, facts_of

V = TypeVar("V")


class Key(NamedTuple):
    """Whose solicitations count together."""

    consumer: str
    short_code: str
    merchant: str


class Reservation(NamedTuple):
    """From when an allowance counts, and until when if nobody uses it."""

    allowed_at: datetime
    expires_at: datetime


class State(NamedTuple):
    """What a range of facts says of a counter; the maps go by the id of the solicitation."""

    returned_at: datetime | None = None
    last_allowed_at: datetime | None = None
    allowed: Mapping[str, Reservation] = {}
    """Not recorded as expired."""
    expired: Mapping[str, datetime] = {}
    """When that was allowed which expired; only while the allowance itself was not read."""
    used: Mapping[str, datetime] = {}
    """When its message was decided: never before it was allowed."""

    @property
    def next_expiry(self) -> datetime | None:
        """Give when the first of the allowances that nobody used runs out."""
        unused = self.allowed.keys() - self.used.keys()
        return min((self.allowed[one].expires_at for one in unused), default=None)

    @property
    def only_returned(self) -> bool:
        """Whether it says nothing but when the consumer returned, as nearly all do."""
        return self[1:] == _NOTHING_ELSE


_NOTHING_ELSE = State()[1:]


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[Key, State]]:
    fact = recorded.fact
    match fact:
        case KeywordMatched():
            if not fact.test:
                key = Key(fact.consumer, fact.short_code, fact.merchant)
                yield key, State(fact.occurred_at)
        case MtEmitted():
            if fact.ref.solicitation is not None:
                yield from _used(fact)
        case SolicitationAllowed() | SolicitationExpired():
            yield from _reserved(fact)
        case _:
            raise AssertionError(type(fact).__name__)


def _reserved(fact: SolicitationAllowed | SolicitationExpired) -> Iterator[tuple[Key, State]]:
    ref = fact.ref
    if ref.test:
        return
    key = Key(ref.consumer, ref.short_code, ref.merchant)
    match fact:
        case SolicitationAllowed():
            reserved = Reservation(fact.occurred_at, fact.expires_at)
            yield key, State(None, fact.occurred_at, {ref.solicitation: reserved})
        case SolicitationExpired():
            yield key, State(expired={ref.solicitation: fact.allowed_at})


def _used(fact: MtEmitted) -> Iterator[tuple[Key, State]]:
    ref = fact.ref
    if ref.solicitation and ref.merchant and not ref.test:
        state = State(used={ref.solicitation: fact.occurred_at})
        yield Key(ref.consumer, ref.short_code, ref.merchant), state


def _merge(earlier: State, later: State) -> State:
    """Put two ranges together; an allowance and its expiry take each other out."""
    if earlier.only_returned and later.only_returned:
        return State(_latest(earlier.returned_at, later.returned_at))
    return _united(earlier, later)


def _united(earlier: State, later: State) -> State:
    returned_at = _latest(earlier.returned_at, later.returned_at)
    allowed = {**earlier.allowed, **later.allowed}
    expired = {**earlier.expired, **later.expired}
    both = allowed.keys() & expired.keys()
    allowed_at = {one: reserved.allowed_at for one, reserved in allowed.items()}
    used = {**earlier.used, **later.used}
    return State(
        returned_at,
        _latest(earlier.last_allowed_at, later.last_allowed_at),
        {one: allowed[one] for one in _since(returned_at, allowed_at) - both},
        {one: expired[one] for one in _since(returned_at, expired) - both},
        {one: used[one] for one in _since(returned_at, used)},
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _since(returned_at: datetime | None, when: Mapping[str, datetime]) -> set[str]:
    """Give what lies after the return; at the same instant it is taken for before."""
    return {one for one, at in when.items() if returned_at is None or at > returned_at}


SOLICITATION_COUNTERS = Fold(
    name="solicitation_counters",
    version=1,
    reads=frozenset({KeywordMatched, SolicitationAllowed, SolicitationExpired, MtEmitted}),
    ignores=facts_of(
        *(book, handover, charges, consent, subscriptions, notices, findings),
        *(imported, catalogue, access),
    )
    | (facts_of(traffic) - {KeywordMatched, MtEmitted})
    | {SolicitationRefused},
    changes=_changes,
    merge=_merge,
)
