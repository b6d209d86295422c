"""`obole catalogue`: load what is sold, whole or not at all."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from api.catalogue_file import read_catalogue
from api.cli.desks import BookName, connection_to, migrated_database, rules_of
from api.cli.show import AsJson, print_json, say
from api.clock import system_clock
from api.database import Database
from api.desks import keyless_desk
from ledger.commands.catalogue import load_catalogue
from ledger.commands.desk import Settled
from ledger.decisions.catalogue import Requested
from ledger.facts.registry import Origin, stored_name
from ledger.facts.traffic import MoReceived
from ledger.log.postgres import PostgresLog
from ledger.rules.resolve import RuleBook

app = typer.Typer(no_args_is_help=True, help="Merchants, codes, services, keywords, prices, terms.")

_PAGE = 1_000


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A TOML file.")
    ],
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Load a catalogue file: what is new in it is recorded, what holds already is not again.

    Refused whole if anything is wrong with it, with every error and its place.
    """
    rules = rules_of(book)
    requested = read_catalogue(file.read_bytes(), str(file), book, rules.pack.zone)
    with migrated_database() as database:
        settled = asyncio.run(take_in(database, book, rules, requested))
    kinds = Counter(stored_name(type(one.fact)) for one in settled.appended)
    last = settled.appended[-1].position if settled.appended else settled.head
    if as_json:
        recorded = dict(sorted(kinds.items()))
        print_json({"book": book, "recorded": recorded, "holds": len(requested), "position": last})
        return
    if not kinds:
        say(f"{file}: all of it holds already, nothing was recorded")
        return
    say(f"{file}: {sum(kinds.values())} facts recorded, the last at position {last}")
    for kind, number in sorted(kinds.items()):
        say(f"  {number:>5} {kind}")


async def take_in(
    database: Database, book: str, rules: RuleBook, requested: list[Requested]
) -> Settled:
    """Take a change of the catalogue into a book that is open.

    Raises:
        CatalogueRefused: anything is wrong with it; every problem is listed.
        CommandRefused: the book is not open.
    """
    with connection_to(database, book) as connection:
        traffic = has_traffic(PostgresLog(connection, book))
    async with keyless_desk(database.app_url, book, rules) as desk:
        origin, now = Origin(book, "cli"), system_clock()
        return await load_catalogue(desk, requested, origin, now, has_traffic=traffic)


def has_traffic(log: PostgresLog) -> bool:
    """Tell whether a book ever received a message: one is soon found, if there is any."""
    after, messages = 0, stored_name(MoReceived)
    while rows := log.follow(after, _PAGE):
        if any(row.type == messages for row in rows):
            return True
        after = rows[-1].position
    return False
