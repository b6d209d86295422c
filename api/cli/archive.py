"""`obole archive`: old facts into files, from where they are read on; whether those are whole."""

import os
from pathlib import Path
from typing import Annotated

import typer
from psycopg import Connection

from api.cli.desks import BookName, migrated_database
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, aside, print_json, progress_bar, say
from api.database import Database
from ledger.log.archive import FOLDER, Archive
from ledger.log.archiving import Part, alone, archive, check, full_parts, kept
from ledger.log.errors import ArchiveMissing, ArchiveUnreadable, UnknownBook
from ledger.log.session import connect
from projections import positions
from projections.known import PROJECTIONS

app = typer.Typer(invoke_without_command=True, help="Move old facts into files, and check those.")


@app.callback()
def archive_facts(  # noqa: PLR0913 - each is an option of the command
    context: typer.Context,
    *,
    book: BookName = "fr",
    to: Annotated[
        Path | None, typer.Option(envvar=FOLDER, help="The folder, which each process is told.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=0, help="How many full partitions stay, the newest.")
    ] = None,
    before: Annotated[
        int | None, typer.Option(min=1, help="Only partitions that end before this position.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    as_json: AsJson = False,
) -> None:
    """Move whole partitions of a book's facts, the oldest first, into files.

    Each file is read back and compared before its partition is dropped.
    """
    if context.invoked_subcommand is not None:
        return
    if (keep is None) == (before is None):
        raise typer.BadParameter("say either --keep or --before")
    to = _folder(to)
    with migrated_database() as database, connect(database.owner_url) as connection:
        _refuse_unopened(connection, book)
        with alone(connection, book):
            parts = _wanted(connection, book, keep, before)
            _refuse_unprojected(connection, book, parts)
            if parts:
                _announce(book, parts, to, yes=yes)
            made = [_one(connection, book, part, to) for part in parts]
    _tell(book, made, as_json=as_json)


def _announce(book: str, parts: list[Part], to: Path, *, yes: bool) -> None:
    """Say what every process needs from then on, before anything is done, and ask."""
    if not os.environ.get(FOLDER):
        needs = f"every process of Obole needs {FOLDER}={to.absolute()}"
        aside(f"{needs} from now on: without it nobody can read what leaves")
    if not yes:
        typer.confirm(f"{book}: move positions up to {parts[-1].last:,}?", abort=True)


def _folder(to: Path | None) -> Path:
    """Give the folder to write into: where it is told where to read, no other."""
    if to is None or not to.is_dir():
        raise typer.BadParameter("name a folder that is there", param_hint="--to")
    told = os.environ.get(FOLDER)
    if told and Path(told).resolve() != to.resolve():
        raise typer.BadParameter(
            f"{FOLDER} is {told}, so nobody would find what is in {to}", param_hint="--to"
        )
    return to


def _refuse_unopened(connection: Connection, book: str) -> None:
    if book not in positions.books(connection):
        raise UnknownBook(book)


def _wanted(connection: Connection, book: str, keep: int | None, before: int | None) -> list[Part]:
    parts = full_parts(connection, book)
    if keep is not None:
        return parts[: max(len(parts) - keep, 0)]
    assert before is not None
    return [part for part in parts if part.last < before]


def _refuse_unprojected(connection: Connection, book: str, parts: list[Part]) -> None:
    known = positions.standings(connection, book)
    for projection in PROJECTIONS:
        found = known.get(projection.name)
        reached = found.position if found else 0
        if parts and reached <= parts[-1].last:
            raise CommandRefused(
                f"{book}: {projection.name} is at {reached:,} and has not passed "
                f"{parts[-1].last:,}: `obole work` first"
            )


def _one(connection: Connection, book: str, part: Part, to: Path) -> Archive:
    with progress_bar() as progress:
        task = progress.add_task(f"{book}: {part.first:,} to {part.last:,}", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        return archive(connection, book, part, to, show)


def _told(one: Archive) -> dict[str, object]:
    return {**one._asdict(), "root": one.root.hex()}


def _tell(book: str, made: list[Archive], *, as_json: bool) -> None:
    if as_json:
        print_json({"book": book, "archives": [_told(one) for one in made]})
        return
    for one in made:
        say(f"{book}: {one.first:,} to {one.last:,} in {one.file}, {one.size:,} bytes")
    if not made:
        say(f"{book}: there is no partition to archive: none is full beside those that stay")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="The folder of files.")],
    *,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Compare every file with what the database knows of it, fact by fact."""
    with migrated_database() as database:
        found = _verified(database, folder, book)
    problems = [problem for _, problem in found if problem]
    if as_json:
        print_json({"book": book, "files": len(found), "problems": problems})
    elif not problems:
        facts = sum(one.last - one.first + 1 for one, _ in found)
        say(f"{book}: {len(found):,} files with {facts:,} facts are whole")
    if problems:
        raise CommandRefused("; ".join(problems))


def _verified(database: Database, folder: Path, book: str) -> list[tuple[Archive, str | None]]:
    found: list[tuple[Archive, str | None]] = []
    with connect(database.app_url) as connection:
        for one, chunks in kept(connection, book):
            try:
                check(folder / one.file, book, one, chunks)
                found.append((one, None))
            except (ArchiveMissing, ArchiveUnreadable) as problem:
                found.append((one, str(problem)))
    return found
