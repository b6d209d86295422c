"""How fast a file of messages is imported, by one process and by two."""

import asyncio
import json
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

from api.bench.book import BOOK, GATEWAY, LINK
from api.bench.measure import Figure, rate
from api.bench.stage import Stage
from api.clock import system_clock
from api.importing.bytes import CHUNK_BYTES
from api.importing.conveying import Takes
from api.importing.doors import Importer, Who
from api.importing.rejected import Rejected
from api.importing.running import Run
from api.importing.several import CHUNK_BYTES as SHARED_BYTES
from api.importing.several import Several
from ledger.facts.registry import Origin

CONSUMERS = 20_000


def written(folder: Path, run: str, count: int) -> Path:
    """Write a file of messages, each of which buys something."""
    at = system_clock() + timedelta(seconds=1)
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


def imports(stage: Stage) -> Iterator[Figure]:
    """Import a file by one process, and another by two."""
    count = stage.scale.imported
    for processes, bar in ((1, "6,000"), (2, "")):
        path = written(stage.home, f"import-{processes}", count)
        yield asyncio.run(_imported(stage, path, count, processes))._replace(bar=bar)


async def _imported(stage: Stage, path: Path, count: int, processes: int) -> Figure:
    app_url = stage.database.app_url
    async with stage.books() as books:
        desk = books.by_name[BOOK].desk
        if processes == 1:
            takes = Importer(desk, Who(Origin(BOOK, "import")), system_clock)
            return await _timed(takes, path, count, CHUNK_BYTES, "one process")
        environ = {**os.environ, **stage.environ()}
        async with Several.start(app_url, desk, processes, environ) as several:
            return await _timed(several, path, count, SHARED_BYTES, f"{processes} processes")


async def _timed(takes: Takes, path: Path, count: int, chunk: int, note: str) -> Figure:
    begun = perf_counter()
    summary = await Run(takes, Rejected(None), chunk=chunk).file(path)
    seconds = perf_counter() - begun
    if summary.counts.recorded != count:
        raise RuntimeError(f"of {count} messages {summary.counts} came of it")
    return rate("obole import", "messages", count, seconds, note)
