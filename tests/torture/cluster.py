"""A PostgreSQL server that is started again by nobody but us: its data where we want to have it.

The embedded server looks after itself, which is what other trials want to see. Here a trial
decides when it runs, on which disk, and with what between it and the kernel.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psycopg

from api.postgres import DURABLE, SETTINGS, Cluster
from api.reach import account_for
from tests.torture.processes import Urls, awaited, urls_of

START_SECONDS = 30.0


class Broken(Exception):
    """The server does not start; the message holds its last words."""


class Server:
    """One cluster with fsync on, in `home`; its `data` may be moved, a link then leads to it."""

    def __init__(
        self,
        home: Path,
        settings: Mapping[str, str] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self._cluster = Cluster(home, account_for(home), {})
        self._sockets = home / "sockets"
        self._settings = {
            **SETTINGS,
            **DURABLE,
            "unix_socket_directories": str(self._sockets),
            **(settings or {}),
        }
        self._environ = environ or {}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def urls(self) -> Urls:
        return urls_of(self._url)

    def create(self) -> None:
        """Make the cluster, and where its socket stands."""
        self._cluster.create()
        self._sockets.mkdir(mode=0o700)
        if self._cluster.account:
            os.chown(self._sockets, *self._cluster.account)

    def move(self, to: Path) -> None:
        """Let the data be what stands in `to`, copied there if nothing is."""
        data, there = self._cluster.data, to / "data"
        if not there.exists():
            subprocess.run(["cp", "-a", data, there], check=True)  # noqa: S607 - cp, as found
        if data.is_symlink():
            data.unlink()
        elif data.exists():
            shutil.rmtree(data)
        data.symlink_to(there)

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            Broken: it does not.
        """
        self.spawn()
        if not awaited(lambda: self.ended or self.answers(), START_SECONDS) or self.ended:
            self.kill()
            raise Broken(self._cluster.last_words())

    def spawn(self) -> None:
        """Start it, whatever comes of it."""
        for lock in (self._cluster.data / "postmaster.pid", self._sockets / ".s.PGSQL.5432.lock"):
            lock.unlink(missing_ok=True)
        options = [part for item in self._settings.items() for part in ("-c", "=".join(item))]
        user, group = self._cluster.account or (None, None)
        program = self._cluster.programs() / "bin/postgres"
        with (self.home / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [program, "-D", self._cluster.data.resolve(), *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"LC_ALL": "C", "PATH": os.defpath, **self._environ},
                start_new_session=True,
                user=user,
                group=group,
                extra_groups=[] if self._cluster.account else None,
            )

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def answers(self) -> bool:
        """Tell whether it takes connections."""
        with suppress(psycopg.OperationalError):
            psycopg.connect(self._url("obole", "postgres"), connect_timeout=5).close()
            return True
        return False

    def processes(self) -> Sequence[int]:
        """List its processes, the first one first."""
        if self._process is None or self._process.poll() is not None:
            return []
        return [self._process.pid, *children_of(self._process.pid)]

    def send(self, number: signal.Signals) -> None:
        """Send all its processes a signal, the first one first so that none is added."""
        for pid in self.processes()[:1]:
            os.kill(pid, signal.SIGSTOP)
        for pid in reversed(self.processes()):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def ask(self, number: signal.Signals) -> None:
        """Ask the first process alone, as an administrator would, and wait until it has ended."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """Kill all its processes, and see that they are gone."""
        pids = self.processes()
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        awaited(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))

    def words(self) -> str:
        """Give the end of its log."""
        return self._cluster.last_words()

    def _url(self, user: str, name: str) -> str:
        return f"postgresql://{user}@/{name}?host={quote(str(self._sockets), safe='')}&port=5432"


def children_of(pid: int) -> list[int]:
    """List a process's children; of a process that is gone, none."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in listed.split()]


@contextmanager
def home() -> Generator[Path]:
    """Give a folder that the server's account may enter."""
    with tempfile.TemporaryDirectory(prefix="obole-torture-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@contextmanager
def ended_after(server: Server) -> Generator[Server]:
    """See that nothing of a server is left when the block is left."""
    try:
        yield server
    finally:
        server.kill()


def create_database(server: Server) -> None:
    """Make the database that a new cluster lacks."""
    with psycopg.connect(server.urls.owner.replace("/obole?", "/postgres?"), autocommit=True) as to:
        to.execute("CREATE DATABASE obole")
