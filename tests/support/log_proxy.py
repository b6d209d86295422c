"""A way to the database that can be cut: at once, or just when a commit is to be acknowledged."""

import socket
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

from psycopg.conninfo import conninfo_to_dict, make_conninfo

COMMITTED = b"CALL\0"
"""The tag with which the server says that a batch was appended and is committed."""


class Proxy:
    """Passes bytes on between clients on `url` and the server, until told otherwise.

    `away` turns new clients away; `swallow_commits` is how many commits are not to be acknowledged:
    the connection ends instead. `commits` counts those that the server made.
    """

    def __init__(self, app_url: str, folder: Path) -> None:
        self.url = make_conninfo(app_url, host=str(folder), port=5432)
        self.away = False
        self.swallow_commits = 0
        self.commits = 0
        self._to = conninfo_to_dict(app_url)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[Thread] = []
        self._start(self._accept)

    def close(self) -> None:
        """End every connection and take no more."""
        for end in self._sockets:
            _cut(end)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _start(self, work: Callable[[], None]) -> None:
        thread = Thread(target=work)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.away:
                    client.close()
                else:
                    self._carry(client, self._to_server())

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        self._sockets += (client, server)
        self._start(lambda: _pump(client, server, lambda _: True))
        self._start(lambda: _pump(server, client, self._may_pass))

    def _may_pass(self, answer: bytes) -> bool:
        if COMMITTED in answer:
            self.commits += 1
            if self.swallow_commits:
                self.swallow_commits -= 1
                return False
        return True

    def _to_server(self) -> socket.socket:
        host, port = str(self._to["host"]), int(self._to.get("port") or 5432)
        if host.startswith("/"):
            server = socket.socket(socket.AF_UNIX)
            server.connect(f"{host}/.s.PGSQL.{port}")
            return server
        return socket.create_connection((host, port))


@contextmanager
def proxied(app_url: str) -> Generator[Proxy]:
    """Give a proxy before a database; it listens on a socket of its own."""
    with tempfile.TemporaryDirectory(prefix="obole-proxy-") as folder:
        proxy = Proxy(app_url, Path(folder))
        try:
            yield proxy
        finally:
            proxy.close()


def _pump(source: socket.socket, target: socket.socket, may_pass: Callable[[bytes], bool]) -> None:
    with suppress(OSError):
        while (data := source.recv(1 << 16)) and may_pass(data):
            target.sendall(data)
    _cut(source)
    _cut(target)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
