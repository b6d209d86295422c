"""What the database refuses while a book's head is locked, and what is turned away or cut off."""

import asyncio

import psycopg
import pytest

from api.database import Database
from ledger.log.batch import Outcome, Proposal
from ledger.log.errors import LogOverloaded, LogUnavailable, RowRefused
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.log.writer import BookWriter
from tests.support.log import (
    BOOK,
    about,
    appended,
    as_owner,
    counting,
    end_sessions,
    interrupted,
    noting,
    opened,
    row,
)
from tests.support.loops import in_a_loop


@pytest.fixture(autouse=True)
def poisoned(database: Database) -> None:
    """Let the table refuse a type of rows, which nobody else knows of."""
    as_owner(
        database.owner_url,
        "ALTER TABLE facts ADD CONSTRAINT nothing_is_poisoned CHECK (type <> 'poison')",
    )


def poison() -> Proposal:
    """Propose two rows, the second of which the table refuses."""
    return Proposal(about("a:1"), lambda _: [row("a:1"), row("a:1", type="poison")])


class TestUnderTheLock:
    """Somebody was faster, so that the head is locked when the row is refused."""

    def test_fails_alone_and_leaves_no_lock(self, database: Database) -> None:
        with opened(database.app_url) as theirs, connect(database.app_url) as connection:
            ours = PostgresLog(connection, BOOK)
            sneaking = interrupted(poison(), by=lambda: theirs.submit([noting("a:1")]))
            refused, other = ours.submit([sneaking, counting("a:1")])
            assert isinstance(refused, RowRefused)
            assert refused.rule == "nothing_is_poisoned"
            assert isinstance(other, Outcome)
            assert other.appended[0].data == b"1"
            alone = ours.submit([interrupted(poison(), by=lambda: theirs.submit([noting("a:1")]))])
            assert [str(one) for one in alone] == ["nothing_is_poisoned"]
            assert connection.info.transaction_status.name == "IDLE"
            assert appended(theirs.submit([noting("a:1")])) == [[4]]
            assert appended(ours.submit([noting("a:1")])) == [[5]]

    @in_a_loop
    async def test_fails_alone_inside_an_event_loop(self, database: Database) -> None:
        with opened(database.app_url) as theirs:
            async with BookWriter(database.app_url, BOOK) as writer:
                for head in (1, 3):
                    sneaking = interrupted(poison(), by=lambda: theirs.submit([noting("a:1")]))
                    refused, other = await writer.submit_all([sneaking, counting("a:1")])
                    assert isinstance(refused, RowRefused)
                    assert refused.rule == "nothing_is_poisoned"
                    assert appended([other]) == [[head + 1]]
                assert appended(theirs.submit([noting("a:1")])) == [[5]]

    def test_is_left_by_one_who_is_cut_off_and_told_why(self, database: Database) -> None:
        cut = interrupted(noting("a:1"), by=lambda: end_sessions(database.owner_url))
        with connect(database.app_url) as connection:
            ours = PostgresLog(connection, BOOK)
            ours.open_book()
            with pytest.raises(LogUnavailable, match="connection"):
                ours.submit([cut])
            assert connection.closed
        with opened(database.app_url) as after:
            assert after.head()[0] == 0


class TestTurnedAway:
    """By a queue that is full, for whatever is asked."""

    @in_a_loop
    async def test_are_readers_too(self, database: Database) -> None:
        with opened(database.app_url), psycopg.connect(database.owner_url) as other:
            async with BookWriter(database.app_url, BOOK, queue_limit=2) as writer:
                await writer.read(about("a:1"))
                other.execute("LOCK TABLE sightings IN ACCESS EXCLUSIVE MODE")
                under_way = await _begun(writer, 1)
                waiting = await _begun(writer, 2)
                with pytest.raises(LogOverloaded, match="2 are waiting"):
                    await writer.read(about("a:1"))
                other.rollback()
                found = await asyncio.gather(*under_way, *waiting)
        assert found == [((), 0)] * 3

    @in_a_loop
    async def test_hear_what_became_of_the_database(self, database: Database) -> None:
        with opened(database.app_url):
            pass
        cut = interrupted(noting("a:1"), by=lambda: end_sessions(database.owner_url))
        async with BookWriter(database.app_url, BOOK) as writer:
            with pytest.raises(LogUnavailable, match="connection"):
                await writer.submit(*cut)


async def _begun(writer: BookWriter, readers: int) -> list[asyncio.Task[object]]:
    """Let so many ask, and have their turns."""
    tasks = [asyncio.create_task(writer.read(about("a:1"))) for _ in range(readers)]
    for _ in range(9):
        await asyncio.sleep(0)
    return tasks
