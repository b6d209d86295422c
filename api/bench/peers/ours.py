"""Our own log under the same number of writers: tasks of one event loop, as the API has them."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from api.bench.measure import Figure, rate, timed
from api.bench.peers.driven import followed, told
from ledger.log.batch import Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.log.writer import BookWriter
from projections.engine import Engine

NAME = "Obole"
_READ = 1_000


def drive_ours(url: str, book: str, proposals: Sequence[Proposal], writers: int) -> Figure:
    """Append exchanges by so many writers at once, with a reader behind them."""
    each: list[float] = []

    async def run() -> float:
        async with BookWriter(url, book) as writer:
            jobs = iter(proposals)

            async def write() -> None:
                for job in jobs:
                    before = perf_counter()
                    await writer.submit(job.query, job.decide)
                    each.append(perf_counter() - before)

            start = perf_counter()
            await asyncio.gather(*(write() for _ in range(writers)))
            return perf_counter() - start

    with connect(url) as connection:
        log = PostgresLog(connection, book)
        first, _ = log.head()

        def after(last: int) -> list[int]:
            return [row.position for row in log.follow(max(last, first), _READ)]

        with followed(after) as tail:
            seconds = asyncio.run(run())
        head, _ = log.head()
    figure = told(NAME, writers, 1, len(proposals), seconds, each)
    return figure._replace(missed=head - first - tail.seen)


def project_ours(url: str, book: str) -> Figure:
    """Run our projections over all that is stored."""
    with connect(url) as connection:
        facts, _ = PostgresLog(connection, book).head()
        seconds = timed(Engine(connection, book).catch_up)
    return rate(f"{NAME}'s engine", "facts", facts, seconds, "all ten projections")
