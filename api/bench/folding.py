"""The read side: each fold and all of them, a rebuild on all cores, and the lag of a live one."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from time import perf_counter, process_time

from psycopg import Connection

from api.bench.appending import appended
from api.bench.book import BOOK, EACH
from api.bench.measure import Figure, rate, waits
from api.bench.stage import Stage
from ledger.log.batch import Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections.cores import rebuild_all
from projections.engine import Engine
from projections.known import PROJECTIONS
from projections.prepared import ahead
from projections.reading import wait_for
from projections.table import Projection

A_SECOND = 1_000
"""Exchanges a second that arrive while the lag is taken."""
TICK = 0.01
"""Seconds between the batches that arrive."""
LAG_SECONDS = 10
START_SECONDS = 30.0


def figures(stage: Stage) -> Iterator[Figure]:
    """Give the figures of the read side, over one log of charged exchanges."""
    url = stage.database.app_url
    appended(url, BOOK, stage.exchanges(stage.scale.facts // EACH, "folded"), 256)
    yield _folded(url, PROJECTIONS, "all folds, rows written")._replace(bar="60,000")
    for projection in PROJECTIONS:
        yield _folded(url, [projection], f"{projection.name} alone")
    yield _rebuilt(url)
    arriving = stage.exchanges(min(A_SECOND * LAG_SECONDS, stage.scale.facts // EACH), "live")
    yield _lagging(stage, arriving)._replace(bar="p99 250 ms")


def _folded(url: str, projections: Sequence[Projection], what: str) -> Figure:
    """Time folds over the whole log by one process, and tell the CPU it took on both sides."""
    with connect(url) as connection, ahead(url) as beside:
        both = (connection, beside.connection)
        Engine(connection, BOOK).begin_anew()
        facts, _recorded_at = PostgresLog(connection, BOOK).head()
        server, client, start = sum(map(_cpu_of, both)), process_time(), perf_counter()
        Engine(connection, BOOK, projections, ahead=beside).catch_up()
        seconds = perf_counter() - start
        client, server = process_time() - client, sum(map(_cpu_of, both)) - server
    note = (
        f"CPU {1e6 * client / facts:.1f} us a fact here, {1e6 * server / facts:.1f} in PostgreSQL"
    )
    return rate(what, "facts", facts, seconds, note)


def _cpu_of(connection: Connection) -> float:
    """Give the seconds of CPU that the server spent on a connection, where Linux tells."""
    try:
        told = Path(f"/proc/{connection.info.backend_pid}/stat").read_text(encoding="ascii")
    except OSError:
        return 0.0
    fields = told.rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rebuilt(url: str) -> Figure:
    """Time all projections made anew, on all cores, and put in the place of those in use."""
    cores = os.cpu_count() or 1
    with connect(url) as connection:
        Engine(connection, BOOK).catch_up()
        facts, _recorded_at = PostgresLog(connection, BOOK).head()
        start = perf_counter()
        rebuild_all(connection, url, BOOK, cores)
        seconds = perf_counter() - start
    return rate(f"rebuild of all, {cores} processes", "facts", facts, seconds)


def _lagging(stage: Stage, proposals: Sequence[Proposal]) -> Figure:
    """Time, for each batch that is committed, until the last projection has taken it."""
    url, batch = stage.database.app_url, max(1, int(A_SECOND * TICK))
    committed: list[tuple[int, float]] = []
    with _working(stage), connect(url) as connection, connect(url) as watching:
        log, watcher = PostgresLog(connection, BOOK), Watcher(watching)
        log.submit(proposals[:1])
        _begun(connection, log.head()[0])
        proposals = proposals[1:]
        watcher.start()
        start = perf_counter()
        for number, at in enumerate(range(0, len(proposals), batch)):
            _until(start + number * TICK)
            (*_, last) = log.submit(proposals[at : at + batch])
            if isinstance(last, Exception):
                raise last
            committed.append((last.head, perf_counter()))
        seconds = perf_counter() - start
        seen = watcher.reached(committed[-1][0])
    each = [_first(seen, head) - moment for head, moment in committed]
    what = f"lag behind the commit, {A_SECOND:,} exchanges a second wanted"
    return waits(what, "exchanges", len(proposals), seconds, [max(0.0, one) for one in each])


def _begun(connection: Connection, head: int) -> None:
    """Wait until the worker is there and has nothing left to do."""
    for projection in PROJECTIONS:
        wait_for(connection, BOOK, projection.name, head, timeout=START_SECONDS)


def _first(seen: Sequence[tuple[int, float]], head: int) -> float:
    return next(moment for position, moment in seen if position >= head)


def _until(moment: float) -> None:
    if (left := moment - perf_counter()) > 0:
        threading.Event().wait(left)


@contextmanager
def _working(stage: Stage) -> Generator[None]:
    """Run a worker as a process of its own; it ends with its input."""
    command = (sys.executable, "-m", "api.cli.main", "work", "--with-parent")
    worker = subprocess.Popen(  # noqa: S603 - this interpreter, with arguments of our own
        command,
        env={**os.environ, **stage.environ()},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        worker.communicate()


class Watcher(Thread):
    """Looks again and again where the last of the projections stands."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._seen: list[tuple[int, float]] = []
        self._wanted: int | None = None

    def run(self) -> None:
        """Look until the wanted position is reached."""
        while self._wanted is None or not self._seen or self._seen[-1][0] < self._wanted:
            found = self._connection.execute(
                "SELECT min(position) FROM projection_positions WHERE book = %s", (BOOK,)
            ).fetchone()
            if found and (not self._seen or found[0] > self._seen[-1][0]):
                self._seen.append((int(found[0]), perf_counter()))
            threading.Event().wait(0.001)

    def reached(self, head: int) -> list[tuple[int, float]]:
        """Wait until all are there; gives each position that was seen, and when."""
        self._wanted = head
        self.join()
        return self._seen
