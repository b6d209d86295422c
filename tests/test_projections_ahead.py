"""A batch prepared while the one before it is written: the same rows, and nothing overlooked."""

from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

import psycopg
import pytest

from ledger.log.session import connect
from projections.charges.table import PROJECTION as CHARGES
from projections.engine import Engine
from projections.known import PROJECTIONS
from projections.prepared import Ahead, ahead
from tests.support.database import TestDatabase
from tests.support.history import two_charges
from tests.support.projected import NAMES, contents, failing, reset, standing, store

P = ParamSpec("P")
T = TypeVar("T")
FACTS = 13
"""How many facts there are in the history."""


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


@pytest.fixture
def beside(database: TestDatabase) -> Generator[Ahead]:
    with ahead(database.app_url) as begun:
        yield begun


class AtOnce(Executor):
    """Has everything done before anybody asks for it, as a thread that is quick has."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do it now."""
        done = Future[T]()
        done.set_result(fn(*args, **kwargs))
        return done


class TestAhead:
    """An engine whose next batch is prepared beside it."""

    @pytest.mark.parametrize("batch", [1, 2, 5, FACTS, 50])
    def test_writes_what_it_writes_alone(
        self, connection: psycopg.Connection, beside: Ahead, batch: int
    ) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr").catch_up()
        alone = contents(connection, "fr")
        reset(connection, "fr")
        assert Engine(connection, "fr", batch=batch, ahead=beside).catch_up() == FACTS
        assert contents(connection, "fr") == alone

    def test_sees_what_came_after_it_had_looked(self, database: TestDatabase) -> None:
        rows = two_charges().rows
        with connect(database.app_url) as connection, connect(database.app_url) as other:
            engine = Engine(connection, "fr", batch=8, ahead=Ahead(other, AtOnce()))
            store(connection, rows[:8])
            assert engine.run_once() == 8
            store(connection, rows[8:])
            assert engine.run_once() == FACTS - 8
            assert standing(connection, "fr") == dict.fromkeys(NAMES, FACTS)

    def test_goes_by_what_it_is_asked_and_not_by_what_was_begun(
        self, connection: psycopg.Connection, beside: Ahead
    ) -> None:
        store(connection, two_charges().rows)
        one = Engine(connection, "fr", batch=4, ahead=beside)
        one.run_once()
        Engine(connection, "fr", batch=3).run_once()
        one.catch_up()
        found = contents(connection, "fr")
        reset(connection, "fr")
        Engine(connection, "fr").catch_up()
        assert found == contents(connection, "fr")

    def test_parks_where_it_would_alone(
        self, connection: psycopg.Connection, beside: Ahead
    ) -> None:
        store(connection, two_charges().rows)
        others = [one for one in PROJECTIONS if one.name != "charges"]
        engine = Engine(connection, "fr", [*others, failing(CHARGES, 12)], 4, beside)
        engine.catch_up()
        assert standing(connection, "fr") == dict.fromkeys(NAMES, FACTS) | {"charges": 11}

    def test_of_a_connection_that_ended_says_so_and_moves_nothing(
        self, connection: psycopg.Connection, beside: Ahead
    ) -> None:
        store(connection, two_charges().rows)
        engine = Engine(connection, "fr", batch=4, ahead=beside)
        engine.run_once()
        ended = "SELECT pg_terminate_backend(%s, 5000)"
        engine.run_once()
        connection.execute(ended, (beside.connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            engine.catch_up()
        before = standing(connection, "fr")
        assert set(before.values()) <= {8, 12}
        Engine(connection, "fr").catch_up()
        assert standing(connection, "fr") == dict.fromkeys(NAMES, FACTS)
