"""The worker: woken by the log or by the clock, it outlives the database's absence."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from threading import Event, Semaphore, Thread

import psycopg
import pytest

from ledger.facts.base import Draft
from ledger.facts.registry import REGISTRY, Origin
from ledger.log.batch import Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.rows import StoredRow
from ledger.log.session import connect
from projections import worker
from projections.reading import wait_for
from projections.worker import run
from tests.support.database import TestDatabase, add_template, new_server
from tests.support.history import NOON, History
from tests.support.log import as_owner
from tests.support.projected import store

NEVER = 3600.0
"""Seconds between polls, so that only a notification can wake the worker."""


@pytest.fixture
def lone_server() -> Generator[TestDatabase]:
    """Give a database whose server may go away; nothing else is connected to it."""
    with new_server(durable=True) as server:
        add_template(server)
        yield TestDatabase(server, "template_obole")


def append(connection: psycopg.Connection, history: History) -> int:
    """Append a history's facts as a decision does, with its notification; gives the head."""
    rows = [REGISTRY.encode(Draft(fact), Origin("fr", "test")) for _, fact in history.facts]
    log = PostgresLog(connection, "fr")
    log.open_book()
    (outcome,) = log.submit([Proposal((), lambda _: rows)])
    assert not isinstance(outcome, Exception)
    return outcome.head


@contextmanager
def working(database: TestDatabase, poll_seconds: float) -> Generator[Thread]:
    """Run a worker for as long as the block does."""
    stop = Event()
    thread = Thread(target=run, args=(database.app_url, "fr", stop, poll_seconds))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        with connect(database.app_url) as waker:
            waker.execute("SELECT pg_notify('obole_facts', 'fr')")
        thread.join()


def one_charge(name: str) -> History:
    history = History()
    history.exchange(name, NOON)
    return history


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Generator[Semaphore]:
    """Count each time that the worker says that its book cannot be projected; soon again."""
    monkeypatch.setattr(worker, "FAULT_SECONDS", 0.01)
    told = Semaphore(0)

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if (
                record.levelno == logging.ERROR
                and "fr: nothing of this book" in record.getMessage()
            ):
                told.release()

    ear = Ear()
    logger = logging.getLogger(worker.__name__)
    logger.addHandler(ear)
    yield told
    logger.removeHandler(ear)


class TestWorker:
    """Running beside those who append."""

    def test_is_woken_by_what_is_appended(self, database: TestDatabase) -> None:
        with connect(database.app_url) as connection, working(database, NEVER):
            head = append(connection, one_charge("a"))
            assert wait_for(connection, "fr", "charges", head, timeout=30).position == head
            history = one_charge("b")
            del history.facts[0]
            head = append(connection, history)
            assert wait_for(connection, "fr", "charges", head, timeout=30).position == head

    def test_finds_by_itself_what_no_notification_told(self, database: TestDatabase) -> None:
        with connect(database.app_url) as connection:
            head = append(connection, one_charge("a"))
            with working(database, 0.05):
                wait_for(connection, "fr", "charges", head, timeout=30)
                # Taken back without a word: only polling can see it.
                connection.execute("DELETE FROM charges")
                connection.execute("UPDATE projection_positions SET position = 0")
                assert wait_for(connection, "fr", "charges", head, timeout=30).position == head
                counted = connection.execute("SELECT count(*) FROM charges").fetchone()
                assert counted == (1,)

    def test_tries_a_book_again_that_could_not_be_projected(
        self, database: TestDatabase, faults: Semaphore
    ) -> None:
        as_owner(database.owner_url, "ALTER TABLE projection_positions RENAME TO mislaid")
        with connect(database.app_url) as connection:
            head = append(connection, one_charge("a"))
            with working(database, 0.01):
                assert all(faults.acquire(timeout=30) for _ in range(2))
                as_owner(database.owner_url, "ALTER TABLE mislaid RENAME TO projection_positions")
                assert wait_for(connection, "fr", "charges", head, timeout=30).position == head

    @pytest.mark.parametrize(
        ("first", "error"),
        [
            (one_charge("a").rows[1], "NotABook"),
            (one_charge("a").rows[0]._replace(type="book_closed.v1"), "UnknownFact"),
            (one_charge("a").rows[0]._replace(data=b"{"), "DecodeError"),
        ],
    )
    def test_outlives_a_book_whose_first_fact_does_not_open_it(
        self,
        database: TestDatabase,
        faults: Semaphore,
        caplog: pytest.LogCaptureFixture,
        first: StoredRow,
        error: str,
    ) -> None:
        with connect(database.app_url) as connection:
            store(connection, [first._replace(position=1)])
        with working(database, 0.01) as thread:
            assert all(faults.acquire(timeout=30) for _ in range(2))
            assert thread.is_alive()
        assert error in caplog.text

    def test_ends_when_told_while_the_database_is_away(self) -> None:
        stop = Event()
        nowhere = "postgresql:///none?host=/nonexistent"
        thread = Thread(target=run, args=(nowhere, "fr", stop))
        thread.start()
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()

    def test_goes_on_when_the_database_comes_back(
        self, lone_server: TestDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        with working(lone_server, 0.05) as thread:
            with connect(lone_server.app_url) as connection:
                head = append(connection, one_charge("a"))
                wait_for(connection, "fr", "charges", head, timeout=30)
            with lone_server.server.away():
                pass
            with connect(lone_server.app_url) as connection:
                history = one_charge("b")
                del history.facts[0]
                head = append(connection, history)
                assert wait_for(connection, "fr", "charges", head, timeout=30).position == head
            assert thread.is_alive()
        assert "fr: the database is back" in caplog.messages
