"""The ledger as it is run: an API and a worker, processes of their own on a real PostgreSQL."""

import asyncio
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from http.client import HTTPConnection, HTTPException
from importlib.resources import files
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from api.books import Books, load_rules
from api.catalogue_file import read_catalogue
from ledger.commands.access import Wanted, issue_key
from ledger.commands.catalogue import load_catalogue
from ledger.facts.registry import Origin
from ledger.vault import FileMasterKey
from migrations.roles import APPLICATION
from migrations.runner import migrate
from tests.support.cli import ROOT
from tests.torture.load import BOOK, GATEWAY, Clock, wall_clock

PROGRAM = ("-m", "api.cli.main")
PATIENCE_SECONDS = 60.0
STEP_SECONDS = 0.02
KEY_DAYS = 900

Environ = Mapping[str, str]


class Urls(NamedTuple):
    """Two ways into one database."""

    app: str
    owner: str


class Service:
    """A command that goes on until it is killed; what it says stands in a file."""

    def __init__(self, name: str, arguments: Sequence[str], environ: Environ, folder: Path) -> None:
        self.name = name
        self.starts = 0
        self.kills = 0
        self._command = [sys.executable, *PROGRAM, *arguments]
        self.environ = environ
        self._file = folder / f"{name}.log"
        self._files: tuple[int, int] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def may_open(self, files: tuple[int, int]) -> None:
        """Let it begin with so many open files, and raise that itself to so many."""
        self._files = files

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def start(self) -> None:
        """Start it, or start it again."""
        self.starts += 1
        with self._file.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=self.environ,
                start_new_session=True,
            )
        if self._files:
            resource.prlimit(self._process.pid, resource.RLIMIT_NOFILE, self._files)

    def kill(self) -> None:
        """Kill it and whatever it started, unasked."""
        if self._process is not None and self._process.poll() is None:
            self.kills += 1
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def words(self) -> str:
        """Give the end of what it said."""
        return " / ".join(self._file.read_text(errors="replace").splitlines()[-3:])


class Ledger:
    """API and worker of one book, the key of its gateway, and the one that wraps all others."""

    def __init__(
        self, api: Service, worker: Service, port: int, key: str, master: FileMasterKey
    ) -> None:
        self.api, self.worker, self.port, self.key = api, worker, port, key
        self.master = master
        self.failures: list[str] = []

    def tend(self) -> None:
        """Start again what was killed; what ended by itself is a failure."""
        for service in (self.api, self.worker):
            if service.ended and service.starts > service.kills:
                service.kills += 1
                self.failures.append(f"{service.name} ended by itself: {service.words()}")
            if service.ended:
                service.start()

    def until(
        self, wanted: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
    ) -> bool:
        """Tend, until something is so; what does not come about in time is a failure.

        Once something has failed nothing more is waited for.
        """
        if awaited(lambda: bool(self.tend() or self.failures or wanted()), seconds):
            return not self.failures
        words = self.api.words()
        self.failures.append(f"after {seconds:.0f} seconds still not {what}; the API: {words}")
        return False

    def ready(self) -> bool:
        """Tell whether the API says that it takes messages."""
        return asked(self.port, "/readyz") == 200


@contextmanager
def serving(
    urls: Urls,
    environ: Environ | None = None,
    clock: Clock = wall_clock,
    files: tuple[int, int] | None = None,
    answering: int = 1,
) -> Generator[Ledger]:
    """Migrate, open the book with the demonstration's catalogue, and serve it.

    So many processes are `answering` behind the API's one address.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="obole-torture-")))
        (folder / "settings").mkdir()
        shutil.copy(ROOT / "settings/fr.toml", folder / "settings")
        served = {
            **os.environ,
            "OBOLE_DATABASE_URL": urls.owner,
            "OBOLE_HOME": str(folder),
            "OBOLE_SETTINGS": str(folder / "settings"),
            **(environ or {}),
        }
        migrate(urls.owner)
        master = FileMasterKey.create(folder / "master.key")
        key = asyncio.run(_furnished(urls.app, served, clock, master))
        port = free_port()
        several = ("--workers", str(answering))
        api = Service("api", ("api", "--port", str(port), *several), served, folder)
        if files:
            api.may_open(files)
        worker = Service("worker", ("work",), served, folder)
        ledger = Ledger(api, worker, port, key, master)
        for service in (api, worker):
            stack.callback(service.kill)
            service.start()
        assert ledger.until(ledger.ready, "ready"), ledger.failures
        yield ledger


async def _furnished(app_url: str, environ: Environ, clock: Clock, master: FileMasterKey) -> str:
    async with Books.open(app_url, load_rules(environ), master, clock) as books:
        desk, now = books.by_name[BOOK].desk, clock()
        raw = files("api.demo").joinpath("catalogue.toml").read_bytes()
        agreed = read_catalogue(raw, "catalogue.toml", BOOK, desk.rules.pack.zone)
        origin = Origin(BOOK, "torture")
        await load_catalogue(desk, agreed, origin, now, has_traffic=False)
        expires_at = now + timedelta(days=KEY_DAYS)
        wanted = Wanted("gateway", "torture", expires_at, gateway=GATEWAY)
        return (await issue_key(desk, wanted, origin, now)).text


def urls_of(url: Callable[[str, str], str], name: str = "obole") -> Urls:
    """Give the ways into a database, where `url` takes a login and a database's name."""
    return Urls(url(APPLICATION, name), url("obole", name))


def awaited(wanted: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Look again and again, until something is so or the time is over."""
    deadline = monotonic() + seconds
    while not wanted():
        if monotonic() > deadline:
            return False
        rest(STEP_SECONDS)
    return True


def rest(seconds: float) -> None:
    """Let the others go on for a while: a trial's own pace, not a wait for something."""
    threading.Event().wait(seconds)


def asked(port: int, path: str) -> int:
    """Ask once and give the status; 0 if there was no answer."""
    try:
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
            connection.request("GET", path)
            return connection.getresponse().status
    except (OSError, HTTPException):
        return 0


def free_port() -> int:
    """Give a port that nobody has; it stays the same when the API is started again."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
