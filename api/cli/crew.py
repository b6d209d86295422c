"""Several processes that serve the API at one address.

They take connections from one socket, which this process holds: whoever is free takes the next. So
the address stays taken while one of them is started again, and what waits to be accepted waits for
the others. With a socket for each (SO_REUSEPORT) it would be lost with its process, and two
programs could have the same address unaware.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from api.cli.beside import Command, keep

FROM_PARENT = "--socket"
"""The hidden option by which one of them is told of the socket, by its number."""


class Share(NamedTuple):
    """What all of them have in common."""

    listener: socket.socket
    public_url: str | None
    environ: Mapping[str, str]
    """What each finds in its environment beside ours."""


async def serve_together(
    count: int,
    share: Share,
    stop: asyncio.Event,
    up: Callable[[], None],
    pids: dict[str, int],
) -> None:
    """Keep so many processes serving until `stop` is set, and have them end then.

    `up` is told once all can be used; `pids` is kept up with which they are, by their numbers.
    """
    ready = {str(one): asyncio.Event() for one in range(1, count + 1)}
    async with asyncio.TaskGroup() as group:
        for name, event in ready.items():
            command = _command(name, share)
            started = partial(pids.__setitem__, name)
            group.create_task(keep(command, stop, started, event))
        telling = group.create_task(_tell_once(ready.values(), up))
        await stop.wait()
        telling.cancel()
        # They close theirs; were ours open, callers would be let in where nobody answers.
        share.listener.close()


def _command(name: str, share: Share) -> Command:
    number = share.listener.fileno()
    told = ("--public-url", share.public_url) if share.public_url else ()
    arguments = ("api", FROM_PARENT, str(number), *told)
    called = f"process {name} of the API"
    return Command(called, arguments, (number,), share.environ, says_ready=True)


async def _tell_once(ready: Iterable[asyncio.Event], up: Callable[[], None]) -> None:
    for one in ready:
        await one.wait()
    up()
