"""`obole migrate` and `obole book`: what has to be there before anything is received."""

import asyncio
from typing import Annotated

import typer

from api.books import Books, load_master_key
from api.cli.desks import migrated_database, rules_of
from api.cli.show import AsJson, print_json, say
from api.clock import system_clock
from api.database import Database, in_home
from ledger.facts.base import Recorded
from migrations.runner import migrate as apply_migrations
from migrations.runner import status

app = typer.Typer(no_args_is_help=True, help="Open a book, and adopt the rules it decides by.")


def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database to the schema of this code.

    Where it is there already, nothing is done.
    """
    with Database.open() as database:
        applied = [migration.file for migration in apply_migrations(database.owner_url)]
        total = len(status(database.owner_url).applied)
    if as_json:
        print_json({"applied": applied, "total": total})
        return
    for file in applied:
        say(f"applied {file}")
    say(f"the database{in_home()} is at migration {total}" + ("" if applied else ": nothing to do"))


@app.command("open")
def open_book(
    book: Annotated[str, typer.Argument(help="The book, by the name of its settings.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Open a book and adopt its rule pack and settings; twice is once.

    Rules that have changed since are adopted anew.
    """
    rules = rules_of(book)
    with migrated_database() as database:
        catalogue = asyncio.run(_open(database, book))
    opened, adopted = catalogue
    report = {
        "book": book,
        "legal_entity": rules.settings.legal_entity,
        "position": adopted.position,
        "adopted_at": adopted.recorded_at,
        "adoptions": opened,
        "pack_sha256": rules.pack.sha256,
        "settings_sha256": rules.settings.sha256,
    }
    if as_json:
        print_json(report)
        return
    say(f"{book} is open. It decides by the rules adopted at position {adopted.position}:")
    say(f"  rule pack {rules.pack.country} {rules.pack.sha256}")
    say(f"  settings     {rules.settings.sha256} ({rules.settings.legal_entity})")


async def _open(database: Database, book: str) -> tuple[int, Recorded]:
    """Open the book; gives how often it adopted rules, and the last time."""
    rules = {book: rules_of(book)}
    master = load_master_key(database.app_url)
    opening = Books.open(database.app_url, rules, master, system_clock, adopt=True)
    async with opening as books:
        adopted = books.by_name[book].desk.catalogue.rules
        return len(adopted), adopted[-1]
