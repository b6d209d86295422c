"""Our own log: exchanges appended in batches, ahead of each other, and by many at once."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from api.bench.measure import Figure, rate, waits
from ledger.log.batch import Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.log.writer import BookWriter

BATCHES = (1, 16, 64, 256)
"""Exchanges in one transaction."""
LARGE = 64
"""From here on a batch is large enough for the bar."""
WRITERS = (1, 8, 64)
"""How many callers come one after another's answer."""


def appended(url: str, book: str, proposals: Sequence[Proposal], batch: int) -> Figure:
    """Time appends of exchanges whose rows are ready, `batch` of them in each transaction."""
    each: list[float] = []
    with connect(url) as connection:
        log = PostgresLog(connection, book)
        start = perf_counter()
        for at in range(0, len(proposals), batch):
            before = perf_counter()
            for outcome in log.submit(proposals[at : at + batch]):
                if isinstance(outcome, Exception):
                    raise outcome
            each.append(perf_counter() - before)
        seconds = perf_counter() - start
    unit = "exchanges"
    return waits(f"append, {batch} exchanges a batch", unit, len(proposals), seconds, each)


async def appended_ahead(url: str, book: str, proposals: Sequence[Proposal], batch: int) -> Figure:
    """Time the same for one who has any number of them: a batch is decided while one is written."""
    async with BookWriter(url, book, batch_limit=batch) as writer:
        start = perf_counter()
        for outcome in await writer.submit_all(proposals):
            if isinstance(outcome, Exception):
                raise outcome
        seconds = perf_counter() - start
    what = f"append, {batch} exchanges a batch, the next decided meanwhile"
    return rate(what, "exchanges", len(proposals), seconds)


async def appended_at_once(
    url: str, book: str, proposals: Sequence[Proposal], writers: int
) -> Figure:
    """Time appends of callers of which each waits for its own before it comes again."""
    each: list[float] = []
    waiting = iter(proposals)

    async def play(writer: BookWriter) -> None:
        for proposal in waiting:
            before = perf_counter()
            await writer.submit(*proposal)
            each.append(perf_counter() - before)

    async with BookWriter(url, book) as writer:
        start = perf_counter()
        await asyncio.gather(*(play(writer) for _ in range(writers)))
        seconds = perf_counter() - start
    return waits(f"append, {writers} at once", "exchanges", len(proposals), seconds, each)
