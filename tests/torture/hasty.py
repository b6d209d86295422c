"""A control: an intake that says 200 as soon as it has heard, and only then hands over.

It is what "acknowledge, then write" would be. Whatever dies in between loses what was
acknowledged, so a trial that does not see that sees nothing.
"""

import asyncio
import threading
from contextlib import suppress
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
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(self._to)
        with suppress(OSError, EOFError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(DONE)
                await line.ask(head.split(b" ", 2)[1].decode())
        writer.close()
