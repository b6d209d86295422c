"""Reads rows of the log as facts, once for all folds; what cannot be read keeps its place."""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from typing import NamedTuple

import msgspec

from ledger.facts.base import Recorded
from ledger.facts.book import BookOpened
from ledger.facts.registry import REGISTRY, Registry, UnknownFact, stored_name
from ledger.log.postgres import PostgresLog
from ledger.log.rows import StoredRow
from projections.fold import AnyFold, Context


class Unreadable(NamedTuple):
    """A row that this code cannot turn into a fact."""

    position: int
    type: str
    error: Exception


Item = Recorded | Unreadable


class NotABook(ValueError):
    """The first fact of the log does not open a book, so nothing tells its days."""


def context_of(log: PostgresLog) -> Context | None:
    """Read what the book's opening says; none while nothing is recorded.

    Raises:
        NotABook: position 1 holds another fact.
    """
    rows = log.follow(0, 1)
    if not rows:
        return None
    fact = REGISTRY.decode(rows[0]).fact
    if not isinstance(fact, BookOpened):
        raise NotABook(f"{log.book}: position 1 is {rows[0].type}")
    return Context(zone=fact.zone)


def ignored_types(fold: AnyFold) -> frozenset[str]:
    """Give the stored names of the facts that a fold ignores, which it need not have decoded."""
    return frozenset(stored_name(fact) for fact in fold.ignores)


def decoded(
    rows: Iterable[StoredRow], folds: Collection[AnyFold], registry: Registry = REGISTRY
) -> list[Item]:
    """Decode the rows that one of the folds (at least one) may read; the others are left out."""
    skipped = reduce(frozenset[str].intersection, map(ignored_types, folds))
    return [_item(row, registry) for row in rows if row.type not in skipped]


def _item(row: StoredRow, registry: Registry) -> Item:
    try:
        return registry.decode(row)
    except (UnknownFact, msgspec.DecodeError) as error:
        return Unreadable(row.position, row.type, error)


def readable(items: Sequence[Item], fold: AnyFold) -> tuple[list[Recorded], Unreadable | None]:
    """Give the facts up to the first row that this fold needs and nobody can read, and that row."""
    ignored = ignored_types(fold)
    facts: list[Recorded] = []
    for item in items:
        if isinstance(item, Recorded):
            facts.append(item)
        elif item.type not in ignored:
            return facts, item
    return facts, None
