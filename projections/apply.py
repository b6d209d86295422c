"""Applies facts to a projection's table, as far as they go: a failure is narrowed to its fact."""

from collections.abc import Sequence
from typing import NamedTuple

import psycopg

from ledger.facts.base import Recorded
from projections.fold import Context
from projections.source import Item, readable
from projections.table import Place, Projection

AWAY = (psycopg.OperationalError, psycopg.InterfaceError)
"""A broken world is no fact's fault."""


class Failure(NamedTuple):
    """The first fact that a projection could not take; all before it are applied."""

    position: int
    fact: str | None
    """Its id, where it could be read."""
    error: Exception


class Target(NamedTuple):
    """Which projection of which book, and where it is written."""

    place: Place
    book: str
    projection: Projection
    context: Context


def apply(target: Target, items: Sequence[Item]) -> Failure | None:
    """Fold items and merge them into the table, up to the first that fails, if one does."""
    facts, stopper = readable(items, target.projection.fold)
    failure = _apply(target, facts)
    if failure is None and stopper is not None:
        return Failure(stopper.position, None, stopper.error)
    return failure


def _apply(target: Target, facts: Sequence[Recorded]) -> Failure | None:
    """Apply all facts, or halve them until those before the first failing one are applied."""
    if not facts:
        return None
    try:
        deltas = target.projection.fold.fold(facts, target.context)
        with target.place.connection.transaction():
            target.projection.table.write(target.place, target.book, deltas)
    except AWAY:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a fold or its rows do, others go on
        if len(facts) == 1:
            return Failure(facts[0].position, facts[0].id, error)
    else:
        return None
    half = len(facts) // 2
    return _apply(target, facts[:half]) or _apply(target, facts[half:])
