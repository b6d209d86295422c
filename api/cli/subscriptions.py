"""`obole subscriptions`: what a merchant's consumers subscribed to, and ending one."""

from typing import Annotated, Literal

import typer

from api import subscriptions as face
from api.cli.asked import ask, marked, say_mark
from api.cli.deciding import at_desk, tell
from api.cli.desks import BookName
from api.cli.refunds import Why
from api.cli.show import AsJson, print_json, print_table, say, table
from api.clock import system_clock
from ledger.commands.subscriptions import stop_subscription
from ledger.facts.registry import Origin
from projections.subscriptions.read import LATEST, State, of_merchant

app = typer.Typer(no_args_is_help=True, help="What consumers are charged for again and again.")


@app.command("list")
def list_subscriptions(
    merchant: Annotated[str, typer.Argument(help="The merchant, by its name in the catalogue.")],
    *,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many to list at most.")] = 20,
    before: Annotated[
        int,
        typer.Option(
            min=1,
            show_default=False,
            help="Go on after the position that a list ended with.",
        ),
    ] = LATEST,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """List a merchant's subscriptions, those that began last first."""
    mark, page = ask(book, of_merchant(merchant, limit, state, before))
    shown = face.Subscriptions(
        merchant=merchant,
        subscriptions=[face.told(one) for one in page.subscriptions],
        next=page.end,
    )
    if as_json:
        print_json(marked(mark, shown))
        return
    say_mark(mark)
    if not shown.subscriptions:
        say(f"{merchant} has no such subscription.")
        return
    columns = ("=subscription", "service", "state", "#price", "=next due")
    title = f"Subscriptions of {merchant}, those that began last first"
    print_table(table(title, columns, map(_row, shown.subscriptions)))
    if shown.next is not None:
        say(f"There are more: --before {shown.next}")


@app.command()
def stop(
    subscription: Annotated[str, typer.Argument(help="The subscription, by its id.")],
    reason: Why,
    by: Annotated[
        Literal["merchant", "regulator"], typer.Option(help="Whose word it ends on.")
    ] = "merchant",
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """End a subscription: nothing of it is charged or sent from now on."""
    origin, now = Origin(book, "cli"), system_clock()
    settled = at_desk(
        book, lambda desk: stop_subscription(desk, subscription, by, reason, origin, now)
    )
    tell(f"{subscription} is stopped", book, settled, as_json=as_json)


def _row(one: face.Subscription) -> tuple[object, ...]:
    service = f"{one.service} (test)" if one.test else one.service
    charge = f", {one.last_charge.state}" if one.last_charge else ""
    return (
        one.subscription,
        f"{service}, {one.every.n} {one.every.unit}",
        f"stopped by {one.stopped_by}" if one.stopped_by else f"{one.state}{charge}",
        f"{one.price.amount} {one.price.currency}",
        f"{one.next_due_at:%Y-%m-%d}" if one.next_due_at else None,
    )
