"""Reads rows of the log as facts, once for all folds; what cannot be read keeps its place."""

import gc
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import lru_cache, reduce
from itertools import repeat
from typing import LiteralString, NamedTuple

import msgspec
from psycopg import Connection

from ledger.facts.base import Recorded
from ledger.facts.book import BookOpened
from ledger.facts.registry import REGISTRY, Registry, UnknownFact, stored_name
from ledger.log.older import before
from ledger.log.postgres import PostgresLog, run
from ledger.log.rows import StoredRow
from projections.fold import AnyFold, Context
from projections.quick import TAGS, read_all

_LINES: LiteralString = """
SELECT position, recorded_at, type, data
FROM facts
WHERE book = %s AND position > %s AND position <= %s
ORDER BY position
"""


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


def lines(connection: Connection, book: str, after: int, to: int) -> list[StoredRow]:
    """Read the rows after one position up to another, in order, without their tags.

    No fold reads tags, and they cost as much to bring here as all the rest.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    found = connection.execute(_LINES, (book, after, to), binary=True).fetchall()
    rows = list[StoredRow]()
    if found:
        position, recorded_at, kind, data = zip(*found, strict=True)
        columns = zip(repeat(book), position, recorded_at, kind, repeat(()), data, strict=False)
        rows = list(map(StoredRow._make, columns))
    return run(connection, before(book, after, to, rows, tagged=False))


@contextmanager
def uncollected() -> Generator[None]:
    """Keep Python from looking for cycles among the facts of a batch: there are none.

    It would look through all of them a hundred times, which takes a tenth of the time.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@lru_cache(maxsize=64)
def ignored_types(fold: AnyFold) -> frozenset[str]:
    """Give the stored names of the facts that a fold ignores, which it need not have decoded."""
    return frozenset(stored_name(fact) for fact in fold.ignores)


def decoded(
    rows: Iterable[StoredRow], folds: Collection[AnyFold], registry: Registry = REGISTRY
) -> list[Item]:
    """Decode the rows that one of the folds (at least one) may read; the others are left out."""
    skipped = reduce(frozenset[str].intersection, map(ignored_types, folds))
    wanted = [row for row in rows if row.type not in skipped]
    if registry is not REGISTRY:
        return [_item(row, registry) for row in wanted]
    quick = iter(_quickly([row for row in wanted if row.type in _QUICK]))
    return [next(quick) if row.type in _QUICK else _item(row, registry) for row in wanted]


_QUICK = frozenset(TAGS.values())
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError)


def _quickly(rows: Sequence[StoredRow]) -> list[Item]:
    """Read rows that may be read quickly; how each is read does not depend on those beside it."""
    try:
        return _together(rows)
    except _BROKEN:
        if len(rows) == 1:
            return [_item(rows[0], REGISTRY)]
    return [item for row in rows for item in _quickly([row])]


def _together(rows: Sequence[StoredRow]) -> list[Item]:
    return [
        Recorded._make(
            (*row[:3], one.id, one.exchange, one.caused_by, one.actor, one.request, one.fact)
        )
        for row, one in zip(rows, read_all(rows), strict=True)
    ]


def _item(row: StoredRow, registry: Registry) -> Item:
    try:
        return registry.decode(row)
    except (UnknownFact, *_BROKEN) as error:
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
