"""What every part of the benchmark is given: a server with fsync on, and how much to do."""

import asyncio
import os
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console

from api.bench.book import BOOK, GATEWAY, ORIGIN, exchanges, opened
from api.books import Books, load_master_key
from api.clock import system_clock
from api.database import Database
from ledger.commands.access import Wanted, issue_key
from ledger.log.batch import Proposal
from ledger.vault import FileMasterKey
from migrations.runner import migrate


class Scale(NamedTuple):
    """How much work each part does."""

    copied: int = 200_000
    """Facts written by bare COPY."""
    appended: int = 12_800
    """Exchanges appended in batches; a batch of one appends less."""
    received: int = 8_000
    """Messages taken in without HTTP."""
    requested: int = 12_000
    """Messages sent over HTTP."""
    peers: int = 2_000
    """Exchanges that each peer stores, for each number of writers."""
    facts: int = 200_000
    """Facts that are folded."""
    imported: int = 30_000
    """Messages in a file that is imported."""
    grown: tuple[int, ...] = (100_000, 1_000_000, 5_000_000, 20_000_000)
    """Facts in a growing log, wherever it is asked."""


FULL = Scale()
SMALL = Scale(2_000, 128, 64, 64, 24, 2_000, 64, (2_000, 4_000))
"""Enough to see that each part runs."""


def grown_to(most: int | None) -> Scale:
    """Give the full scale, its log grown to `most` facts, through the usual sizes before that."""
    if most is None:
        return FULL
    return FULL._replace(grown=(*(size for size in FULL.grown if size < most), most))


@dataclass(frozen=True)
class Stage:
    """A migrated database with an open book and its catalogue, for one part of the benchmark."""

    home: Path
    database: Database
    master: FileMasterKey
    scale: Scale
    progress: Console

    @asynccontextmanager
    async def books(self) -> AsyncGenerator[Books]:
        """Give the book, open and with its catalogue."""
        async with opened(self.database.app_url, self.master) as books:
            yield books

    def exchanges(self, count: int, run: str) -> Sequence[Proposal]:
        """Decide `count` charged exchanges of four facts, rows ready to append."""
        return asyncio.run(self._exchanges(count, run))

    async def _exchanges(self, count: int, run: str) -> Sequence[Proposal]:
        async with self.books() as books:
            return list(exchanges(books.by_name[BOOK].desk, count, run, system_clock()))

    def gateway_key(self) -> str:
        """Issue a key for the gateway, for a day."""
        return asyncio.run(self._gateway_key())

    async def _gateway_key(self) -> str:
        async with self.books() as books:
            now = system_clock()
            wanted = Wanted("gateway", "benchmark", now + timedelta(days=1), gateway=GATEWAY)
            return (await issue_key(books.by_name[BOOK].desk, wanted, ORIGIN, now)).text

    def environ(self) -> dict[str, str]:
        """Give what a process of ours needs to serve this database."""
        return {
            "OBOLE_DATABASE_URL": self.database.app_url,
            "OBOLE_MASTER_KEY_FILE": str(self.home / "master.key"),
        }


@contextmanager
def staged(scale: Scale, progress: Console) -> Generator[Stage]:
    """Run a server in a temporary folder, with fsync, and remove it after."""
    with TemporaryDirectory(prefix="obole-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)  # the server's own account must be able to pass
        environ = {**os.environ, "OBOLE_HOME": folder}
        with Database.open(environ) as database:
            migrate(database.owner_url)
            master = load_master_key(database.app_url, environ)
            yield Stage(home, database, master, scale, progress)
