"""`obole opt-outs`: who said STOP, where, and what opened it again."""

from datetime import date
from typing import Annotated

import typer
from pydantic import BaseModel
from rich.table import Table

from api import opt_outs as face
from api.cli.asked import ask, marked, month_given, say_mark
from api.cli.desks import BookName
from api.cli.show import AsJson, print_json, print_table, say, table
from api.shapes import first_day, last_day
from projections.opt_outs.read import by_month, of_consumer, on_code
from projections.reading import Watermark


class _Listed(BaseModel):
    """Counts by month, and the STOPs themselves, the last first."""

    months: list[face.OptOutCount]
    opt_outs: list[face.OptOut]
    next: int | None


def opt_outs(  # noqa: PLR0913 - each is an option of the command
    *,
    short_code: Annotated[str | None, typer.Option(help="Only what was said on this code.")] = None,
    month: Annotated[
        str | None, typer.Option(callback=month_given, help="Only a local month, such as 2026-08.")
    ] = None,
    consumer: Annotated[
        str | None, typer.Option(help="What this consumer has stopped, by pseudonym.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many to list at most.")] = 20,
    before: Annotated[
        int | None, typer.Option(min=1, help="Go on after the position that a list ended with.")
    ] = None,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """List STOPs, the last first; or all that one consumer stopped.

    Those of a code or a month are also counted by month.
    """
    if consumer is not None:
        _of_one(book, consumer, as_json=as_json)
        return
    first, last = (first_day(month), last_day(month)) if month else (date.min, date.max)
    counted = ask(book, by_month(short_code, first, last))
    behind = {} if before is None else {"before": before}
    mark, page = ask(book, on_code(short_code, limit, first, last, **behind))
    shown = _Listed(
        months=[face.counted(one) for one in counted.value],
        opt_outs=[face.told(one) for one in page.opt_outs],
        next=page.end,
    )
    if as_json:
        print_json(marked(mark, shown))
    else:
        _show(mark, shown)


def _of_one(book: str, consumer: str, *, as_json: bool) -> None:
    mark, found = ask(book, of_consumer(consumer))
    stops = [face.told(one) for one in found]
    if as_json:
        print_json(marked(mark, face.ConsumerOptOuts(consumer=consumer, opt_outs=stops)))
        return
    say_mark(mark)
    if stops:
        print_table(_stops(f"What {consumer} has stopped", stops))
    else:
        say(f"{consumer} has stopped nothing.")


def _show(mark: Watermark, shown: _Listed) -> None:
    say_mark(mark)
    if not shown.opt_outs:
        say("Nobody said STOP.")
        return
    rows = [(one.month, one.short_code, one.opt_outs, one.lifted) for one in shown.months]
    title = "STOPs by month, test numbers left out"
    print_table(table(title, ("=month", "=code", "#STOPs", "#lifted since"), rows))
    print_table(_stops("STOPs, the last recorded first", shown.opt_outs))
    if shown.next is not None:
        say(f"There are more: --before {shown.next}")


def _stops(title: str, stops: list[face.OptOut]) -> Table:
    rows = [
        (
            f"{one.since:%Y-%m-%d %H:%M}",
            one.consumer,
            _reach(one),
            one.word,
            "" if one.lifted_at is None else f"{one.lifted_at:%Y-%m-%d}",
        )
        for one in stops
    ]
    return table(title, ("=since (UTC)", "=consumer", "what", "word", "=lifted"), rows)


def _reach(one: face.OptOut) -> str:
    """Say what is stopped, and that it was a test."""
    what = "everything" if one.everywhere else f"{one.service or 'all'} on {one.short_code}"
    return f"{what} (test)" if one.test else what
