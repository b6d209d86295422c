"""The embedded PostgreSQL: one server for a home, started by whoever comes first.

Several processes may use a home at once (`obole serve` in one shell, other commands in another):
later ones join the running server, and the last to leave stops it. Three locks in the server's
folder keep order. The kernel drops them when a process dies, however it dies.

    starting   held while a server is started or stopped
    users      shared by all who use the server; whoever can have it alone is the last
    living     inherited by the server and all its processes: free only when none is left
"""

import fcntl
import logging
import os
import signal
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import quote

import psycopg

from api.postgres import DURABLE, FLEETING, SETTINGS, Cluster, PostgresFailed
from api.reach import SERVER, account_for, server_folder, socket_folder

_log = logging.getLogger(__name__)

_START_SECONDS = 60.0  # after a crash the server first reads its WAL again
_STOP_SECONDS = 30.0
_STEP_SECONDS = 0.02
_WATCH_SECONDS = 0.1


class Embedded:
    """A share in the server of `home`, from entering to leaving; a server that dies is restarted.

    `durable=False` leaves fsync out. Joining a running server takes it as it is.
    """

    # Servers that we started: kept, so that those left running for others are reaped in the end.
    _children: ClassVar[list[subprocess.Popen[bytes]]] = []

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self._home = home.absolute()
        self._settings = SETTINGS | (DURABLE if durable else FLEETING)

    def __enter__(self) -> Self:
        with suppress(FileExistsError):  # made before, or by another who starts at this moment
            self._home.mkdir(parents=True)
            self._home.chmod(0o755)  # so that, for root, the server's account can pass
        with _only_one_in(self._home):
            account = account_for(self._home / SERVER)
            self.cluster = Cluster(server_folder(self._home, account), account, self._settings)
        with self._alone():
            self._users = _lock_file(self.cluster.folder / "users")
            fcntl.flock(self._users, fcntl.LOCK_SH)
            try:
                self.cluster.create()
                self._ensure_running()
                self._ensure_database()
            except BaseException:
                self._leave()
                raise
        self._leaving = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="embedded-postgres", daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._leaving.set()
        self._watcher.join()
        with self._alone():
            self._leave()

    def url(self, user: str = "obole", name: str = "obole") -> str:
        """Give the address of database `name` for `user`; it stays the same over a restart."""
        return f"postgresql://{user}@/{name}?host={quote(str(self._sockets), safe='')}&port=5432"

    @contextmanager
    def away(self) -> Generator[None]:
        """Keep the server down, for everybody, as long as the block runs."""
        with self._alone():
            self._stop()
            try:
                yield
            finally:
                self._ensure_running()

    def _watch(self) -> None:
        pause = _WATCH_SECONDS
        while not self._leaving.wait(pause):
            if self._is_free("living"):
                _log.error("PostgreSQL has stopped; starting it again")
                try:
                    with self._alone():
                        self._ensure_running()
                    pause = _WATCH_SECONDS
                except (PostgresFailed, OSError):
                    _log.exception("PostgreSQL does not start; trying again")
                    pause = 10 * _WATCH_SECONDS

    def _ensure_running(self) -> None:
        """Join the server that lives, or start one; wait until it answers."""
        ours = socket_folder(self.cluster.folder, self.cluster.account)
        living = [] if self._is_free("living") else self.cluster.pid_file()
        self._sockets = Path(living[4]) if len(living) > 4 else ours  # noqa: PLR2004 - the fifth line
        started = False
        deadline = monotonic() + _START_SECONDS
        while not self._answers():
            if self._is_free("living") and not started:
                self._sockets = ours
                self._start()
                started = True
            elif self._is_free("living") or monotonic() > deadline:
                raise PostgresFailed(f"PostgreSQL does not start:\n{self.cluster.last_words()}")
            sleep(_STEP_SECONDS)

    def _start(self) -> None:
        self._reap()
        with self._locked("living") as living:
            self._children.append(self.cluster.spawn(self._sockets, living))

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(name="postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _ensure_database(self) -> None:
        with psycopg.connect(self.url(name="postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = 'obole'").fetchone()
            if found is None:
                connection.execute("CREATE DATABASE obole")

    def _leave(self) -> None:
        try:
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._stop()
        except BlockingIOError:
            _log.info("others still use PostgreSQL in %s: it goes on", self._home)
        finally:
            os.close(self._users)

    def _stop(self) -> None:
        """Stop the server in good order, or, when it does not heed, as a crash would."""
        for request in (signal.SIGINT, signal.SIGQUIT):
            deadline = monotonic() + _STOP_SECONDS
            while monotonic() < deadline:
                if self._is_free("living"):
                    return self._reap()
                self.cluster.signal(request)
                sleep(_STEP_SECONDS)
        raise PostgresFailed(f"PostgreSQL does not stop:\n{self.cluster.last_words()}")

    def _reap(self) -> None:
        self._children[:] = [child for child in self._children if child.poll() is None]

    @contextmanager
    def _alone(self) -> Generator[None]:
        with self._locked("starting"):
            yield

    @contextmanager
    def _locked(self, name: str) -> Generator[int]:
        file = _lock_file(self.cluster.folder / name)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)  # the lock lasts while a child has the file open

    def _is_free(self, name: str) -> bool:
        file = _lock_file(self.cluster.folder / name)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        else:
            return True
        finally:
            os.close(file)


def _lock_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


@contextmanager
def _only_one_in(home: Path) -> Generator[None]:
    """Let one process at a time lay out a home, before there is a folder for its other locks."""
    folder = os.open(home, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
