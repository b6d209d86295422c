"""The power fails: what the disk holds at that moment is all that the next server finds.

The database stands on an ext4 image. Its processes are stopped, and the file system is shut
down without writing anything more, so that what was never fsynced is lost with the kernel's
memory. The file is copied, the copy is mounted, and another server recovers on it, while API
and worker go on as if a machine had come back.

What the file system has handed to the image counts as on the disk: a disk that lies about its
own cache is not tried here.
"""

import random
import signal
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg

from ledger.log.session import SNAPSHOT, connect
from tests.torture.checks import examined, log_failures, sealed_failures
from tests.torture.cluster import Broken, Server, create_database, ended_after, home
from tests.torture.disks import Image, tool
from tests.torture.load import Load
from tests.torture.processes import Ledger, rest, serving
from tests.torture.trial import Say, Scale, Verdict, dice, judged

CUTS = {Scale.TINY: 1, Scale.SHORT: 20, Scale.LONG: 200}
CONTROL_CUTS = {Scale.TINY: 6, Scale.SHORT: 20, Scale.LONG: 20}
"""At most: the first cut that loses something ends a control."""
SIZE = 512 << 20
PROGRESS = 10
SHORTEST_SECONDS, LONGEST_SECONDS = 0.2, 0.8
FORGETFUL = """
CREATE FUNCTION forget() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM set_config('synchronous_commit', 'off', false); END $$;
CREATE EVENT TRIGGER forget ON login EXECUTE FUNCTION forget();
ALTER EVENT TRIGGER forget ENABLE ALWAYS;
"""
"""Whatever a session asks for, it is not made to wait for the disk."""


class Careless(NamedTuple):
    """A way to be quicker than the disk."""

    name: str
    settings: Mapping[str, str]
    sql: str


CARELESS = (
    Careless("fsync=off", {"fsync": "off"}, ""),
    Careless("synchronous_commit=off", {}, FORGETFUL),
)
CAREFUL = Careless("as it should be", {}, "")


class Power:
    """Cuts the power while clients hand messages over."""

    name = "power"
    promise = "Whenever the power fails, whatever was answered 200 before is found after"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Cut so many times; look for what was acknowledged each time, and at all at the end."""
        chance = dice(self.name, seed)
        with _machine(CAREFUL) as machine, machine.load(seed) as load:
            cuts, failures = machine.cuts(CUTS[scale], load, chance, say)
            load.stop()
            counted, found = examined(machine.ledger, machine.server.urls, load.told)
        facts = {"cuts": cuts, **counted, "s longest silence": load.told.silence}
        return judged(self.name, seed, facts, [*failures, *found])

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do so where commits do not wait for the disk: each of two ways must lose something."""
        chance = dice(self.name, seed)
        lost: list[str] = []
        facts: dict[str, int] = {}
        for careless in CARELESS:
            with _machine(careless) as machine, machine.load(seed) as load:
                cuts, failures = machine.cuts(CONTROL_CUTS[scale], load, chance, say)
            facts[f"cuts with {careless.name}"] = cuts
            lost += [f"{careless.name}: {failure}" for failure in failures[:1]]
        all_lost = len(lost) == len(CARELESS)
        return Verdict(self.name, seed, not all_lost, facts, ["; ".join(lost)])


class _Machine:
    """A server on a disk whose power can be cut, and a ledger that works with it."""

    def __init__(self, server: Server, image: Image, ledger: Ledger) -> None:
        self.server, self.image, self.ledger = server, image, ledger

    def load(self, seed: int) -> Load:
        return Load(self.ledger.port, self.ledger.key, seed, pause=0.02)

    def cuts(self, most: int, load: Load, chance: random.Random, say: Say) -> tuple[int, list[str]]:
        """Cut the power again and again, until something is lost; gives how often, and what."""
        for number in range(most):
            wanted = load.told.acknowledged + PROGRESS
            what = f"acknowledging again (cut {number})"
            if not self.ledger.until(lambda wanted=wanted: load.told.acknowledged >= wanted, what):
                return number, []
            rest(chance.uniform(SHORTEST_SECONDS, LONGEST_SECONDS))
            failures = self._cut(load, number)
            if failures:
                return number + 1, failures
            if number % 5 == 4:
                say(f"power: {number + 1} of {most}, {load.told.acknowledged} acknowledged")
        return most, []

    def _cut(self, load: Load, number: int) -> list[str]:
        """Cut once; gives what is wrong with what the next server finds."""
        self.server.send(signal.SIGSTOP)
        self.image.cut()
        folder = self.image.file.parent
        copy = self.image.copied(folder / f"disk-{number}", folder / f"mounted-{number}")
        self.server.kill()
        self.image.unmount()
        self.image.file.unlink()
        told = load.told.snapshot()
        self.image = copy
        copy.mount()
        self.server.move(copy.at)
        try:
            self.server.start()
        except Broken as broken:
            return [f"the database does not recover: {broken}"]
        with connect(self.server.urls.app) as connection, connection.transaction():
            connection.execute(SNAPSHOT, prepare=False)
            told.attempted = load.told.attempted
            found = log_failures(connection, told)[1]
            return found + sealed_failures(connection, self.server.urls, self.ledger.master)


@contextmanager
def _machine(how: Careless) -> Generator[_Machine]:
    with home() as folder:
        image = Image(folder / "disk", folder / "mounted")
        image.format(SIZE)
        image.mount()
        machine: _Machine | None = None
        server = Server(folder, how.settings)
        try:
            with ended_after(server):
                _prepare(server, image.at)
                with serving(server.urls) as ledger:
                    _begin(server, image.at, how)
                    machine = _Machine(server, image, ledger)
                    yield machine
        finally:
            (machine.image if machine else image).unmount()


def _prepare(server: Server, at: Path) -> None:
    server.create()
    server.move(at)
    server.start()
    create_database(server)


def _begin(server: Server, at: Path, how: Careless) -> None:
    """Let what is careless begin only now, with all before it on the disk and no session open."""
    with psycopg.connect(server.urls.owner, autocommit=True) as connection:
        if how.sql:
            connection.execute(how.sql.encode())
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        connection.execute("CHECKPOINT")
    tool("sync", "-f", str(at))
