"""The API as a process: one event loop, one listener, the books opened for as long as it runs.

Its own log of requests stays off: Kannel can only present its key within a URL.
"""

import asyncio
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import NamedTuple

import psycopg
import uvicorn
from starlette.types import ASGIApp

from api.app import create_app
from api.books import Books
from api.clock import Clock
from ledger.log.errors import LogUnavailable
from ledger.log.writer import Batch
from ledger.rules.resolve import RuleBook
from ledger.vault import MasterKey

_log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
DRAIN_SECONDS = 10
"""How long requests under way may still take once an end is wanted."""
RETRY_SECONDS = 1.0
BACKLOG = 2048
COLLECTED_AFTER = (50_000, 20, 100)
"""Objects, and collections of the younger generation, after which the next is collected."""
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, LogUnavailable)

Ready = Callable[[Books], Awaitable[None]]
Wrap = Callable[[ASGIApp], ASGIApp]


class Setup(NamedTuple):
    """What the books are opened with, and how gateways reach us (by default as each one asked)."""

    app_url: str
    rules: Mapping[str, RuleBook]
    master: MasterKey
    clock: Clock
    public_url: str | None = None
    told: Callable[[Batch], None] | None = None
    """Hears of every batch that is appended."""


class _Server(uvicorn.Server):
    """Uvicorn without its handling of signals, which would end the process before we have."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Take a port; 0 is any that is free.

    Raises:
        OSError: it cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Give what makes the event loop that uvicorn prefers."""
    return uvicorn.Config(_no_app, loop="auto").get_loop_factory()


async def serve(
    setup: Setup,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Ready,
    wrap: Wrap = lambda app: app,
) -> None:
    """Serve the books until `stop` is set; `ready` is told once they can be used.

    A database that is away is waited for, at the start as later.
    """
    async with AsyncExitStack() as stack:
        books = await _opened(stack, setup, stop)
        if books is None:
            listener.close()
            return
        server = _Server(_config(wrap(create_app(books, public_url=setup.public_url))))
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            group.create_task(_end(server, stop))
            _spare_the_old()
            await ready(books)


async def open_once(setup: Setup, stop: asyncio.Event, ready: Ready) -> None:
    """Open the books as `serve` does, tell `ready`, and close them.

    So what is wrong with them is found, and what is new is made, before several processes serve.
    """
    async with AsyncExitStack() as stack:
        books = await _opened(stack, setup, stop)
        if books is not None:
            await ready(books)


async def _opened(stack: AsyncExitStack, setup: Setup, stop: asyncio.Event) -> Books | None:
    told = False
    while not stop.is_set():
        try:
            return await stack.enter_async_context(Books.open(*setup[:4], told=setup.told))
        except AWAY as away:
            if not told:
                _log.warning("the database is away, trying again: %s", away)
                told = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_SECONDS)
    return None


def _spare_the_old() -> None:
    """Keep the collector away from what lives as long as the process, and from single requests.

    A full collection looks at every object: 32 to 64 ms for the 128,000 of an API with one book, as
    measured on two cores, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)


async def _end(server: _Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


async def _no_app(_scope: object, _receive: object, _send: object) -> None:
    raise AssertionError("only asked for its event loop")
