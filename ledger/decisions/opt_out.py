"""What a consumer has stopped, and what a new message of theirs lifts.

Scopes nest: everything, every service on a code, or one service on it. The same consumer's
silence is told from facts alone. Messages may reach us in another order than they were sent, so
each scope keeps the moment of its STOP: what was sent before it lifts nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from ledger.facts.base import Fact
from ledger.facts.consent import OptedOut, OptOutLifted


class Scope(NamedTuple):
    """What was stopped: one service on a code, all of them where none is named, or all codes."""

    short_code: str | None
    service: str | None


EVERYTHING = Scope(None, None)

Stopped = Mapping[Scope, datetime]
"""Each scope that is stopped, with when the consumer said so, the last time."""


def scope_of(fact: OptedOut | OptOutLifted) -> Scope:
    """Give what a fact stops or lifts."""
    return EVERYTHING if fact.everywhere else Scope(fact.short_code, fact.service)


def stopped(facts: Iterable[Fact]) -> Stopped:
    """Fold the scopes that one consumer has stopped and not opened again.

    A STOP that was sent before what has opened its scope since, and reaches us after it, stops
    nothing any more.
    """
    scopes: dict[Scope, datetime] = {}
    lifted: dict[Scope, datetime] = {}
    for fact in facts:
        if isinstance(fact, OptedOut):
            scope, said_at = scope_of(fact), fact.occurred_at
            if said_at >= lifted.get(scope, said_at):
                scopes[scope] = max(said_at, scopes.get(scope, said_at))
        elif isinstance(fact, OptOutLifted):
            scope = scope_of(fact)
            scopes.pop(scope, None)
            lifted[scope] = max(fact.occurred_at, lifted.get(scope, fact.occurred_at))
    return scopes


def mattering(facts: Iterable[Fact]) -> list[OptedOut | OptOutLifted]:
    """Give the few of a consumer's facts that fold into the same scopes as all, now and later."""
    stops: dict[Scope, OptedOut] = {}
    lifts: dict[Scope, OptOutLifted] = {}
    for fact in facts:
        if isinstance(fact, OptedOut):
            scope, lift = scope_of(fact), lifts.get(scope_of(fact))
            if lift is None or fact.occurred_at >= lift.occurred_at:
                stops[scope] = _later(stops.get(scope), fact)
        elif isinstance(fact, OptOutLifted):
            scope = scope_of(fact)
            stops.pop(scope, None)
            lifts[scope] = _later(lifts.get(scope), fact)
    return [*lifts.values(), *stops.values()]


_Said = TypeVar("_Said", OptedOut, OptOutLifted)


def _later(one: _Said | None, other: _Said) -> _Said:
    return one if one is not None and one.occurred_at > other.occurred_at else other


def covers(scope: Scope, short_code: str, service: str | None) -> bool:
    """Tell whether a scope keeps a service silent (None: the code as a whole)."""
    return scope in {EVERYTHING, Scope(short_code, None), Scope(short_code, service)}


def covering(scopes: Stopped, short_code: str, service: str | None) -> Stopped:
    """Give the scopes that keep a service silent (None: the code as a whole)."""
    if not scopes:
        return scopes
    return {scope: since for scope, since in scopes.items() if covers(scope, short_code, service)}


def silenced(scopes: Stopped, short_code: str, service: str | None) -> bool:
    """Tell whether nothing may be sent for a service (None: for the code as a whole)."""
    return bool(covering(scopes, short_code, service))


def sent_before(scopes: Stopped, short_code: str, service: str | None, at: datetime) -> bool:
    """Tell whether a message of `at` was sent before a STOP that covers it.

    Links tell time in whole seconds, so in the same second the order of arrival counts.
    """
    return any(at < since for since in covering(scopes, short_code, service).values())


def lifted_by(scopes: Stopped, short_code: str, service: str | None) -> tuple[Scope, ...]:
    """Give the scopes that a message to a code lifts, `service` being what it asked for.

    Everything, the code's own scope, and the service's; other services that were stopped stay so.
    """
    found = covering(scopes, short_code, service)
    return tuple(sorted(found, key=lambda scope: (scope.short_code or "", scope.service or "")))
