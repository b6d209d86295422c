"""A lane carries what many callers ask at once as one piece of work, without a timer.

When idle it takes a job at once; while it is at work, jobs queue and go together next.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar

from ledger.log.errors import LogOverloaded, LogUnavailable

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Work = Callable[[Sequence[Job]], Awaitable[Sequence[Answer | Exception]]]


class _Asked(NamedTuple, Generic[Job]):
    """What one caller asks: a job, or several that are answered together."""

    jobs: Sequence[Job]
    answer: asyncio.Future[Any]
    """The answer, or of several a list of them."""
    several: bool


class Lane(Generic[Job, Answer]):
    """A bounded queue before one task, which does up to `batch_limit` jobs at a time.

    With `at_once` = 2 a second batch begins beside the first once it is full; until then it does
    better to wait for what else comes. Owned by one event loop. A caller that is cancelled while it
    waits in the queue takes its job along; once its job is under way, the work is done all the same
    and only the answer is dropped.
    """

    def __init__(
        self, work: Work[Job, Answer], queue_limit: int, batch_limit: int, at_once: int = 1
    ) -> None:
        self._work = work
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._at_once = at_once
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._queue: deque[_Asked[Job]] = deque()
        self._waiting = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Take no more jobs, finish those that are there, and end."""
        task, self._task = self._task, None
        if task is not None:
            while self._queue or self._under_way:
                await self._room()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def ask(self, job: Job) -> Answer:
        """Have a job done with others.

        Raises:
            LogOverloaded: The queue is full.
            LogUnavailable: The lane is not running.
            Exception: What the work gave instead of an answer.
        """
        if self._task is None:
            raise LogUnavailable("not started, or stopped")
        if self._waiting >= self._queue_limit:
            raise LogOverloaded(f"{self._waiting} are waiting")
        return await self._put((job,), several=False)

    async def ask_all(self, jobs: Iterable[Job]) -> list[Answer | Exception]:
        """Have jobs done in their order; rather than fail they wait for room in the queue.

        Raises:
            LogUnavailable: The lane is not running.
        """
        answers: list[asyncio.Future[Any]] = []
        rest = iter(jobs)
        # A batch at a time: a future for each job costs as much as writing half of what it asks.
        while some := tuple(islice(rest, min(self._batch_limit, self._queue_limit))):
            while self._waiting + len(some) > self._queue_limit:
                await self._room()
            if self._task is None:
                raise LogUnavailable("not started, or stopped")
            answers.append(self._put(some, several=True))
        told: list[list[Answer | Exception]] = await asyncio.gather(*answers)
        return [answer for some in told for answer in some]

    async def _room(self) -> None:
        """Wait until a batch has been taken out of the queue."""
        if self._under_way:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # lets the lane begin the next

    def _put(self, jobs: Sequence[Job], *, several: bool) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append(_Asked(jobs, answer, several))
        self._waiting += len(jobs)
        self._changed.set()
        return answer

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._may_begin():
                task = asyncio.create_task(self._done(self._taken()))
                self._under_way.add(task)
                task.add_done_callback(self._ended)

    def _may_begin(self) -> bool:
        if not self._under_way:
            return bool(self._queue)
        return len(self._under_way) < self._at_once and self._waiting >= self._batch_limit

    def _taken(self) -> list[_Asked[Job]]:
        """Take what makes up a batch out of the queue."""
        taken: list[_Asked[Job]] = []
        room = self._batch_limit
        while self._queue and len(self._queue[0].jobs) <= room:
            asked = self._queue.popleft()
            self._waiting -= len(asked.jobs)
            if not asked.answer.done():
                room -= len(asked.jobs)
                taken.append(asked)
        return taken

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._changed.set()

    async def _done(self, taken: Sequence[_Asked[Job]]) -> None:
        jobs = [job for asked in taken for job in asked.jobs]
        if not jobs:
            return
        try:
            answers = await self._work(jobs)
        except Exception as failure:  # noqa: BLE001 - all callers hear of it
            answers = [failure] * len(jobs)
        rest = iter(answers)
        for asked in taken:
            _resolve(asked, list(islice(rest, len(asked.jobs))))


def _resolve(asked: _Asked[Any], answers: list[Any]) -> None:
    if asked.answer.done():
        return
    if asked.several:
        asked.answer.set_result(answers)
    elif isinstance(answers[0], Exception):
        asked.answer.set_exception(answers[0])
    else:
        asked.answer.set_result(answers[0])
