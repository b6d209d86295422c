"""Our own log: exchanges appended in batches, decided messages, and folds over what they left."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from api.bench.book import BOOK, GATEWAY, LINK, ORIGIN
from api.bench.measure import Figure, rate, timed, waits
from api.bench.stage import Stage
from api.clock import system_clock
from ledger.commands.desk import Desk
from ledger.commands.traffic import IncomingMo, receive_mo
from ledger.log.batch import Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.log.writer import BookWriter
from projections.engine import Engine

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


async def received(desk: Desk, count: int, at_once: int, run: str) -> Figure:
    """Time messages decided, sealed, committed and answered, without HTTP."""
    each: list[float] = []
    numbers = iter(range(count))

    async def play() -> None:
        for number in numbers:
            name = f"{run}-{number}"
            now = system_clock()
            message = IncomingMo(GATEWAY, LINK, name, f"33{name}", "81014", "JEU bonjour", now)
            before = perf_counter()
            await receive_mo(desk, message, ORIGIN, now)
            each.append(perf_counter() - before)

    start = perf_counter()
    await asyncio.gather(*(play() for _ in range(at_once)))
    seconds = perf_counter() - start
    return waits(f"intake without HTTP, {at_once} at once", "messages", count, seconds, each)


def received_in_process(stage: Stage) -> Figure:
    """Time messages on a desk of this process, 64 at once."""

    async def run() -> Figure:
        async with stage.books() as books:
            return await received(books.by_name[BOOK].desk, stage.scale.received, 64, "intake")

    return asyncio.run(run())


def folded(url: str, book: str) -> Figure:
    """Time all folds over the whole log, on one core, rows written."""
    with connect(url) as connection:
        facts, _ = PostgresLog(connection, book).head()
        seconds = timed(Engine(connection, book).catch_up)
    return rate("all folds, rows written", "facts", facts, seconds, "one core")
