"""`obole expected`: what each operator is expected to declare for a month."""

from collections.abc import Iterator
from typing import Annotated

import typer

from api import expected as face
from api.cli.asked import ask, marked, say_mark
from api.cli.desks import BookName
from api.cli.months import MonthName
from api.cli.show import AsJson, print_json, print_table, say, table
from api.shapes import first_day
from ledger.money import micros_text
from projections.expected import read
from projections.expected.fold import Sum
from projections.expected.read import Expected, OperatorMonth

_COLUMNS = ("=code", "=tariff", "=leg", "what", "#charges", "#price", "#tax", "#reversement")


def expected(
    month: MonthName,
    operator: Annotated[
        str | None, typer.Option(help="One operator, by MCC and MNC; all by default.")
    ] = None,
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Show what each operator is to declare for a month.

    By code, tariff and leg, with what it took back.
    """
    mark, found = ask(book, read.expected(first_day(month), operator))
    if as_json:
        print_json(marked(mark, face.told(found, month)))
        return
    say_mark(mark)
    if not found:
        say(f"No operator took anything in {month}, or took anything back.")
    for one in found:
        _show(one, month)


def _show(one: OperatorMonth, month: str) -> None:
    rows = [row for line in one.lines for row in _rows((*line[:3],), line.expected)]
    laid_out = table(f"Operator {one.operator}, {month}, in {one.currency}", _COLUMNS, rows)
    laid_out.add_section()
    for row in _rows(("all", "", ""), one.total):
        laid_out.add_row(*row, style="bold")
    print_table(laid_out)


def _rows(place: tuple[str, str, str], found: Expected) -> Iterator[tuple[str, ...]]:
    """Lay out what was captured, what of that is nobody's, what was taken back, what is left."""
    whole = found.all
    parts = {
        "captured": whole.captured,
        "  of which unattributed": found.unattributed.captured,
        "  of which tests": found.test.captured,
        "refunded": whole.refunded,
        "unpaid": whole.unpaid,
        "clawback": whole.clawback,
    }
    taken_back = whole.left != whole.captured
    if taken_back:
        parts["left"] = whole.left
    for what, amount in parts.items():
        if amount.charges or what == "left":
            yield (*place, what, *_cells(amount))
            place = ("", "", "")


def _cells(amount: Sum) -> tuple[str, ...]:
    return (str(amount.charges), *map(micros_text, amount[1:]))
