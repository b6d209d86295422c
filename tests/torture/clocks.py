"""The wall clock is set, an hour forth and back, and goes across both changes of a year's time.

It is set for all of them at once: API, worker, PostgreSQL and the clients' gateway.
"""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Self

import psycopg

from tests.torture.checks import examined
from tests.torture.cluster import Server, create_database, ended_after, home
from tests.torture.load import Load
from tests.torture.processes import Ledger, rest, serving
from tests.torture.shim import Shim
from tests.torture.trial import Say, Scale, Verdict, dice, judged

HOUR = timedelta(hours=1)
OPENING = datetime(2026, 3, 28, 20, tzinfo=UTC)
SPRING = datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC)
"""A second before Paris goes from 02:00 to 03:00. Source: Directive 2000/84/EC, articles 1 to 3."""
AUTUMN = datetime(2026, 10, 25, 0, 59, 59, tzinfo=UTC)
"""A second before Paris goes from 03:00 to 02:00."""
JUMPS = {Scale.TINY: 2, Scale.SHORT: 10, Scale.LONG: 1_200}
STEP_SECONDS = 1.0
PROGRESS = 5


class Clocks:
    """Sets the clock while clients hand messages over."""

    name = "clocks"
    promise = "Wherever the clock is set, nothing breaks and recorded_at never runs backwards"

    def __init__(self) -> None:
        self._beside: dict[tuple[Scale, int], Verdict] = {}

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Set the clock so many times."""
        run, self._beside[scale, seed] = self._set(JUMPS[scale], seed, say)
        return run

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Look at a table beside the log, in that run, that takes the server's time as it is."""
        if (scale, seed) not in self._beside:
            self.run(scale, seed, say)
        return self._beside[scale, seed]

    def _set(self, jumps: int, seed: int, say: Say) -> tuple[Verdict, Verdict]:
        chance = dice(self.name, seed)
        with home() as folder:
            shim = Shim(folder)
            shim.set_clock(OPENING)
            server = Server(folder, environ=shim.environ)
            with ended_after(server):
                server.create()
                server.start()
                create_database(server)
                with serving(server.urls, shim.environ, shim.clock) as ledger:
                    with (
                        Naive(server.urls.owner) as naive,
                        Load(ledger.port, ledger.key, seed, clock=shim.clock) as load,
                    ):
                        for number, to in enumerate(_plan(chance, jumps)):
                            shim.set_clock(to if isinstance(to, datetime) else shim.clock() + to)
                            _go_on(ledger, load)
                            say(f"clocks: set to {shim.clock():%Y-%m-%d %H:%M:%S} ({number + 1})")
                    counted, failures = examined(ledger, server.urls, load.told)
                    backwards = naive.backwards()
        facts = {"clock set": jumps + 2, **counted}
        if load.told.statuses.keys() - {200}:
            failures.append(f"not all was answered 200: {dict(load.told.statuses)}")
        run = judged(self.name, seed, facts, failures)
        control = judged(self.name, seed, {"naive rows": naive.rows}, backwards)
        return run, control


def _plan(chance: random.Random, jumps: int) -> Sequence[datetime | timedelta]:
    """Go to each change of time, with hours forth and back after it, by chance but never before."""
    half = jumps // 2
    hours = [_hours(chance, half), _hours(chance, jumps - half)]
    return [SPRING, *hours[0], AUTUMN, *hours[1]]


def _hours(chance: random.Random, count: int) -> list[timedelta]:
    """Begin an hour back, across the change again."""
    return [-HOUR if n == 0 else chance.choice((HOUR, -HOUR)) for n in range(count)]


def _go_on(ledger: Ledger, load: Load) -> None:
    rest(STEP_SECONDS)
    wanted = load.told.acknowledged + PROGRESS
    ledger.until(lambda: load.told.acknowledged >= wanted, "acknowledging after the clock was set")


class Naive:
    """A table that takes the server's time as it is, written to all the while."""

    def __init__(self, url: str) -> None:
        self.rows = 0
        self._url = url
        self._stop = Event()
        self._thread = Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "CREATE TABLE naive (n bigint GENERATED ALWAYS AS IDENTITY,"
                " at timestamptz NOT NULL DEFAULT clock_timestamp())"
            )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stop.wait(0.05):
                connection.execute("INSERT INTO naive DEFAULT VALUES")
                self.rows += 1

    def backwards(self) -> list[str]:
        """Say how often its time runs backwards."""
        with psycopg.connect(self._url) as connection:
            found = connection.execute(
                "SELECT count(*) FROM naive AS a INNER JOIN naive AS b ON b.n = a.n + 1"
                " WHERE b.at < a.at"
            ).fetchone()
        assert found is not None
        return [f"the time runs backwards {found[0]} times"] if found[0] else []
