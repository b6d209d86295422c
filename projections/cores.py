"""Rebuilds many projections at once, on as many cores as there are.

    ranges of the log ──► processes: read, decode, fold, lay out ──► one connection, in order
                          any range at any time                     merged as the engine would

A range is folded without knowing what came before it, and merged after it: that is what folds
promise. At most a few ranges are held at a time, however long the log is. All copies are temporary
tables of one connection, so that nothing is left behind when anybody is killed.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from multiprocessing import get_context
from typing import LiteralString, NamedTuple

from psycopg import Connection

from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections.known import PROJECTIONS, named
from projections.prepared import Span, prepare
from projections.rebuild import Copy, Progress, copied, swap, unseen
from projections.source import context_of, uncollected
from projections.table import LaidOut, Projection

RANGE = 20_000
"""Facts that a process folds at a time."""
AHEAD = 2 * (os.cpu_count() or 1)
"""Ranges that are folded ahead of the one being written, so that no process waits for work."""

# A copy is filled at random places; PostgreSQL's own 8 MB would have it written out all the time.
_ROOM: LiteralString = "SET temp_buffers = '256MB'"


class Work(NamedTuple):
    """What one process is given to fold."""

    conninfo: str
    book: str
    names: tuple[str, ...]
    after: int
    to: int


def rebuild_all(
    connection: Connection,
    conninfo: str,
    book: str,
    processes: int = os.cpu_count() or 1,
    projections: Sequence[Projection] = PROJECTIONS,
    progress: Progress = unseen,
) -> dict[str, int]:
    """Build projections anew beside those in use, then put each in its place; gives positions.

    Each is put there by a transaction of its own, as `rebuild` does with one.

    Raises:
        RebuildFailed: a fact cannot be folded; that projection, and those after it, stay.
    """
    connection.execute(_ROOM)
    with ExitStack() as stack:
        copies = [
            stack.enter_context(copied(connection, book, projection)) for projection in projections
        ]
        work = Work(conninfo, book, tuple(one.name for one in projections), 0, 0)
        for _ in range(2):  # once more for what came meanwhile
            head, _recorded_at = PostgresLog(connection, book).head()
            part = work._replace(after=copies[0].position, to=head)
            with _pool(connection, part, processes) as pool:
                _build(copies, pool, part, progress)
        return {copy.projection.name: swap(connection, book, copy) for copy in copies}


Pool = Callable[[Work], Future[dict[str, LaidOut] | None]]


@contextmanager
def _pool(connection: Connection, work: Work, processes: int) -> Generator[Pool]:
    """Give who folds ranges: processes, or this one where there is little to do."""
    if processes == 1 or work.to - work.after <= RANGE:
        yield partial(_here, connection)
        return
    # Begun anew and not forked: a connection, or a thread's lock, must not be in two processes.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        try:
            yield partial(pool.submit, fold_range)
        finally:
            pool.shutdown(cancel_futures=True)


def _here(connection: Connection, work: Work) -> Future[dict[str, LaidOut] | None]:
    done = Future[dict[str, LaidOut] | None]()
    done.set_result(_fold(connection, work))
    return done


def _build(copies: Sequence[Copy], pool: Pool, work: Work, progress: Progress) -> None:
    """Merge range after range as it is folded, in the order of the log."""
    for to, rows in _folded(pool, work):
        for copy in copies:
            if rows is None:
                copy.add(to)  # It holds what cannot be taken as a whole: this says what, and where.
            else:
                copy.put(rows[copy.projection.name], to)
        progress(to, work.to)


def _folded(pool: Pool, work: Work) -> Iterator[tuple[int, dict[str, LaidOut] | None]]:
    """Let ranges be folded a few ahead, and give them in their order."""
    waiting = deque[tuple[int, Future[dict[str, LaidOut] | None]]]()
    for part in _ranges(work):
        waiting.append((part.to, pool(part)))
        if len(waiting) > AHEAD:
            to, future = waiting.popleft()
            yield to, future.result()
    for to, future in waiting:
        yield to, future.result()


def _ranges(work: Work) -> Iterable[Work]:
    for after in range(work.after, work.to, RANGE):
        yield work._replace(after=after, to=min(after + RANGE, work.to))


def fold_range(work: Work) -> dict[str, LaidOut] | None:
    """Fold one range in a process of its own; None where something of it cannot be taken."""
    return _fold(_connection(work.conninfo), work)


def _fold(connection: Connection, work: Work) -> dict[str, LaidOut] | None:
    context = context_of(PostgresLog(connection, work.book))
    assert context is not None, "a range has facts, so the first one is there"
    projections = tuple([named(name) for name in work.names])
    with uncollected():
        return prepare(connection, Span(work.book, work.after, work.to, projections, context)).rows


@cache
def _connection(conninfo: str) -> Connection:
    """Connect once in each process; it is closed with the process."""
    return connect(conninfo)
