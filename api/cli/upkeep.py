"""`obole status`, `unpark`, `rebuild`: what is derived from the facts, and whether it is right."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer
from psycopg import Connection

from api.cli.desks import BookName, connection_to, migrated_database
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, count, print_json, print_table, progress_bar, say, table
from api.cli.work import parked_text
from api.gateways import NOT_PUSHED, gateways_file
from ledger.log.postgres import PostgresLog
from projections import positions, rebuild
from projections.cores import rebuild_all
from projections.known import PROJECTIONS, named
from projections.outbox import read as outbox
from projections.positions import Status
from projections.reading import NotProjected, answer
from projections.table import Projection

Name = Annotated[str, typer.Argument(help=f"One of: {', '.join(one.name for one in PROJECTIONS)}.")]

AnyName = Annotated[
    str | None, typer.Argument(help=f"One of: {', '.join(one.name for one in PROJECTIONS)}.")
]
CORES = os.cpu_count() or 1


def status(book: BookName = "fr", *, as_json: AsJson = False) -> None:
    """Show how far a book and its projections are.

    Of each: accepted = projected + parked + pending.
    """
    with migrated_database() as database, connection_to(database, book) as connection:
        head, recorded_at = PostgresLog(connection, book).head()
        found = positions.status(connection, book)
        on_its_way = _outbox(connection, book)
    if as_json:
        shown = [one._asdict() | {"lag_seconds": _lag(one, recorded_at)} for one in found]
        told = {"book": book, "head": head, "recorded_at": recorded_at, "projections": shown}
        print_json(told | {"outbox": on_its_way})
        return
    say(f"{book}: {head:,} facts, the last one of {recorded_at:%Y-%m-%d %H:%M:%S} UTC")
    if not found:
        say("No projection has run yet: `obole work` keeps them up.")
        return
    columns = ("projection", "version", "#accepted", "#projected", "#parked", "#pending", "#lag")
    print_table(table("Projections", columns, [_row(one, recorded_at) for one in found]))
    for one in found:
        if one.parked_at:
            say(parked_text(one))
            say(f"  once its cause is mended: `obole unpark {one.projection} --book {book}`")
    _tell_outbox(on_its_way)


def _tell_outbox(on_its_way: Mapping[str, int]) -> None:
    """Say how many messages and notices there are in each state."""
    told = [
        f"{count(number, 'notice' if state in outbox.NOTICE_STATES else 'message')} {state}"
        for state, number in on_its_way.items()
    ]
    if told:
        say(f"Outbox: {', '.join(told).replace('_', ' ')}")
    if on_its_way.get("waiting") and gateways_file() is None:
        say(f"  {NOT_PUSHED}")


def _outbox(connection: Connection, book: str) -> dict[str, int]:
    """Count what is pushed by its states; nothing where that was never worked out."""
    try:
        return answer(connection, book, outbox.counts()).value
    except NotProjected:
        return {}


def _row(one: Status, recorded_at: datetime) -> tuple[str, ...]:
    lag = _lag(one, recorded_at)
    numbers = (one.accepted, one.projected, one.parked, one.pending)
    shown = "unknown" if lag is None else f"{lag:.1f} s"
    return (one.projection, str(one.version), *(f"{number:,}" for number in numbers), shown)


def _lag(one: Status, recorded_at: datetime) -> float | None:
    """Give how many seconds of the book are not projected yet; None before the first fact is."""
    if one.projected_until is None:
        return None
    return (recorded_at - one.projected_until).total_seconds()


def unpark(name: Name, book: BookName = "fr") -> None:
    """Let a parked projection try again from where it stands."""
    projection = _named(name)
    with migrated_database() as database, connection_to(database, book) as connection:
        if not positions.unpark(connection, book, projection.name):
            raise CommandRefused(f"{book}: {name} is not parked")
    say(f"{book}: {name} goes on at the next turn of `obole work`")


def rebuild_projections(
    name: AnyName = None,
    book: BookName = "fr",
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every projection at once.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare with what is in use; change nothing.")
    ] = False,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="How many fold at once; by default, one a core.")
    ] = CORES,
    as_json: AsJson = False,
) -> None:
    """Make a projection, or all of them, anew from the facts.

    They take the place of those in use, which readers keep until then.
    With --check nothing is replaced: the status is 1 if any two differ.
    """
    if (name is not None) == everything:
        raise typer.BadParameter("name one projection, or give --all", param_hint="NAME")
    projections = PROJECTIONS if name is None else (_named(name),)
    with (
        migrated_database() as database,
        connection_to(database, book) as connection,
        progress_bar() as progress,
    ):
        task = progress.add_task(f"{book}: {name or 'all'}", total=None)

        def show(reached: int, head: int) -> None:
            progress.update(task, completed=reached, total=head)

        found = dict[str, list[str] | None](dict.fromkeys(one.name for one in projections))
        if check:
            found = {one.name: rebuild.compare(connection, book, one, show) for one in projections}
        else:
            rebuild_all(connection, database.app_url, book, processes, projections, show)
        standing = positions.standings(connection, book)
    told = [_told(book, one, standing[one].position, found[one]) for one in found]
    _tell(told if everything else told[0], as_json=as_json)
    _refuse_differences(book, found)


def _refuse_differences(book: str, found: Mapping[str, list[str] | None]) -> None:
    differing = [one for one, differences in found.items() if differences]
    if differing:
        raise CommandRefused(f"{book}: {', '.join(differing)} differs from a rebuild")


def _told(book: str, name: str, position: int, differences: list[str] | None) -> dict[str, Any]:
    found = {} if differences is None else {"differences": differences}
    return {"book": book, "projection": name, "position": position, **found}


def _tell(told: dict[str, Any] | list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    for one in told if isinstance(told, list) else [told]:
        what, position = f"{one['book']}: {one['projection']}", one["position"]
        differences: list[str] | None = one.get("differences")
        if differences is None:
            say(f"{what} was rebuilt from {position:,} facts and is in use")
        elif not differences:
            say(f"{what} equals a rebuild from {position:,} facts, byte for byte")
        for difference in differences or ():
            say(f"  {difference}")


def _named(name: str) -> Projection:
    try:
        return named(name)
    except LookupError:
        known = ", ".join(one.name for one in PROJECTIONS)
        raise typer.BadParameter(f"{name!r} is none of {known}", param_hint="NAME") from None
