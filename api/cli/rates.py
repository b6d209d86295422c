"""`obole rates`: conversion, churn and revenue, day by day."""

from collections.abc import Callable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Annotated

import typer
from rich.table import Table

from api import rates as face
from api.cli.asked import ask, bar, marked, say_mark
from api.cli.desks import BookName
from api.cli.show import AsJson, print_json, print_table, table
from ledger.money import micros_text
from projections.rates import read
from projections.rates.read import Figures, Rates, Wanted

_DAY = ["%Y-%m-%d"]
_BAR_WIDTH = 10


def rates(  # noqa: PLR0913 - each is an option of the command
    *,
    first: Annotated[datetime, typer.Option("--from", formats=_DAY, help="The first local day.")],
    last: Annotated[
        datetime, typer.Option("--to", formats=_DAY, help="The last local day, included.")
    ],
    merchant: Annotated[str | None, typer.Option(help="One merchant; all by default.")] = None,
    service: Annotated[str | None, typer.Option(help="One service.")] = None,
    short_code: Annotated[str | None, typer.Option(help="One code.")] = None,
    operator: Annotated[str | None, typer.Option(help="One operator, by MCC and MNC.")] = None,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Show conversion, revenue and churn by day and by service.

    Conversion is captured exchanges over matched messages, by the day of
    the message. Churn is subscriptions stopped over those active at first.
    """
    days = (last - first).days + 1
    if not 1 <= days <= face.MOST_DAYS:
        raise typer.BadParameter(f"give 1 to {face.MOST_DAYS} days", param_hint="--to")
    wanted = Wanted(merchant, service, short_code, operator)
    mark, found = ask(book, read.rates(first.date(), last.date(), wanted), merchant)
    if as_json:
        print_json(marked(mark, face.told(found, merchant)))
        return
    say_mark(mark)
    whose = ", in ".join((merchant or "all merchants", *found.total.revenue))
    print_table(_sales(found, f"Sales of {whose}"))
    if any(_subscriptions_of(found.total)):
        print_table(_subscriptions(found, f"Subscriptions of {whose}"))


def _sales(found: Rates, title: str) -> Table:
    """Lay out what was asked for and what it came to, by day and then by service."""
    columns = ("=", "#matched", "#captured", "#conversion", "#revenue", "=", "#share", "#STOPs")
    return _table(title, columns, found, _sales_of)


def _sales_of(one: Figures, longest: int = 0) -> tuple[str, ...]:
    counts = one.counts
    return (
        *(str(counts.matched), str(counts.captured), percent(one.conversion)),
        *(_money(one, "price"), bar(_price(one), longest, _BAR_WIDTH), _money(one, "share")),
        str(counts.opt_outs),
    )


def _subscriptions(found: Rates, title: str) -> Table:
    columns = ("=", "#active", "#requested", "#started", "#stopped", "#churn", "#cycles", "#paid")
    return _table(title, columns, found, _subscriptions_told)


def _subscriptions_of(one: Figures) -> tuple[int, ...]:
    counts = one.counts
    return (one.active, counts.requested, counts.started, counts.stopped, counts.cycles)


def _subscriptions_told(one: Figures, _: int = 0) -> tuple[str, ...]:
    active, requested, started, stopped, cycles = map(str, _subscriptions_of(one))
    paid = str(one.counts.cycles_captured)
    return (active, requested, started, stopped, percent(one.churn), cycles, paid)


def _table(
    title: str, columns: Sequence[str], found: Rates, told: Callable[[Figures, int], Sequence[str]]
) -> Table:
    """Lay out a row for each day, each service, and all of it; bars compare rows of one kind."""
    laid_out = table(title, columns, ())
    by_day = {day.isoformat(): one for day, one in found.days.items()}
    by_service = {name or "(none)": one for name, one in found.services.items()}
    for lines in (by_day, by_service):
        longest = max((_price(one) for one in lines.values()), default=0)
        for name, one in lines.items():
            laid_out.add_row(name, *told(one, longest))
        laid_out.add_section()
    laid_out.add_row("all", *told(found.total, 0), style="bold")
    return laid_out


def _price(one: Figures) -> int:
    """Give how long the bar is: a book has one currency."""
    return sum(revenue.price for revenue in one.revenue.values())


def _money(one: Figures, part: str) -> str:
    return "\n".join(micros_text(getattr(revenue, part)) for revenue in one.revenue.values())


def percent(rate: Fraction | None) -> str:
    """Write a rate for a person, to the tenth of a percent, halves upwards."""
    if rate is None:
        return "-"
    tenths = (2_000 * rate.numerator + rate.denominator) // (2 * rate.denominator)
    return f"{tenths // 10}.{tenths % 10} %"
