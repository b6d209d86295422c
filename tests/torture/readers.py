"""Readers that tail a book while sixteen writers pause between writing and committing.

A position that is given before its commit can appear after a later one; whoever reads on behind
the last position it saw then never sees it. Our positions are given under the book's lock, so they
appear in order. The control gives them by a sequence, as most tables do.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from threading import Event
from typing import Any, NamedTuple

import msgspec
from psycopg import Connection
from psycopg_pool import ConnectionPool

from ledger.log import statements as sql
from ledger.log.batch import Outcome, Proposal
from ledger.log.follow import follow
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Row
from ledger.log.session import log_conninfo
from tests.support.database import add_template, clone, new_server
from tests.torture.naive import NaiveTable
from tests.torture.trial import Say, Scale, Verdict, dice, judged

BOOK = "fr"
WRITERS, READERS = 16, 3
FACTS = {Scale.TINY: 4_000, Scale.SHORT: 100_000, Scale.LONG: 1_000_000}
CONTROLLED = {Scale.TINY: 4_000, Scale.SHORT: 20_000, Scale.LONG: 100_000}
SIZES = (1, 3, 40, 400)
"""How many facts a writer appends with one commit."""
GIVES_UP = 0.03
"""How often a writer is stopped just before it commits, and writes again."""
PAGES = (1_000, 64, 5_000)
"""How many rows each reader asks for at a time."""

Name = tuple[int, int]
"""A fact by its writer and number."""
Seen = list[tuple[int, Name]]
"""What a reader was shown: positions, and whose facts stand there."""


class GaveUp(Exception):
    """A writer is stopped before it commits; nothing of its transaction may be seen."""


class Pausing(Connection[Any]):
    """A connection that dawdles before each commit, and sometimes breaks off there."""

    dice: random.Random
    gives_up: float = 0.0

    def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as psycopg has it
        if query == sql.COMMIT:
            dawdle(self.dice)
            if self.dice.random() < self.gives_up:
                raise GaveUp
        return super().execute(query, *args, **kwargs)


class Written(NamedTuple):
    """What one writer was told is committed, and how often it had to begin again."""

    acknowledged: list[Name]
    again: int


class Readers:
    """Sixteen writers with pauses, three readers that tail."""

    name = "readers"
    promise = "Whoever reads on behind the last position it saw misses nothing"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Write and tail through our log."""
        with new_server(durable=True) as server:
            add_template(server)
            with clone(server) as database:
                return _ours(database.app_url, FACTS[scale], seed, say)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Write and tail through a table whose positions a sequence gives."""
        with new_server(durable=False) as server:
            add_template(server)
            with clone(server) as database:
                return _naive(database.owner_url, CONTROLLED[scale], seed, say)


def dawdle(chance: random.Random) -> None:
    """Wait between nothing and some milliseconds, seldom much longer."""
    if chance.random() < 0.5:
        Event().wait(chance.random() * (0.05 if chance.random() < 0.04 else 0.004))


def judge(seen: Sequence[Seen], written: Sequence[Written], seed: int) -> Verdict:
    """Compare what readers saw with what writers were told."""
    truth = {name for one in written for name in one.acknowledged}
    failures: list[str] = []
    missed, doubled, disordered = 0, 0, 0
    for number, pairs in enumerate(seen):
        names = Counter(name for _, name in pairs)
        lost = len(truth - names.keys())
        twice = sum(names.values()) - len(names)
        back = sum(1 for (one, _), (two, _) in pairwise(pairs) if two <= one)
        missed, doubled, disordered = missed + lost, doubled + twice, disordered + back
        if lost or twice or back:
            failures.append(
                f"reader {number} missed {lost:,} of {len(truth):,}, saw {twice:,} twice, "
                f"{back:,} out of order"
            )
        if strangers := len(names.keys() - truth):
            failures.append(f"reader {number} saw {strangers:,} that nobody committed")
    facts = {
        "facts": len(truth),
        "writers": len(written),
        "readers": len(seen),
        "commits broken off": sum(one.again for one in written),
        "missed": missed,
        "doubled": doubled,
        "out of order": disordered,
    }
    return judged(Readers.name, seed, facts, failures)


def _ours(url: str, facts: int, seed: int, say: Say) -> Verdict:
    with closing(Connection.connect(log_conninfo(url), autocommit=True)) as connection:
        PostgresLog(connection, BOOK).open_book()
    done = Event()

    def write(number: int) -> Written:
        return _write(url, number, facts // WRITERS, dice(f"writer {number}", seed))

    def read(number: int) -> Seen:
        return _tail(url, PAGES[number], done, facts)

    written, seen = _at_once(write, read, done)
    verdict = judge(seen, written, seed)
    gaps = sum(1 for pairs in seen for n, (position, _) in enumerate(pairs, 1) if n != position)
    if gaps:
        verdict.failures.append(f"{gaps:,} positions do not follow the one before")
    say(f"readers: {len(written)} writers, {len(seen)} readers, {gaps} gaps")
    return verdict._replace(passed=not verdict.failures)


def _write(url: str, number: int, facts: int, chance: random.Random) -> Written:
    done: list[Name] = []
    again = 0
    connection = Pausing.connect(log_conninfo(url), autocommit=True, prepare_threshold=0)
    connection.dice, connection.gives_up = chance, GIVES_UP
    with connection:
        log = PostgresLog(connection, BOOK)
        while len(done) < facts:
            size = min(chance.choice(SIZES), facts - len(done))
            names = [(number, len(done) + n) for n in range(size)]
            try:
                outcomes = log.submit([Proposal((), _noting(number, names))])
            except GaveUp:
                again += 1
                continue
            assert isinstance(outcomes[0], Outcome), outcomes[0]
            done += names
    return Written(done, again)


def _noting(writer: int, names: Iterable[Name]) -> Callable[[object], list[Row]]:
    rows = [Row("noted.v1", (f"writer:{writer}",), msgspec.json.encode(name)) for name in names]
    return lambda _: rows


def _tail(url: str, page: int, done: Event, facts: int) -> Seen:
    """Follow from the beginning, with a new connection now and then, until all is read."""
    seen: Seen = []
    decode = msgspec.json.Decoder(Name).decode
    while True:
        pages = follow(url, BOOK, seen[-1][0] if seen else 0, page=page, quiet_seconds=0.05)
        with closing(pages):
            for _, rows in zip(range(200), pages, strict=False):
                seen += ((row.position, decode(row.data)) for row in rows)
                if not rows and done.is_set() and _is_over(seen, url):
                    return seen
                assert len(seen) <= 2 * facts, "more than was ever written"


def _is_over(seen: Seen, url: str) -> bool:
    """Tell whether the last position was read: the writers have ended, so it stays the last."""
    with closing(Connection.connect(log_conninfo(url), autocommit=True)) as connection:
        head, _ = PostgresLog(connection, BOOK).head()
    return bool(seen) and seen[-1][0] >= head


def _at_once(
    write: Callable[[int], Written], read: Callable[[int], Seen], done: Event
) -> tuple[list[Written], list[Seen]]:
    with ThreadPoolExecutor(WRITERS + READERS) as threads:
        reading = [threads.submit(read, number) for number in range(READERS)]
        try:
            written = list(threads.map(write, range(WRITERS)))
        finally:
            done.set()
        return written, [one.result() for one in reading]


def _naive(url: str, facts: int, seed: int, say: Say) -> Verdict:
    done = Event()
    with ConnectionPool(url, min_size=WRITERS, max_size=WRITERS + READERS) as pool:
        table = NaiveTable(pool)

        def write(number: int) -> Written:
            chance = dice(f"writer {number}", seed)
            names: list[Name] = []
            while len(names) < facts // WRITERS:
                size = min(chance.choice(SIZES), facts // WRITERS - len(names))
                new = [(number, len(names) + n) for n in range(size)]
                table.append(new, lambda: dawdle(chance))
                names += new
            return Written(names, 0)

        def read(number: int) -> Seen:
            return table.tail(PAGES[number], done)

        written, seen = _at_once(write, read, done)
    verdict = judge(seen, written, seed)
    say(f"readers: a sequence under the same pauses: {verdict.facts['missed']:,} missed")
    return verdict
