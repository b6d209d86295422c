"""What a trial is: a promise, a fault that should break it, and a control that must break it."""

import random
from collections.abc import Callable, Mapping
from enum import Enum
from typing import NamedTuple, Protocol

Say = Callable[[str], None]
"""Told how far a trial is; a line at a time."""


class Scale(Enum):
    """How long a trial goes on."""

    TINY = "tiny"
    """Seconds: what pytest runs, so that no trial is broken itself."""
    SHORT = "short"
    """A minute or two: what `make check` runs."""
    LONG = "long"
    """Hours: `make torture ARGS=--long`."""


class Verdict(NamedTuple):
    """What came of one run."""

    trial: str
    seed: int
    passed: bool
    facts: Mapping[str, int | float | str]
    """What was counted, by what it counts, in the table's order."""
    failures: list[str]
    """What was promised and not found, a sentence each."""


class Trial(Protocol):
    """One promise under one kind of fault. The seed decides all that the trial itself decides."""

    name: str
    """One word, as `--only` takes it."""
    promise: str
    """What holds whatever happens, in one sentence."""

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do the worst, and look whether the promise holds.

        Raises:
            Skipped: this machine cannot do it.
        """
        ...

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Do the same to something that does not keep the promise: it must not pass."""
        ...


class Skipped(Exception):
    """This machine lacks what the trial needs; the message says what."""


def judged(
    trial: str, seed: int, facts: Mapping[str, int | float | str], failures: list[str]
) -> Verdict:
    """Give the verdict: passed if nothing failed."""
    return Verdict(trial, seed, not failures, facts, failures)


def dice(trial: str, seed: int) -> random.Random:
    """Give a trial's own source of chance, the same for a seed whatever ran before."""
    return random.Random(f"{trial} {seed}")  # noqa: S311 - chance that can be repeated
