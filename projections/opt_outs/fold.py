"""Lists each STOP and each message that lifted one, as they were said.

A row is one fact and never changes: what a scope's state is follows from all that was said in it,
in the order of positions, when it is read. So a STOP that reaches us late needs nothing undone.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    findings,
    handover,
    imported,
    notices,
    solicitations,
    subscriptions,
    traffic,
)
from ledger.facts.base import Recorded
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.words import local_day
from projections.fold import Context, Fold, facts_of


class Said(NamedTuple):
    """What a consumer stopped, or what their message opened again for replies."""

    lifts: bool
    consumer: str
    short_code: str
    service: str
    """Empty where every service on the code is meant."""
    everywhere: bool
    said_at: datetime
    day: date
    """The local day of that."""
    operator: str
    merchant: str | None
    word: str | None
    """Of a STOP, as it was recognised."""
    mo: str
    test: bool


def _changes(recorded: Recorded, context: Context) -> Iterator[tuple[int, Said]]:
    fact = recorded.fact
    assert isinstance(fact, OptedOut | OptOutLifted), type(fact).__name__
    stop = fact if isinstance(fact, OptedOut) else None
    yield (
        recorded.position,
        Said(
            lifts=stop is None,
            consumer=fact.consumer,
            short_code=fact.short_code,
            service=fact.service or "",
            everywhere=fact.everywhere,
            said_at=fact.occurred_at,
            day=local_day(fact.occurred_at, context.zone),
            operator=fact.operator,
            merchant=stop.merchant if stop else None,
            word=stop.word if stop else None,
            mo=fact.mo,
            test=stop.test if stop else False,
        ),
    )


def _merge(_: Said, later: Said) -> Said:
    """Take either: one position holds one fact."""
    return later


OPT_OUTS = Fold(
    name="opt_outs",
    version=1,
    reads=frozenset({OptedOut, OptOutLifted}),
    ignores=facts_of(
        *(book, traffic, handover, charges, subscriptions, solicitations, notices, findings),
        *(imported, catalogue, access),
    ),
    changes=_changes,
    merge=_merge,
)
