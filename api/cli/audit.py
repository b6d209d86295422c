"""`obole audit`: export the facts of a period, a code or a consumer, and check an export."""

import asyncio
import re
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

import typer
from psycopg import AsyncConnection

from api.cli.desks import BookName, connection_to, migrated_database, rules_of
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, count, print_json, progress_bar, say
from api.clock import system_clock
from api.database import Database
from api.desks import keyless_desk
from api.documents import verify as checking
from api.documents.export import Show, Wanted, write_export
from ledger.commands.exports import record_export
from ledger.decisions.exported import Recipient, Scope
from ledger.decisions.refusals import PeriodRefused
from ledger.facts.access import AuditExported
from ledger.facts.registry import Origin
from ledger.log.scripts import Script
from ledger.log.session import connect_async
from ledger.log.writer import run_async
from ledger.rules.resolve import RuleBook
from ledger.words import instant_text

app = typer.Typer(no_args_is_help=True, help="Export facts for an audit, and check an export.")

T = TypeVar("T")

_OPTIONS = {"first_day": "--from", "last_day": "--to", "through_position": "--through"}
_CODE = re.compile(r"[0-9]{3,8}")
_CONSUMER = re.compile(r"[0-9]{1,9}_[0-9a-f]{32}")


class _Target(NamedTuple):
    """Which book is exported, and into which folder that is nobody else's."""

    book: str
    rules: RuleBook
    wanted: Wanted
    folder: Path


@app.command()
def export(  # noqa: PLR0913 - each is an option of the command
    *,
    first: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="The first local day.")
    ],
    last: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="The last one, included.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to make; it must not be there yet.")],
    short_code: Annotated[str | None, typer.Option(help="Only facts of this code.")] = None,
    consumer: Annotated[
        str | None, typer.Option(help="Only facts of this consumer, by pseudonym.")
    ] = None,
    through: Annotated[
        int | None, typer.Option(min=1, help="As if nothing after this position were there yet.")
    ] = None,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Export the facts of a period, verbatim and as a table.

    With the rules in force. The folder appears whole or not at all, and the
    export is recorded as a fact before it does.
    """
    scope = Scope(first.date(), last.date(), short_code, consumer)
    _refuse_malformed(scope)
    rules = rules_of(book)
    with migrated_database() as database, _beside(out) as folder:
        with connection_to(database, book):
            pass  # only to see that it is open
        fact = _exported(database, _Target(book, rules, Wanted(scope, through), folder))
        try:
            folder.rename(out)
        except OSError as error:
            raise CommandRefused(f"{out} cannot be made: {error.strerror}") from error
    if as_json:
        print_json(_report(book, out, fact))
    else:
        _tell(book, out, fact)


def _tell(book: str, out: Path, fact: AuditExported) -> None:
    upto = f"complete up to position {fact.through_position:,}"
    say(f"{out}: {count(fact.facts, 'fact')} of {book}, {upto}")
    say(f"manifest {fact.manifest_sha256}")
    say(f"recorded as export {fact.export}")


def _refuse_malformed(scope: Scope) -> None:
    for value, pattern, option, what in (
        (scope.short_code, _CODE, "--short-code", "a short code: 3 to 8 digits"),
        (scope.consumer, _CONSUMER, "--consumer", "a pseudonym, such as `1_` and 32 digits"),
    ):
        if value is not None and not pattern.fullmatch(value):
            raise typer.BadParameter(f"{value!r} is not {what}", param_hint=option)


@contextmanager
def _beside(out: Path) -> Generator[Path]:
    """Give a folder beside `out`, to be renamed to it; it is removed if that does not happen."""
    if out.exists():
        raise typer.BadParameter(f"{out} is there already", param_hint="--out")
    if not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {out.absolute().parent}", param_hint="--out")
    try:
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
    except OSError as error:
        told = f"{out} cannot be made: {error.strerror}"
        raise typer.BadParameter(told, param_hint="--out") from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _exported(database: Database, target: _Target) -> AuditExported:
    with progress_bar() as progress:
        task = progress.add_task(f"{target.book}: exporting", total=None)

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        try:
            return asyncio.run(_export(database, target, show))
        except PeriodRefused as refused:
            hint = _OPTIONS[refused.field]
            raise typer.BadParameter(str(refused), param_hint=hint) from refused


async def _export(database: Database, target: _Target, show: Show) -> AuditExported:
    book, rules, wanted, folder = target
    now = system_clock()
    connection = await connect_async(database.app_url)
    async with connection:
        asking = _Asking(connection)
        made = await write_export(asking, book, wanted, folder, now, show)
    async with keyless_desk(database.app_url, book, rules) as desk:
        to = Recipient(None, instant_text(now))
        return await record_export(desk, made, to, Origin(book, "cli"), now)


class _Asking:
    """Asks over one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def __call__(self, script: Script[T]) -> T:
        return await run_async(self._connection, script)


def _report(book: str, out: Path, fact: AuditExported) -> dict[str, object]:
    return {
        "book": book,
        "export": fact.export,
        "folder": str(out),
        "facts": fact.facts,
        "through_position": fact.through_position,
        "manifest_sha256": fact.manifest_sha256,
    }


@app.command()
def verify(
    export: Annotated[Path, typer.Argument(help="An export's folder, or its zip.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Check an export: the sums of its files, the hash of each fact.

    Whether it is the ledger's own, the hash of its manifest tells, which
    the ledger recorded.
    """
    found = checking.verify(export)
    if as_json:
        print_json(found._asdict())
    _refuse_wrong(export, found, shown=not as_json)
    if not as_json:
        say(f"{export}: {count(found.files, 'file')} and {count(found.facts, 'fact')} are whole")
        say(f"manifest {found.manifest_sha256}")


def _refuse_wrong(export: Path, found: checking.Verified, *, shown: bool) -> None:
    if not found.is_export:
        raise CommandRefused(f"{export} is no export: {', '.join(found.problems)}")
    if not found.problems:
        return
    for problem in found.problems if shown else ():
        say(problem)
    raise CommandRefused(f"{export} is not as it was exported")
