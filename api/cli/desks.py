"""What a command needs before it can begin: the database, a book that is open, its rules."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Annotated

import psycopg
import typer
from psycopg import Connection

from api.books import load_rules
from api.cli.refused import CommandRefused
from api.cli.show import aside
from api.database import Database, in_home, is_made
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook
from migrations.runner import status
from projections import positions

BookName = Annotated[str, typer.Option("--book", help="The book, by the name of its settings.")]
RETRY_SECONDS = 1.0


@contextmanager
def migrated_database(*, wait: bool = False) -> Generator[Database]:
    """Give the database, its schema of this code; `wait` for one that is away.

    Raises:
        CommandRefused: there is none yet, or it was not migrated, or not lately.
        psycopg.OperationalError: it is away.
    """
    if not is_made():
        raise CommandRefused(
            f"there is no ledger{in_home()}. One made elsewhere is found from its own folder, or "
            "if OBOLE_HOME names its home; `obole migrate` makes a new one here"
        )
    with Database.open() as database:
        if wait:
            _wait_for(database)
        refuse_unmigrated(database)
        yield database


def _wait_for(database: Database) -> None:
    told = False
    while True:
        try:
            connect(database.owner_url).close()
        except psycopg.OperationalError as away:
            if not told:
                aside(f"the database is away, trying again: {str(away).strip()}")
                told = True
            sleep(RETRY_SECONDS)
        else:
            return


def refuse_unmigrated(database: Database) -> None:
    """See that nothing is left to migrate.

    Raises:
        CommandRefused: something is.
    """
    pending = status(database.owner_url).pending
    if pending:
        files = ", ".join(migration.file for migration in pending)
        raise CommandRefused(f"the database{in_home()} lacks {files}: run `obole migrate` first")


def rules_of(book: str) -> RuleBook:
    """Give the rules that a book's settings ask for.

    Raises:
        CommandRefused: there are no settings of this book.
    """
    known = load_rules()
    if book not in known:
        raise CommandRefused(f"no settings of the book {book!r}; there are: {', '.join(known)}")
    return known[book]


@contextmanager
def connection_to(database: Database, book: str) -> Generator[Connection]:
    """Connect to the database of a book that is open.

    Raises:
        CommandRefused: it was never opened.
    """
    with connect(database.app_url) as connection:
        if book not in positions.books(connection):
            raise CommandRefused(
                f"the book {book!r} is not open in the database{in_home()}: "
                f"`obole book open {book}` does it"
            )
        yield connection


def settings_file(book: str, folder: Path) -> Path | None:
    """Give a book's file of settings where it has one: one that stands in the folder."""
    return next((path for path in folder.glob("*.toml") if path.stem == book), None)
