"""A batch of facts, prepared for many projections up to where their tables are written.

Nothing here depends on what stands in a table, so a batch may be prepared while the one before it
is written, or by another process.
"""

from collections.abc import Generator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

from psycopg import Connection

from ledger.facts.base import Recorded
from ledger.log.session import connect
from projections.fold import Context
from projections.source import Item, decoded, lines
from projections.table import LaidOut, Projection
from projections.together import Together


class Span(NamedTuple):
    """What is to be prepared: positions of a book, after one up to another, for whom."""

    book: str
    after: int
    to: int
    projections: tuple[Projection, ...]
    context: Context


class Prepared(NamedTuple):
    """What was read, and the rows that come of it."""

    last: int
    """The last position that was read, or the one after which nothing is."""
    read: int
    """How many facts there were."""
    items: Sequence[Item]
    rows: dict[str, LaidOut] | None
    """By projection; none where something among the items cannot be read or folded."""


def prepare(connection: Connection, span: Span) -> Prepared:
    """Read, decode, fold and lay out.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    read = lines(connection, span.book, span.after, span.to)
    if not read:
        return Prepared(span.after, 0, (), {})
    items = decoded(read, [projection.fold for projection in span.projections])
    return Prepared(read[-1].position, len(read), items, _laid_out(span, items))


def _laid_out(span: Span, items: Sequence[Item]) -> dict[str, LaidOut] | None:
    facts = [item for item in items if isinstance(item, Recorded)]
    if len(facts) < len(items):
        return None
    try:
        together = Together([projection.fold for projection in span.projections])
        deltas = together.fold(facts, span.context)
        return {
            projection.name: projection.table.laid_out(found)
            for projection, found in zip(span.projections, deltas, strict=True)
        }
    except Exception:  # noqa: BLE001 - whatever it is, it is found again, one by one
        return None


class Ahead:
    """Prepares what is asked for beside its caller, over a connection of its own."""

    def __init__(self, connection: Connection, thread: Executor) -> None:
        self.connection = connection
        self._thread = thread
        self._begun: tuple[Span, Future[Prepared]] | None = None

    def begin(self, span: Span) -> None:
        """Begin to prepare what will be asked for next."""
        self._begun = span, self._thread.submit(prepare, self.connection, span)

    def take(self, span: Span) -> Prepared:
        """Give what was begun; what was begun instead of it is let go.

        Raises: as `prepare`.
        """
        begun, self._begun = self._begun, None
        # Where nothing was there yet, something may have come since.
        if begun is not None and begun[0] == span and (found := begun[1].result()).read:
            return found
        return self._thread.submit(prepare, self.connection, span).result()


@contextmanager
def ahead(conninfo: str) -> Generator[Ahead]:
    """Prepare over a connection to a database; it ends with its thread.

    Raises:
        psycopg.OperationalError: the database is away.
    """
    with connect(conninfo) as connection, ThreadPoolExecutor(1, "ahead") as thread:
        yield Ahead(connection, thread)
