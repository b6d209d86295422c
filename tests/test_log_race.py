"""Eight writers at once, pausing before they commit, and a reader at the tail of the book.

Beside it a control: the same writers and the same reader over a table with a sequence.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import LiteralString

import psycopg
import pytest

from api.database import Database
from ledger.log.batch import Outcome
from tests.support.log import SlotTaken, appended, as_owner, counting, noting, opened, taking

WRITERS = 8
ROUNDS = 40
SLOTS = 60

PAUSE: tuple[LiteralString, ...] = (
    """
    CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_sleep(random() * 0.006); RETURN NULL; END $$
    """,
    """
    CREATE CONSTRAINT TRIGGER commits_late AFTER UPDATE ON heads
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()
    """,
    "CREATE TABLE naive (id bigserial PRIMARY KEY, writer int NOT NULL)",
    """
    CREATE CONSTRAINT TRIGGER commits_late AFTER INSERT ON naive
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()
    """,
    "GRANT ALL ON naive, naive_id_seq TO obole_app",
)
"""A pause of up to 6 ms at every commit, at random."""


@pytest.fixture
def late(database: Database) -> Database:
    """Give a database whose commits come late."""
    as_owner(database.owner_url, *PAUSE)
    return database


Look = Callable[[int], list[int]]
"""Gives the next few positions after one."""


def raced(write: Callable[[int], object], look: Look = lambda _: []) -> list[int]:
    """Run the writers and a reader at the tail together; give the positions that it saw."""
    written = Event()

    def tail() -> list[int]:
        seen: list[int] = []
        while True:
            last_look = written.is_set()
            found = look(seen[-1] if seen else 0)
            seen += found
            if last_look and not found:
                return seen

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        reader = threads.submit(tail)
        try:
            list(threads.map(write, range(WRITERS)))
        finally:
            written.set()
        return reader.result()


class TestEightWriters:
    """What a reader at the tail sees of them."""

    def test_leave_no_gap_and_no_double_and_nothing_missed(self, late: Database) -> None:
        acknowledged: list[int] = []

        def write(writer: int) -> None:
            with opened(late.app_url) as log:
                for turn in range(ROUNDS):
                    batch = [noting(f"w:{writer}")] * (turn % 3) + [counting("everybody:1")]
                    for positions in appended(log.submit(batch)):
                        acknowledged.extend(positions)

        with opened(late.app_url) as log:
            seen = raced(write, lambda last: [row.position for row in log.follow(last, 7)])
        assert seen == list(range(1, len(acknowledged) + 1))
        assert sorted(acknowledged) == seen
        assert len(seen) > WRITERS * ROUNDS

    def test_count_a_shared_tag_without_losing_one(self, late: Database) -> None:
        def write(_: int) -> None:
            with opened(late.app_url) as log:
                for _ in range(ROUNDS // 2):
                    log.submit([counting("everybody:1")])

        with opened(late.app_url) as log:
            raced(write)
            rows = log.follow(0, WRITERS * ROUNDS)
        assert [row.data for row in rows] == [b"%d" % n for n in range(WRITERS * ROUNDS // 2)]
        times = [row.recorded_at for row in rows]
        assert times == sorted(times)

    def test_take_each_slot_once(self, late: Database) -> None:
        taken: list[str] = []

        def write(writer: int) -> None:
            with opened(late.app_url) as log:
                for slot in range(SLOTS):
                    _take(log.submit([taking(f"slot:{slot}", f"by:{writer}")]), f"slot:{slot}")

        def _take(outcomes: list[Outcome | Exception], slot: str) -> None:
            for outcome in outcomes:
                if isinstance(outcome, Outcome):
                    taken.append(slot)
                else:
                    assert isinstance(outcome, SlotTaken), outcome

        with opened(late.app_url) as log:
            raced(write)
            assert sorted(taken) == sorted(f"slot:{slot}" for slot in range(SLOTS))
            assert log.head()[0] == SLOTS


class TestTheNaiveReader:
    """The control: numbers from a sequence are handed out before the commit, so order is lost."""

    def test_misses_rows_for_ever(self, late: Database) -> None:
        def write(writer: int) -> None:
            with psycopg.connect(late.app_url, autocommit=True) as connection:
                for _ in range(ROUNDS):
                    connection.execute("INSERT INTO naive (writer) VALUES (%s)", (writer,))

        with psycopg.connect(late.app_url, autocommit=True) as connection:

            def look(last: int) -> list[int]:
                query = "SELECT id FROM naive WHERE id > %s ORDER BY id LIMIT 7"
                return [number for (number,) in connection.execute(query, (last,)).fetchall()]

            seen = raced(write, look)
        assert len(set(seen)) < WRITERS * ROUNDS
