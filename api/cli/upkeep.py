"""`obole status`, `unpark`, `rebuild`: what is derived from the facts, and whether it is right."""

from datetime import datetime
from typing import Annotated

import typer
from psycopg import Connection

from api.cli.desks import BookName, connection_to, migrated_database
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, print_json, print_table, progress_bar, say, table
from api.cli.work import parked_text
from ledger.log.postgres import PostgresLog
from projections import positions, rebuild
from projections.known import PROJECTIONS, named
from projections.outbox import read as outbox
from projections.positions import Status
from projections.reading import NotProjected, answer
from projections.table import Projection

Name = Annotated[str, typer.Argument(help=f"One of: {', '.join(one.name for one in PROJECTIONS)}.")]


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
    if on_its_way:
        told = ", ".join(f"{number:,} {state}" for state, number in on_its_way.items())
        say(f"Outbox: {told.replace('_', ' ')}")


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


def rebuild_one(
    name: Name,
    book: BookName = "fr",
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only compare with what is in use; change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a projection anew from the facts.

    It takes the place of the one in use, which readers keep until then.
    With --check nothing is replaced: the status is 1 if the two differ.
    """
    projection = _named(name)
    with (
        migrated_database() as database,
        connection_to(database, book) as connection,
        progress_bar() as progress,
    ):
        task = progress.add_task(f"{book}: {name}", total=None)

        def show(reached: int, head: int) -> None:
            progress.update(task, completed=reached, total=head)

        if check:
            differences = rebuild.compare(connection, book, projection, show)
        else:
            rebuild.rebuild(connection, book, projection, show)
            differences = None
        position = positions.standings(connection, book)[name].position
    if as_json:
        found = {} if differences is None else {"differences": differences}
        print_json({"book": book, "projection": name, "position": position, **found})
    else:
        _tell(f"{book}: {name}", position, differences)
    if differences:
        raise CommandRefused(f"{book}: {name} differs from a rebuild")


def _tell(what: str, position: int, differences: list[str] | None) -> None:
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
