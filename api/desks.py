"""Desks for decisions that name no consumer and seal no text, and so ask for no master key."""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager

from ledger.commands.desk import Desk
from ledger.log.writer import BookWriter
from ledger.rules.resolve import RuleBook
from ledger.vault import DataKeyId


@asynccontextmanager
async def keyless_desk(app_url: str, book: str, rules: RuleBook) -> AsyncGenerator[Desk]:
    """Give a desk in a book for as long as the block runs; the book need not be there yet."""
    async with BookWriter(app_url, book) as writer:
        yield Desk(book, writer, _NoKeys(), rules)


class _NoKeys:
    """In the place of a book's keys: asking for one is a mistake of ours."""

    pseudonym_version = 0
    pseudonym_key = b""

    async def ensure(self, wanted: DataKeyId, address: str | None = None) -> bytes:
        raise AssertionError(f"{wanted}, its address given: {address is not None}; no keys here")

    async def find(self, wanted: Iterable[DataKeyId]) -> Mapping[DataKeyId, bytes]:
        raise AssertionError(f"{list(wanted)}: no keys here")

    async def address(self, consumer: str) -> str | None:
        raise AssertionError(f"{consumer}: no addresses here")
