"""`obole payouts`: what is due to merchants for a month, and the facts that it consists of."""

import asyncio
from typing import Annotated, Any, NamedTuple

import typer
from pydantic import BaseModel

from api.cli.asked import PROVISIONAL, say_mark
from api.cli.desks import BookName, connection_to, migrated_database
from api.cli.months import MonthName, refuse_unregistered
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, count, money, print_json, print_table, say, table
from api.database import Database
from api.documents.explained import LINES, Explained, NotTogether, explained
from api.documents.lines import LineFact
from api.payouts import Lines, Payouts, of_one, payouts, period_of
from api.shapes import first_day, last_day
from ledger.log.session import connect_async
from ledger.money import micros_text
from projections.merchant_accounts import read as accounts
from projections.reading import Answer, Read, Watermark, answer


def show_payouts(
    month: MonthName,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant.")] = None,
    *,
    facts: Annotated[
        bool, typer.Option("--facts", help="With --merchant: every fact of every line.")
    ] = False,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Show what each merchant is due for a month, as far as known.

    With --facts each line is explained by the facts that it consists of;
    the status is 1 if they do not sum to it.
    """
    if facts and merchant is None:
        raise typer.BadParameter("goes with --merchant", param_hint="--facts")
    with migrated_database() as database, connection_to(database, book) as connection:
        if merchant is not None:
            refuse_unregistered(connection, book, merchant)
        if facts and merchant is not None:
            _explain(database, _Month(book, merchant, month), as_json=as_json)
            return
        watermark, found = answer(connection, book, _read(month, merchant))
    report = payouts(month, found)
    if as_json:
        print_json(_marked(report, watermark))
        return
    _print(report)
    say_mark(watermark, PROVISIONAL)


def _read(month: str, merchant: str | None) -> Read[list[accounts.MerchantTotal]]:
    if merchant is None:
        return accounts.overview(first_day(month), last_day(month))
    one = accounts.statement(merchant, first_day(month))
    return Read(one.projection, one.sql, lambda rows: of_one(one.shape(rows)), one.params)


def _marked(report: BaseModel, watermark: Watermark) -> dict[str, Any]:
    complete = {"position": watermark.position, "recorded_at": watermark.recorded_at}
    return {"book": watermark.book, **report.model_dump(), "complete": complete}


def _print(report: Payouts) -> None:
    names = (name.replace("_", " ") for name in (*LINES, "payable"))
    columns = ("=merchant", *(f"#{name}" for name in names))
    for total in report.totals:
        rows = [
            *(
                (one.merchant, *_cells(one.lines))
                for one in report.payouts
                if one.currency == total.currency
            ),
            ("total", *_cells(total.lines)),
        ]
        title = f"Payouts of {report.month} in {total.currency}: merchants' shares, net of tax"
        print_table(table(title, columns, rows))
    if not report.totals:
        say(f"Payouts of {report.month}: nothing is recorded of this month")
    say("Unresolved lies within pending. What is payable is not recorded yet.")


def _cells(of: Lines) -> list[str]:
    return [getattr(of, name).share.amount for name in LINES] + ["not recorded"]


# --- Every line by its facts ---


class _Month(NamedTuple):
    """A merchant's month in a book."""

    book: str
    merchant: str
    month: str


def _explain(database: Database, about: _Month, *, as_json: bool) -> None:
    watermark, found = asyncio.run(_explained(database.app_url, about))
    if as_json:
        print_json(_explained_json(about, watermark, found))
    else:
        for one in found:
            _print_facts(one)
        say_mark(watermark, PROVISIONAL)
    wrong = [one.line for one in found if not one.whole]
    if wrong:
        raise CommandRefused(f"the facts do not explain {', '.join(wrong)} of {about.merchant}")


async def _explained(app_url: str, about: _Month) -> Answer[list[Explained]]:
    connection = await connect_async(app_url)
    async with connection:
        try:
            return await explained(connection, about.book, about.merchant, period_of(about.month))
        except NotTogether as apart:
            raise CommandRefused(f"{apart}: `obole status` tells which is behind") from apart


def _print_facts(one: Explained) -> None:
    columns = ("#position", "=type", "=charge", "=day", "#amount", "#share")
    rows = [
        (fact.position, fact.type, fact.charge, fact.day, micros_text(fact.price),
         micros_text(fact.share))
        for fact in one.facts
    ]  # fmt: skip
    title = f"{one.line.replace('_', ' ')}: {micros_text(one.share_micros)} {one.currency}"
    if rows:
        print_table(table(title, columns, rows))
    else:
        say(title)
    say(f"explained: {count(len(rows), 'fact')}, difference {micros_text(one.difference)}")
    if one.charges != len(rows):
        say(f"the line counts {one.charges:,}")


def _explained_json(about: _Month, watermark: Watermark, found: list[Explained]) -> dict[str, Any]:
    return {
        "book": about.book,
        "merchant": about.merchant,
        "month": about.month,
        "not_recorded": ["payable"],
        "payable": None,
        "lines": [
            {
                "line": one.line,
                "charges": one.charges,
                "share": money(one.share_micros, one.currency),
                "explained": len(one.facts),
                "difference": money(one.difference, one.currency),
                "facts": [_fact_json(fact) for fact in one.facts],
            }
            for one in found
        ],
        "complete": {"position": watermark.position, "recorded_at": watermark.recorded_at},
    }


def _fact_json(fact: LineFact) -> dict[str, Any]:
    return {
        "position": fact.position,
        "fact": fact.fact,
        "type": fact.type,
        "charge": fact.charge,
        "day": fact.day,
        "amount": money(fact.price, fact.currency),
        "share": money(fact.share, fact.currency),
    }
