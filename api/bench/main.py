"""Take every figure in one run, and print the table or, for a program, the same as JSON."""

import asyncio
import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from api.bench import appending, copying, library, serving
from api.bench.book import BOOK, GATEWAY, ORIGIN, exchanges, opened
from api.bench.measure import Figure
from api.books import load_master_key
from api.clock import system_clock
from api.database import Database
from ledger.commands.access import Wanted, issue_key
from ledger.log.batch import Proposal
from ledger.log.rows import Row, StoredRow
from ledger.log.session import connect
from ledger.vault import FileMasterKey
from migrations.runner import migrate

BATCHES = {1: 300, 16: 4_000, 64: 8_000, 256: 12_800}
"""Exchanges a batch, and how many of them are appended."""


class Scale(NamedTuple):
    """How much work each part does."""

    copied: int = 200_000
    saved: int = 500
    received: int = 4_000
    requested: int = 8_000


FULL = Scale()
FACTS_AN_EXCHANGE = 4
WIDTH = 116


def run(*, as_json: bool, scale: Scale = FULL) -> None:
    """Measure, with progress on the error output, and print."""
    progress = Console(stderr=True)
    with TemporaryDirectory(prefix="obole-bench-") as home:
        Path(home).chmod(0o755)  # the server's own account must be able to pass
        figures = list(_figures(Path(home), scale, progress))
    if as_json:
        sys.stdout.write(json.dumps(_as_data(figures), indent=2) + "\n")
    else:
        Console(width=WIDTH).print(_table(figures))


def _figures(home: Path, scale: Scale, progress: Console) -> Iterator[Figure]:
    environ = {**os.environ, "OBOLE_HOME": str(home)}
    with Database.open(environ) as database:
        migrate(database.owner_url)
        master = load_master_key(database.app_url, environ)
        progress.print("deciding the exchanges to append …")
        ready, key = asyncio.run(_prepared(database, master))
        sample = [row for proposal in ready[256] for row in proposal.decide(())]
        with connect(database.owner_url) as connection:
            yield copying.copied(connection, _numbered(sample, scale.copied, system_clock()))
        saved = [proposal.decide(()) for proposal in ready[256][: scale.saved]]
        yield library.saved_by_library(database.owner_url, saved)
        for batch, proposals in ready.items():
            progress.print(f"appending, {batch} a batch …")
            yield appending.appended(database.app_url, BOOK, proposals, batch)
        progress.print("taking messages in …")
        yield asyncio.run(_received(database, master, scale.received))
        yield serving.empty_route(scale.requested, 64)
        served = {
            "OBOLE_DATABASE_URL": database.app_url,
            "OBOLE_MASTER_KEY_FILE": str(home / "master.key"),
        }
        yield serving.kannel_messages(served, key, scale.requested, 64)
        progress.print("folding all of it …")
        yield appending.folded(database.app_url, BOOK)


async def _prepared(
    database: Database, master: FileMasterKey
) -> tuple[dict[int, list[Proposal]], str]:
    """Open the book, decide on what is to be appended, and issue the gateway's key."""
    async with opened(database.app_url, master) as books:
        desk, now = books.by_name[BOOK].desk, system_clock()
        wanted = Wanted("gateway", "benchmark", now + timedelta(days=1), gateway=GATEWAY)
        key = await issue_key(desk, wanted, ORIGIN, now)
        ready = {
            batch: list(exchanges(desk, count, f"batch-{batch}", now))
            for batch, count in BATCHES.items()
        }
        return ready, key.text


async def _received(database: Database, master: FileMasterKey, count: int) -> Figure:
    async with opened(database.app_url, master) as books:
        return await appending.received(books.by_name[BOOK].desk, count, 64, "intake")


def _numbered(sample: Sequence[Row], count: int, at: datetime) -> list[StoredRow]:
    """Repeat a sample of rows as `count` stored ones."""
    return [StoredRow(BOOK, n + 1, at, *sample[n % len(sample)]) for n in range(count)]


def _as_data(figures: Sequence[Figure]) -> dict[str, object]:
    return {
        "machine": _machine(),
        "day": system_clock().date().isoformat(),
        "figures": [figure._asdict() for figure in figures],
    }


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _table(figures: Sequence[Figure]) -> Table:
    """Lay the figures out; those of the log also as facts a second beside bare COPY."""
    title = f"{_machine()}, {system_clock().date().isoformat()}, fsync on"
    table = Table(title=title, title_justify="left")
    table.add_column("what")
    for column in ("a second", "of what", "facts a second", "of COPY", "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    copied = figures[0].a_second
    for figure in figures:
        facts = figure.a_second * (1 if figure.unit == "facts" else FACTS_AN_EXCHANGE)
        counts = figure.unit != "requests"
        table.add_row(
            f"{figure.what} ({figure.note})" if figure.note else figure.what,
            f"{figure.a_second:,.0f}",
            figure.unit,
            f"{facts:,.0f}" if counts else "",
            f"{facts / copied:.3f}" if counts else "",
            *("" if wait is None else f"{wait:.2f}" for wait in (figure.p50_ms, figure.p99_ms)),
        )
    return table
