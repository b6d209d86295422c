"""A world with a clock and a scheduler of its own: coroutines, each stepped by hand.

Which of those that can go on does so next is chance from a seed, and so is how time passes. No
thread, no event loop and no real clock takes part, so a seed gives the same world again.
"""

import heapq
import random
from collections.abc import Coroutine, Generator
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Task = Coroutine[Any, Any, object]
MOST_STEPS = 200_000
TIME_GOES_ON = 0.02
"""How often time passes although somebody could go on."""


class Endless(AssertionError):
    """The world does not come to an end."""


class Promise(Generic[T]):
    """What one task waits for and another keeps, or breaks."""

    def __init__(self) -> None:
        self.waiting: list[Task] = []
        self.done = False
        self._value: T | None = None
        self._error: Exception | None = None

    def __await__(self) -> Generator["Promise[T]", None, T]:
        while not self.done:
            yield self
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]

    def settle(self, value: T | None = None, error: Exception | None = None) -> None:
        """Keep it with a value, or break it; who waits can go on."""
        self.done, self._value, self._error = True, value, error


class Turn:
    """Awaited by a task that lets others go on."""

    def __await__(self) -> Generator[None, None, None]:
        yield None


class Loop:
    """Runs tasks one step at a time, in an order by chance."""

    def __init__(self, chance: random.Random, now: datetime) -> None:
        self.now = now
        self.steps = 0
        self.chance = chance
        self._ready: list[Task] = []
        self._sleeping: list[tuple[datetime, int, Promise[None]]] = []
        self._waiting: list[tuple[Promise[Any], Task]] = []

    def spawn(self, task: Task) -> None:
        """Let a task begin when its turn comes."""
        self._ready.append(task)

    async def let_pass(self, seconds: float) -> None:
        """Wait until the clock has moved so far."""
        promise: Promise[None] = Promise()
        self.steps += 1
        at = self.now + timedelta(seconds=seconds)
        heapq.heappush(self._sleeping, (at, self.steps, promise))
        await promise

    def run(self) -> None:
        """Go on until no task is left that can.

        Raises:
            Endless: that takes too long.
        """
        while self._ready or self._sleeping:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise Endless(f"{len(self._ready)} tasks still go on")
            if self._sleeping and (not self._ready or self.chance.random() < TIME_GOES_ON):
                self._pass()
            else:
                self._step(self._ready.pop(self.chance.randrange(len(self._ready))))

    def _pass(self) -> None:
        at, _, promise = heapq.heappop(self._sleeping)
        self.now = max(self.now, at)
        promise.settle()
        self._wake()

    def _step(self, task: Task) -> None:
        try:
            promise = task.send(None)
        except StopIteration:
            pass
        else:
            if isinstance(promise, Promise):
                self._waiting.append((promise, task))
            else:
                self._ready.append(task)
        self._wake()

    def _wake(self) -> None:
        if any(promise.done for promise, _ in self._waiting):
            self._ready += [task for promise, task in self._waiting if promise.done]
            self._waiting = [pair for pair in self._waiting if not pair[0].done]

    @property
    def stuck(self) -> int:
        """How many tasks wait for what nobody will do."""
        return len(self._waiting)

    def close(self) -> None:
        """End what never ended."""
        for _, task in self._waiting:
            task.close()
        for task in self._ready:
            task.close()
