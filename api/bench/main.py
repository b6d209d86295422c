"""Take the figures of every part in one run, and print its table or, for a program, JSON."""

import asyncio
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from api.bench import appending, copying, folding, growth, importing, intake, serving
from api.bench.book import BOOK, EACH
from api.bench.measure import Figure
from api.bench.peers.compared import compared
from api.bench.stage import FULL, Scale, Stage, staged
from api.clock import system_clock
from ledger.log.rows import Row, StoredRow
from ledger.log.session import connect

WIDTH = 132
PROCESSES = (1, 2)
"""That answer messages over HTTP, on one book."""


class UnknownPart(ValueError):
    """There is no part of the benchmark of that name."""


class Part(NamedTuple):
    """One table: what it is about, and how its figures are taken on a server of its own."""

    title: str
    figures: Callable[[Stage], Iterator[Figure]]
    asked: bool = False
    """Only where it is asked for: it takes an hour, or what not everybody has."""


def _log(stage: Stage) -> Iterator[Figure]:
    """Bare COPY, then appends of exchanges in batches."""
    ready = stage.exchanges(min(256, stage.scale.appended), "sample")
    sample = [row for proposal in ready for row in proposal.decide(())]
    with connect(stage.database.owner_url) as connection:
        limit = copying.copied(connection, _numbered(sample, stage.scale.copied))
    yield limit
    yield from _indexed(stage, limit)
    for batch in appending.BATCHES:
        count = stage.scale.appended // (1 if batch > 1 else 16)
        proposals = stage.exchanges(count, f"batch-{batch}")
        figure = appending.appended(stage.database.app_url, BOOK, proposals, batch)
        yield figure.beside_of(limit, "0.30" if batch >= appending.LARGE else "", each=EACH)
    yield from _in_a_loop(stage, limit)


def _indexed(stage: Stage, limit: Figure) -> Iterator[Figure]:
    """Write what the log writes, with nothing else to do: what no append on PostgreSQL can pass."""
    ready = stage.exchanges(stage.scale.appended, "indexed")
    rows = [row for proposal in ready for row in proposal.decide(())]
    with connect(stage.database.owner_url) as connection:
        for batch in (batch for batch in appending.BATCHES if batch >= appending.LARGE):
            figure = copying.indexed(connection, _numbered(rows, len(rows)), batch * EACH)
            yield figure.beside_of(limit)


def _in_a_loop(stage: Stage, limit: Figure) -> Iterator[Figure]:
    """Append through the writer that serves: one who brings many, and many who bring one each."""
    url = stage.database.app_url
    for batch in (batch for batch in appending.BATCHES if batch >= appending.LARGE):
        proposals = stage.exchanges(stage.scale.appended, f"ahead-{batch}")
        figure = asyncio.run(appending.appended_ahead(url, BOOK, proposals, batch))
        yield figure.beside_of(limit, "0.30", each=EACH)
    for writers in appending.WRITERS:
        count = stage.scale.appended // (8 if writers > 1 else 16)
        proposals = stage.exchanges(count, f"at-once-{writers}")
        figure = asyncio.run(appending.appended_at_once(url, BOOK, proposals, writers))
        yield figure.beside_of(limit, "", each=EACH)


def _intake(stage: Stage) -> Iterator[Figure]:
    """Messages decided, committed and answered: in process, then over HTTP."""
    yield from intake.in_process(stage)
    load = serving.Load(stage.scale.requested, intake.AT_ONCE)
    empty = serving.empty_route(load)
    yield empty
    key = stage.gateway_key()
    for processes in PROCESSES:
        served = serving.kannel_messages(stage.environ(), key, load, processes)
        yield served.beside_of(empty, "0.6, p99 50 ms")


def _peers(stage: Stage) -> Iterator[Figure]:
    """The same exchanges in our log and in what one would take instead."""
    proposals = stage.exchanges(3 * stage.scale.peers, "peers")
    urls = stage.database.app_url, stage.database.owner_url
    yield from compared(urls, BOOK, proposals, stage.progress)


PARTS: Mapping[str, Part] = {
    "log": Part("The log: appends beside bare COPY", _log),
    "intake": Part("The intake: messages over HTTP beside an empty route", _intake),
    "import": Part("The import: a file of messages, each decided", importing.imports),
    "folds": Part("The read side: folds, with their rows written", folding.figures),
    "growth": Part("Growth: the same questions at ever more facts", growth.growth, asked=True),
    "peers": Part("Peers: the same exchanges, each store as its documentation uses it", _peers),
}


class Taken(NamedTuple):
    """The figures of one part."""

    part: str
    title: str
    figures: Sequence[Figure]


def run(
    *, as_json: bool, only: Sequence[str] = (), scale: Scale = FULL, plot: Path | None = None
) -> None:
    """Measure, with progress on the error output, and print; `plot` takes a picture of growth.

    Raises:
        UnknownPart: `only` names a part that is not there.
    """
    progress = Console(stderr=True)
    for name in only:
        if name not in PARTS:
            raise UnknownPart(f"no part is named {name!r}; there are {', '.join(PARTS)}")
    taken = [_taken(name, scale, progress) for name in only or _usual()]
    if plot is not None:
        growth.plotted([figure for one in taken for figure in one.figures], plot)
    if as_json:
        sys.stdout.write(json.dumps(_as_data(taken), indent=2) + "\n")
        return
    for one in taken:
        Console(width=WIDTH).print(_table(one))


def _usual() -> list[str]:
    return [name for name, part in PARTS.items() if not part.asked]


def _taken(name: str, scale: Scale, progress: Console) -> Taken:
    part = PARTS[name]
    figures: list[Figure] = []
    with staged(scale, progress) as stage:
        for figure in part.figures(stage):
            progress.print(f"{figure.what}: {figure.a_second:,.0f} {figure.unit} a second")
            figures.append(figure)
    return Taken(name, part.title, figures)


def _numbered(sample: Sequence[Row], count: int) -> list[StoredRow]:
    """Repeat a sample of rows as `count` stored ones."""
    at = system_clock()
    rows = enumerate(islice(cycle(sample), count), 1)
    return [StoredRow(BOOK, position, at, *row) for position, row in rows]


def _as_data(taken: Sequence[Taken]) -> dict[str, object]:
    return {
        "machine": _machine(),
        "day": system_clock().date().isoformat(),
        "parts": {
            one.part: [
                {name: value for name, value in figure._asdict().items() if value not in ("", None)}
                for figure in one.figures
            ]
            for one in taken
        },
    }


def _machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _table(taken: Taken) -> Table:
    """Lay the figures of one part out; a column that nothing fills is left out."""
    title = f"{taken.title} ({_machine()}, {system_clock().date().isoformat()}, fsync on)"
    table = Table(title=title, title_justify="left")
    columns = {"what": [_what(figure) for figure in taken.figures]}
    columns |= {
        "a second": [f"{figure.a_second:,.0f} {figure.unit}" for figure in taken.figures],
        "ratio": [
            "" if figure.ratio is None else f"{figure.ratio:.3f}" for figure in taken.figures
        ],
        "of": [figure.beside for figure in taken.figures],
        "bar": [figure.bar for figure in taken.figures],
        "p50 ms": [_told(figure.p50_ms) for figure in taken.figures],
        "p99 ms": [_told(figure.p99_ms) for figure in taken.figures],
        "missed": ["" if figure.missed is None else str(figure.missed) for figure in taken.figures],
    }
    filled = {name: cells for name, cells in columns.items() if any(cells)}
    for name in filled:
        table.add_column(name, justify="left" if name in {"what", "of"} else "right")
    for row in zip(*filled.values(), strict=True):
        table.add_row(*row)
    return table


def _what(figure: Figure) -> str:
    return f"{figure.what} ({figure.note})" if figure.note else figure.what


def _told(wait: float | None) -> str:
    return "" if wait is None else f"{wait:.2f}"
