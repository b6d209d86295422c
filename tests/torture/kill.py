"""`kill -9` at random moments under load: the API, the worker, a backend, the postmaster, all."""

import os
import random
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from api.embedded import Embedded
from tests.support.database import new_server
from tests.torture.checks import examined
from tests.torture.cluster import children_of
from tests.torture.hasty import Hasty
from tests.torture.load import Load
from tests.torture.processes import Ledger, rest, serving, urls_of
from tests.torture.trial import Say, Scale, Verdict, dice, judged

CYCLES = {Scale.TINY: 2, Scale.SHORT: 50, Scale.LONG: 1_000}
CONTROL_CYCLES = {Scale.TINY: 2, Scale.SHORT: 6, Scale.LONG: 6}
PROGRESS = 5
"""What must be acknowledged after a kill before the next one."""
LONGEST_PAUSE_SECONDS = 0.4
CLIENTS = 6


class Kill:
    """Kills what serves the book while clients hand messages over."""

    name = "kill"
    promise = (
        "Whichever process is killed, whatever was answered 200 is there once, positions have no "
        "gap, projections equal a replay, and the books balance"
    )

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Kill so many times, then look at all of it."""
        return self._killed(CYCLES[scale], seed, say, hasty=False)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do so to an intake that acknowledges before it hands over."""
        return self._killed(CONTROL_CYCLES[scale], seed, say, hasty=True)

    def _killed(self, cycles: int, seed: int, say: Say, *, hasty: bool) -> Verdict:
        chance = dice(self.name, seed)
        kinds = ("api", "postmaster") if hasty else tuple(KILLS)
        with new_server(durable=True) as server, serving(urls_of(server.url)) as ledger:
            front = Hasty(ledger.port) if hasty else nullcontext()
            with front as before:
                port = before.port if before else ledger.port
                with Load(port, ledger.key, seed, clients=CLIENTS) as load:
                    killed = _cycles(server, ledger, load, chance, plan(chance, cycles, kinds), say)
            counted, failures = examined(ledger, urls_of(server.url), load.told)
        facts = {"kills": cycles, **killed, **counted, "s longest silence": load.told.silence}
        return judged(self.name, seed, facts, failures)


def plan(chance: random.Random, cycles: int, kinds: Sequence[str]) -> Sequence[str]:
    """Say what is killed in turn: each kind as often, in an order by chance."""
    turns = [kinds[number % len(kinds)] for number in range(cycles)]
    chance.shuffle(turns)
    return turns


def _cycles(
    server: Embedded,
    ledger: Ledger,
    load: Load,
    chance: random.Random,
    turns: Sequence[str],
    say: Say,
) -> dict[str, int]:
    killed: Counter[str] = Counter()
    for number, kind in enumerate(turns):
        before = load.told.acknowledged
        wanted = before + PROGRESS
        what = f"acknowledging again after {kind} was killed (cycle {number})"
        if not ledger.until(lambda wanted=wanted: load.told.acknowledged >= wanted, what):
            break
        rest(chance.uniform(0, LONGEST_PAUSE_SECONDS))
        KILLS[kind](server, ledger, chance)
        killed[kind] += 1
        if number % 10 == 9:
            say(f"kill: {number + 1} of {len(turns)}, {load.told.acknowledged} acknowledged")
    last = load.told.acknowledged + PROGRESS
    ledger.until(lambda: load.told.acknowledged >= last, "acknowledging again after the last kill")
    return dict(killed)


def _api(_server: Embedded, ledger: Ledger, _chance: random.Random) -> None:
    ledger.api.kill()


def _worker(_server: Embedded, ledger: Ledger, _chance: random.Random) -> None:
    ledger.worker.kill()


def _backend(server: Embedded, _ledger: Ledger, chance: random.Random) -> None:
    """Kill one of the server's processes, of whatever kind; it then ends and restarts all."""
    children = children_of(postmaster(server))
    if children:
        end(chance.choice(children))


def _postmaster(server: Embedded, _ledger: Ledger, _chance: random.Random) -> None:
    """Kill the first process alone, so that the others find themselves orphaned."""
    end(postmaster(server))


def _database(server: Embedded, _ledger: Ledger, _chance: random.Random) -> None:
    """Kill all processes of the server, the first one first."""
    first = postmaster(server)
    for pid in (first, *children_of(first)):
        end(pid)


def _everything(server: Embedded, ledger: Ledger, chance: random.Random) -> None:
    _database(server, ledger, chance)
    ledger.api.kill()
    ledger.worker.kill()


KILLS: dict[str, Callable[[Embedded, Ledger, random.Random], None]] = {
    "api": _api,
    "worker": _worker,
    "backend": _backend,
    "postmaster": _postmaster,
    "database": _database,
    "everything": _everything,
}


def postmaster(server: Embedded) -> int:
    """Give the pid of the server's first process; 0 where none runs.

    The file outlives a killed server, and its number may be anybody's by then.
    """
    pid = int((server.cluster.pid_file() or ["0"])[0])
    with suppress(OSError):
        if b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return 0


def end(pid: int) -> None:
    """Kill one process, if it is there."""
    if pid > 1:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
