"""A lane carries what many callers ask at once as one piece of work, without a timer.

When idle it takes a job at once; while it is at work, jobs queue and go together next.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from ledger.log.errors import LogOverloaded, LogUnavailable

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Work = Callable[[Sequence[Job]], Awaitable[Sequence[Answer | Exception]]]


class Lane(Generic[Job, Answer]):
    """A bounded queue before one task, which does up to `batch_limit` jobs at a time.

    Owned by one event loop. A caller that is cancelled while it waits in the queue takes its job
    along; once its job is under way, the work is done all the same and only the answer is dropped.
    """

    def __init__(self, work: Work[Job, Answer], queue_limit: int, batch_limit: int) -> None:
        self._work = work
        self._batch_limit = batch_limit
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
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        try:
            self._queue.put_nowait((job, answer))
        except asyncio.QueueFull:
            raise LogOverloaded(f"{self._queue.maxsize} are waiting") from None
        return await answer

    async def _run(self) -> None:
        while True:
            taken = [await self._queue.get()]
            while len(taken) < self._batch_limit and not self._queue.empty():
                taken.append(self._queue.get_nowait())
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
