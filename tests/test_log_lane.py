"""When a lane begins with what waits, how much it takes, and whom it turns away."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps

import pytest

from ledger.log.errors import LogOverloaded, LogUnavailable
from ledger.log.lane import Lane


def in_a_loop(story: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """Run an asynchronous story to its end."""

    @wraps(story)
    def told(*args: object, **fixtures: object) -> None:
        asyncio.run(asyncio.wait_for(story(*args, **fixtures), 10))

    return told


class Held:
    """Work that notes what it is given, and waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self._free = asyncio.Event()

    async def __call__(self, jobs: Sequence[int]) -> list[int | Exception]:
        """Answer each job with ten times as much; refuse what is below zero."""
        self.batches.append(list(jobs))
        await self._free.wait()
        return [ValueError(job) if job < 0 else 10 * job for job in jobs]

    def let_go(self) -> None:
        """Let all work end."""
        self._free.set()


async def turns() -> None:
    """Let everybody do what can be done without waiting."""
    for _ in range(20):
        await asyncio.sleep(0)


async def asked(lane: Lane[int, int], *jobs: int) -> list[asyncio.Task[int]]:
    """Ask for jobs in a lane, and let it begin with what it will."""
    tasks = [asyncio.create_task(lane.ask(job)) for job in jobs]
    await turns()
    return tasks


class TestTwoAtOnce:
    """A second batch goes beside the first once it is full, and no third."""

    @in_a_loop
    async def test_begin_once_the_second_is_full(self) -> None:
        work = Held()
        lane: Lane[int, int] = Lane(work, queue_limit=20, batch_limit=2, at_once=2)
        lane.start()
        tasks = await asked(lane, 0)
        tasks += await asked(lane, 1)
        assert work.batches == [[0]]
        tasks += await asked(lane, 2)
        assert work.batches == [[0], [1, 2]]
        tasks += await asked(lane, 3, 4, 5)
        assert work.batches == [[0], [1, 2]]
        work.let_go()
        assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40, 50]
        assert work.batches == [[0], [1, 2], [3, 4], [5]]
        await lane.stop()

    @in_a_loop
    async def test_are_one_where_no_more_was_asked_for(self) -> None:
        work = Held()
        lane: Lane[int, int] = Lane(work, queue_limit=20, batch_limit=2)
        lane.start()
        tasks = await asked(lane, 0, 1, 2, 3, 4)
        assert work.batches == [[0, 1]]
        work.let_go()
        assert await asyncio.gather(*tasks) == [0, 10, 20, 30, 40]
        await lane.stop()


class TestMany:
    """Jobs that are asked together, more than the queue holds."""

    @in_a_loop
    async def test_wait_for_room_and_keep_their_order(self) -> None:
        work = Held()
        work.let_go()
        lane: Lane[int, int] = Lane(work, queue_limit=3, batch_limit=2)
        lane.start()
        jobs = [*range(10), -1, 11]
        answers = await lane.ask_all(jobs)
        assert [one if isinstance(one, int) else str(one) for one in answers] == [
            *(10 * n for n in range(10)),
            "-1",
            110,
        ]
        assert [job for batch in work.batches for job in batch] == jobs
        assert max(map(len, work.batches)) == 2
        await lane.stop()

    @in_a_loop
    async def test_that_are_none_have_no_answers(self) -> None:
        lane: Lane[int, int] = Lane(Held(), queue_limit=3, batch_limit=2)
        lane.start()
        assert await lane.ask_all([]) == []
        await lane.stop()

    @in_a_loop
    async def test_all_hear_of_work_that_fails(self) -> None:
        async def work(_: Sequence[int]) -> list[int | Exception]:
            raise ZeroDivisionError

        lane: Lane[int, int] = Lane(work, queue_limit=10, batch_limit=3)
        lane.start()
        answers = await lane.ask_all([1, 2, 3, 4])
        assert [type(answer) for answer in answers] == [ZeroDivisionError] * 4
        await lane.stop()


class TestTurnedAway:
    """Those who come to a lane that cannot take them."""

    @in_a_loop
    async def test_are_told_that_it_does_not_run(self) -> None:
        lane: Lane[int, int] = Lane(Held(), queue_limit=3, batch_limit=2)
        for _ in range(2):
            with pytest.raises(LogUnavailable, match=r"^not started, or stopped$"):
                await lane.ask(1)
            with pytest.raises(LogUnavailable, match=r"^not started, or stopped$"):
                await lane.ask_all([1])
            lane.start()
            await lane.stop()

    @in_a_loop
    async def test_are_told_how_many_wait(self) -> None:
        work = Held()
        lane: Lane[int, int] = Lane(work, queue_limit=3, batch_limit=1)
        lane.start()
        tasks = [*await asked(lane, 0), *await asked(lane, 1, 2, 3)]
        with pytest.raises(LogOverloaded, match=r"^3 are waiting$"):
            await lane.ask(4)
        work.let_go()
        assert await asyncio.gather(*tasks) == [0, 10, 20, 30]
        await lane.stop()

    @in_a_loop
    async def test_by_themselves_are_not_done(self) -> None:
        """Who hangs up in the queue takes the job along; under way it is done all the same."""
        work = Held()
        lane: Lane[int, int] = Lane(work, queue_limit=9, batch_limit=2)
        lane.start()
        first, second = await asked(lane, 0, 1)
        third, fourth, fifth = await asked(lane, 2, 3, 4)
        for gone in (second, fourth):
            gone.cancel()
        work.let_go()
        assert await asyncio.gather(first, third, fifth) == [0, 20, 40]
        assert [job for batch in work.batches for job in batch] == [0, 1, 2, 4]
        await lane.stop()


class TestStopped:
    """A lane that ends."""

    @in_a_loop
    async def test_finishes_what_is_there(self) -> None:
        work = Held()
        lane: Lane[int, int] = Lane(work, queue_limit=9, batch_limit=2, at_once=2)
        lane.start()
        tasks = await asked(lane, 0, 1, 2, 3, 4, 5, 6)
        stopping = asyncio.create_task(lane.stop())
        await turns()
        assert not stopping.done()
        with pytest.raises(LogUnavailable):
            await lane.ask(7)
        work.let_go()
        await stopping
        assert [task.result() for task in tasks] == [10 * n for n in range(7)]
