"""Following a book: page after page of its rows, then whatever comes.

A notification only wakes the follower early; without any, it looks again after `quiet_seconds`.
Since positions are dense and appear in order, reading on after the last one misses nothing.
"""

from collections.abc import AsyncGenerator, Generator

from ledger.log import scripts
from ledger.log import statements as sql
from ledger.log.errors import LogUnavailable
from ledger.log.postgres import AWAY, run
from ledger.log.rows import StoredRow
from ledger.log.session import connect, connect_async
from ledger.log.writer import run_async

PAGE = 1_000


def follow(
    conninfo: str, book: str, after: int = 0, *, page: int = PAGE, quiet_seconds: float = 1.0
) -> Generator[list[StoredRow]]:
    """Yield the rows after a position as they come; an empty list when all is quiet.

    Raises:
        LogUnavailable: The database is away; follow again from the last position seen.
    """
    try:
        with connect(conninfo) as connection:
            connection.execute(sql.LISTEN)
            while True:
                rows = run(connection, scripts.ranging(book, after, after + page))
                after = rows[-1].position if rows else after
                yield rows
                if not rows:
                    for _ in connection.notifies(timeout=quiet_seconds, stop_after=1):
                        pass
    except AWAY as away:
        raise LogUnavailable(str(away)) from away


async def follow_async(
    conninfo: str, book: str, after: int = 0, *, page: int = PAGE, quiet_seconds: float = 1.0
) -> AsyncGenerator[list[StoredRow]]:
    """Do as `follow`, inside an event loop."""
    try:
        async with await connect_async(conninfo) as connection:
            await connection.execute(sql.LISTEN)
            while True:
                rows = await run_async(connection, scripts.ranging(book, after, after + page))
                after = rows[-1].position if rows else after
                yield rows
                if not rows:
                    async for _ in connection.notifies(timeout=quiet_seconds, stop_after=1):
                        pass
    except AWAY as away:
        raise LogUnavailable(str(away)) from away
