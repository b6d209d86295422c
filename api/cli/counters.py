"""`obole counters`: how often consumers were solicited, and whether both forms of it agree."""

from datetime import datetime
from typing import Any, NamedTuple

import typer
from psycopg import Connection

from api.cli.desks import BookName, connection_to, migrated_database
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, count, print_json, print_table, progress_bar, say, table
from api.clock import system_clock
from ledger.decisions.solicited import Allowance, Counter, Standing, interest, standing
from ledger.facts.registry import REGISTRY
from ledger.log.postgres import PostgresLog
from projections.reading import answer
from projections.solicitation_counters import read

app = typer.Typer(
    help="Counters of solicitations, and whether they are right.", no_args_is_help=True
)
PAGE = 200
"""Rows read at a time."""
MOST_DIFFERENCES = 100


class Difference(NamedTuple):
    """A row that says something else than the facts; both as the decision would see them."""

    counter: Counter
    row: Standing
    facts: Standing


@app.command("list")
def list_counters(book: BookName = "fr", *, as_json: AsJson = False) -> None:
    """List who was ever solicited, and how many solicitations count now."""
    now = system_clock()
    with migrated_database() as database, connection_to(database, book) as connection:
        found = _listed(connection, book, now)
    if as_json:
        print_json({"book": book, "at": now, "counters": [_told(one) for one in found]})
        return
    if not found:
        say(f"{book}: nobody was ever solicited")
        return
    columns = ("=consumer", "=code", "=merchant", "#count", "#reserved", "returned", "allowed")
    print_table(table("Counters of solicitations", columns, [_row(one) for one in found]))


def _listed(connection: Connection, book: str, now: datetime) -> list[read.Counter]:
    found: list[read.Counter] = []
    after = read.Key()
    while page := answer(connection, book, read.everybody(now, PAGE, after)).value:
        found += page
        after = page[-1].key
    return found


def _told(one: read.Counter) -> dict[str, Any]:
    told = one._asdict()
    del told["cover"]
    return {"count" if name == "counted" else name: value for name, value in told.items()}


def _row(one: read.Counter) -> tuple[object, ...]:
    times = (one.returned_at, one.last_allowed_at)
    shown = (f"{at:%Y-%m-%d %H:%M}" if at else "never" for at in times)
    return (*one.key, one.counted, one.reserved, *shown)


@app.command("check")
def check_counters(book: BookName = "fr", *, as_json: AsJson = False) -> None:
    """Compare every counter with the facts, as a decision counts.

    The status is 1 if any differs. A row that is missing is found by
    `obole rebuild --check`.
    """
    with migrated_database() as database, connection_to(database, book) as connection:
        checked, differing = compare(connection, book)
    if as_json:
        shown = [_difference(one) for one in differing]
        print_json({"book": book, "checked": checked, "differences": shown})
    elif not differing:
        say(f"{book}: {count(checked, 'counter')} compared, equal to the facts")
    else:
        for one in differing:
            say(f"{' '.join(one.counter)}: {_text(one.row)}, but by the facts {_text(one.facts)}")
    if differing:
        raise CommandRefused(f"{book}: {len(differing)} of {count(checked, 'counter')} differ")


def compare(connection: Connection, book: str) -> tuple[int, list[Difference]]:
    """Go through every row; gives how many there are, and at most 100 that differ."""
    checked, differing = 0, list[Difference]()
    after = read.Key()
    with progress_bar() as progress:
        total = answer(connection, book, read.how_many()).value
        task = progress.add_task(f"{book}: comparing", total=total)
        while True:
            found = answer(connection, book, read.states(PAGE, after))
            if not found.value or len(differing) >= MOST_DIFFERENCES:
                return checked, differing
            for row in found.value:
                differing += _compared(connection, book, row, found.watermark.position)
            checked += len(found.value)
            after = found.value[-1].key
            progress.update(task, completed=checked)


def _compared(connection: Connection, book: str, row: read.State, upto: int) -> list[Difference]:
    """Count one row's facts as far as the projection had read them."""
    counter = Counter(*row.key)
    rows, _ = PostgresLog(connection, book).read((interest(counter),))
    decided = standing((REGISTRY.decode(one).fact for one in rows if one.position <= upto), counter)
    allowances = tuple(Allowance(*one) for one in row.allowed)
    kept = Standing(row.returned_at, row.last_allowed_at, allowances)
    return [] if kept == decided else [Difference(counter, kept, decided)]


def _difference(one: Difference) -> dict[str, Any]:
    return {
        **one.counter._asdict(),
        "projection": _standing(one.row),
        "facts": _standing(one.facts),
    }


def _standing(one: Standing) -> dict[str, Any]:
    return one._asdict() | {"allowances": [span._asdict() for span in one.allowances]}


def _text(one: Standing) -> str:
    used = sum(1 for span in one.allowances if span.used)
    returned = f"{one.returned_at:%Y-%m-%d %H:%M:%S}" if one.returned_at else "never"
    return f"{count(len(one.allowances), 'allowance')}, {used} used, returned {returned}"
