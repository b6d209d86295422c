"""A book on PostgreSQL for tests, with the log and the keys that serve it, in several processes."""

import asyncio
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager

from psycopg_pool import AsyncConnectionPool

from ledger.commands.desk import Desk
from ledger.keyring import Keyring
from ledger.log.statements import OPEN_BOOK
from ledger.log.writer import BookWriter
from ledger.vault import FileMasterKey
from tests.support.book import FRENCH, Book, Clock
from tests.support.builders import BOOK, catalogue

MASTER = FileMasterKey(bytes(range(32)))


@contextmanager
def on_postgres(url: str) -> Generator[Book]:
    """Open a book in a database, with the usual catalogue."""
    with processes(url, 1) as (book,):
        yield book


@contextmanager
def processes(url: str, count: int) -> Generator[list[Book]]:
    """Open a book in a database and serve it by several, each with connections of its own."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            desks = [runner.run(_desk(url, stack)) for _ in range(count)]
            books = [Book(desk, runner.run, Clock()) for desk in desks]
            books[0].open(catalogue())
            for book in books:
                runner.run(book.desk.refresh())
            yield books
        finally:
            runner.run(stack.aclose())


async def _desk(url: str, stack: AsyncExitStack) -> Desk:
    pool = AsyncConnectionPool(url, min_size=1, max_size=2, open=False)
    await stack.enter_async_context(pool)
    async with pool.connection() as connection:
        await connection.execute(OPEN_BOOK, (BOOK,))
    writer = await stack.enter_async_context(BookWriter(url, BOOK))
    keys = Keyring(pool, BOOK, MASTER)
    await keys.create()
    await keys.open()
    return Desk(BOOK, writer, keys, FRENCH)
