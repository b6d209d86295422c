"""What growth does to the log: the same questions at ever more facts, and a picture of it."""

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from psycopg import Connection

from api.bench.book import BOOK, EACH
from api.bench.many import Pattern, as_it_is, fill
from api.bench.measure import Figure, rate, waits
from api.bench.stage import Stage
from api.clock import system_clock
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest
from ledger.log.session import connect
from projections.balances import read as balances
from projections.cores import rebuild_all
from projections.engine import Engine
from projections.merchant_accounts import read as accounts
from projections.reading import answer

BATCH = 64
APPENDED = 64 * BATCH
"""Exchanges whose append is timed."""
LOOKUPS = 1_000
READS = 200
MERCHANT = "ludotel"

_SIZES = """
SELECT
    coalesce(sum(pg_total_relation_size(oid)), 0)::bigint,
    coalesce(sum(pg_indexes_size(oid)), 0)::bigint
FROM pg_class
WHERE relkind = 'r' AND relispartition AND (relname ~ '^facts_' OR relname ~ '^sightings_')
"""


class _Grown(NamedTuple):
    """A book that is being filled."""

    stage: Stage
    connection: Connection
    log: PostgresLog
    pattern: Pattern


def growth(stage: Stage) -> Iterator[Figure]:
    """Fill one book, and ask the same at each size on the way."""
    first, second = (proposal.decide(()) for proposal in stage.exchanges(2, "pattern"))
    with connect(stage.database.app_url) as connection:
        log = PostgresLog(connection, BOOK)
        grown = _Grown(stage, connection, log, Pattern(first, second))
        written, appended = 0, None
        for facts in stage.scale.grown:
            for there in fill(log, grown.pattern, range(written, facts // EACH)):
                if there % 250_000 == 0:
                    stage.progress.print(f"{there * EACH:,} facts …")
            written = facts // EACH
            figure = _appended(grown, written)
            written += APPENDED
            appended = appended or figure
            yield figure.beside_of(appended, "0.8")
            yield _looked_up(grown, written)
            yield from _read(grown, written)
            yield _sized(grown, written)


def _size(exchanges: int) -> str:
    return f"{exchanges * EACH / 1e6:.3g} M"


def _appended(grown: _Grown, written: int) -> Figure:
    ready = [grown.pattern.rows(number) for number in range(written, written + APPENDED)]
    proposals = [as_it_is(rows) for rows in ready]
    each: list[float] = []
    for at in range(0, APPENDED, BATCH):
        before = perf_counter()
        grown.log.submit(proposals[at : at + BATCH])
        each.append(perf_counter() - before)
    what = f"append at {_size(written)} facts, {BATCH} exchanges a batch"
    return waits(what, "exchanges", APPENDED, sum(each), each)


def _looked_up(grown: _Grown, written: int) -> Figure:
    """Read all of one consumer, any of those that there are."""
    drawn = random.Random(written)  # noqa: S311 - which consumers are asked for, the same each time

    def look() -> None:
        consumer = grown.pattern.consumer(drawn.randrange(written))
        rows, _ = grown.log.read((Interest((f"consumer:1_{consumer}",)),))
        assert rows

    return _asked(f"one consumer's trail at {_size(written)}", LOOKUPS, look, "p99 15 ms")


def _read(grown: _Grown, written: int) -> Iterator[Figure]:
    """Fold what is new, read accounts, and make all projections again on all cores."""
    connection = grown.connection
    start = perf_counter()
    facts = Engine(connection, BOOK).catch_up()
    what = f"folding on to {_size(written)}"
    yield rate(what, "facts", facts, perf_counter() - start, "all projections, one core")
    month = system_clock().date().replace(day=1)
    what = f"a merchant's statement at {_size(written)}"
    statement = accounts.statement(MERCHANT, month)
    yield _asked(what, READS, lambda: answer(connection, BOOK, statement), "p99 15 ms")
    what = f"the trial balance at {_size(written)}"
    trial = balances.trial_balance()
    yield _asked(what, READS, lambda: answer(connection, BOOK, trial), "p99 15 ms")
    start = perf_counter()
    rebuild_all(connection, grown.stage.database.app_url, BOOK)
    facts, _ = grown.log.head()
    seconds = perf_counter() - start
    yield rate(f"rebuild at {_size(written)}", "facts", facts, seconds, "all projections and cores")


def _asked(what: str, times: int, ask: Callable[[], object], bar: str) -> Figure:
    each: list[float] = []
    for _ in range(times):
        before = perf_counter()
        ask()
        each.append(perf_counter() - before)
    return waits(what, "answers", times, sum(each), each)._replace(bar=bar)


def _sized(grown: _Grown, written: int) -> Figure:
    row = grown.connection.execute(_SIZES).fetchone()
    assert row is not None
    facts, _ = grown.log.head()
    note = f"{row[1] / facts:.0f} of them indexes"
    what = f"disk at {_size(written)}"
    return Figure(what, "bytes a fact", row[0] / facts, note=note)


def plotted(figures: Sequence[Figure], file: Path) -> None:
    """Draw each question's answers by size, as SVG; matplotlib is of the development group."""
    from matplotlib import pyplot as plt  # noqa: PLC0415 - of the development group

    by_question: dict[str, list[tuple[float, float]]] = {}
    for figure in figures:
        question, _, size = figure.what.partition(" at ")
        if not size:
            question, _, size = figure.what.partition(" on to ")
        timed = question.startswith(("one ", "a ", "the "))
        value = figure.p99_ms if timed else figure.a_second
        unit = "p99 ms" if timed else f"{figure.unit} a second".replace("fact a second", "fact")
        facts = float(size.split(" ")[0]) * 1e6
        by_question.setdefault(f"{question}: {unit}", []).append((facts, value or 0.0))
    drawing, axes = plt.subplots(2, 4, figsize=(14, 6), constrained_layout=True)
    for axis, (question, points) in zip(axes.flat, by_question.items(), strict=False):
        axis.plot(*zip(*points, strict=True), marker="o", color="#1f5f8b")
        axis.set(title=question, xscale="log", ylim=(0, None), xlabel="facts in the log")
        axis.grid(alpha=0.3)
    for axis in list(axes.flat)[len(by_question) :]:
        axis.set_visible(False)
    drawing.savefig(file, metadata={"Date": None})  # pyright: ignore[reportUnknownMemberType]
    plt.close(drawing)
