"""The pure engine of the log: which decisions of a batch stand, and which rows they append.

A batch is decided in order. Each decision sees the history that its query names: what was read
before, what others have appended since (the tail), and the rows of earlier decisions of the same
batch. Since a decision depends on that history alone, one whose history has not changed stands, and
only the others are decided again.

    before the lock    decided = decide_all(proposals, readings)
    under the lock     decided = decide_all(proposals, readings, tail, decided)
                       outcomes = place(book, decided, head, recorded_at)
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.log.rows import Interest, Query, Row, StoredRow, matches

AnyRow = StoredRow | Row
"""A row of a history; those of the same batch have no position yet."""

Decide = Callable[[Sequence[AnyRow]], Sequence[Row]]
"""A pure function from history to new rows; what it raises goes to its own caller alone."""

Prepare = Callable[[Row], tuple[bytes, ...]]
"""Turns a row into what the store writes; what it raises counts as the decision's own failure."""


class Proposal(NamedTuple):
    """A decision to be made: what it rests on, and how it follows from that."""

    query: Query
    decide: Decide


class Decided(NamedTuple):
    """What became of a proposal: its history, and its rows or the exception that it raised."""

    reading: Sequence[StoredRow]
    recent: Sequence[AnyRow]
    rows: Sequence[Row] = ()
    prepared: Sequence[tuple[bytes, ...]] = ()
    failure: Exception | None = None


class Outcome(NamedTuple):
    """What a submitted decision saw and what it appended, all of it stored.

    `head` is the last position that this answer is complete up to: nothing that belongs to the
    query lies between the history and `appended`, which ends there.
    """

    history: tuple[StoredRow, ...]
    appended: tuple[StoredRow, ...]
    head: int


class Recent:
    """Rows newer than a reading, in order, findable by tag; by those of `asked` alone, if given."""

    def __init__(self, rows: Iterable[AnyRow] = (), asked: Collection[str] | None = None) -> None:
        self._asked = asked
        self._rows: list[AnyRow] = []
        self._places: defaultdict[str, list[int]] = defaultdict(list)
        self.add(rows)

    def add(self, rows: Iterable[AnyRow]) -> None:
        """Put rows after those that are there."""
        for row in rows:
            place = len(self._rows)
            self._rows.append(row)
            for tag in row.tags:
                if self._asked is None or tag in self._asked:
                    self._places[tag].append(place)

    def matching(self, query: Query) -> tuple[AnyRow, ...]:
        """Give the rows that belong to a query, in order, each once."""
        found: set[int] = set()
        for interest in query:
            # Most tags of most decisions are their own: there is nothing to look at.
            if candidates := self._candidates(interest.tags):
                found.update(n for n in candidates if belongs(interest, self._rows[n]))
        return tuple([self._rows[place] for place in sorted(found)]) if found else ()

    def _candidates(self, tags: Sequence[str]) -> Sequence[int]:
        if len(tags) == 1:
            return self._places.get(tags[0], ())
        if not tags:
            return range(len(self._rows))
        return min((self._places.get(tag, ()) for tag in tags), key=len)


def belongs(interest: Interest, row: AnyRow) -> bool:
    """Tell whether a row is meant by an interest, its position included if it has one."""
    if isinstance(row, StoredRow) and row.position <= interest.after:
        return False
    return matches((interest,), row)


def select(query: Query, rows: Iterable[StoredRow]) -> tuple[StoredRow, ...]:
    """Give the rows that belong to a query, ordered by position, each once."""
    found = {row.position: row for row in rows if any(belongs(interest, row) for interest in query)}
    return tuple(found[position] for position in sorted(found))


def no_preparation(_: Row) -> tuple[bytes, ...]:
    """Stand in where a store keeps rows as they are."""
    return ()


def decide_all(
    proposals: Sequence[Proposal],
    readings: Sequence[Sequence[StoredRow]],
    tail: Sequence[AnyRow] = (),
    before: Sequence[Decided] = (),
    prepare: Prepare = no_preparation,
) -> list[Decided]:
    """Decide a batch in order; what is in `before` and still has the same history stands.

    The tail is what came after the readings: stored by others, or on its way before this batch.
    """
    recent = Recent(tail)
    decided: list[Decided] = []
    for place, (proposal, reading) in enumerate(zip(proposals, readings, strict=True)):
        seen = recent.matching(proposal.query)
        if before and before[place].recent == seen:
            this = before[place]._replace(recent=seen)
        else:
            this = _decide(proposal, reading, seen, prepare)
        if place + 1 < len(proposals):
            recent.add(this.rows)
        decided.append(this)
    return decided


def _decide(
    proposal: Proposal, reading: Sequence[StoredRow], seen: Sequence[AnyRow], prepare: Prepare
) -> Decided:
    try:
        # Copies: a row that two decisions share must still be told apart when it is placed.
        rows = [Row(*row) for row in proposal.decide((*reading, *seen))]
        return Decided(reading, seen, rows, [prepare(row) for row in rows])
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is its own caller's
        return Decided(reading, seen, failure=failure)


def place(
    book: str,
    decided: Sequence[Decided],
    head: int,
    recorded_at: datetime,
    known: Mapping[int, StoredRow] | None = None,
) -> list[Outcome | Exception]:
    """Give the rows of a batch their positions after `head`, and each decision its outcome.

    `known` are rows of a batch before this one as they are stored now, by identity.
    """
    stored = dict(known or {})
    # Mostly nobody rests on rows of the same batch; then none has to be found again.
    shared = any(this.recent for this in decided)
    outcomes: list[Outcome | Exception] = []
    for this in decided:
        if this.failure is not None:
            outcomes.append(this.failure)
            continue
        appended = tuple(
            [
                StoredRow._make((book, position, recorded_at, *row))
                for position, row in enumerate(this.rows, head + 1)
            ]
        )
        recent = [row if isinstance(row, StoredRow) else stored[id(row)] for row in this.recent]
        head += len(appended)
        outcomes.append(Outcome((*this.reading, *recent), appended, head))
        if shared:
            stored.update(zip(map(id, this.rows), appended, strict=True))
    return outcomes
