"""Workers that share a book: one at a time works on it, and another takes over within seconds."""

import asyncio
import os
import signal
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from threading import Event
from time import monotonic

import psycopg
import pytest

from api import worker
from ledger.log.session import connect, connect_async
from projections import lease as leasing
from projections.charges.table import PROJECTION as CHARGES
from projections.engine import Engine
from projections.known import PROJECTIONS
from projections.lease import Lease
from projections.positions import standings
from projections.reading import wait_for
from projections.rebuild import compare
from projections.renewing import Stopped, outdated, renew
from tests.support.cli import Obole, Sms, obole_at
from tests.support.database import TestDatabase
from tests.support.history import NOON, two_charges
from tests.support.projected import contents, store
from tests.support.running import Running

SOON = 30.0
"""Seconds within which a busy machine must have done what takes a moment."""
HANDED_ON = leasing.SECONDS + leasing.RENEW_SECONDS + SOON


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


def holder(connection: psycopg.Connection, unlike: str = "") -> str:
    """Wait until somebody else than `unlike` holds the French book; gives who."""
    deadline = monotonic() + HANDED_ON
    waiting = Event()
    while monotonic() < deadline:
        found = connection.execute(
            "SELECT holder FROM leases WHERE book = 'fr' AND holder <> %s", (unlike,)
        ).fetchone()
        if found:
            return found[0]
        waiting.wait(0.02)
    raise AssertionError("nobody holds the book")


def pid_of(name: str) -> int:
    return int(name.split(":")[1])


class TestLease:
    """One book's lease."""

    def test_is_of_one_until_it_is_left_or_runs_out(self, database: TestDatabase) -> None:
        async def story() -> list[bool]:
            one, other = Lease("fr", "one"), Lease("fr", "other")
            short = Lease("be", "one", seconds=0.01)
            async with await connect_async(database.app_url) as link:
                found = [await one.take(link), await other.take(link), await one.take(link)]
                found += [one.left > 0, other.left > 0]
                await one.leave(link)
                found += [one.left > 0, await other.take(link), await one.take(link)]
                assert await short.take(link)
                await link.execute("SELECT pg_sleep(0.02)")
                found += [short.left > 0, await Lease("be", "other").take(link)]
                await other.leave(link)
            return found

        assert asyncio.run(story()) == [
            *(True, False, True),
            *(True, False),
            *(False, True, False),
            *(False, True),
        ]

    def test_of_another_is_not_left(self, database: TestDatabase) -> None:
        async def story() -> bool:
            async with await connect_async(database.app_url) as link:
                await Lease("fr", "one").take(link)
                await Lease("fr", "other").leave(link)
                return await Lease("fr", "other").take(link)

        assert not asyncio.run(story())


class TestKeeping:
    """A lease that is renewed while the book is worked on."""

    def test_ends_before_another_may_begin_when_the_database_is_silent(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        async def story() -> tuple[float, bool]:
            lease = Lease("fr", "one", seconds=2.0)
            async with await connect_async(database.app_url) as link:
                await lease.take(link)
                connection.execute("SELECT FROM leases WHERE book = 'fr' FOR UPDATE")
                await worker.keep(lease, link, asyncio.Event())
                return lease.left, link.closed

        with connection.transaction():
            left, closed = asyncio.run(story())
        assert 0 < left < 1
        assert closed


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
class TestTakingOver:
    """Two workers as processes of their own, one of which is killed or hangs."""

    def test_goes_on_within_seconds_and_doubles_nothing(
        self,
        obole: Obole,
        database: TestDatabase,
        connection: psycopg.Connection,
        end: signal.Signals,
    ) -> None:
        obole.trade(database, Sms("one", NOON))
        with (
            Running(obole, "work", "--with-parent") as one,
            Running(obole, "work", "--with-parent") as two,
        ):
            first = holder(connection)
            assert pid_of(first) in {one.pid, two.pid}
            os.kill(pid_of(first), end)
            obole.trade(database, *(Sms(f"m{n}", NOON) for n in range(20)))
            second = holder(connection, unlike=first)
            assert {pid_of(first), pid_of(second)} == {one.pid, two.pid}
            (head,) = connection.execute("SELECT position FROM heads WHERE book = 'fr'").fetchone()
            for projection in PROJECTIONS:
                wait_for(connection, "fr", projection.name, head, timeout=SOON)
            if end is signal.SIGSTOP:
                os.kill(pid_of(first), signal.SIGCONT)
                sleeper = one if pid_of(first) == one.pid else two
                sleeper.says("taken")
            assert holder(connection) == second
        assert not any(compare(connection, "fr", one) for one in PROJECTIONS)


class TestANewVersion:
    """A projection of an older version, and a worker of newer code."""

    def test_is_built_beside_the_old_one_and_takes_its_place(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr").catch_up()
        live = contents(connection, "fr")
        newer = CHARGES._replace(fold=replace(CHARGES.fold, version=CHARGES.fold.version + 1))
        assert outdated(connection, "fr", [newer]) == [newer]
        assert renew(database.app_url, "fr", Event(), [newer]) == ["charges"]
        assert standings(connection, "fr")["charges"] == ("charges", 3, 13, False)
        assert contents(connection, "fr") == live
        # Once is enough, and the older code, if it still runs, does not take it back.
        assert outdated(connection, "fr", [newer]) == []
        assert renew(database.app_url, "fr", Event(), PROJECTIONS) == []

    def test_leaves_the_old_one_when_it_is_stopped_meanwhile(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr").catch_up()
        live = contents(connection, "fr")
        newer = CHARGES._replace(fold=replace(CHARGES.fold, version=CHARGES.fold.version + 1))
        stop = Event()
        stop.set()
        with pytest.raises(Stopped):
            renew(database.app_url, "fr", stop, [newer])
        assert standings(connection, "fr")["charges"] == ("charges", 2, 13, False)
        assert contents(connection, "fr") == live

    def test_is_built_by_a_worker_as_it_runs(
        self, obole: Obole, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        obole.trade(database, Sms("one", NOON, delivered=True))
        obole("work", "--once", "--now", NOON.isoformat())
        live = contents(connection, "fr")
        # As an older version of the code would have left it, and otherwise than now.
        connection.execute(
            "UPDATE projection_positions SET version = 1 WHERE projection = 'charges'"
        )
        connection.execute("UPDATE charges SET merchant = 'nobody'")
        with Running(obole, "work", "--with-parent") as worker:
            worker.says("fr: charges: the new version is in use")
        assert standings(connection, "fr")["charges"].version == CHARGES.fold.version
        assert contents(connection, "fr") == live

    def test_builds_anew_what_an_older_version_has_left(
        self, obole: Obole, database: TestDatabase, connection: psycopg.Connection
    ) -> None:
        obole.trade(database, Sms("one", NOON, delivered=True))
        obole("work", "--once", "--now", NOON.isoformat())
        live = contents(connection, "fr")
        connection.execute("UPDATE projection_positions SET version = 1")
        connection.execute("UPDATE charges SET merchant = 'nobody'")
        obole("work", "--once", "--now", NOON.isoformat())
        assert outdated(connection, "fr") == []
        assert contents(connection, "fr") == live
