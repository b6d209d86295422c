"""How fast a file of messages is imported, by one process and by two."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from api.bench.book import BOOK, GATEWAY, LINK
from api.bench.measure import Figure, rate
from api.clock import system_clock
from api.importing.bytes import CHUNK_BYTES
from api.importing.doors import Importer, Who
from api.importing.rejected import Rejected
from api.importing.running import Run, Takes
from api.importing.several import CHUNK_BYTES as SHARED_BYTES
from api.importing.several import Several
from ledger.commands.desk import Desk
from ledger.facts.registry import Origin

CONSUMERS = 20_000


def written(folder: Path, run: str, count: int, at: datetime) -> Path:
    """Write a file of messages, each of which buys something."""
    path = folder / f"{run}.ndjson"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(_lines(run, count, at))
    return path


def _lines(run: str, count: int, at: datetime) -> Iterator[str]:
    for n in range(count):
        line = {
            "kind": "mo",
            "gateway": GATEWAY,
            "smsc": LINK,
            "id": f"{run}-{n}",
            "sender": f"{run}-{n % CONSUMERS}",
            "short_code": "81014",
            "text": "JEU bonjour",
            "sent_at": (at + timedelta(milliseconds=n)).isoformat(),
        }
        yield json.dumps(line) + "\n"


async def imported(app_url: str, desk: Desk, path: Path, count: int, processes: int) -> Figure:
    """Import a file as `obole import` does; `desk` knows the catalogue."""
    if processes == 1:
        takes = Importer(desk, Who(Origin(BOOK, "import")), system_clock)
        return await _timed(takes, path, count, CHUNK_BYTES, "one process")
    async with Several.start(app_url, desk, processes) as several:
        return await _timed(several, path, count, SHARED_BYTES, f"{processes} processes")


async def _timed(takes: Takes, path: Path, count: int, chunk: int, note: str) -> Figure:
    begun = perf_counter()
    summary = await Run(takes, Rejected(None), chunk=chunk).file(path)
    seconds = perf_counter() - begun
    assert summary.counts.recorded == count, summary
    return rate("obole import", "messages", count, seconds, note)
