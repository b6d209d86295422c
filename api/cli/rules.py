"""`obole rules`: what is in force on a day, since when, and by whose word."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from api.cli.desks import settings_file
from api.cli.show import AsJson, console, print_json, table
from api.clock import system_clock
from ledger.rules.describe import RuleLine, describe
from ledger.rules.pack import load_pack
from ledger.rules.settings import load_settings
from ledger.words import local_day

app = typer.Typer(no_args_is_help=True, help="The rules of a book, or of a country's pack.")


@app.command()
def show(
    book: Annotated[str, typer.Argument(help="A book, or a country without settings.")],
    at: Annotated[
        str | None, typer.Option(help="The local day, such as 2026-11-22; today by default.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show the rules in force on a day, each with its date, its source and how sure it is."""
    file = settings_file(book, Path(os.environ.get("OBOLE_SETTINGS") or "settings"))
    settings = load_settings(file) if file else None
    pack = load_pack(settings.pack if settings else book)
    day = _day(at) if at else local_day(system_clock(), pack.zone)
    lines = describe(pack, settings, day)
    if as_json:
        print_json({"book": book, "day": day, "rules": [line._asdict() for line in lines]})
    else:
        _print(f"Rules of {book} in force on {day.isoformat()}", lines)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no day such as 2026-11-22", param_hint="--at"
        ) from None


def _print(title: str, lines: Sequence[RuleLine]) -> None:
    """Lay the rules out; sources are long and few, so they stand below, by number."""
    sources = list(dict.fromkeys(line.source for line in lines if line.source))
    out = console()
    rows = [
        (
            line.rule,
            line.value + (f"\n({line.note})" if line.note else ""),
            line.since + (f" to {line.until}" if line.until else ""),
            line.confidence + (f" [{sources.index(line.source) + 1}]" if line.source else ""),
        )
        for line in lines
    ]
    laid_out = table(title, ("rule", "value", "since", "by whose word"), ())
    for row in rows:
        laid_out.add_row(*(Text(cell) for cell in row))
    out.print(laid_out)
    for number, source in enumerate(sources, start=1):
        out.print(Text(f"[{number}] {source}"), soft_wrap=True)
