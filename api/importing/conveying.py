"""Lines on their way through: while some are written, those after them are read already.

Nothing is overtaken: what is begun ahead rests on nothing that was recorded before it, and is
finished in its turn.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from api.importing.bytes import Numbered
from api.importing.results import Result


class Begun(Protocol):
    """Lines that were begun."""

    async def finish(self, decided: Callable[[], None], /) -> list[Result]:
        """Take them, once those before are; gives what became of each, in order.

        `decided` is called once nothing is left but to wait for what is under way.
        """
        ...


class _Waiting(NamedTuple):
    """Lines that wait for their turn; `decided` is set once those after them may be begun."""

    begun: Begun
    decided: asyncio.Event


class Takes(Protocol):
    """Takes lines into a book: one importer, or several in processes of their own."""

    async def begin(self, lines: Sequence[Numbered], /) -> Begun:
        """Do of some lines what rests on nothing before them; called in order."""
        ...


async def conveyed(
    takes: Takes, batches: AsyncIterator[Sequence[Numbered]]
) -> AsyncGenerator[list[Result]]:
    """Take batches of lines in order; gives for each what became of its lines.

    Each is begun while the one before it is written.

    Raises: what is in `results.ENDING`, and whatever the batches raise; those before are recorded
        then, and those after are not.
    """
    ready: asyncio.Queue[_Waiting | Exception | None] = asyncio.Queue(1)
    beginning = asyncio.create_task(_begin_each(takes, batches, ready))
    try:
        while (waiting := await ready.get()) is not None:
            if isinstance(waiting, Exception):
                raise waiting
            results = await waiting.begun.finish(waiting.decided.set)
            waiting.decided.set()
            yield results
    finally:
        beginning.cancel()
        with suppress(asyncio.CancelledError):
            await beginning


async def in_turn(
    takes: Takes, batches: AsyncIterator[Sequence[Numbered]]
) -> AsyncGenerator[list[Result]]:
    """Take batches as `conveyed` does, and ask for none while one is under way.

    So it is where the next may be long in coming.
    """
    async for lines in batches:
        begun = await takes.begin(lines)
        yield await begun.finish(lambda: None)


async def _begin_each(
    takes: Takes,
    batches: AsyncIterator[Sequence[Numbered]],
    ready: asyncio.Queue[_Waiting | Exception | None],
) -> None:
    """Begin each batch once the one before it is decided."""
    # Each has an event of its own: one that is written late must not speak for those after it.
    decided = asyncio.Event()
    decided.set()
    try:
        async for lines in batches:
            await decided.wait()
            waiting = _Waiting(await takes.begin(lines), asyncio.Event())
            decided = waiting.decided
            await ready.put(waiting)
    except Exception as failure:  # noqa: BLE001 - it is raised in its turn
        await ready.put(failure)
    else:
        await ready.put(None)
