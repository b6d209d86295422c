"""`obole catalogue`: load what is sold, whole or not at all; show it; suspend a service."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from api.catalogue_file import Asked, read_catalogue
from api.catalogue_shown import Shown, shown
from api.cli.catalogue_tables import tables
from api.cli.deciding import at_desk, keyed_desk, tell
from api.cli.desks import BookName, connection_to, migrated_database, rules_of
from api.cli.refunds import Why
from api.cli.show import AsJson, print_json, print_table, say, table
from api.clock import system_clock
from api.database import Database
from api.desks import keyless_desk
from ledger.commands.catalogue import load_catalogue, resume_service, suspend_service
from ledger.commands.desk import Desk, Settled
from ledger.commands.numbers import NumberWanted
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


@app.command()
def show(
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"],
            help="The instant that is asked about, or a day's first moment; none: now.",
        ),
    ] = None,
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Show everything in force at an instant: codes, services, keywords, prices, terms."""
    zone = ZoneInfo(rules_of(book).pack.zone)
    moment = system_clock() if at is None else _instant(at, zone)

    async def read(desk: Desk) -> Shown:
        return shown(await desk.refresh(), moment, contracts=True)

    found = at_desk(book, read)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    say(f"{book}, in force at {moment.astimezone(zone):%Y-%m-%d %H:%M}")
    for title, columns, rows in tables(found):
        if rows:
            print_table(table(title, columns, rows))


@app.command()
def suspend(
    service: Annotated[str, typer.Argument(help="The service, by its name in the catalogue.")],
    reason: Why,
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Let a service sell, renew and solicit nothing from now on."""
    origin, now = Origin(book, "cli"), system_clock()
    settled = at_desk(book, lambda desk: suspend_service(desk, service, reason, origin, now))
    tell(f"{service} is suspended", book, settled, as_json=as_json)


@app.command()
def resume(
    service: Annotated[str, typer.Argument(help="The service, by its name in the catalogue.")],
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Let a suspended service sell again from now on."""
    origin, now = Origin(book, "cli"), system_clock()
    settled = at_desk(book, lambda desk: resume_service(desk, service, origin, now))
    tell(f"{service} sells", book, settled, as_json=as_json)


async def take_in(
    database: Database, book: str, rules: RuleBook, requested: Sequence[Asked]
) -> Settled:
    """Take a change of the catalogue into a book that is open.

    Raises:
        CatalogueRefused: anything is wrong with it; every problem is listed.
        CommandRefused: the book is not open.
    """
    with connection_to(database, book) as connection:
        traffic = has_traffic(PostgresLog(connection, book))
    numbers = any(isinstance(one, NumberWanted) for one in requested)
    opened = keyed_desk if numbers else keyless_desk
    async with opened(database.app_url, book, rules) as desk:
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


def _instant(at: datetime, zone: ZoneInfo) -> datetime:
    if at.tzinfo is None:
        at = datetime.combine(at.date(), time.min, zone)
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter("is too far away", param_hint="--at") from None
