"""A control: an intake that charges, and remembers in its own memory which ids it has charged.

What it does not know is whether a transaction whose answer never came was committed; so it says
503, is asked again, and charges again. Its own numbers are no help: each charge has a new one.
"""

import asyncio
import socket
import threading
from typing import Self
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import AsyncConnection

from tests.torture.speech import Line

AWAY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class NaiveIntake:
    """Listens on a port of its own, from entering to leaving; its charges go by way of `url`."""

    COMMITTED = b"INSERT 0 1\0"
    """What the server says when it has committed a charge."""

    def __init__(self, owner_url: str, url: str) -> None:
        self.port = 0
        self._url = url
        self._known: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="naive intake", daemon=True)
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        with psycopg.connect(owner_url) as connection:
            connection.execute("CREATE TABLE naive_charges (id bigserial PRIMARY KEY, name text)")

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
            self.port = listener.getsockname()[1]
            accepting = asyncio.create_task(self._accept(listener))
            self._ready.set()
            await self._stop.wait()
            for task in (accepting, *self._tasks):
                task.cancel()
            await asyncio.gather(accepting, *self._tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            task = asyncio.create_task(self._answer(Line(0, client)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, front: Line) -> None:
        connection: AsyncConnection | None = None
        try:
            while True:
                head = await front.until(b"\r\n\r\n")
                (name,) = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)["id"]
                if connection is None or connection.closed:
                    connection = await AsyncConnection.connect(self._url, autocommit=True)
                await front.say(await self._charged(connection, name))
        except (OSError, EOFError, psycopg.OperationalError):
            pass
        finally:
            front.close()
            if connection is not None:
                await connection.close()

    async def _charged(self, connection: AsyncConnection, name: str) -> bytes:
        """Charge, unless it is known to have been charged."""
        if name in self._known:
            return DONE
        try:
            await connection.execute("INSERT INTO naive_charges (name) VALUES (%s)", (name,))
        except psycopg.OperationalError:
            return AWAY
        self._known.add(name)
        return DONE
