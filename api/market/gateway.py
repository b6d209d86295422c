"""Gateways as they talk to the API: many connections kept open, one request on each at a time.

A connection that the API has closed for its idleness is opened again, and what was on it is said
again: the API takes the same thing twice for once.
"""

import asyncio
from typing import NamedTuple

from api.serving import LOOPBACK

_LENGTH = b"content-length:"
_TRIES = 3


class Answered(NamedTuple):
    """What the API said."""

    status: int
    body: bytes


class RequestFailed(Exception):
    """The API said something that no line of a market should be told."""


class Connection:
    """One connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, key: str, body: bytes) -> Answered:
        """Ask until there is an answer."""
        head = (
            f"POST {path} HTTP/1.1\r\nhost: {LOOPBACK}\r\nauthorization: Bearer {key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        for _ in range(_TRIES - 1):
            try:
                return await self._once(head.encode() + body)
            except (OSError, asyncio.IncompleteReadError):
                self.close()
        return await self._once(head.encode() + body)

    async def _once(self, request: bytes) -> Answered:
        if self._streams is None:
            self._streams = await asyncio.open_connection(LOOPBACK, self._port)
        reader, writer = self._streams
        writer.write(request)
        top = await reader.readuntil(b"\r\n\r\n")
        at = top.lower().index(_LENGTH) + len(_LENGTH)
        length = int(top[at : top.index(b"\r\n", at)])
        return Answered(int(top[9:12]), await reader.readexactly(length))

    def close(self) -> None:
        """Close it; it is opened again when it is needed."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
