"""A lane carries what many callers ask at once as one piece of work, without a timer.

When idle it takes a job at once; while it is at work, jobs queue and go together next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Generic, TypeVar

from ledger.log.errors import LogOverloaded, LogUnavailable

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Work = Callable[[Sequence[Job]], Awaitable[Sequence[Answer | Exception]]]


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
        self._batch_limit = batch_limit
        self._at_once = at_once
        self._under_way: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._queue: asyncio.Queue[tuple[Job, asyncio.Future[Answer]]] = asyncio.Queue(queue_limit)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Take no more jobs, finish those that are there, and end."""
        task, self._task = self._task, None
        if task is not None:
            await self._queue.join()
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
        try:
            answer = self._put(job)
        except asyncio.QueueFull:
            raise LogOverloaded(f"{self._queue.maxsize} are waiting") from None
        return await answer

    async def ask_all(self, jobs: Iterable[Job]) -> list[Answer | Exception]:
        """Have jobs done in their order; rather than fail they wait for room in the queue.

        Raises:
            LogUnavailable: The lane is not running.
        """
        answers: list[asyncio.Future[Answer]] = []
        for job in jobs:
            while self._queue.full():
                await self._room()
            if self._task is None:
                raise LogUnavailable("not started, or stopped")
            answers.append(self._put(job))
        told = await asyncio.gather(*answers, return_exceptions=True)
        return [_answer_or_failure(answer) for answer in told]

    async def _room(self) -> None:
        """Wait until a batch has been taken out of the queue."""
        if self._under_way:
            await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)  # lets the lane begin the next

    def _put(self, job: Job) -> asyncio.Future[Answer]:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((job, answer))
        self._changed.set()
        return answer

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._may_begin():
                taken = [
                    self._queue.get_nowait()
                    for _ in range(min(self._batch_limit, self._queue.qsize()))
                ]
                task = asyncio.create_task(self._carry(taken))
                self._under_way.add(task)
                task.add_done_callback(self._ended)

    def _may_begin(self) -> bool:
        if not self._under_way:
            return not self._queue.empty()
        return len(self._under_way) < self._at_once and self._queue.qsize() >= self._batch_limit

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._changed.set()

    async def _carry(self, taken: Sequence[tuple[Job, asyncio.Future[Answer]]]) -> None:
        await self._done([job for job in taken if not job[1].done()])
        for _ in taken:
            self._queue.task_done()

    async def _done(self, jobs: Sequence[tuple[Job, asyncio.Future[Answer]]]) -> None:
        if not jobs:
            return
        try:
            answers = await self._work([job for job, _ in jobs])
        except Exception as failure:  # noqa: BLE001 - all callers hear of it
            answers = [failure] * len(jobs)
        for (_, future), answer in zip(jobs, answers, strict=True):
            _resolve(future, answer)


def _resolve(future: asyncio.Future[Answer], answer: Answer | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _answer_or_failure(told: Answer | BaseException) -> Answer | Exception:
    if isinstance(told, BaseException) and not isinstance(told, Exception):
        raise told
    return told
