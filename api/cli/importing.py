"""`obole import`: what gateways or another platform have in files, taken into a book."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from api.books import load_master_key
from api.cli.desks import BookName, connection_to, migrated_database, rules_of
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, aside, console, count, print_json, print_table, say, table
from api.clock import system_clock
from api.desks import keyed_desk
from api.importing import several
from api.importing.bytes import CHUNK_BYTES, SourceRefused
from api.importing.conveying import Takes
from api.importing.doors import Importer, Who
from api.importing.places import Places
from api.importing.rejected import Rejected
from api.importing.running import Run, Shown, Summary
from api.importing.turning import Turning
from ledger.commands.desk import Desk
from ledger.facts.registry import Origin
from ledger.log.session import connect_async
from ledger.rules.resolve import RuleBook

STANDARD_INPUT = "-"

File = Annotated[
    str, typer.Argument(help="NDJSON in UTF-8, also packed by gzip; - is standard input.")
]
RejectedFile = Annotated[
    Path | None,
    typer.Option(
        "--rejected",
        help="Where to write number and reason of each line not taken; by default in "
        "FILE.rejected.ndjson.",
    ),
]
Now = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%dT%H:%M:%S%z"],
        help="For a market that is made up: when it is over, such as 2026-11-22T09:30:00Z.",
    ),
]


def import_file(  # noqa: PLR0913 - each is an option of the command
    file: File,
    book: BookName = "fr",
    rejected: RejectedFile = None,
    *,
    processes: Annotated[
        int, typer.Option(min=1, max=16, help="How many decide at once; each takes one core.")
    ] = 1,
    from_start: Annotated[
        bool, typer.Option("--from-start", help="Look at every line, also after a kill.")
    ] = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Take a file of messages, receipts and exchanges into a book, line by line.

    What is there already is left as it is, so the same file again changes nothing. One that was
    cut off goes on where it was. No line may tell of the future. The status is 1 if a line was not
    taken.
    """
    rules, path = rules_of(book), None if file == STANDARD_INPUT else _readable(file)
    if path is not None and rejected is None:
        rejected = path.with_name(path.name + ".rejected.ndjson")
    wrote = Rejected(rejected)
    with migrated_database() as database:
        with connection_to(database, book):
            pass  # only to see that it is open
        with _bar(path) as show:
            try:
                how = _How(processes, now, from_start=from_start)
                importing = _Importing(database.app_url, book, rules, how)
                summary = asyncio.run(importing.run(path, wrote, show))
            except (SourceRefused, OSError) as refused:
                raise CommandRefused(f"{file}: {refused}") from refused
            finally:
                wrote.close()
    _tell(file, book, summary, wrote, as_json=as_json)
    if summary.counts.rejected:
        raise CommandRefused(f"{count(summary.counts.rejected, 'line')} of {file} not taken")


def _readable(file: str) -> Path:
    path = Path(file)
    if path.is_dir():
        raise CommandRefused(f"{file} is a folder: name one file in it")
    if not path.exists():
        raise CommandRefused(f"there is no file {file}")
    return path


class _How(NamedTuple):
    """How a file is imported."""

    processes: int
    now: datetime | None
    from_start: bool

    def clock(self) -> datetime:
        """Give the present instant."""
        return self.now or system_clock()


class _Importing(NamedTuple):
    """One import: into which book, and how."""

    app_url: str
    book: str
    rules: RuleBook
    how: _How

    async def run(
        self, path: Path | None, rejected: Rejected, show: Callable[[Shown], None]
    ) -> Summary:
        """Take in a file, or standard input where none is named."""
        master = await asyncio.to_thread(load_master_key, self.app_url)
        async with (
            keyed_desk(self.app_url, self.book, self.rules, master) as desk,
            await connect_async(self.app_url) as connection,
        ):
            await desk.refresh()
            desk.adopted()
            places = Places(connection, self.book)
            async with self._takes(desk) as takes:
                run = Run(takes, rejected, places, show, self._chunk)
                if path is None:
                    return await run.stream(sys.stdin.buffer)
                return await run.file(path, from_start=self.how.from_start)

    @property
    def _chunk(self) -> int:
        return CHUNK_BYTES if self.how.processes == 1 else several.CHUNK_BYTES

    @asynccontextmanager
    async def _takes(self, desk: Desk) -> AsyncGenerator[Takes]:
        how = self.how
        if how.processes > 1:
            start = several.Several.start(self.app_url, desk, how.processes, now=how.now)
            async with start as takes:
                yield takes
            return
        turning = Turning(self.app_url, self.book)
        yield Importer(desk, Who(Origin(self.book, "import")), how.clock, turning)


class _bar:  # noqa: N801 - used like the function that `progress_bar` is
    """A bar on standard error: bytes, lines and rate; silent where there is no terminal."""

    def __init__(self, path: Path | None) -> None:
        out = console(stderr=True)
        self._total = path.stat().st_size if path is not None else None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[lines]} lines"),
            TimeElapsedColumn(),
            console=out,
            disable=not out.is_terminal,
        )
        self._task: TaskID

    def __enter__(self) -> Callable[[Shown], None]:
        self._progress.start()
        self._task = self._progress.add_task("import", total=self._total, lines="0")
        return self._show

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _show(self, shown: Shown) -> None:
        lines = f"{shown.lines:,}"
        self._progress.update(self._task, completed=shown.bytes_read, lines=lines)


def _tell(file: str, book: str, summary: Summary, rejected: Rejected, *, as_json: bool) -> None:
    counts = summary.counts
    if as_json:
        went_on = summary.began_at.lines if summary.began_at else 0
        shown = {"book": book, "lines": summary.lines, "went_on_after": went_on}
        shown |= counts._asdict() | {"without_effect": summary.without_effect}
        print_json(shown | {"reasons": dict(summary.reasons)})
        return
    if summary.began_at is not None:
        aside(f"went on after line {summary.began_at.lines:,}, where a run before was cut off")
    if not summary.lines:
        say(f"{file}: there is nothing in it")
        return
    nothing = f"{summary.without_effect:,} brought nothing about, " * bool(summary.without_effect)
    say(
        f"{book}: {counts.recorded:,} recorded, {counts.repeated:,} already there, {nothing}"
        f"{counts.rejected:,} rejected"
    )
    if summary.reasons:
        rows = [(why, f"{number:,}") for why, number in summary.reasons.most_common()]
        print_table(table("Not taken", ("reason", "#lines"), rows))
        if rejected.path is not None:
            say(f"Each with its number and reason: {rejected.path}")
