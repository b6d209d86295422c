"""What a consumer has stopped, and what a new message of theirs lifts.

Scopes nest: every service on a code, or one service on it. The same consumer's silence is
told from facts alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

from ledger.facts.base import Fact
from ledger.facts.consent import OptedOut, OptOutLifted


class Scope(NamedTuple):
    """What was stopped: one service on a code, or, where none is named, all of them."""

    short_code: str
    service: str | None


def stopped(facts: Iterable[Fact]) -> frozenset[Scope]:
    """Fold the scopes that one consumer has stopped and not opened again."""
    scopes: set[Scope] = set()
    for fact in facts:
        if isinstance(fact, OptedOut):
            scopes.add(Scope(fact.short_code, fact.service))
        elif isinstance(fact, OptOutLifted):
            scopes.discard(Scope(fact.short_code, fact.service))
    return frozenset(scopes)


def silenced(scopes: frozenset[Scope], short_code: str, service: str | None) -> bool:
    """Tell whether nothing may be sent for a service (None: for the code as a whole)."""
    return Scope(short_code, None) in scopes or Scope(short_code, service) in scopes


def lifted_by(scopes: frozenset[Scope], short_code: str, service: str | None) -> tuple[Scope, ...]:
    """Give the scopes that a message to a code lifts, `service` being what it asked for.

    The code's own scope, and the service's; other services that were stopped stay so.
    """
    found = {Scope(short_code, None), Scope(short_code, service)} & scopes
    return tuple(sorted(found, key=lambda scope: scope.service or ""))
