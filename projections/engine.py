"""Runs all folds of a book over its log: read once, decoded once, written in one transaction.

A batch and the positions it moves are committed together, each position from where it stood.
Sums are not idempotent, so of two engines that read the same batch one is undone and reads
again. What goes wrong with one projection is narrowed to the fact, parked, and stops no other.
"""

import logging
from collections.abc import Sequence

from psycopg import Connection

from ledger.log.postgres import PostgresLog
from projections import positions
from projections.apply import AWAY, Target, apply
from projections.fold import Context
from projections.known import PROJECTIONS
from projections.positions import Overtaken, Standing, Status
from projections.prepared import Ahead, Prepared, Span, prepare
from projections.source import context_of, uncollected
from projections.table import Place, Projection

_log = logging.getLogger(__name__)

BATCH = 10_000
"""Facts read at a time: large enough to spread a transaction's cost, small enough to show."""


_Member = tuple[Projection, Standing]


class Engine:
    """Keeps the projections of one book up with its log.

    The connection is in autocommit, from `ledger.log.session.connect`, and the engine's alone. With
    `ahead` a batch is prepared while the one before it is written, as long as batches are full.
    """

    def __init__(
        self,
        connection: Connection,
        book: str,
        projections: Sequence[Projection] = PROJECTIONS,
        batch: int = BATCH,
        ahead: Ahead | None = None,
    ) -> None:
        self.book = book
        self._connection = connection
        self._log = PostgresLog(connection, book)
        self._projections = projections
        self._batch = batch
        self._ahead = ahead
        self._context: Context | None = None
        self._told: set[Standing] = set()

    def run_once(self) -> int:
        """Take every projection one batch further; gives how many facts were read.

        None read means that every projection is at the head, parked, or awaits a rebuild.

        Raises:
            LogUnavailable, psycopg.OperationalError: the database is away; nothing is half done.
        """
        self._context = self._context or context_of(self._log)
        if self._context is None:
            return 0
        while True:
            try:
                groups = _together(self._running())
                alone = len(groups) == 1
                return sum(
                    self._advance(*group, self._context, alone=alone) for group in groups.items()
                )
            except Overtaken as overtaken:
                _log.info("%s: another engine has moved %s", self.book, overtaken)

    def catch_up(self) -> int:
        """Go on until nothing is left to read; gives how many facts were read."""
        total = 0
        while read := self.run_once():
            total += read
        return total

    def begin_anew(self) -> None:
        """Empty the tables, which then are worked out again from the first fact on."""
        with self._connection.transaction():
            for projection in self._projections:
                projection.table.empty(self._connection, self.book)
            names = [projection.name for projection in self._projections]
            positions.forget(self._connection, self.book, names)

    def unpark(self, name: str) -> bool:
        """Let a parked projection try again at the next run; tells whether it was parked."""
        return positions.unpark(self._connection, self.book, name)

    def status(self) -> list[Status]:
        """Tell for each projection what became of all that the book accepted."""
        return positions.status(self._connection, self.book)

    def _running(self) -> list[_Member]:
        known = positions.standings(self._connection, self.book)
        missing = [one.fold for one in self._projections if one.name not in known]
        if missing:
            positions.start(self._connection, self.book, missing)
            known = positions.standings(self._connection, self.book)
        pairs = [(one, known[one.name]) for one in self._projections]
        return [pair for pair in pairs if not pair[1].parked and self._is_current(*pair)]

    def _is_current(self, projection: Projection, standing: Standing) -> bool:
        """Tell whether the table is of this code's version; another is left as it stands."""
        if standing.version == projection.fold.version:
            return True
        if standing not in self._told:
            self._told.add(standing)
            _log.warning(
                "%s: %s is version %s, this code makes version %s: rebuild it",
                *(self.book, projection.name, standing.version, projection.fold.version),
            )
        return False

    def _advance(
        self, position: int, members: Sequence[_Member], context: Context, *, alone: bool
    ) -> int:
        projections = tuple([projection for projection, _ in members])
        span = Span(self.book, position, position + self._batch, projections, context)
        with uncollected():
            batch = self._ahead.take(span) if self._ahead else prepare(self._connection, span)
            if self._ahead and alone and batch.read == self._batch:
                after = batch.last
                self._ahead.begin(span._replace(after=after, to=after + self._batch))
            if batch.read and not self._moved_together(members, batch):
                self._move_each(members, batch, context)
            return batch.read

    def _moved_together(self, members: Sequence[_Member], batch: Prepared) -> bool:
        """Take all of them on at once; not if a fact cannot be read, folded or written."""
        if batch.rows is None:
            return False
        try:
            with self._connection.transaction():
                standings = [standing for _, standing in members]
                positions.move_together(self._connection, self.book, standings, batch.last)
                place = Place(self._connection)
                for projection, _ in members:
                    projection.table.put(place, self.book, batch.rows[projection.name])
        except (*AWAY, Overtaken):
            raise
        except Exception:  # noqa: BLE001 - whatever it is, it is found again, one by one
            text = "%s: up to %s each projection by itself"
            _log.info(text, self.book, batch.last, exc_info=True)
            return False
        return True

    def _move_each(self, members: Sequence[_Member], batch: Prepared, context: Context) -> None:
        with self._connection.transaction():
            for projection, standing in members:
                target = Target(Place(self._connection), self.book, projection, context)
                self._move(target, standing, batch)

    def _move(self, target: Target, standing: Standing, batch: Prepared) -> None:
        positions.move(self._connection, self.book, standing, batch.last)
        failure = apply(target, batch.items)
        if failure is not None:
            positions.park(self._connection, self.book, standing, failure)
            _log.error(
                "%s: %s is parked at position %s (fact %s)",
                *(self.book, standing.projection, failure.position, failure.fact),
                exc_info=failure.error,
            )


def _together(running: Sequence[_Member]) -> dict[int, list[_Member]]:
    """Put together, by position, what stands together and so can share a batch."""
    groups: dict[int, list[_Member]] = {}
    for member in running:
        groups.setdefault(member[1].position, []).append(member)
    return groups
