"""A full batch is decided while the one before it is written, as though that one were stored."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from api.database import Database
from ledger.log.batch import AnyRow, Outcome, Proposal
from ledger.log.errors import LogUnavailable, RowRefused
from ledger.log.rows import Interest, Row
from ledger.log.writer import BookWriter
from tests.support.log import (
    BOOK,
    about,
    appended,
    counting,
    end_sessions,
    head_held,
    interrupted,
    noting,
    once,
    opened,
    row,
)
from tests.support.loops import in_a_loop

BATCH = 3


@asynccontextmanager
async def writing(database: Database, batch: int = BATCH) -> AsyncGenerator[BookWriter]:
    """Give a running writer of an open book, of small batches."""
    with opened(database.app_url):
        pass
    async with BookWriter(database.app_url, BOOK, batch_limit=batch, queue_limit=50) as writer:
        yield writer


def data(outcomes: Sequence[Outcome | Exception]) -> list[bytes]:
    """Give what each appended."""
    assert all(isinstance(outcome, Outcome) for outcome in outcomes), outcomes
    return [row.data for outcome in outcomes for row in outcome.appended]  # type: ignore[union-attr]


class TestTheNextBatch:
    """It rests on rows that have no position yet."""

    @in_a_loop
    async def test_is_decided_before_the_one_before_it_is_written(self, database: Database) -> None:
        decided = asyncio.Event()
        second = [interrupted(counting("a:1"), by=decided.set)] * BATCH
        async with writing(database) as writer:
            with head_held(database.app_url), opened(database.app_url) as other:
                task = asyncio.create_task(writer.submit_all([noting("a:1")] * BATCH + second))
                await decided.wait()
                assert other.head()[0] == 0
            outcomes = await task
        assert appended(outcomes) == [[n] for n in range(1, 2 * BATCH + 1)]
        assert data(outcomes[BATCH:]) == [b"3", b"4", b"5"]

    @in_a_loop
    async def test_has_histories_in_which_all_is_stored(self, database: Database) -> None:
        async with writing(database) as writer:
            outcomes = await writer.submit_all([counting("a:1") for _ in range(10 * BATCH)])
            rows, head = await writer.read(about("a:1"))
        assert data(outcomes) == [b"%d" % n for n in range(10 * BATCH)]
        last = outcomes[-1]
        assert isinstance(last, Outcome)
        assert (*last.history, *last.appended) == rows
        assert last.head == head == 10 * BATCH

    @in_a_loop
    async def test_that_appends_nothing_tells_what_is_there(self, database: Database) -> None:
        async with writing(database) as writer:
            outcomes = await writer.submit_all([once("mo:1"), *([once("mo:2")] * 5)])
            rows, _ = await writer.read(about("mo:2"))
        for outcome in outcomes[2:]:
            assert isinstance(outcome, Outcome)
            assert (outcome.history, outcome.appended) == (rows, ())

    @in_a_loop
    async def test_waits_for_room_in_the_queue(self, database: Database) -> None:
        async with writing(database) as writer:
            outcomes = await writer.submit_all(noting("a:1") for _ in range(200))
        assert appended(outcomes) == [[n] for n in range(1, 201)]


class TestWhatTheOneBeforeComesTo:
    """If it does not come to pass as expected, the next is decided again."""

    @in_a_loop
    async def test_refused_is_not_seen_by_the_next(self, database: Database) -> None:
        bad = Proposal((), lambda _: [row("a:1"), row("a:1", type="two\nlines")])
        async with writing(database) as writer:
            outcomes = await writer.submit_all(
                [noting("a:1"), bad, noting("b:1"), *(counting("a:1") for _ in range(BATCH))]
            )
            rows, head = await writer.read((Interest(()),))
        assert isinstance(outcomes[1], RowRefused)
        counted = outcomes[BATCH:]
        assert head == len(rows) == 5
        assert data(counted) == [b"1", b"2", b"3"]
        for outcome in counted:
            assert isinstance(outcome, Outcome)
            assert outcome.appended[0].data == b"%d" % len(outcome.history)

    @pytest.mark.parametrize("place", range(2 * BATCH))
    @in_a_loop
    async def test_refused_does_not_let_the_next_go_first(
        self, database: Database, place: int
    ) -> None:
        """What was submitted earlier stands earlier, and is seen by what was submitted later."""
        proposals = [counting("a:1") for _ in range(5 * BATCH)]
        proposals[place] = Proposal((), lambda _: [row("a:1", type="two\nlines")])
        async with writing(database) as writer:
            outcomes = await writer.submit_all(proposals)
            rows, _ = await writer.read(about("a:1"))
        assert isinstance(outcomes.pop(place), RowRefused)
        assert data(outcomes) == [b"%d" % n for n in range(5 * BATCH - 1)]
        assert [stored.data for stored in rows] == data(outcomes)

    @in_a_loop
    async def test_refused_alone_while_nothing_rests_on_it_keeps_its_order(
        self, database: Database
    ) -> None:
        bad = Proposal((), lambda _: [row("b:1", type="two\nlines")])
        async with writing(database) as writer:
            outcomes = await writer.submit_all([noting("a:1"), bad, *([noting("c:1")] * 10)])
        assert isinstance(outcomes.pop(1), RowRefused)
        assert appended(outcomes) == [[n] for n in range(1, 12)]

    @in_a_loop
    async def test_overtaken_leaves_both_to_be_decided_again(self, database: Database) -> None:
        with opened(database.app_url) as theirs:
            sneaking = interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")]))
            async with writing(database) as writer:
                outcomes = await writer.submit_all(
                    [sneaking, *(counting("a:1") for _ in range(3 * BATCH - 1))]
                )
                rows, _ = await writer.read(about("a:1"))
        assert [stored.position for stored in rows] == list(range(1, 3 * BATCH + 2))
        assert data(outcomes) == [b"%d" % n for n in range(1, 3 * BATCH + 1)]
        assert all(int(one.appended[0].data) == len(one.history) for one in outcomes)  # type: ignore[union-attr]

    @in_a_loop
    async def test_lost_leaves_nothing_half_done(self, database: Database) -> None:
        def cut(history: Sequence[AnyRow]) -> Sequence[Row]:
            if not history:
                end_sessions(database.owner_url)
            return [row("a:1")]

        proposals = [Proposal(about("a:1"), cut), *(counting("a:1") for _ in range(5))]
        async with writing(database) as writer:
            outcomes = await writer.submit_all(proposals)
            again = await writer.submit(*counting("a:1"))
        kept = [one for one in outcomes if isinstance(one, Outcome)]
        assert all(isinstance(one, Outcome | LogUnavailable) for one in outcomes)
        assert len(kept) < len(outcomes)
        assert again.appended[0].data == b"%d" % len(kept)


class TestTwoWriters:
    """Two processes at one book, both deciding ahead."""

    @in_a_loop
    async def test_decide_ahead_again_once_the_other_is_gone(self, database: Database) -> None:
        """Where others append as well the head is locked first, and only for as long as they do."""
        decided = asyncio.Event()
        with opened(database.app_url) as theirs:
            sneaking = interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")]))
            async with writing(database) as writer:
                await writer.submit_all([sneaking, *([counting("a:1")] * BATCH)])
                await writer.submit(*noting("a:1"))
                second = [interrupted(counting("a:1"), by=decided.set)] * BATCH
                with head_held(database.app_url):
                    task = asyncio.create_task(writer.submit_all([noting("a:1")] * BATCH + second))
                    await decided.wait()
                outcomes = await task
        assert all(isinstance(outcome, Outcome) for outcome in outcomes)

    @pytest.mark.parametrize(("theirs", "times"), [("b:1", 1), ("a:1", 2)])
    @in_a_loop
    async def test_decide_again_only_what_the_other_touched(
        self, database: Database, theirs: str, times: int
    ) -> None:
        histories: list[int] = []
        asked = counting("a:1")

        def heard(history: Sequence[AnyRow]) -> Sequence[Row]:
            histories.append(len(history))
            return asked.decide(history)

        with opened(database.app_url) as other:
            sneak = interrupted(
                Proposal(asked.query, heard), lambda: other.submit([noting(theirs)])
            )
            async with writing(database) as writer:
                (outcome,) = await writer.submit_all([sneak])
        assert isinstance(outcome, Outcome)
        assert histories == [0, 1][:times]
        assert [one.position for one in outcome.appended] == [2]
        assert outcome.appended[0].data == b"%d" % histories[-1]

    @pytest.mark.parametrize("batch", [1, BATCH, 16])
    @in_a_loop
    async def test_count_a_shared_tag_without_losing_one(
        self, database: Database, batch: int
    ) -> None:
        each = 60
        async with writing(database, batch) as ours, writing(database, batch) as theirs:
            counted = await asyncio.gather(
                *(
                    writer.submit_all([counting("everybody:1") for _ in range(each)])
                    for writer in (ours, theirs)
                )
            )
        said = sorted(int(number) for outcomes in counted for number in data(outcomes))
        assert said == list(range(2 * each))
        with opened(database.app_url) as log:
            rows = log.follow(0, 3 * each)
        assert [row.data for row in rows] == [b"%d" % n for n in range(2 * each)]
        assert [row.recorded_at for row in rows] == sorted(row.recorded_at for row in rows)
