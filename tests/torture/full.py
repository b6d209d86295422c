"""A disk that is full: whoever cannot write says so, and goes on when there is room again."""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from time import monotonic

import psycopg

from api.embedded import Embedded
from tests.torture.checks import examined
from tests.torture.cluster import home
from tests.torture.disks import memory
from tests.torture.hasty import Hasty
from tests.torture.load import Load
from tests.torture.processes import Ledger, rest, serving, urls_of
from tests.torture.trial import Say, Scale, Verdict, dice, judged

ROUNDS = {Scale.TINY: 1, Scale.SHORT: 3, Scale.LONG: 200}
SIZE = 400 << 20
PROGRESS = 20
SHORTEST_SECONDS, LONGEST_SECONDS = 1.0, 2.5
STEP_SECONDS = 0.05
LAST_BYTES = 1 << 12


class Full:
    """Fills the database's disk while clients hand messages over, and makes room again."""

    name = "full"
    promise = "On a full disk nothing is answered 200 that is lost; with room again all goes on"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Fill it so many times."""
        return self._filled(ROUNDS[scale], seed, say, hasty=False)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do so behind an intake that acknowledges before it hands over."""
        del scale
        return self._filled(1, seed, say, hasty=True)

    def _filled(self, rounds: int, seed: int, say: Say, *, hasty: bool) -> Verdict:
        chance = dice(self.name, seed)
        recoveries: list[float] = []
        with (
            home() as folder,
            memory(folder / "disk", SIZE) as disk,
            Embedded(disk) as server,
            serving(urls_of(server.url)) as ledger,
        ):
            with (
                Hasty(ledger.port) if hasty else nullcontext(ledger) as before,
                Load(before.port, ledger.key, seed) as load,
            ):
                for number in range(rounds):
                    _until_acknowledged(ledger, load)
                    _fill(disk, server, chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
                    freed = monotonic()
                    _until_acknowledged(ledger, load)
                    recoveries.append(monotonic() - freed)
                    say(f"full: {number + 1} of {rounds}, {load.told.acknowledged} acknowledged")
            counted, failures = examined(ledger, urls_of(server.url), load.told)
        statuses = load.told.statuses
        facts = {
            "times full": rounds,
            **counted,
            "answers 503": statuses[503],
            "s until it went on, at most": max(recoveries),
        }
        return judged(self.name, seed, facts, [*failures, *_dishonest(statuses, hasty=hasty)])


def _until_acknowledged(ledger: Ledger, load: Load) -> None:
    wanted = load.told.acknowledged + PROGRESS
    ledger.until(lambda: load.told.acknowledged >= wanted, "acknowledging")


def _dishonest(statuses: Counter[int], *, hasty: bool) -> list[str]:
    """Say what answers should not have been: the API's own disk was never full."""
    found: list[str] = []
    if statuses[0]:
        found.append(f"{statuses[0]} requests were not answered at all")
    if not statuses[503] and not hasty:
        found.append("the disk was never full: nothing was refused")
    return found


def _fill(disk: Path, server: Embedded, seconds: float) -> None:
    """Leave no room for so long, and ask for some by closing the log's current segment."""
    ballast = disk / "ballast"
    until = monotonic() + seconds
    with ballast.open("ab") as file:
        while monotonic() < until:
            _take_all(disk, file.fileno())
            _suppressed(lambda: _switch_segment(server))
            rest(STEP_SECONDS)
    ballast.unlink()


def _take_all(disk: Path, file: int) -> None:
    free = os.statvfs(disk)
    room = free.f_bavail * free.f_frsize
    if room >= LAST_BYTES:
        with suppress(OSError):  # somebody else may be quicker to take it
            os.posix_fallocate(file, os.fstat(file).st_size, room)


def _switch_segment(server: Embedded) -> None:
    with psycopg.connect(server.url(), connect_timeout=2, autocommit=True) as connection:
        connection.execute("SELECT pg_switch_wal()")


def _suppressed(what: Callable[[], None]) -> None:
    with suppress(psycopg.Error):
        what()
