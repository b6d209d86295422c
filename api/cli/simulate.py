"""`obole simulate`: a market made up, its truth beside it, and a ledger held against that."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from api.books import load_rules
from api.cli.desks import connection_to, migrated_database
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, aside, count, print_json, print_table, progress_bar, say, table
from api.market.check import Verdict, check
from api.market.goods import SHOPS
from api.market.place import place
from api.market.prove import OVER, Prover, Step, home, told_of
from api.market.simulate import MOST_DAYS, Files, Wanted, simulate
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook

app = typer.Typer(
    invoke_without_command=True,
    help="A made-up market as lines to import, with the truth that a correct ledger ends with.",
)

Seed = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]
Days = Annotated[int, typer.Option(min=1, max=MOST_DAYS, help="From Monday 5 October 2026 on.")]
Rate = Annotated[int, typer.Option(min=1, help="Messages an hour, on average.")]
Messages = Annotated[int | None, typer.Option(min=1, help="How many messages, instead of --rate.")]
Book = Annotated[str | None, typer.Option("--book", help="fr or be; both by default.")]
Out = Annotated[Path, typer.Option("--out", help="The folder that it is written into.")]
Force = Annotated[
    bool, typer.Option("--force", help="Write over a market of the same book in the folder.")
]
_OUT = Path("market")
_WAYS = ("import", "live", "rebuild")
_HOURS = 24


@app.callback()
def simulate_market(  # noqa: PLR0913, PLR0917 - each is an option of the command
    context: typer.Context,
    seed: Seed = 1,
    days: Days = 30,
    rate: Rate = 100,
    messages: Messages = None,
    book: Book = None,
    out: Out = _OUT,
    *,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Write a market into a folder."""
    if context.invoked_subcommand is not None:
        return
    wanted = _wanted(seed, days, rate, messages, book)
    _refuse_written(wanted, out, force=force)
    made = _made(wanted, load_rules(), out)
    if as_json:
        print_json({name: str(files.lines) for name, files in made.items()})
        return
    for name, files in made.items():
        say(f"{name}: {files.lines}, and what must come of it: {files.truth}")
        say(f"  obole catalogue load {files.catalogue} --book {name}")
        say(f"  obole import {files.lines} --book {name} --now {OVER}")
        say(f"  obole simulate check --book {name} --out {out}")


@app.command("check")
def check_truth(
    book: Annotated[str, typer.Option("--book", help="fr or be.")] = "fr",
    out: Annotated[Path, typer.Option("--out", help="The folder that it was written into.")] = _OUT,
    *,
    as_json: AsJson = False,
) -> None:
    """Hold a book of the database against the truth in a folder; the status is 1 if they differ.

    After `obole import` with the market's own turns its projections are at the
    head. To let `obole work --once` bring them there, give it the time of the
    last turn as `--now`: by today's, charges would have grown old meanwhile.
    """
    files = Files(out, book)
    if not files.truth.exists():
        raise CommandRefused(f"there is no market of the book {book!r} in {out}")
    with (
        migrated_database() as database,
        connection_to(database, book),
        connect(database.owner_url) as connection,
    ):
        verdict = check(connection, files, book)
    _tell(book, verdict, as_json=as_json)
    if not verdict.holds:
        raise CommandRefused(f"{book}: the ledger is not what it must be")


@app.command()
def prove(  # noqa: PLR0913 - each is an option of the command
    seed: Seed = 1,
    days: Days = 30,
    messages: Annotated[int, typer.Option(min=1, help="How many messages, of all books.")] = 10_000,
    book: Book = None,
    out: Out = _OUT,
    ways: Annotated[
        str, typer.Option(help="Which of import, live and rebuild, with commas between.")
    ] = "import,live,rebuild",
    *,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Play a market in every way and compare everything with everything.

    Writes it, imports it, plays it over HTTP, drops and rebuilds the projections, in a server of
    its own in the folder. `--messages` is the sum over the books.
    """
    taken = _taken(ways)
    wanted, rules = _wanted(seed, days, 0, messages, book), load_rules()
    _refuse_written(wanted, out, force=force)
    made = _made(wanted, rules, out)
    steps: list[Step] = []
    for name, files in made.items():
        own = {name: rules[name]}
        with place(home(out, name), own, {name: files}) as where:
            prover = Prover(where, aside)
            total = json.loads(files.truth.read_text(encoding="utf-8"))["lines"]
            with _bar(f"{name}: live", total) as show:
                prover.prove(name, rules[name], files, taken, show)
            steps += prover.steps
    if as_json:
        print_json([one._asdict() for one in steps])
    else:
        _tell_steps(f"Market of seed {seed}, {messages:,} messages", steps)
    if any(one.failures for one in steps):
        raise CommandRefused("the ledger is not what it must be")


def _tell_steps(title: str, steps: list[Step]) -> None:
    rows = [
        (one.book, one.step, f"{one.things:,}", f"{one.seconds:.1f}", _held(one.failures))
        for one in steps
    ]
    print_table(table(title, ("book", "step", "#things", "#seconds", "holds"), rows))


def _taken(ways: str) -> set[str]:
    """Read which ways are to be taken: one that proves nothing must not be told as held."""
    taken = {way.strip() for way in ways.split(",")}
    if unknown := taken - {*_WAYS}:
        told = ", ".join(map(repr, sorted(unknown)))
        raise typer.BadParameter(f"{told}: none of {', '.join(_WAYS)}", param_hint="--ways")
    if taken == {"rebuild"}:
        raise typer.BadParameter(
            "a rebuild needs an import or a life before it", param_hint="--ways"
        )
    return taken


def _held(failures: list[str]) -> str:
    return "no" if failures else "yes"


def _wanted(
    seed: int, days: int, rate: int, messages: int | None, book: str | None
) -> list[Wanted]:
    books = [book] if book else sorted(SHOPS, reverse=True)
    if not set(books) <= set(SHOPS):
        raise CommandRefused(f"there are markets of {', '.join(SHOPS)}, and none of {book}")
    total = messages if messages is not None else rate * _HOURS * days
    return [Wanted(one, seed, days, max(1, total // len(books))) for one in books]


def _refuse_written(wanted: list[Wanted], out: Path, *, force: bool) -> None:
    """See that no market that is there is written over unasked."""
    there = [
        one.book
        for one in wanted
        if any(
            path.exists() for path in (*vars(Files(out, one.book)).values(), home(out, one.book))
        )
    ]
    if there and not force:
        raise CommandRefused(
            f"{out} holds a market of {' and '.join(there)} already: "
            "name another --out, or write over it with --force"
        )


def _made(wanted: list[Wanted], rules: Mapping[str, RuleBook], out: Path) -> dict[str, Files]:
    made: dict[str, Files] = {}
    for one in wanted:
        try:
            with _bar(f"{one.book}: writing", one.messages) as show:
                made[one.book] = simulate(one, rules[one.book], out, show)
        except OSError as error:
            raise CommandRefused(f"nothing can be written into {out}: {error.strerror}") from error
        aside(f"{one.book}: {count(one.messages, 'message')} written")
    return made


@contextmanager
def _bar(text: str, total: int) -> Generator[Callable[[int], None]]:
    with progress_bar() as progress:
        task = progress.add_task(text, total=total)
        yield lambda done: progress.update(task, completed=done)


def _tell(book: str, verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        shown: dict[str, Any] = {
            "book": book,
            "holds": verdict.holds,
            "figures": [{**one._asdict(), "holds": one.holds} for one in verdict.figures],
            "different": verdict.different,
        }
        print_json(shown)
        return
    rows = [
        (one.name, f"{one.expected:,}", f"{one.found:,}", "" if one.holds else "DIFFERS")
        for one in verdict.figures
    ]
    print_table(
        table(f"The book {book} and its truth", ("figure", "#expected", "#found", ""), rows)
    )
    for told in told_of(verdict)[1]:
        say(told)
