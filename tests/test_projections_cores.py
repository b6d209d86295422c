"""Rebuilding on all cores: ranges folded by processes, merged in order, equal what is live."""

import multiprocessing
import os
import signal
from collections.abc import Generator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

import psycopg
import pytest

from ledger.log.session import connect
from projections import cores
from projections.charges.table import PROJECTION as CHARGES
from projections.cores import rebuild_all
from projections.engine import Engine
from projections.known import PROJECTIONS
from projections.positions import standings
from projections.rebuild import RebuildFailed, compare
from tests.support.database import TestDatabase
from tests.support.history import LATER, NOON, History
from tests.support.projected import NAMES, contents, reset, standing, store

FEW = 37
"""Facts in a range, so that a charge's life is spread over several."""


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


@pytest.fixture
def history() -> History:
    """Make sixty charges, captured, released, given back and written off out of their order."""
    made = History()
    for number in range(60):
        made.exchange(f"c{number}", NOON, merchant=("acme", "bolt")[number % 2])
    captured = [f"c{number}" for number in range(60) if number % 5]
    for number in range(0, 60, 5):
        made.released(f"c{number}", LATER)
    for name in captured:
        made.captured(name, LATER)
    for name in captured[::7]:
        made.refunded_in_part(name, LATER)
    for name in captured[1::9]:
        made.written_off(name, LATER)
    return made


@pytest.fixture
def live(
    connection: psycopg.Connection, history: History, monkeypatch: pytest.MonkeyPatch
) -> dict[str, list[str]]:
    """Project the history, and have it rebuilt in small ranges."""
    monkeypatch.setattr(cores, "RANGE", FEW)
    store(connection, history.rows)
    Engine(connection, "fr").catch_up()
    return contents(connection, "fr")


class TestRebuildAll:
    """Rebuilding every projection at once."""

    @pytest.mark.parametrize("processes", [1, 2])
    def test_gives_what_was_live(
        self,
        connection: psycopg.Connection,
        database: TestDatabase,
        live: dict[str, list[str]],
        processes: int,
    ) -> None:
        head = standing(connection, "fr")["charges"]
        connection.execute("UPDATE charges SET merchant = 'nobody'")
        seen: list[tuple[int, int]] = []
        found = rebuild_all(
            connection,
            database.app_url,
            "fr",
            processes,
            progress=lambda reached, to: seen.append((reached, to)),
        )
        assert found == dict.fromkeys(NAMES, head)
        assert contents(connection, "fr") == live
        assert seen == [(min(at + FEW, head), head) for at in range(0, head, FEW)]
        assert not any(compare(connection, "fr", one) for one in PROJECTIONS)
        assert Engine(connection, "fr").catch_up() == 0

    def test_takes_in_what_comes_meanwhile(
        self,
        connection: psycopg.Connection,
        database: TestDatabase,
        live: dict[str, list[str]],
        history: History,
    ) -> None:
        before = len(history.rows)
        history.exchange("more", LATER)
        coming = [history.rows[before:]]

        def meanwhile(_reached: int, _to: int) -> None:
            with connect(database.app_url) as other:
                if coming:
                    store(other, coming.pop())
                    Engine(other, "fr").catch_up()

        rebuild_all(connection, database.app_url, "fr", 1, progress=meanwhile)
        assert standing(connection, "fr") == dict.fromkeys(live, len(history.rows))
        assert not any(compare(connection, "fr", one) for one in PROJECTIONS)

    @pytest.mark.usefixtures("live")
    def test_leaves_nothing_behind(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        rebuild_all(connection, database.app_url, "fr", 2)
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
        )
        assert left.fetchall() == []
        assert multiprocessing.active_children() == []

    def test_names_the_fact_that_cannot_be_taken_and_leaves_what_is_in_use(
        self,
        connection: psycopg.Connection,
        database: TestDatabase,
        history: History,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(cores, "RANGE", FEW)
        rows = history.rows
        rows[99] = rows[99]._replace(type="charge_forgiven.v9")
        store(connection, rows)
        Engine(connection, "fr").catch_up()
        before = contents(connection, "fr")
        with pytest.raises(RebuildFailed) as caught:
            rebuild_all(connection, database.app_url, "fr", 2)
        assert caught.value.failure.position == 100
        assert contents(connection, "fr") == before
        assert multiprocessing.active_children() == []

    def test_changes_nothing_when_a_process_of_it_is_killed(
        self,
        connection: psycopg.Connection,
        database: TestDatabase,
        live: dict[str, list[str]],
    ) -> None:
        def kill(_reached: int, _to: int) -> None:
            for child in multiprocessing.active_children():
                assert child.pid
                os.kill(child.pid, signal.SIGKILL)

        with pytest.raises(BrokenProcessPool):
            rebuild_all(connection, database.app_url, "fr", 2, progress=kill)
        assert contents(connection, "fr") == live
        rebuild_all(connection, database.app_url, "fr", 2)
        assert contents(connection, "fr") == live

    def test_may_be_of_one_that_is_of_a_new_version(
        self, connection: psycopg.Connection, database: TestDatabase, live: dict[str, list[str]]
    ) -> None:
        next_version = CHARGES.fold.version + 1
        newer = CHARGES._replace(fold=replace(CHARGES.fold, version=next_version))
        rebuild_all(connection, database.app_url, "fr", 2, [newer])
        assert standings(connection, "fr")["charges"].version == next_version
        assert contents(connection, "fr") == live

    def test_makes_what_never_ran(
        self, connection: psycopg.Connection, database: TestDatabase, live: dict[str, list[str]]
    ) -> None:
        reset(connection, "fr")
        rebuild_all(connection, database.app_url, "fr", 2)
        assert contents(connection, "fr") == live
