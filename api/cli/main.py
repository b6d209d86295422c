"""The program `obole`: its commands put together, and what they refuse told in one place."""

import signal
from typing import NoReturn

import typer

from api.cli import (
    archive,
    audit,
    book,
    catalogue,
    counters,
    demo,
    expected,
    findings,
    importing,
    key,
    numbers,
    opt_outs,
    payouts,
    rates,
    refunds,
    rules,
    service,
    simulate,
    statement,
    subscriptions,
    upkeep,
    work,
)
from api.cli.refused import told

app = typer.Typer(
    name="obole",
    help="An event-sourced billing ledger for premium SMS.",
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
SET_UP, RUN, MONEY = "Set up a book", "Run it", "Money"
PEOPLE, SEE = "Consumers and evidence", "See for yourself"

app.command(rich_help_panel=SET_UP)(book.migrate)
app.add_typer(book.app, name="book", rich_help_panel=SET_UP)
app.add_typer(rules.app, name="rules", rich_help_panel=SET_UP)
app.add_typer(catalogue.app, name="catalogue", rich_help_panel=SET_UP)
app.add_typer(numbers.app, name="test-number", rich_help_panel=SET_UP)
app.add_typer(key.app, name="key", rich_help_panel=SET_UP)
app.command(rich_help_panel=RUN)(service.api)
app.command("work", rich_help_panel=RUN)(work.run_worker)
app.command(rich_help_panel=RUN)(service.serve)
app.command("import", rich_help_panel=RUN)(importing.import_file)
app.command(rich_help_panel=RUN)(upkeep.status)
app.command(rich_help_panel=RUN)(upkeep.unpark)
app.command("rebuild", rich_help_panel=RUN)(upkeep.rebuild_projections)
app.add_typer(archive.app, name="archive", rich_help_panel=RUN)
app.command("payouts", rich_help_panel=MONEY)(payouts.show_payouts)
app.command("statement", rich_help_panel=MONEY)(statement.show_statement)
app.command("expected", rich_help_panel=MONEY)(expected.expected)
app.command("rates", rich_help_panel=MONEY)(rates.rates)
app.command("refund", rich_help_panel=MONEY)(refunds.refund)
app.command("write-off", rich_help_panel=MONEY)(refunds.write_off)
app.add_typer(findings.app, name="findings", rich_help_panel=MONEY)
app.command("opt-outs", rich_help_panel=PEOPLE)(opt_outs.opt_outs)
app.add_typer(subscriptions.app, name="subscriptions", rich_help_panel=PEOPLE)
app.add_typer(counters.app, name="counters", rich_help_panel=PEOPLE)
app.add_typer(audit.app, name="audit", rich_help_panel=PEOPLE)
app.command(rich_help_panel=SEE)(demo.demo)
app.command(rich_help_panel=SEE)(demo.bench)
app.add_typer(simulate.app, name="simulate", rich_help_panel=SEE)


def run() -> None:
    """Carry out the command line that this process was started with.

    A polite kill ends it in good order: a server or process that it started does not stay behind.
    Commands that run until somebody wants an end take their signals over.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # and not ignored, as nohup has it
            signal.signal(number, _end)
    told(lambda: app(prog_name="obole"))


def _end(number: int, _: object) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise SystemExit(_SIGNALLED + number)


_SIGNALLED = 128
"""What shells add to a signal's number for the status of what it ended."""


if __name__ == "__main__":
    run()
