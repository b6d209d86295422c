"""`obole refund`, `obole write-off`: a charge given back, or not paid by its operator."""

import re
from typing import Annotated, Literal

import typer

from api.cli.deciding import at_desk
from api.cli.desks import BookName
from api.cli.show import AsJson, money, print_json, say
from api.clock import system_clock
from ledger.commands.refunds import refund_charge, write_off_charge
from ledger.decisions.refund import By, Channel, RefundRequest
from ledger.decisions.write_off import WriteOffRequest
from ledger.facts.registry import Origin
from ledger.money import micros_text, parse_micros
from ledger.words import NUMBER_TOLD, tells_number

_ID = re.compile("[0-9a-f]{32}")
_WORDS = 500
"""Characters at most."""


def id_given(text: str | None) -> str | None:
    """Check an id of a fact's, which may be left out.

    Raises:
        typer.BadParameter: it is none.
    """
    if text is not None and not _ID.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no id of 32 hexadecimal digits")
    return text


def words_given(text: str) -> str:
    """Check what a person says of why.

    Raises:
        typer.BadParameter: it says nothing, too much, or a telephone number.
    """
    if not text.strip() or len(text) > _WORDS or not text.isprintable():
        raise typer.BadParameter(f"must say something, in {_WORDS} characters on one line")
    if tells_number(text):
        raise typer.BadParameter(NUMBER_TOLD)
    return text


ChargeName = Annotated[str, typer.Argument(callback=id_given, help="The charge, by its id.")]
Name = Annotated[
    str, typer.Option("--id", help="Your own name for it: asked for again, it happens once.")
]
Answers = Annotated[
    str | None,
    typer.Option("--finding", callback=id_given, help="The finding that it answers, by its id."),
]
Why = Annotated[str, typer.Option(callback=words_given, help="Why; it is recorded.")]


def _price(text: str | None) -> int | None:
    """Read an amount that may be left out.

    Raises:
        typer.BadParameter: it is none, or nothing.
    """
    if text is None:
        return None
    try:
        micros = parse_micros(text)
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong)) from wrong
    if micros <= 0:
        raise typer.BadParameter(f"{text} is not more than nothing")
    return micros


def refund(  # noqa: PLR0913 - each is an option of the command
    charge: ChargeName,
    *,
    name: Name,
    by: Annotated[
        By, typer.Option(metavar="WHO", help="Who gives it back: operator, aggregator or merchant.")
    ],
    reason: Why,
    channel: Annotated[
        Channel | None,
        typer.Option(help="How: on the bill by an operator alone; others by transfer or voucher."),
    ] = None,
    amount: Annotated[
        str | None, typer.Option(help="How much, tax included; an operator gives back all of it.")
    ] = None,
    finding: Answers = None,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Record that a consumer got a charge back, or part of it."""
    channel = channel or ("bill" if by == "operator" else "transfer")
    if (by == "operator") != (channel == "bill"):
        raise typer.BadParameter("an operator gives back on the bill, and nobody else does")
    price = _price(amount)
    if price is None and by != "operator":
        raise typer.BadParameter("only an operator gives all of it back without --amount")
    wanted = RefundRequest(name, charge, by, channel, reason, price, None, finding)
    origin, now = Origin(book, "cli"), system_clock()
    done = at_desk(book, lambda desk: refund_charge(desk, wanted, origin, now))
    fact = done.fact
    if as_json:
        told = {"refund": fact.refund, "charge": charge, "borne_by": fact.borne_by}
        given = {"amount": money(fact.price, fact.currency), "closed": list(done.closed)}
        again = {"repeated": done.repeated, "position": done.position}
        print_json({"book": book, **told, **given, **again})
        return
    what = f"{micros_text(fact.price)} {fact.currency} of {charge} are given back"
    say(what + (" already, nothing was recorded" if done.repeated else ""))
    _say_closed(done.closed)


def write_off(  # noqa: PLR0913 - each is an option of the command
    charge: ChargeName,
    *,
    name: Name,
    reason: Annotated[
        Literal["unpaid", "clawback"],
        typer.Option(help="The consumer never paid it, or the operator takes back what it paid."),
    ],
    note: Why,
    finding: Answers = None,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """Record that an operator does not pay us a charge."""
    wanted = WriteOffRequest(name, charge, reason, note, finding)
    origin, now = Origin(book, "cli"), system_clock()
    done = at_desk(book, lambda desk: write_off_charge(desk, wanted, origin, now))
    fact = done.fact
    unpaid = fact.amounts.reversement
    if as_json:
        told = {"write_off": fact.write_off, "charge": charge, "borne_by": fact.borne_by}
        lost = {"unpaid": money(unpaid, fact.currency), "closed": list(done.closed)}
        again = {"repeated": done.repeated, "position": done.position}
        print_json({"book": book, **told, **lost, **again})
        return
    what = f"{micros_text(unpaid)} {fact.currency} for {charge} are written off"
    say(what + (" already, nothing was recorded" if done.repeated else ""))
    _say_closed(done.closed)


def _say_closed(findings: tuple[str, ...]) -> None:
    for finding in findings:
        say(f"finding {finding} is closed by it")
