"""Performs scripts inside an event loop, over connections that are made again when they break."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from ledger.log import statements as sql
from ledger.log.archive import Fetch
from ledger.log.postgres import AWAY
from ledger.log.session import connect_async
from ledger.log.steps import Answers, Script, Step

T = TypeVar("T")


class Link:
    """A connection that is made when needed, and again after it broke; one script at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: AsyncConnection | None = None
        self._busy = asyncio.Lock()

    async def run(self, script: Script[T]) -> T:
        """Perform a script.

        Raises:
            psycopg.OperationalError: The database is away.
        """
        async with self._busy:
            if self._connection is None or self._connection.closed:
                self._connection = await connect_async(self._conninfo)
            return await run_async(self._connection, script)

    async def read(self, script: Callable[[], Script[T]]) -> T:
        """Perform a script that only reads; once more if the connection turns out to be dead."""
        was_open = self._connection is not None and not self._connection.closed
        try:
            return await self.run(script())
        except AWAY:
            if not was_open or not self._connection or not self._connection.closed:
                raise
        return await self.run(script())

    async def close(self) -> None:
        """Let the connection go; the next script makes another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def run_async(connection: AsyncConnection, script: Script[T]) -> T:
    """Do as `run`, inside an event loop; if it is cancelled, the connection ends."""
    try:
        step = next(script)
        while True:
            step = script.send(await _perform(connection, step))
    except StopIteration as end:
        return end.value
    except Exception:
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                await connection.execute(sql.ROLLBACK)
        raise
    except BaseException:
        await connection.close()
        raise


async def _perform(connection: AsyncConnection, step: Step) -> Answers:
    if isinstance(step, Fetch):
        return [[*rows] for rows in await asyncio.to_thread(step.rows)]
    if len(step) == 1:
        return [await _rows(await connection.execute(*step[0], binary=True))]
    async with connection.pipeline():
        cursors = [await connection.execute(*ask, binary=True) for ask in step]
    return [await _rows(cursor) for cursor in cursors]


async def _rows(cursor: psycopg.AsyncCursor) -> list[tuple[Any, ...]]:
    return await cursor.fetchall() if cursor.description else []
