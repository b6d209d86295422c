"""HTTP as a gateway speaks it, in a few lines: one connection, one request after another."""

import asyncio
import socket
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

    def __init__(self, port: int, taken: socket.socket | None = None) -> None:
        self._port = port
        self._socket = taken
        self._heard = b""

    async def ask(self, path: str) -> Said:
        """Ask once. Whatever goes wrong is told as status 0, and the connection given up."""
        try:
            said = await asyncio.wait_for(self._asked(path), PATIENCE_SECONDS)
        except (OSError, EOFError, ValueError, TimeoutError):
            self.close()
            return UNHEARD
        if said.headers.get("connection") == "close":
            self.close()
        return said

    def close(self) -> None:
        """Hang up."""
        ended, self._socket, self._heard = self._socket, None, b""
        if ended is not None:
            ended.close()

    async def until(self, mark: bytes) -> bytes:
        """Hear until a mark; gives what came before it.

        Raises:
            EOFError: the other end has hung up.
        """
        while mark not in self._heard:
            await self._hear()
        told, _, self._heard = self._heard.partition(mark)
        return told

    async def say(self, what: bytes) -> None:
        """Say something; the connection is made where there is none."""
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)  # noqa: FBT003 - the socket's own signature
            await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        await loop.sock_sendall(self._socket, what)

    async def _asked(self, path: str) -> Said:
        await self.say(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n\r\n".encode())
        first, *lines = (await self.until(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        length = int(headers.get("content-length", "0"))
        while len(self._heard) < length:
            await self._hear()
        body, self._heard = self._heard[:length], self._heard[length:]
        return Said(int(first.split()[1]), headers, body)

    async def _hear(self) -> None:
        assert self._socket is not None
        heard = await asyncio.get_running_loop().sock_recv(self._socket, 1 << 16)
        if not heard:
            raise EOFError
        self._heard += heard
