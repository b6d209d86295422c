"""A bad network: stands between two that talk, and does to them what networks do.

It delays, resets, closes one direction, or swallows what is said; before a database it also cuts
the connection just when the server has committed and says so.
"""

import asyncio
import random
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.log_proxy import COMMITTED
from tests.torture.listening import Address, Listening, socket_for

LONGEST_DELAY_SECONDS = 0.03
HOLE_SECONDS = 0.3
"""How long a black hole swallows before the connection is seen to be dead."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER so that closing sends a reset."""
SOCKET = ".s.PGSQL.5432"


class Faults(NamedTuple):
    """How often each happens, out of so many pieces that are passed on."""

    delay: float = 0.0
    reset: float = 0.0
    half_close: float = 0.0
    black_hole: float = 0.0
    lost_commit: float = 0.0
    """Out of the commits that the server says it made."""


HTTP = Faults(delay=0.01, reset=0.01, half_close=0.005, black_hole=0.001)
DATABASE = Faults(delay=0.002, lost_commit=0.01)


class Proxy(Listening):
    """Passes on what comes to `listens`, in a thread of its own, from entering to leaving."""

    def __init__(
        self, to: Address, faults: Faults, seed: int, *, at: str = "", commits: bytes = COMMITTED
    ) -> None:
        super().__init__(at)
        self.done: Counter[str] = Counter()
        self._to, self._faults, self._commits = to, faults, commits
        self._dice = random.Random(f"proxy {seed}")  # noqa: S311 - chance that can be repeated

    async def talk(self, client: socket.socket) -> None:
        """Pass on in both directions until both have ended."""
        server = socket_for(self._to)
        pumps: list[asyncio.Task[None]] = []
        try:
            for end in (client, server):
                end.setblocking(False)  # noqa: FBT003 - the socket's own signature
            await self._loop.sock_connect(server, self._to.path or ("127.0.0.1", self._to.port))
            ways = ((client, server), (server, client))
            pumps = [asyncio.create_task(self._pump(*way)) for way in ways]
            await asyncio.gather(*pumps)
        except (OSError, EOFError):
            pass
        finally:
            # Ended before their sockets are closed: whoever gets those numbers next is not heard.
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for end in (client, server):
                end.close()

    async def _pump(self, source: socket.socket, target: socket.socket) -> None:
        while piece := await self._loop.sock_recv(source, 1 << 16):
            if self._commits in piece and self._falls("commits untold", self._faults.lost_commit):
                raise EOFError
            if await self._happens(source, target):
                return
            await self._loop.sock_sendall(target, piece)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    async def _happens(self, source: socket.socket, target: socket.socket) -> bool:
        """Let something happen instead of passing on; tells whether this direction has ended.

        Raises:
            EOFError: the connection has ended, in both directions.
        """
        if self._falls("delays", self._faults.delay):
            await self._rest(self._dice.uniform(0, LONGEST_DELAY_SECONDS))
        if self._falls("resets", self._faults.reset):
            for end in (source, target):
                _reset_when_closed(end)
            raise EOFError
        if self._falls("black holes", self._faults.black_hole):
            await self._rest(HOLE_SECONDS)
            raise EOFError
        if self._falls("half-closes", self._faults.half_close):
            target.shutdown(socket.SHUT_WR)
            return True
        return False

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def _falls(self, what: str, often: float) -> bool:
        falls = self._dice.random() < often
        self.done[what] += falls
        return falls


@contextmanager
def before_database(
    url: str, seed: int, faults: Faults = DATABASE, commits: bytes = COMMITTED
) -> Generator[tuple[Proxy, str]]:
    """Put a proxy before a database; gives the way to the database that leads through it."""
    to = conninfo_to_dict(url)
    host, port = str(to.get("host") or ""), int(to.get("port") or 5432)
    there = Address(path=f"{host}/.s.PGSQL.{port}") if host.startswith("/") else Address(port)
    with tempfile.TemporaryDirectory(prefix="obole-proxy-") as folder:
        Path(folder).chmod(0o711)
        with Proxy(there, faults, seed, at=f"{folder}/{SOCKET}", commits=commits) as proxy:
            yield proxy, make_conninfo(url, host=folder, port=5432)


def _reset_when_closed(end: socket.socket) -> None:
    if end.family == socket.AF_INET:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
