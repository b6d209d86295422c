"""Commands that run until they are stopped: Ctrl-C and a polite kill end them cleanly, status 0."""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def until_stopped(
    main: Callable[[asyncio.Event], Awaitable[None]],
    *,
    with_parent: bool = False,
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run `main` with an event that is set once somebody wants an end; `loop` makes its loop.

    `with_parent` also wants one when standard input ends, as it does when whoever started us
    dies in whatever way; standard input is then a pipe.
    """
    raise_files()

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in STOPPING:
            loop.add_signal_handler(number, stop.set)
        if with_parent:
            loop.add_reader(sys.stdin.fileno(), _at_the_end_of_input, loop, stop)
        await main(stop)

    with asyncio.Runner(loop_factory=loop) as runner:
        try:
            runner.run(run())
        except BaseExceptionGroup as group:
            raise _the_one(group) from group


def raise_files() -> None:
    """Take as many open files as this process may have: each connection is one.

    A shell gives 1,024, where the system would allow far more; idle connections alone could then
    keep everybody else out.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS promises more than it gives
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _the_one(error: BaseException) -> BaseException:
    """Give what went wrong, where tasks ended together because of one of them."""
    inner = cast("tuple[BaseException, ...]", getattr(error, "exceptions", ()))
    return _the_one(inner[0]) if len(inner) == 1 else error


def _at_the_end_of_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()
