"""A load generator in a process of its own: keep-alive connections that ask for paths in turn.

    python -m api.bench.load PORT CONNECTIONS PATHS_FILE

It prints one JSON object: how many answers were 200, the seconds it took, every wait, and how much
of a core the generator itself used, which is taken from what it measures.
"""

import asyncio
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import cast

import uvloop

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_END = b"\r\n\r\n"


class Asking(asyncio.Protocol):
    """One connection: it asks for the next path as soon as the last answer is whole."""

    def __init__(self, requests: Iterator[bytes], each: list[float], done: asyncio.Event) -> None:
        self._requests = requests
        self._each = each
        self._done = done
        self._buffer = b""
        self._since = 0.0
        self.good = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        # Of uvloop's own kind, which is no subclass of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take in what came; once it is a whole answer, ask again."""
        self._buffer += data
        end = self._buffer.find(_END)
        if end < 0 or len(self._buffer) < end + len(_END) + _length(self._buffer[: end + 2]):
            return
        self._each.append(perf_counter() - self._since)
        self.good += self._buffer.startswith(b"HTTP/1.1 200")
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """End, also where the other side did."""
        self._done.set()

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            return
        self._since = perf_counter()
        self._transport.write(request)


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


async def main(port: int, connections: int, paths: Sequence[str]) -> None:
    """Play the load and print what came of it."""
    loop = asyncio.get_running_loop()
    host = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"
    requests = iter([f"GET {path}{host}".encode() for path in paths])
    each: list[float] = []
    start, used = perf_counter(), process_time()
    ends = [asyncio.Event() for _ in range(connections)]
    made = [
        await loop.create_connection(lambda end=end: Asking(requests, each, end), "127.0.0.1", port)
        for end in ends
    ]
    for end in ends:
        await end.wait()
    seconds, used = perf_counter() - start, process_time() - used
    good = sum(asking.good for _, asking in made)
    result = {"good": good, "seconds": seconds, "each": each, "cpu": used / seconds}
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_text().splitlines()))
