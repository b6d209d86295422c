"""HTTP as a gateway speaks it, in a few lines: one connection, one request after another."""

import asyncio
from typing import NamedTuple

PATIENCE_SECONDS = 10.0
"""How long an answer may take before the gateway gives up and asks again."""


class Said(NamedTuple):
    """An answer; status 0: there was none, and nobody knows whether the request was heard."""

    status: int
    headers: dict[str, str]
    body: bytes


UNHEARD = Said(0, {}, b"")


class Line:
    """A connection to 127.0.0.1 that is made when needed, and again after it broke."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str) -> Said:
        """Ask once. Whatever goes wrong is told as status 0, and the connection given up."""
        try:
            said = await asyncio.wait_for(self._asked(path), PATIENCE_SECONDS)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            await self.close()
            return UNHEARD
        if said.headers.get("connection") == "close":
            await self.close()
        return said

    async def close(self) -> None:
        """Hang up."""
        ends, self._ends = self._ends, None
        if ends is not None:
            ends[1].transport.abort()

    async def _asked(self, path: str) -> Said:
        if self._ends is None:
            self._ends = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._ends
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Said(int(first.split()[1]), headers, body)
