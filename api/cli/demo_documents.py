"""The documents that the demonstration wrote: where they are, and what is in them."""

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from api.cli.show import WIDTH, print_table, table
from api.demo.documents import AUDIT, LINES, PAYOUTS, STATEMENT, BookDocuments, Documents

_MONTHS = ("this month", "next month")
"""As they lie to the day of the run, so that each run prints the same."""
_STATEMENT_LINES = 3


def show_documents(out: Console, documents: Documents) -> None:
    """Say what was written where, the payouts whole and a few lines of each other one."""
    out.rule(Text("Three documents of each book", style="bold"), align="left")
    out.print()
    print_table(_written(documents), out)
    for one in documents.books:
        print_table(_payouts(one, _MONTHS), out)
        print_table(_statement(one), out)
        _export(out, one)


def _written(documents: Documents) -> Table:
    rows = [row for one in documents.books for row in _files(one)]
    return table(f"Written into {documents.folder}/", ("=file", "what it is"), rows)


def _files(one: BookDocuments) -> Iterator[tuple[str, str]]:
    yield f"{one.book}/{PAYOUTS}.json", "what is due to each merchant, by month"
    yield f"{one.book}/{PAYOUTS}.txt", "the same as a table"
    yield f"{one.book}/{STATEMENT}.json", f"the statement of {one.merchant}"
    yield f"{one.book}/{STATEMENT}.csv", "the same, for a spreadsheet"
    rules = "facts.jsonl, facts.csv, rules, settings, manifest.json"
    yield f"{one.book}/{AUDIT}/", f"audit export, {one.verified.facts} facts: {rules}"


def write_tables(documents: Documents) -> None:
    """Write the payouts of each book as a table, too."""
    for one in documents.books:
        months = [report["month"] for report in one.payouts]
        with (one.folder / f"{PAYOUTS}.txt").open("w", encoding="utf-8") as file:
            on = Console(file=file, width=WIDTH, color_system=None)
            print_table(_payouts(one, months), on)


def _payouts(one: BookDocuments, months: Sequence[str]) -> Table:
    """Lay a book's payouts out, their months so called."""
    columns = ("=month", "=merchant", *(f"#{name.replace('_', ' ')}" for name in LINES))
    rows = [
        (month, payout["merchant"], *_cells(payout["lines"]))
        for month, report in zip(months, one.payouts, strict=False)
        for payout in report["payouts"]
    ]
    laid_out = table(
        f"Payouts of {one.book} in {_currency(one)}; what is payable is not recorded yet",
        columns,
        rows,
    )
    laid_out.add_section()
    for month, report in zip(months, one.payouts, strict=False):
        for total in report["totals"]:
            laid_out.add_row(month, "all", *_cells(total["lines"]), style="bold")
    return laid_out


def _cells(lines: dict[str, Any]) -> Iterator[str]:
    for name in LINES:
        yield lines[name]["share"]["amount"]


def _currency(one: BookDocuments) -> str:
    return ", ".join(
        sorted({total["currency"] for month in one.payouts for total in month["totals"]})
    )


def _statement(one: BookDocuments) -> Table:
    """Show the first lines of a statement."""
    columns = ("code", "operator", "service", "#earned", "#share", "#paid by consumers")
    rows = [
        (line["short_code"], line["operator"], line["service"], *_earned(line["states"]))
        for line in one.statement["lines"][:_STATEMENT_LINES]
    ]
    title = f"Statement of {one.merchant}, this month, first lines; the CSV holds the same"
    return table(title, columns, rows)


def _earned(states: dict[str, Any]) -> Iterator[object]:
    yield states["earned"]["charges"]
    yield states["earned"]["share"]["amount"]
    yield states["paid_by_consumers"]["amount"]


def _export(out: Console, one: BookDocuments) -> None:
    found = one.verified
    out.print(
        Text(
            f"  Audit export of {one.book}: {found.facts} facts in {found.files} files, manifest "
            f"{found.manifest_sha256:.16}…,\n  a fact of its own in the book. To check it: "
            f"obole audit verify {one.folder / AUDIT}\n"
        ),
        soft_wrap=True,
    )
