"""Five thousand connections that say nothing, or half of something: the others are served.

The API is started with the 1,024 open files that a shell gives, and may raise that as far as
the machine lets it.
"""

import resource
import socket
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.database import new_server
from tests.torture.checks import examined
from tests.torture.cluster import children_of
from tests.torture.load import Load, percentile
from tests.torture.processes import Ledger, asked, rest, serving, urls_of
from tests.torture.trial import Say, Scale, Skipped, Verdict, judged

CONNECTIONS = {Scale.TINY: 1_500, Scale.SHORT: 5_000, Scale.LONG: 5_000}
ROUNDS = {Scale.TINY: 2, Scale.SHORT: 2, Scale.LONG: 60}
SERVED_SECONDS = {Scale.TINY: 0.5, Scale.SHORT: 3.0, Scale.LONG: 30.0}
USUAL_FILES = 1_024
SPARE_FILES = 500
CONNECT_SECONDS = 3.0
HALF_OF_TEN = 1
BYTES_EACH = 48 << 10
"""What an idle connection may cost the API."""
SLACK_BYTES = 24 << 20
"""By how much its memory may differ from one time to the next."""
P99_MS = 1_000
OK = 200


class Measured(NamedTuple):
    """What it is like with so many connections let in."""

    connected: int
    newcomer: bool
    """Whether one more is served."""
    memory: int
    """The API's, in bytes."""


class Idle:
    """Opens thousands of connections, and hands messages over beside them."""

    name = "idle"
    promise = "Beside thousands of idle and half-open connections all is served, memory stays flat"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Open, serve and let go, several times."""
        return self._idled(scale, seed, say, hard=None)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do so with an API that cannot raise what it was given."""
        del scale
        return self._idled(Scale.TINY, seed, say, hard=USUAL_FILES)

    def _idled(self, scale: Scale, seed: int, say: Say, *, hard: int | None) -> Verdict:
        wanted = CONNECTIONS[scale]
        measured: list[Measured] = []
        with (
            _many_files(wanted) as most,
            new_server(durable=True) as server,
            serving(urls_of(server.url), files=(USUAL_FILES, hard or most)) as ledger,
        ):
            with Load(ledger.port, ledger.key, seed) as load:
                before = memory_of(ledger)
                for _ in range(ROUNDS[scale]):
                    measured.append(_round(ledger, load, wanted, SERVED_SECONDS[scale]))
                    say(f"idle: {measured[-1].connected}, {measured[-1].memory >> 20} MB")
                    if not measured[-1].newcomer:
                        break
            counted, failures = examined(ledger, urls_of(server.url), load.told)
        p99 = percentile(load.waits_of(0), 0.99)
        facts = {
            "connections": wanted,
            "times": len(measured),
            **counted,
            "ms p99": p99,
            "MB before": before >> 20,
            "MB with them": max(one.memory for one in measured) >> 20,
        }
        failures += _wrong(measured, before, wanted)
        if p99 > P99_MS or load.told.statuses.keys() - {OK}:
            failures.append(f"served badly: p99 {p99:.0f} ms, {dict(load.told.statuses)}")
        return judged(self.name, seed, facts, failures)


def _wrong(measured: list[Measured], before: int, wanted: int) -> list[str]:
    first, last = measured[0], measured[-1]
    if last.connected < wanted or not last.newcomer:
        served = "is" if last.newcomer else "is not"
        let_in = f"{last.connected:,} of {wanted:,} connections were let in"
        return [f"{let_in}, and one more {served} served"]
    found: list[str] = []
    each = (first.memory - before) // wanted
    if each > BYTES_EACH:
        found.append(f"a connection costs {each:,} bytes")
    if last.memory > first.memory + SLACK_BYTES:
        grown = (last.memory - first.memory) >> 20
        found.append(f"memory has grown by {grown} MB from the first time to the last")
    return found


def _round(ledger: Ledger, load: Load, wanted: int, seconds: float) -> Measured:
    """Connect, hand messages over for so long beside it, and let go without a word."""
    connections: list[socket.socket] = []
    try:
        for one in _connected(ledger.port, wanted):
            connections.append(one)
            if len(connections) % 10 < HALF_OF_TEN:
                one.send(b"GET /v1/books/fr HTT")
        answered = load.told.acknowledged
        rest(seconds)
        ledger.until(lambda: load.told.acknowledged > answered, "acknowledging beside them")
        newcomer = asked(ledger.port, "/livez") == OK
        return Measured(open_files(ledger), newcomer, memory_of(ledger))
    finally:
        for one in connections:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            one.close()


def _connected(port: int, wanted: int) -> Iterator[socket.socket]:
    """Connect one after another, up to the first that is not let in."""
    for _ in range(wanted):
        try:
            yield socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)
        except OSError:
            return


def open_files(ledger: Ledger) -> int:
    """Count the files, sockets among them, that the API's processes have open."""
    return sum(len(list(Path(f"/proc/{one}/fd").iterdir())) for one in _processes(ledger))


def memory_of(ledger: Ledger) -> int:
    """Give the resident memory, in bytes, of the API's processes."""
    pages = (int(Path(f"/proc/{one}/statm").read_text().split()[1]) for one in _processes(ledger))
    return sum(pages) * resource.getpagesize()


def _processes(ledger: Ledger) -> list[int]:
    return [ledger.api.pid, *children_of(ledger.api.pid)]


@contextmanager
def _many_files(wanted: int) -> Generator[int]:
    """Let this process open as many as it needs; gives the most that a process may have.

    Raises:
        Skipped: that is not enough.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = hard if hard != resource.RLIM_INFINITY else 1 << 20
    if most < wanted + SPARE_FILES:
        raise Skipped(f"a process may open {most:,} files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield most
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
