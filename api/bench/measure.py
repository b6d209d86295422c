"""How a figure is taken: a rate over a whole run, and percentiles of single waits."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple


class Figure(NamedTuple):
    """One line of the table: how many of `unit` a second, and how long one had to wait."""

    what: str
    unit: str
    a_second: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    note: str = ""


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
