"""Databases for tests: a server for each worker, a migrated template, a clone for each test."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from api.embedded import Embedded
from migrations.roles import APPLICATION
from migrations.runner import migrate

PREFIX = "obole-tests-"
MEMORY = Path("/dev/shm")  # noqa: S108 - the name in it is drawn by mkdtemp
MEMORY_BYTES = 1 << 30
"""What must be free there: a server takes some 200 MB."""
_numbers = count(1)


@dataclass(frozen=True)
class TestDatabase:
    """A migrated database of a test's own."""

    __test__ = False

    server: Embedded
    name: str

    @property
    def app_url(self) -> str:
        """Log in as `obole_app`."""
        return self.server.url(APPLICATION, self.name)

    @property
    def owner_url(self) -> str:
        """Log in as the superuser, as migrations do."""
        return self.server.url(name=self.name)


@contextmanager
def new_server(*, durable: bool) -> Generator[Embedded]:
    """Run a server in a temporary folder of its own, and remove the folder after it.

    One that is not `durable` is kept in memory, if it can be: there a database is copied for a
    test in a fraction of the time.
    """
    sweep()
    home = Path(tempfile.mkdtemp(prefix=PREFIX, dir=None if durable else _in_memory()))
    home.chmod(0o711)
    try:
        with Embedded(home, durable=durable) as server:
            yield server
    finally:
        remove(home)


@contextmanager
def clone(server: Embedded) -> Generator[TestDatabase]:
    """Give a fresh copy of the migrated template, and drop it after."""
    with fresh(server, template="template_obole") as database:
        yield database


@contextmanager
def fresh(server: Embedded, template: str = "template0") -> Generator[TestDatabase]:
    """Give a fresh copy of `template`, by default an empty database, and drop it after."""
    database = TestDatabase(server, f"test_{next(_numbers)}")
    name = sql.Identifier(database.name)
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template))
        )
        try:
            yield database
        finally:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def add_template(server: Embedded) -> None:
    """Make the migrated database that `clone` copies."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE template_obole")
    migrate(server.url(name="template_obole"))


def remove(home: Path) -> None:
    """Remove a server's home, and its data where a link leads to it."""
    folder = (home / "postgres").resolve()
    for path in (folder, home):
        shutil.rmtree(path, ignore_errors=True)


def sweep() -> None:
    """Remove what killed test runs have left; a server ends by itself when its files are gone."""
    homes = [path for place in _places() for path in place.glob(f"{PREFIX}*")]
    for home in homes:
        locks = [home / "postgres" / name for name in ("starting", "users")]
        ours = all(lock.exists() and lock.stat().st_uid == os.geteuid() for lock in locks)
        if ours and _are_free(locks):
            remove(home)


def _places() -> set[Path]:
    """List where `new_server` makes folders."""
    return {Path(tempfile.gettempdir()), MEMORY}


def _in_memory() -> Path | None:
    """Give the folder that is kept in memory; none without room, or where nothing may be run."""
    if not os.access(MEMORY, os.W_OK):
        return None
    found = os.statvfs(MEMORY)
    runs = not found.f_flag & os.ST_NOEXEC  # the server's programs may have to be copied there
    return MEMORY if runs and found.f_bavail * found.f_frsize >= MEMORY_BYTES else None


def _are_free(locks: list[Path]) -> bool:
    """Tell whether nobody starts or uses a server; the first lock is held until the second is."""
    with ExitStack() as files:
        try:
            for lock in locks:
                fcntl.flock(files.enter_context(lock.open("rb")), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
