"""Folds findings into one row each: what it is about, and how it was closed if it was."""

from collections.abc import Iterator
from datetime import datetime
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
from ledger.facts.findings import FindingClosed, FindingOpened
from projections.fold import Context, Fold, facts_of


class Closed(NamedTuple):
    """How a finding was closed."""

    at: datetime
    how: str
    note: str
    refund: str | None


class Finding(NamedTuple):
    """What a range of facts says of one finding; what it does not say is None."""

    position: int
    """Of the latest fact."""
    opened_position: int | None = None
    opened: FindingOpened | None = None
    closed: Closed | None = None


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[str, Finding]]:
    fact, position = recorded.fact, recorded.position
    match fact:
        case FindingOpened():
            yield fact.finding, Finding(position, position, fact)
        case FindingClosed():
            closed = Closed(fact.occurred_at, fact.how, fact.note, fact.refund)
            yield fact.finding, Finding(position, closed=closed)
        case _:
            raise AssertionError(type(fact).__name__)


def _merge(earlier: Finding, later: Finding) -> Finding:
    opening = earlier if earlier.opened is not None else later
    return Finding(
        position=max(earlier.position, later.position),
        opened_position=opening.opened_position,
        opened=opening.opened,
        closed=earlier.closed or later.closed,
    )


FINDINGS = Fold(
    name="findings",
    version=1,
    reads=frozenset({findings.FindingOpened, findings.FindingClosed}),
    ignores=facts_of(
        *(book, traffic, handover, charges, consent, subscriptions, solicitations, notices),
        *(imported, catalogue, access),
    ),
    changes=_changes,
    merge=_merge,
)
