"""Our own log under the same number of writers: tasks of one event loop, as the API has them."""

import asyncio
from collections.abc import Sequence

from api.bench.appending import appended_at_once
from api.bench.measure import Figure, rate, timed
from api.bench.peers.driven import followed, named
from ledger.log.batch import Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections.engine import Engine

NAME = "Obole"
_READ = 1_000


def drive_ours(url: str, book: str, proposals: Sequence[Proposal], writers: int) -> Figure:
    """Append exchanges by so many writers at once, with a reader behind them."""
    with connect(url) as connection:
        log = PostgresLog(connection, book)
        first, _ = log.head()

        def after(last: int) -> list[int]:
            return [row.position for row in log.follow(max(last, first), _READ)]

        with followed(after) as tail:
            figure = asyncio.run(appended_at_once(url, book, proposals, writers))
        head, _ = log.head()
    return figure._replace(what=named(NAME, writers), missed=head - first - tail.seen)


def project_ours(url: str, book: str) -> Figure:
    """Run our projections over all that is stored."""
    with connect(url) as connection:
        facts, _ = PostgresLog(connection, book).head()
        seconds = timed(Engine(connection, book).catch_up)
    return rate(f"{NAME}'s engine", "facts", facts, seconds, "all ten projections")
