"""`obole findings`: what a person has to look at, and closing one."""

from typing import Annotated, get_args

import typer

from api import findings as face
from api.cli.asked import ask, marked, say_mark
from api.cli.deciding import at_desk
from api.cli.desks import BookName
from api.cli.refunds import Why, id_given
from api.cli.show import AsJson, print_json, print_table, say, table
from api.clock import system_clock
from ledger.commands.findings import close_finding
from ledger.decisions.finding import ByPerson
from ledger.facts.findings import FindingKind
from ledger.facts.registry import Origin
from projections.findings.read import LAST_POSITION, State, by_kind, findings
from projections.reading import Watermark

app = typer.Typer(no_args_is_help=True, help="What was billed and should not have been.")


_KINDS = f"Only those of one kind: {', '.join(get_args(FindingKind))}."


class _Listed(face.Findings):
    """A page of findings, and what there is of each kind."""

    kinds: list[face.OfKind]


@app.command("list")
def list_findings(
    *,
    kind: Annotated[FindingKind | None, typer.Option(metavar="KIND", help=_KINDS)] = None,
    state: Annotated[State | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many to list at most.")] = 20,
    before: Annotated[
        int,
        typer.Option(
            min=1,
            show_default=False,
            help="Go on after the position that a list ended with.",
        ),
    ] = LAST_POSITION,
    book: BookName = "fr",
    as_json: AsJson = False,
) -> None:
    """List findings, the newest first, and what they come to by kind."""
    counted = ask(book, by_kind())
    mark, page = ask(book, findings(limit, kind, state, before))
    shown = _Listed(
        findings=[face.told(one) for one in page.findings],
        next=page.end,
        kinds=face.summed(counted.value).kinds,
    )
    if as_json:
        print_json(marked(mark, shown))
    else:
        _show(mark, shown)


@app.command()
def close(
    finding: Annotated[str, typer.Argument(callback=id_given, help="The finding, by its id.")],
    how: Annotated[ByPerson, typer.Option(help="It was set right, or nothing was wrong.")],
    note: Why,
    book: BookName = "fr",
    *,
    as_json: AsJson = False,
) -> None:
    """Close a finding that needs nobody any more."""
    origin, now = Origin(book, "cli"), system_clock()
    done = at_desk(book, lambda desk: close_finding(desk, finding, (how, note), origin, now))
    if as_json:
        told = {"finding": finding, "how": done.fact.how, "repeated": done.repeated}
        print_json({"book": book, **told, "position": done.position})
        return
    say(f"{finding} is closed" + (" already, nothing was recorded" if done.repeated else ""))


def _show(mark: Watermark, shown: _Listed) -> None:
    say_mark(mark)
    if not shown.findings:
        say("Nothing was found.")
        return
    kinds = [
        (one.kind, one.open.findings, _amount(one.open.amount), one.closed.findings)
        for one in shown.kinds
    ]
    columns = ("kind", "#open", "#they come to", "#closed")
    print_table(table("Findings by kind, test numbers left out", columns, kinds))
    columns = ("=finding", "kind", "=since (UTC)", "#amount", "code", "closed")
    print_table(table("Findings, the newest first", columns, map(_row, shown.findings)))
    if shown.next is not None:
        say(f"There are more: --before {shown.next}")


def _row(one: face.Finding) -> tuple[object, ...]:
    return (
        one.finding,
        f"{one.kind} (test)" if one.test else one.kind,
        f"{one.opened_at:%Y-%m-%d %H:%M}",
        _amount(one.amount),
        one.short_code,
        one.closed.how if one.closed else None,
    )


def _amount(amount: face.Money | None) -> str | None:
    return amount and f"{amount.amount} {amount.currency}"
