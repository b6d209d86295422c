"""How a run is told: a table by module, the survivors, or all of it as JSON."""

import tomllib
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from tests.mutation.mutants import Mutant

EQUIVALENT = Path(__file__).with_name("equivalent.toml")


class Kind(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    UNREACHED = "unreached"
    """No test runs its line."""
    EQUIVALENT = "equivalent"
    """Survived, and changes nothing that anybody could see: `equivalent.toml` says why."""


class Outcome(NamedTuple):
    """A mutant and what became of it."""

    mutant: Mutant
    kind: Kind
    reason: str


class Row(NamedTuple):
    """A module's counts."""

    module: str
    mutants: int
    killed: int
    timed_out: int
    survived: int
    """Those that no test reaches are among them."""
    unreached: int
    equivalent: int

    @property
    def score(self) -> float:
        """The part that was found, of those that can be, from 0 to 100."""
        real = self.mutants - self.equivalent
        return 100 * (self.killed + self.timed_out) / real if real else 100


def judged(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Take out of the survivors what is known to be equivalent."""
    known = {
        (one["path"], one["function"], one["old"], one["new"]): one["why"]
        for one in tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])
    }
    found: list[Outcome] = []
    for one in outcomes:
        mutant = one.mutant
        why = known.get((mutant.path, mutant.function, mutant.old.strip(), mutant.new.strip()))
        alive = one.kind in {Kind.SURVIVED, Kind.UNREACHED}
        found.append(Outcome(mutant, Kind.EQUIVALENT, why) if why and alive else one)
    return found


def rows(outcomes: Sequence[Outcome], paths: Sequence[str]) -> list[Row]:
    """Count by module, in the order of `paths`; modules without a mutant are left out."""
    found = [_row(path, [one for one in outcomes if one.mutant.path == path]) for path in paths]
    return [row for row in found if row.mutants]


def total(counted: Sequence[Row], name: str) -> Row:
    """Add rows up."""
    return Row(name, *(sum(column) for column in list(zip(*counted, strict=True))[1:]))


def _row(path: str, outcomes: Sequence[Outcome]) -> Row:
    kinds = [one.kind for one in outcomes]
    return Row(
        module=path,
        mutants=len(kinds),
        killed=kinds.count(Kind.KILLED),
        timed_out=kinds.count(Kind.TIMED_OUT),
        survived=kinds.count(Kind.SURVIVED) + kinds.count(Kind.UNREACHED),
        unreached=kinds.count(Kind.UNREACHED),
        equivalent=kinds.count(Kind.EQUIVALENT),
    )


HEAD = ("module", "mutants", "killed", "timed out", "survived", "unreached", "equivalent", "score")


def table(counted: Sequence[Row]) -> str:
    """Lay out a Markdown table, with a line for each group and for all."""
    groups = ("ledger/money", "ledger/decisions", "ledger/log")
    sums = [
        total(members, f"**{group}**")
        for group in groups
        if (members := [row for row in counted if row.module.startswith(group)])
    ]
    lines = [*counted, *sums, total(counted, "**all**")] if counted else []
    cells = [HEAD, *((*map(str, row), f"{row.score:.1f} %") for row in lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    laid = [" | ".join(_aligned(row, widths)) for row in cells]
    rule = " | ".join("-" * (w - 1) + (":" if n else "-") for n, w in enumerate(widths))
    return "\n".join(f"| {line} |" for line in [laid[0], rule, *laid[1:]])


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    pairs = list(zip(cells, widths, strict=True))
    return [cell.rjust(width) if n else cell.ljust(width) for n, (cell, width) in enumerate(pairs)]


def survivors(outcomes: Sequence[Outcome], source: dict[str, str]) -> str:
    """Show each survivor as the line it changes, before and after."""
    return "\n".join(
        _shown(one.mutant, one.kind, source[one.mutant.path])
        for one in outcomes
        if one.kind in {Kind.SURVIVED, Kind.UNREACHED}
    )


def _shown(mutant: Mutant, kind: Kind, source: str) -> str:
    mark = " (no test reaches it)" if kind is Kind.UNREACHED else ""
    line = source.splitlines()[mutant.line - 1].strip()
    return f"{mutant.name}{mark}: {line}\n    - {_short(mutant.old)}\n    + {_short(mutant.new)}"


def _short(text: str) -> str:
    return " ".join(text.split())
