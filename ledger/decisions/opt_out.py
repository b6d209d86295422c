"""What a consumer has stopped, and what a new message of theirs lifts.

Scopes nest: every service on a code, or one service on it. The same consumer's silence is
told from facts alone. Messages may reach us in another order than they were sent, so each
scope keeps the moment of its STOP: what was sent before it lifts nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from ledger.facts.base import Fact
from ledger.facts.consent import OptedOut, OptOutLifted


class Scope(NamedTuple):
    """What was stopped: one service on a code, or, where none is named, all of them."""

    short_code: str
    service: str | None


Stopped = Mapping[Scope, datetime]
"""Each scope that is stopped, with when the consumer said so, the last time."""


def stopped(facts: Iterable[Fact]) -> Stopped:
    """Fold the scopes that one consumer has stopped and not opened again."""
    scopes: dict[Scope, datetime] = {}
    for fact in facts:
        if isinstance(fact, OptedOut):
            scope = Scope(fact.short_code, fact.service)
            scopes[scope] = max(fact.occurred_at, scopes.get(scope, fact.occurred_at))
        elif isinstance(fact, OptOutLifted):
            scopes.pop(Scope(fact.short_code, fact.service), None)
    return scopes


def covering(scopes: Stopped, short_code: str, service: str | None) -> Stopped:
    """Give the scopes that keep a service silent (None: the code as a whole)."""
    over = {Scope(short_code, None), Scope(short_code, service)}
    return {scope: since for scope, since in scopes.items() if scope in over}


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

    The code's own scope, and the service's; other services that were stopped stay so.
    """
    found = covering(scopes, short_code, service)
    return tuple(sorted(found, key=lambda scope: scope.service or ""))
