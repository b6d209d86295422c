"""How commands of the ledger are carried out in a book that is open, and told of."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from api.books import Books, load_master_key
from api.cli.desks import connection_to, migrated_database, rules_of
from api.cli.show import print_json, say
from api.clock import system_clock
from api.desks import keyless_desk
from ledger.commands.desk import Desk, Settled
from ledger.facts.registry import stored_name
from ledger.rules.resolve import RuleBook

T = TypeVar("T")


@asynccontextmanager
async def keyed_desk(app_url: str, book: str, rules: RuleBook) -> AsyncGenerator[Desk]:
    """Give a desk that can name consumers and seal texts; it asks for the master key."""
    master = load_master_key(app_url)
    async with Books.open(app_url, {book: rules}, master, system_clock) as books:
        yield books.by_name[book].desk


def at_desk(book: str, command: Callable[[Desk], Awaitable[T]], *, keys: bool = False) -> T:
    """Carry a command out in a book that is open; with its keys where it names consumers.

    Raises:
        CommandRefused: the book is not open, or the database not migrated.
    """
    rules, opened = rules_of(book), keyed_desk if keys else keyless_desk

    async def run() -> T:
        async with opened(database.app_url, book, rules) as desk:
            return await command(desk)

    with migrated_database() as database:
        with connection_to(database, book):
            pass  # only to see that it is open
        return asyncio.run(run())


def tell(what: str, book: str, settled: Settled, *, as_json: bool) -> None:
    """Tell what a command came to, and whether it was so before."""
    if as_json:
        recorded = [stored_name(type(one.fact)) for one in settled.appended]
        position = settled.appended[-1].position if settled.appended else settled.head
        print_json({"book": book, "recorded": recorded, "position": position})
        return
    say(what if settled.appended else f"{what} already, nothing was recorded")
