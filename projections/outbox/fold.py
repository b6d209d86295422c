"""Folds what is pushed into one row for each message and each notice: how far it has come."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ledger.decisions.outbound import State, due_at
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
from ledger.facts.handover import (
    MtCancelled,
    MtHandedOver,
    MtHandoverRefused,
    MtHandoverUnknown,
)
from ledger.facts.notices import NoticeDropped, NoticeDue, NoticeRef, NoticeSent
from ledger.facts.traffic import DeliveryReceived, MtEmitted, MtRef, MtSubmitted
from projections.fold import Context, Fold, facts_of


class Beginning(NamedTuple):
    """What the first fact alone knows."""

    position: int
    at: datetime
    kind: str
    smsc: str | None


class Item(NamedTuple):
    """A message or notice as its latest fact leaves it."""

    position: int
    state: str
    changed_at: datetime
    about: MtRef | NoticeRef
    due_at: datetime | None = None
    attempts: int = 0
    raw_status: str | None = None
    reason: str | None = None
    beginning: Beginning | None = None
    """None where the first fact was not read."""


_Handover = MtHandoverUnknown | MtHandedOver | MtHandoverRefused | MtCancelled
_Notice = NoticeDue | NoticeSent | NoticeDropped


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[str, Item]]:
    fact, position = recorded.fact, recorded.position
    # By what is most frequent: what answers a message is not pushed, and its receipts name it.
    if isinstance(fact, MtEmitted):
        if fact.pushed:
            yield fact.ref.mt, _emitted(fact, position)
    elif isinstance(fact, (MtSubmitted, DeliveryReceived)):
        if fact.ref.mo is None:
            yield fact.ref.mt, Item(position, "handed_over", fact.occurred_at, fact.ref)
    elif isinstance(fact, _Notice):
        yield fact.ref.notice, _noticed(fact, position)
    else:
        assert isinstance(fact, _Handover), type(fact).__name__
        yield fact.ref.mt, _handed(fact, position)


def _emitted(fact: MtEmitted, position: int) -> Item:
    beginning = Beginning(position, fact.occurred_at, fact.kind, fact.smsc)
    item = _message(fact.ref, position, "waiting", 0, fact.occurred_at)
    return item._replace(beginning=beginning)


def _handed(fact: _Handover, position: int) -> Item:
    match fact:
        case MtHandoverUnknown():
            return _message(fact.ref, position, "unknown", fact.attempt, fact.occurred_at)
        case MtHandoverRefused():
            item = _message(fact.ref, position, "refused", fact.attempt, fact.occurred_at)
            return item._replace(raw_status=fact.raw_status)
        case MtHandedOver():
            item = _message(fact.ref, position, "handed_over", fact.attempt, fact.occurred_at)
            return item._replace(raw_status=fact.raw_status)
        case MtCancelled():
            item = _message(fact.ref, position, "cancelled", 0, fact.occurred_at)
            return item._replace(reason=fact.reason)


def _message(ref: MtRef, position: int, state: State, attempts: int, at: datetime) -> Item:
    due = due_at(state, attempts, at)
    return Item(position, state, at, ref, due_at=due, attempts=attempts)


def _noticed(fact: _Notice, position: int) -> Item:
    match fact:
        case NoticeDue():
            at = fact.occurred_at
            beginning = Beginning(position, at, fact.ref.name, fact.ref.smsc)
            return Item(position, "due", at, fact.ref, due_at=at, beginning=beginning)
        case NoticeSent():
            return Item(position, "sent", fact.occurred_at, fact.ref)
        case NoticeDropped():
            return Item(position, "dropped", fact.occurred_at, fact.ref, reason=fact.reason)


def _merge(earlier: Item, later: Item) -> Item:
    """Keep the later by position; what only some facts know is kept from whichever knows it."""
    latest, former = (later, earlier) if later.position >= earlier.position else (earlier, later)
    return latest._replace(
        attempts=max(latest.attempts, former.attempts),
        raw_status=latest.raw_status or former.raw_status,
        beginning=earlier.beginning or later.beginning,
    )


OUTBOX = Fold(
    name="outbox",
    version=1,
    reads=frozenset(
        {
            *(handover.MtHandoverUnknown, handover.MtHandedOver),
            *(handover.MtHandoverRefused, handover.MtCancelled),
            *(traffic.MtEmitted, traffic.MtSubmitted, traffic.DeliveryReceived),
            *(notices.NoticeDue, notices.NoticeSent, notices.NoticeDropped),
        }
    ),
    ignores=facts_of(
        *(book, charges, consent, subscriptions, solicitations, findings, catalogue, access)
    )
    | {
        *(traffic.MoReceived, traffic.ConflictingDuplicateReceived, traffic.DuplicateSuspected),
        *(traffic.KeywordMatched, traffic.KeywordUnmatched, traffic.DeliveryOrphaned),
        imported.ExchangeImported,
    },
    changes=_changes,
    merge=_merge,
)
