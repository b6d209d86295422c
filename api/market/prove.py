"""A market from its first line to the last comparison: imported, lived, rebuilt, and the truth."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from psycopg import Connection

from api.market.check import Verdict, check
from api.market.compare import Digest, facts, projected, rebuild
from api.market.place import IMPORTED, LIVED, Place
from api.market.play import live
from api.market.simulate import FIRST_DAY, MOST_DAYS, Files
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook

T = TypeVar("T")
Show = Callable[[int], None]
Told = Callable[[str], None]

OVER = f"{FIRST_DAY + timedelta(days=MOST_DAYS + 1)}T00:00:00Z"
"""When the longest market is over, whatever the day is on which it is proved."""


class Step(NamedTuple):
    """One step of the proof for one book."""

    book: str
    step: str
    seconds: float
    things: int
    """Lines, facts or figures: what the step went through."""
    failures: list[str]


class Prover:
    """Goes through the steps, one book after the other."""

    def __init__(self, where: Place, told: Told) -> None:
        self._where, self._told = where, told
        self.steps: list[Step] = []

    def prove(
        self, book: str, rules: RuleBook, files: Files, ways: Iterable[str], show: Show
    ) -> None:
        """Take every step for one book."""
        if "import" in ways:
            self._step(book, "imported", lambda: self._imported(book, files))
            self._checked(book, files, IMPORTED)
        if "live" in ways:
            self._step(book, "lived", lambda: (live(book, rules, files, self._where, show), []))
            self._checked(book, files, LIVED)
        if {"import", "live"} <= {*ways}:
            self._step(book, "imported = lived, fact for fact", lambda: self._same_facts(book))
        if "rebuild" in ways:
            base = IMPORTED if "import" in ways else LIVED
            self._step(book, f"{base} = rebuilt", lambda: self._rebuilt(book, base))
            self._checked(book, files, base, "rebuilt")

    def _step(self, book: str, name: str, work: Callable[[], tuple[int, list[str]]]) -> None:
        self._told(f"{book}: {name} …")
        began = monotonic()
        things, failures = work()
        self.steps.append(Step(book, name, monotonic() - began, things, failures))
        took = self.steps[-1].seconds
        self._told(f"{book}: {name}: {'fails' if failures else 'holds'} ({took:.0f} s)")
        for failure in failures:
            self._told(f"  {failure}")

    def _imported(self, book: str, files: Files) -> tuple[int, list[str]]:
        done = self._where.run(
            *(IMPORTED, "import", str(files.lines), "--book", book),
            *("--from-start", "--now", OVER, "--json"),
        )
        return imported(done.stdout)

    def _checked(self, book: str, files: Files, base: str, name: str = "") -> None:
        def work() -> tuple[int, list[str]]:
            with connect(self._where.owner[base]) as connection:
                return told_of(check(connection, files, book))

        self._step(book, f"{name or base} = truth", work)

    def _same_facts(self, book: str) -> tuple[int, list[str]]:
        found = [self._digest(base, lambda c: facts(c, book)) for base in (IMPORTED, LIVED)]
        return differences(*found)

    def _rebuilt(self, book: str, base: str) -> tuple[int, list[str]]:
        with connect(self._where.owner[base]) as connection:
            before = projected(connection, book)
            read = rebuild(connection, book)
            _, failures = differences(before, projected(connection, book))
        return read, failures

    def _digest(self, base: str, ask: Callable[[Connection[Any]], T]) -> T:
        with connect(self._where.owner[base]) as connection:
            return ask(connection)


def imported(stdout: str) -> tuple[int, list[str]]:
    """Read what `obole import --json` says; only conflicts may be told as not taken."""
    try:
        told = json.loads(stdout)
    except ValueError:
        return 0, [f"the import told nothing: {stdout[:200]}"]
    conflict = "Another message came under this id"
    other = {why: n for why, n in told["reasons"].items() if not why.startswith(conflict)}
    return told["lines"], [f"{n} lines not taken: {why}" for why, n in other.items()]


def told_of(verdict: Verdict) -> tuple[int, list[str]]:
    """Say what of a verdict does not hold."""
    wrong = [
        f"{one.name}: expected {one.expected:,}, found {one.found:,}"
        for one in verdict.figures
        if not one.holds
    ]
    return len(verdict.figures), wrong + verdict.different


def differences(one: Mapping[str, Digest], other: Mapping[str, Digest]) -> tuple[int, list[str]]:
    """Say where two digests differ; gives how many things they are of."""
    names = sorted(one.keys() | other.keys())
    wrong = [
        f"{name}: {one.get(name)} and {other.get(name)}"
        for name in names
        if one.get(name) != other.get(name)
    ]
    return sum(digest.number for digest in one.values()), wrong


def home(folder: Path, book: str) -> Path:
    """Give where the server of a book's proof keeps its data: one server for each book."""
    return folder / f"{book}.home"
