"""Desks outside the API: for what writes to consumers, and for what needs no master key."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.commands.desk import Desk
from ledger.keyring import Keyring
from ledger.log.writer import BookWriter
from ledger.rules.resolve import RuleBook
from ledger.vault import DataKeyId, MasterKey

POOL_SECONDS = 2.0
"""How long to wait for a connection before the database counts as away."""


@asynccontextmanager
async def keyless_desk(app_url: str, book: str, rules: RuleBook) -> AsyncGenerator[Desk]:
    """Give a desk in a book for as long as the block runs; the book need not be there yet."""
    async with BookWriter(app_url, book) as writer:
        yield Desk(book, writer, _NoKeys(), rules)


@asynccontextmanager
async def keyed_desk(
    app_url: str, book: str, rules: RuleBook, master: MasterKey
) -> AsyncGenerator[Desk]:
    """Give a desk that can read and seal texts, for as long as the block runs.

    Raises:
        NoPseudonymKey: the book was never opened.
        WrongKey: another master key wrapped its keys.
    """
    pool = AsyncConnectionPool(
        app_url,
        connection_class=AsyncConnection[tuple[object, ...]],
        min_size=1,
        max_size=2,
        timeout=POOL_SECONDS,
        reconnect_timeout=0,
        open=False,
    )
    async with pool, BookWriter(app_url, book) as writer:
        keyring = Keyring(pool, book, master)
        await keyring.open()
        yield Desk(book, writer, keyring, rules)


class _NoKeys:
    """In the place of a book's keys: asking for one is a mistake of ours."""

    pseudonym_version = 0
    pseudonym_key = b""

    async def ensure(self, wanted: DataKeyId, address: str | None = None) -> bytes:
        raise AssertionError(f"{wanted}, its address given: {address is not None}; no keys here")

    async def ensure_all(self, wanted: Mapping[DataKeyId, str | None]) -> Mapping[DataKeyId, bytes]:
        raise AssertionError(f"{list(wanted)}: no keys here")

    async def find(self, wanted: Iterable[DataKeyId]) -> Mapping[DataKeyId, bytes]:
        raise AssertionError(f"{list(wanted)}: no keys here")

    async def address(self, consumer: str) -> str | None:
        raise AssertionError(f"{consumer}: no addresses here")
