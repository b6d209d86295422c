"""A load generator in a process of its own: keep-alive connections that ask for paths in turn.

    python -m api.bench.load PORT CONNECTIONS PATHS_FILE

It prints one JSON object: how many answers were 200, the seconds it took, and every wait.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter


async def ask(port: int, paths: Iterator[str], each: list[float]) -> int:
    """Ask for paths over one connection until none is left; give how many were answered 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    good = 0
    for path in paths:
        before = perf_counter()
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(_length(head))
        each.append(perf_counter() - before)
        good += head.startswith(b"HTTP/1.1 200")
    writer.close()
    return good


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


async def main(port: int, connections: int, paths: list[str]) -> None:
    """Play the load and print what came of it."""
    each: list[float] = []
    shared = iter(paths)
    start = perf_counter()
    good = await asyncio.gather(*(ask(port, shared, each) for _ in range(connections)))
    seconds = perf_counter() - start
    sys.stdout.write(json.dumps({"good": sum(good), "seconds": seconds, "each": each}))


if __name__ == "__main__":
    asyncio.run(
        main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]).read_text().splitlines())
    )
