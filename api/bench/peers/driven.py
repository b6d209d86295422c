"""How a store is driven: so many writers at once, a reader behind them, every wait timed."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import Protocol

from api.bench.measure import Figure, waits
from ledger.log.rows import Row

Exchange = Sequence[Row]
"""The facts of one exchange, decided beforehand; a store makes of them what it stores."""

TAIL_PAUSE = 0.002
"""How long a reader that found nothing new waits."""


class Peer(Protocol):
    """A store, used as its own documentation shows."""

    name: str

    def append(self, exchanges: Sequence[Exchange]) -> None:
        """Store exchanges durably, in one go; many threads call it."""
        ...

    def after(self, last: int) -> Sequence[int]:
        """Give the ids of the next events after one, as a reader of all events asks for them."""
        ...

    def total(self) -> int:
        """Count the events that are stored."""
        ...


class Tail:
    """A reader that follows while others write, and counts what it has seen."""

    def __init__(self, after: Callable[[int], Sequence[int]]) -> None:
        self._after = after
        self.seen = 0
        self._last = 0

    def run(self, stop: threading.Event) -> None:
        """Read on until `stop` is set and nothing is left."""
        while True:
            ending = stop.is_set()
            found = self._after(self._last)
            if found:
                self.seen += len(found)
                self._last = found[-1]
            elif ending:
                return
            else:
                stop.wait(TAIL_PAUSE)


@contextmanager
def followed(after: Callable[[int], Sequence[int]]) -> Generator[Tail]:
    """Follow a store for as long as the block runs, and until the reader has come to its end."""
    tail, stop = Tail(after), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(tail.run, stop)
        try:
            yield tail
        finally:
            stop.set()
        reading.result()


def drive(peer: Peer, exchanges: Sequence[Exchange], writers: int, batch: int = 1) -> Figure:
    """Append exchanges by so many threads at once, `batch` of them in one go, with a reader."""
    jobs = iter([exchanges[at : at + batch] for at in range(0, len(exchanges), batch)])
    lock, each = threading.Lock(), list[float]()

    def write() -> None:
        while True:
            with lock:
                job = next(jobs, None)
            if job is None:
                return
            before = perf_counter()
            peer.append(job)
            each.append(perf_counter() - before)

    before_all = peer.total()
    with followed(peer.after) as tail:
        tail.seen -= before_all
        start = perf_counter()
        with ThreadPoolExecutor(writers) as pool:
            for done in [pool.submit(write) for _ in range(writers)]:
                done.result()
        seconds = perf_counter() - start
    missed = peer.total() - before_all - tail.seen
    what = named(peer.name, writers, batch)
    return waits(what, "exchanges", len(exchanges), seconds, each)._replace(missed=missed)


def named(name: str, writers: int, batch: int = 1) -> str:
    """Name a run: whose it is, and how it was driven."""
    how = f"{batch} a batch" if batch > 1 else f"{writers} writer{'s' if writers > 1 else ''}"
    return f"{name}, {how}"
