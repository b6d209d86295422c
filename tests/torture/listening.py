"""What stands on an address of its own and talks to whoever connects, in a thread of its own."""

import asyncio
import socket
import threading
from abc import ABC, abstractmethod
from typing import NamedTuple, Self


class Address(NamedTuple):
    """A port of 127.0.0.1, or a socket in the file system."""

    port: int = 0
    path: str = ""


class Listening(ABC):
    """Listens from entering to leaving; `listens` is then where."""

    def __init__(self, at: str = "") -> None:
        """`at` is a socket's path; none, a port of its own."""
        self.listens = Address(path=at)
        self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def port(self) -> int:
        """Where it listens, if that is a port."""
        return self.listens.port

    @abstractmethod
    async def talk(self, client: socket.socket) -> None:
        """Talk to one that has connected, until it is over, and close its socket."""

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        with _listener(self.listens) as listener:
            if not self.listens.path:
                self.listens = Address(listener.getsockname()[1])
            accepting = asyncio.create_task(self._accept(listener))
            self._ready.set()
            await self._stop.wait()
            for task in (accepting, *self._tasks):
                task.cancel()
            await asyncio.gather(accepting, *self._tasks, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            task = asyncio.create_task(self.talk(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


def _listener(at: Address) -> socket.socket:
    listener = socket_for(at)
    listener.setblocking(False)  # noqa: FBT003 - the socket's own signature
    listener.bind(at.path or ("127.0.0.1", at.port))
    listener.listen(256)
    return listener


def socket_for(at: Address) -> socket.socket:
    """Give a socket of the kind that an address wants."""
    return socket.socket(socket.AF_UNIX if at.path else socket.AF_INET)
