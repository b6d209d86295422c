"""The worker of all books: what is wrong with one of them stops no other."""

import asyncio

import pytest

from api.books import Books
from api.clock import system_clock
from api.worker import Setup, work
from ledger.facts.tags import TRADE
from ledger.keyring import Keyring
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Row
from ledger.log.session import connect
from ledger.vault import FileMasterKey
from projections.reading import Watermark, wait_for
from tests.support.book import FRENCH
from tests.support.database import TestDatabase

MASTER = FileMasterKey(bytes(32))
BOTH = {"be": FRENCH, "fr": FRENCH}


async def worked(database: TestDatabase) -> Watermark:
    """Work on both books until the second is projected as far as its rules."""
    stop = asyncio.Event()
    setup = Setup(database.app_url, BOTH, lambda: MASTER, system_clock)
    working = asyncio.create_task(work(setup, stop))
    with connect(database.app_url) as connection:
        reached = await asyncio.to_thread(wait_for, connection, "fr", "charges", 2, timeout=30)
    stop.set()
    await working
    return reached


class TestTheWorker:
    """Working on two books, the first of which holds what nobody can read."""

    def test_goes_on_with_the_others(
        self, database: TestDatabase, caplog: pytest.LogCaptureFixture
    ) -> None:
        with connect(database.app_url) as connection:
            log = PostgresLog(connection, "be")
            log.open_book()
            log.decide((), lambda _: [Row("book_opened.v9", (TRADE,), b"{}")])

        async def story() -> Watermark:
            async with Books.open(database.app_url, {"fr": FRENCH}, MASTER, system_clock) as books:
                await Keyring(books.pool, "be", MASTER).create()
                return await worked(database)

        assert asyncio.run(story()).position == 2
        assert "be: nothing of this book is projected" in caplog.text
        assert "be: nothing falls due here" in caplog.text
