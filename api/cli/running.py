"""Commands that run until they are stopped: Ctrl-C and a polite kill end them cleanly, status 0."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def until_stopped(
    main: Callable[[asyncio.Event], Awaitable[None]], *, with_parent: bool = False
) -> None:
    """Run `main` with an event that is set once somebody wants an end.

    `with_parent` also wants one when standard input ends, as it does when whoever started us
    dies in whatever way; standard input is then a pipe.
    """

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, stop.set)
        if with_parent:
            loop.add_reader(sys.stdin.fileno(), _at_the_end_of_input, loop, stop)
        await main(stop)

    asyncio.run(run())


def _at_the_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()
