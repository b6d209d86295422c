"""`obole statement`: a merchant's month by code, operator and service, also as CSV or JSON."""

import sys
from typing import Annotated

import typer

from api.accounts import shown
from api.cli.asked import PROVISIONAL, say_mark
from api.cli.desks import BookName, connection_to, migrated_database
from api.cli.months import MonthName, refuse_unregistered
from api.cli.show import AsJson, print_json, print_table, say, table
from api.documents.statement import statement_csv
from api.shapes import first_day
from ledger.money import micros_text
from projections.merchant_accounts import read as accounts
from projections.reading import Watermark, answer

_STATES = ("pending", "unresolved", "released", "earned", "refunded", "written_off")


def show_statement(
    month: MonthName,
    merchant: Annotated[str, typer.Option(help="Whose statement.")],
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, for a spreadsheet.")] = False,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Show a merchant's month in every state of its money."""
    if as_csv and as_json:
        raise typer.BadParameter("goes without --json", param_hint="--csv")
    with migrated_database() as database, connection_to(database, book) as connection:
        refuse_unregistered(connection, book, merchant)
        read = accounts.statement(merchant, first_day(month))
        watermark, found = answer(connection, book, read)
    if as_csv:
        sys.stdout.write(statement_csv(found))
    elif as_json:
        complete = {"position": watermark.position, "recorded_at": watermark.recorded_at}
        print_json({"book": book, **shown(found, month).model_dump(), "complete": complete})
    else:
        _print(found, watermark)


def _print(found: accounts.Statement, watermark: Watermark) -> None:
    names = (f"#{name.replace('_', ' ')}" for name in _STATES)
    columns = ("=code", "=operator", "=service", *names)
    about = f"{found.merchant}, {found.month:%Y-%m}"
    for currency, total in found.totals.items():
        rows = [
            *(
                (line.short_code, line.operator, line.service, *_cells(line.position))
                for line in found.lines
                if line.currency == currency
            ),
            ("total", "", "", *_cells(total)),
        ]
        title = f"{about}: its share in {currency}, net of tax"
        print_table(table(title, columns, rows))
    if not found.totals:
        say(f"{about}: nothing is recorded of this month")
    say("Unresolved lies within pending. Not recorded yet: declared, collected, payable.")
    say_mark(watermark, PROVISIONAL)


def _cells(position: accounts.Position) -> list[str]:
    return [micros_text(getattr(position, name).micros) for name in _STATES]
