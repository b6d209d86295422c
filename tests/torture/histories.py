"""What clients did and saw, as lines that elle reads, and whether any correct ledger could have.

Each operation is two lines: it is invoked, and it ends `ok`, `fail` (it had no effect) or `info`
(nobody knows). `set_failures` and `bank_failures` judge here; `histories_cycles` judges the rest.

Source: Jepsen's history format and its `set-full` and `bank` checkers; Kingsbury and Alvaro, "Elle:
Inferring Isolation Anomalies from Experimental Observations" (2020).
"""

import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Any, Literal, NamedTuple

import msgspec

SHOWN = 3
"""How many examples a failure names."""

KEPT: list[Path] = []
"""The folder in which a run keeps its histories, if it does."""

Type = Literal["invoke", "ok", "fail", "info"]


class Line(msgspec.Struct, frozen=True):
    """The beginning or the end of an operation; `time` is nanoseconds since the history began."""

    type: Type
    f: str
    value: Any
    process: int
    index: int
    time: int


class Operation(NamedTuple):
    """A whole operation; one that never ended has no `ended`, and counts as `info`."""

    f: str
    type: Type
    asked: Any
    told: Any
    began: int
    """The index of its first line."""
    ended: int | None


class History:
    """Lines in the order in which they came about, whichever thread says them."""

    def __init__(self, clock: Callable[[], int] = monotonic_ns) -> None:
        self.lines: list[Line] = []
        self._clock, self._start = clock, clock()
        self._lock = threading.Lock()

    def say(self, kind: Type, f: str, value: object, process: int) -> None:
        """Add a line."""
        with self._lock:
            time = self._clock() - self._start
            self.lines.append(Line(kind, f, value, process, len(self.lines), time))

    def keep(self, name: str) -> None:
        """Keep it where the run keeps its histories, if it does."""
        for folder in KEPT:
            self.write(folder / f"{name}.jsonl")

    def write(self, path: Path) -> None:
        """Keep it in a file, a line of JSON to each of its own."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in self.lines))


def operations(lines: Iterable[Line]) -> list[Operation]:
    """Put each operation's two lines together, in the order in which they began.

    Raises:
        ValueError: a process ends what it did not begin, or begins two things at once.
    """
    open_by: dict[int, Line] = {}
    found: list[Operation] = []
    for line in lines:
        begun = open_by.pop(line.process, None)
        if (line.type == "invoke") == (begun is not None):
            raise ValueError(f"process {line.process} cannot {line.type} at {line.index}")
        if begun is None:
            open_by[line.process] = line
        else:
            found.append(
                Operation(line.f, line.type, begun.value, line.value, begun.index, line.index)
            )
    left = open_by.values()
    found += [Operation(one.f, "info", one.value, None, one.index, None) for one in left]
    return sorted(found, key=lambda one: one.began)


def set_failures(done: Sequence[Operation]) -> list[str]:
    """Judge a set: `add` of an element, `read` of all of them.

    Once an element was added it is in every read that begins later: else it is lost or, if a read
    after that has it, that read was stale. No read has one twice, or one that nobody added.
    """
    reads = [one for one in done if one.f == "read" and one.type == "ok"]
    adds = [one for one in done if one.f == "add"]
    last = set(reads[-1].told) if reads else set()
    lost: set[object] = set()
    stale: set[object] = set()
    # Reads in order, and what was added before each began, so that a long history is one pass.
    added = sorted((one for one in adds if one.type == "ok"), key=lambda one: one.ended or 0)
    before: set[object] = set()
    place = 0
    for read in reads:
        while place < len(added) and (added[place].ended or 0) < read.began:
            before.add(added[place].asked)
            place += 1
        missing = before - set(read.told)
        lost |= missing - last
        stale |= missing & last
    strangers = last - {one.asked for one in adds if one.type != "fail"}
    doubled = {one for read in reads for one, times in Counter(read.told).items() if times > 1}
    return [
        *_some("were added and are lost", lost),
        *_some("were missing from a read that began after they were added", stale),
        *_some("were read twice", doubled),
        *_some("were read and never added", strangers),
    ]


def bank_failures(done: Sequence[Operation], total: int = 0) -> list[str]:
    """Judge accounts: whatever is moved meanwhile, each read of all of them adds up to the same."""
    wrong = [
        f"{one.told} (line {one.ended})"
        for one in done
        if one.f == "read" and one.type == "ok" and sum(one.told.values()) != total
    ]
    return _some(f"reads do not add up to {total}", wrong)


def _some(what: str, which: Collection[object]) -> list[str]:
    if not which:
        return []
    examples = ", ".join(sorted(map(str, which))[:SHOWN])
    return [f"{len(which):,} {what}, such as {examples}"]
