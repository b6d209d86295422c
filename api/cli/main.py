"""The program `obole`: its commands put together, and what they refuse told in one place."""

import typer

from api.cli import (
    audit,
    book,
    catalogue,
    counters,
    demo,
    expected,
    findings,
    key,
    numbers,
    opt_outs,
    payouts,
    rates,
    refunds,
    rules,
    service,
    statement,
    subscriptions,
    upkeep,
    work,
)
from api.cli.refused import told

app = typer.Typer(
    name="obole",
    help="An event-sourced billing ledger for premium SMS.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(book.migrate)
app.add_typer(book.app, name="book")
app.add_typer(rules.app, name="rules")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(numbers.app, name="test-number")
app.add_typer(subscriptions.app, name="subscriptions")
app.add_typer(findings.app, name="findings")
app.command("refund")(refunds.refund)
app.command("write-off")(refunds.write_off)
app.add_typer(key.app, name="key")
app.add_typer(counters.app, name="counters")
app.command("payouts")(payouts.show_payouts)
app.command("statement")(statement.show_statement)
app.add_typer(audit.app, name="audit")
app.command("opt-outs")(opt_outs.opt_outs)
app.command("expected")(expected.expected)
app.command("rates")(rates.rates)
app.command()(service.api)
app.command()(service.serve)
app.command("work")(work.run_worker)
app.command()(upkeep.status)
app.command()(upkeep.unpark)
app.command("rebuild")(upkeep.rebuild_one)
app.command()(demo.demo)
app.command()(demo.bench)


def run() -> None:
    """Carry out the command line that this process was started with."""
    told(lambda: app(prog_name="obole"))


if __name__ == "__main__":
    run()
