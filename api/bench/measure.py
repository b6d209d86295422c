"""How a figure is taken: a rate over a run, percentiles of single waits, and what bounds it."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of a table: how many of `unit` a second, and how long one had to wait.

    `ratio` is the part of `beside`, another figure of the same run; `bar` is what it is to be.
    """

    what: str
    unit: str
    a_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    note: str = ""
    beside: str = ""
    ratio: float | None = None
    bar: str = ""
    missed: int | None = None
    """How many stored facts a reader that followed meanwhile never saw."""

    def beside_of(self, other: "Figure", bar: str = "", *, each: int = 1) -> "Figure":
        """Give the same figure as a part of another, counting each of its units as `each`."""
        ratio = self.a_second * each / other.a_second
        return self._replace(beside=other.what, ratio=ratio, bar=bar)


def rate(what: str, unit: str, count: int, seconds: float, note: str = "") -> Figure:
    """Give a figure for work that was timed as a whole."""
    return Figure(what, unit, count / seconds, note=note)


def waits(what: str, unit: str, count: int, seconds: float, each: Sequence[float]) -> Figure:
    """Give a figure for work whose every wait was timed, in seconds."""
    ordered = sorted(each)
    p50, p99 = (1000 * ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.5, 0.99))
    return Figure(what, unit, count / seconds, p50, p99)


def timed(work: Callable[[], object]) -> float:
    """Give how many seconds `work` takes."""
    start = perf_counter()
    work()
    return perf_counter() - start
