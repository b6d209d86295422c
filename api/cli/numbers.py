"""`obole test-number`: which numbers only test, so that nobody earns what they buy."""

from typing import Annotated

import typer

from api.cli.deciding import at_desk, tell
from api.cli.desks import BookName
from api.cli.show import AsJson, print_json, say
from api.clock import system_clock
from ledger.commands.catalogue import declare_test_number, withdraw_test_number
from ledger.commands.numbers import NumberWanted
from ledger.facts.registry import Origin

app = typer.Typer(no_args_is_help=True, help="Numbers to test with: outside earnings and counts.")


@app.command()
def declare(
    operator: Annotated[str, typer.Option(help="Its operator, by MCC and MNC: 20801.")],
    code: Annotated[str, typer.Option(help="A short code that it will write to.")],
    label: Annotated[str, typer.Option(help="Whose it is, without the number.")],
    sender: Annotated[
        str,
        typer.Option(
            prompt="The number or alias, as the operator tells it",
            help="The number or alias; asked for where it is not given. It is recorded nowhere.",
        ),
    ],
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Let a number be one for testing from now on; prints the pseudonym that it is known by."""
    now = system_clock()
    places = {"operator": "--operator", "short_code": "--code"}
    fields = {**places, "sender": "--sender", "label": "--label"}
    wanted = NumberWanted(operator, code, sender, label, now, "the number", fields)
    consumer, settled = at_desk(
        book,
        lambda desk: declare_test_number(desk, wanted, Origin(book, "cli"), now),
        keys=True,
    )
    if as_json:
        print_json({"book": book, "consumer": consumer, "new": bool(settled.appended)})
        return
    say(f"{consumer} is for testing{'' if settled.appended else ' already'}")


@app.command()
def withdraw(
    consumer: Annotated[str, typer.Argument(help="Its pseudonym, as `declare` printed it.")],
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Let a number be an ordinary consumer's again from now on."""
    origin, now = Origin(book, "cli"), system_clock()
    settled = at_desk(book, lambda desk: withdraw_test_number(desk, consumer, origin, now))
    tell(f"{consumer} is an ordinary consumer's", book, settled, as_json=as_json)
