"""A data key that was given out is there, whatever becomes of the server the moment after."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import pytest
from psycopg_pool import AsyncConnectionPool

from ledger import keyring
from ledger.keyring import Keyring
from ledger.vault import DataKeyId, FileMasterKey
from migrations.runner import migrate
from tests.torture.cluster import Server, create_database, ended_after, home

MASTER = FileMasterKey(bytes(range(32)))
KEY = DataKeyId(f"1_{'a' * 32}", "2026-07", "text")
LAZY = {"wal_writer_delay": "10s"}
"""So that what nobody waited for stays in memory for a while."""


@contextmanager
def servers() -> Generator[Server]:
    """Give a server on a disk, with the ledger's tables."""
    with home() as folder, ended_after(Server(folder, LAZY)) as server:
        server.create()
        server.start()
        create_database(server)
        migrate(server.urls.owner)
        yield server


@asynccontextmanager
async def ring(server: Server) -> AsyncGenerator[Keyring]:
    """Give a keyring of a process of its own: it remembers nothing."""
    async with AsyncConnectionPool(server.urls.app, min_size=1, open=False) as pool:
        yield Keyring(pool, "fr", MASTER)


async def outlived(server: Server) -> tuple[bytes, bytes | None, str | None]:
    """Make a key, kill the server and start it again; gives what was made, and what is there."""
    async with ring(server) as before:
        made = await before.ensure(KEY, "33000100001")
        server.kill()
        server.start()
    async with ring(server) as after:
        return made, (await after.find([KEY])).get(KEY), await after.address(KEY.consumer)


def test_it_outlives_a_server_that_is_killed_at_once() -> None:
    with servers() as server:
        made, found, address = asyncio.run(outlived(server))
        assert (found, address) == (made, "33000100001")


def test_one_that_nobody_waited_for_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without the wait the same kill loses key and number."""
    hasty = keyring.SET_FOR_KEYS.replace("'on'", "'off'")
    monkeypatch.setattr(keyring, "SET_FOR_KEYS", hasty)
    with servers() as server:
        _, found, address = asyncio.run(outlived(server))
        assert (found, address) == (None, None)
