"""What the writer tells of its batches to whoever counts, and what it does beside them."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import psycopg
import pytest

from api.database import Database
from ledger.log import scripts
from ledger.log.batch import AnyRow, Outcome, Proposal
from ledger.log.errors import LogUnavailable
from ledger.log.rows import Row
from ledger.log.writer import Batch, BookWriter
from tests.support.log import (
    BOOK,
    SlotTaken,
    about,
    appended,
    as_owner,
    counting,
    end_sessions,
    interrupted,
    noting,
    once,
    opened,
    refusing,
    row,
)
from tests.support.loops import in_a_loop

PARTITION = 1 << 23


@asynccontextmanager
async def writing(
    database: Database, batches: list[Batch] | None = None, batch_limit: int = 256
) -> AsyncGenerator[BookWriter]:
    """Give a running writer of an open book that tells of its batches."""
    with opened(database.app_url):
        pass
    told = None if batches is None else batches.append
    async with BookWriter(database.app_url, BOOK, batch_limit=batch_limit, told=told) as writer:
        yield writer


class TestTold:
    """A figure for each batch: decisions, facts by type, refusals, and how often it was late."""

    @in_a_loop
    async def test_counts_facts_by_type_and_refusals(self, database: Database) -> None:
        batches: list[Batch] = []
        pair = Proposal((), lambda _: [row("a:1"), row("a:1", type="other.v1")])
        none = Proposal((), lambda _: [])
        refused = Proposal((), refusing(SlotTaken("a")))
        async with writing(database, batches) as writer:
            await writer.submit_all([noting("a:1"), pair, refused, none, refused])
            await writer.submit(*once("a:1"))
        assert batches == [
            Batch(BOOK, 5, Counter({"noted.v1": 2, "other.v1": 1}), 2, 0),
            Batch(BOOK, 1, Counter(), 0, 0),
        ]

    @in_a_loop
    async def test_counts_each_batch_once_though_decided_ahead(self, database: Database) -> None:
        batches: list[Batch] = []
        async with writing(database, batches, batch_limit=3) as writer:
            await writer.submit_all([counting("a:1") for _ in range(7)])
        assert [(batch.decisions, batch.facts.total()) for batch in batches] == [
            (3, 3),
            (3, 3),
            (1, 1),
        ]

    @in_a_loop
    async def test_says_when_somebody_was_faster_and_only_then(self, database: Database) -> None:
        batches: list[Batch] = []
        with opened(database.app_url) as theirs:
            sneaking = interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")]))
            async with writing(database, batches) as writer:
                await writer.submit(*noting("a:1"))
                await writer.submit(*sneaking)
                for _ in range(3):
                    await writer.submit(*noting("a:1"))
        overtaken = [batch.overtaken for batch in batches]
        assert overtaken[:2] == [0, 1]
        assert overtaken[3:] == [0, 0]

    @in_a_loop
    async def test_counts_what_the_database_being_away_leaves_undone(
        self, database: Database
    ) -> None:
        batches: list[Batch] = []
        cut = interrupted(noting("a:1"), by=lambda: end_sessions(database.owner_url))
        async with writing(database, batches) as writer:
            (failed,) = await writer.submit_all([cut])
        assert isinstance(failed, LogUnavailable)
        assert batches == [Batch(BOOK, 1, Counter(), 1, 0)]


class TestRoom:
    """The next partition is made by whoever leaves too little of this one."""

    @in_a_loop
    async def test_is_made_once_the_head_comes_near_the_end(self, database: Database) -> None:
        async with writing(database) as writer:
            _move_head(database, PARTITION - scripts.ROOM_AHEAD - 1)
            await writer.submit(*noting("a:1"))
            assert _room(database) == PARTITION
            await writer.submit(*noting("a:1"))
            assert _room(database) == 2 * PARTITION

    @in_a_loop
    async def test_is_made_by_one_who_was_overtaken_too(self, database: Database) -> None:
        with opened(database.app_url) as theirs:

            def sneak() -> None:
                theirs.submit([noting("a:1")])
                _move_head(database, PARTITION - scripts.ROOM_AHEAD)

            async with writing(database) as writer:
                _move_head(database, PARTITION - scripts.ROOM_AHEAD - 2)
                await writer.submit(*interrupted(noting("a:1"), by=sneak))
                assert _room(database) == 2 * PARTITION

    @in_a_loop
    async def test_is_left_for_later_while_somebody_is_in_the_way(self, database: Database) -> None:
        async with writing(database) as writer:
            _move_head(database, PARTITION - scripts.ROOM_AHEAD)
            with psycopg.connect(database.owner_url) as other:
                other.execute("LOCK TABLE facts IN SHARE UPDATE EXCLUSIVE MODE")
                assert len(appended([await writer.submit(*noting("a:1"))])) == 1
                assert _room(database) == PARTITION
                other.rollback()
            await writer.submit(*noting("a:1"))
            assert _room(database) == 2 * PARTITION


class TestAhead:
    """Batches that are decided one after the other's flight keep to what a single one says."""

    @in_a_loop
    async def test_give_each_its_whole_history_as_it_is_stored(self, database: Database) -> None:
        async with writing(database, batch_limit=3) as writer:
            outcomes = await writer.submit_all([counting("a:1") for _ in range(12)])
            rows, _ = await writer.read(about("a:1"))
        for place, outcome in enumerate(outcomes):
            assert isinstance(outcome, Outcome)
            assert outcome.history == rows[:place]
            assert outcome.appended == (rows[place],)
            assert outcome.head == place + 1

    @in_a_loop
    async def test_that_append_nothing_tell_of_rows_that_were_in_the_air(
        self, database: Database
    ) -> None:
        async with writing(database, batch_limit=2) as writer:
            outcomes = await writer.submit_all(
                [once("a:1"), once("b:1"), once("b:1"), once("a:1"), *([once("c:1")] * 2)]
            )
            rows, _ = await writer.read(about("a:1", "b:1", "c:1"))
        assert appended(outcomes) == [[1], [2], [], [], [3], []]
        histories = [one.history for one in outcomes if isinstance(one, Outcome)]
        assert histories == [(), (), (rows[1],), (rows[0],), (), (rows[2],)]
        assert [one.head for one in outcomes if isinstance(one, Outcome)] == [1, 2, 2, 2, 3, 3]

    @in_a_loop
    async def test_are_decided_once_each_where_nobody_is_in_the_way(
        self, database: Database
    ) -> None:
        decided: list[int] = []

        def proposal(n: int) -> Proposal:
            def decide(_: Sequence[AnyRow]) -> Sequence[Row]:
                decided.append(n)
                return [row("a:1")]

            return Proposal(about("a:1"), decide)

        async with writing(database, batch_limit=3) as writer:
            await writer.submit_all([proposal(n) for n in range(12)])
        assert decided == list(range(12))


@pytest.mark.parametrize("error", [SlotTaken("a"), ValueError("b")])
def test_a_refusal_is_told_as_it_was_raised(database: Database, error: Exception) -> None:
    async def story() -> None:
        async with writing(database) as writer:
            with pytest.raises(type(error)) as raised:
                await writer.submit(*Proposal((), refusing(error)))
            assert raised.value is error

    asyncio.run(story())


def _room(database: Database) -> object:
    ((room,),) = as_owner(database.owner_url, "SELECT room FROM heads")
    return room


def _move_head(database: Database, position: int) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("UPDATE heads SET position = %s", (position,))
