"""A control: an intake that says 200 as soon as it has heard, and only then hands over.

It is what "acknowledge, then write" would be. Whatever dies in between loses what was
acknowledged, so a trial that does not see that sees nothing.
"""

import asyncio
import socket
import threading
from typing import Self

from tests.torture.speech import Line

DONE = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


class Hasty:
    """Stands before an API on a port of its own, from entering to leaving."""

    def __init__(self, port: int) -> None:
        self.port = 0
        self._to = port
        self._thread = threading.Thread(target=self._run, name="hasty", daemon=True)
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

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
            tasks = {asyncio.create_task(self._accept(listener))}
            self._ready.set()
            await self._stop.wait()
            for task in tasks | self._tasks:
                task.cancel()
            await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            self._tasks.add(asyncio.create_task(self._answer(Line(0, client))))

    async def _answer(self, front: Line) -> None:
        back = Line(self._to)
        try:
            while True:
                head = await front.until(b"\r\n\r\n")
                await front.say(DONE)
                await back.ask(head.split(b" ", 2)[1].decode())
        except (OSError, EOFError):
            pass
        finally:
            front.close()
            back.close()
