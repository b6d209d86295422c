"""How commands print: tables for people, one JSON value for programs."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from ledger.money import micros_text
from ledger.words import instant_text

WIDTH = 100
"""Columns where no terminal tells its own: a file, a pipe, a log of CI."""

Metrics = Annotated[
    str | None,
    typer.Option(
        help="Tell figures to Prometheus at HOST:PORT, path /metrics. They name no consumer, but "
        "tell how much is sold."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value, for a program.")]


def console(*, stderr: bool = False) -> Console:
    """Give what to print on: as wide as the terminal, and without colour where there is none."""
    stream = sys.stderr if stderr else sys.stdout
    known = stream.isatty() or "COLUMNS" in os.environ
    return Console(file=stream, width=None if known else WIDTH, highlight=False, soft_wrap=False)


def say(text: str) -> None:
    """Print a line for a person, as part of what the command is for."""
    console().print(text, markup=False, soft_wrap=True)


def aside(text: str) -> None:
    """Tell a person what is going on, on standard error, beside what the command is for."""
    console(stderr=True).print(text, markup=False, soft_wrap=True)


def print_json(value: object) -> None:
    """Print one value: instants as RFC 3339 in UTC, days as ISO 8601."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return instant_text(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def count(number: int, noun: str) -> str:
    """Write a number of things: `1 fact`, `2 facts`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def progress_bar() -> Progress:
    """Give a bar on standard error; where there is no terminal, it stays silent."""
    out = console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=out,
        disable=not out.is_terminal,
    )


def money(micros: int, currency: str) -> dict[str, str]:
    """Write an amount for a program, exactly."""
    return {"amount": micros_text(micros), "currency": currency}


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Lay rows out under a title; what a reader copies or adds up is never broken in two.

    A column whose name begins with `#` holds numbers and stands to the right; one that begins
    with `=` holds names or ids.
    """
    laid_out = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for name in columns:
        laid_out.add_column(
            name.lstrip("#="),
            justify="right" if name.startswith("#") else "left",
            no_wrap=name.startswith(("#", "=")),
            overflow="fold",
        )
    for row in rows:
        laid_out.add_row(*("" if cell is None else str(cell) for cell in row))
    return laid_out


_LONGEST = 24
"""The longest word for which a column of text makes room; a longer one is broken."""


def print_table(laid_out: Table, on: Console | None = None) -> None:
    """Print a table, wider than what it is printed on if it has to be.

    An amount that lost a digit is another amount, and a word of one letter a line is no word.
    """
    out = on or console()
    for column in laid_out.columns:
        column.min_width = _room(column)
    needed = out.measure(laid_out, options=out.options.update(max_width=_ANY_WIDTH)).minimum
    if needed > out.width:
        laid_out.width = needed
    out.print(laid_out, crop=False)


_ANY_WIDTH = 1_000


def _room(column: Column) -> int:
    """Give the columns that a column's contents need: whole lines, or the longest word of them."""
    lines = [line for cell in column.cells for line in str(cell).splitlines()]
    words = [word for text in (str(column.header), *lines) for word in text.split()]
    longest = max((cell_len(word) for word in words), default=0)
    if not column.no_wrap:
        return min(longest, _LONGEST)
    return max(longest, *(cell_len(line) for line in lines), 0)
