"""Our log under the contract of the `eventsourcing` library: the only module that imports it.

Any DCB application of that library runs on it with three settings in its environment:

    PERSISTENCE_MODULE=ledger.log.recorder
    OBOLE_DATABASE_URL=postgresql://obole_app@…   a migrated database
    BOOK=courses                                  opened if it is not there
"""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import Self

from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBReadResponse,
    DCBRecorder,
    DCBSequencedEvent,
    DCBSubscription,
)
from eventsourcing.dcb.persistence import DCBInfrastructureFactory
from eventsourcing.persistence import (
    InfrastructureFactoryError,
    IntegrityError,
    ProgrammingError,
    TrackingRecorder,
)
from psycopg import Connection
from psycopg_pool import ConnectionPool

from ledger.log.batch import AnyRow, belongs
from ledger.log.follow import PAGE, follow
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest, Query, Row, StoredRow
from ledger.log.session import log_conninfo


class LogRecorder(DCBRecorder):
    """A book as a DCB recorder. Threads may share it; close it, or enter it as a context."""

    def __init__(self, conninfo: str, book: str, max_connections: int = 4) -> None:
        self.book = book
        self.conninfo = conninfo
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            log_conninfo(conninfo),
            kwargs={"autocommit": True, "prepare_threshold": 0},
            min_size=1,
            max_size=max_connections,
            open=True,
        )
        self._log = PostgresLog(self._pool, book)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open_book(self) -> None:
        """Open the book; it stays as it is if it is open."""
        self._log.open_book()

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def read(
        self, query: DCBQuery | None = None, *, after: int | None = None, limit: int | None = None
    ) -> "LogReadResponse":
        """Read events in order of position, as the library's contract says."""
        interests = _interests(query, after)
        if all(interest.tags for interest in interests):
            rows, head = self._log.read(interests, limit=limit)
            return LogReadResponse(rows, head, limit)
        head, _ = self._log.head()
        return LogReadResponse(self._looked_through(interests, head), head, limit)

    def append(
        self, events: Sequence[DCBEvent], condition: DCBAppendCondition | None = None
    ) -> int:
        """Append events unless the condition fails; give the position of the last.

        Raises:
            IntegrityError: An event that the condition names has been appended.
            ProgrammingError: There is nothing to append.
        """
        if not events:
            raise ProgrammingError("at least one event is needed")
        rows = [Row(event.type, tuple(sorted(set(event.tags))), event.data) for event in events]

        def decide(history: Sequence[AnyRow]) -> Sequence[Row]:
            if history:
                raise IntegrityError(condition)
            return rows

        query = _interests(condition.fail_if_events_match, condition.after) if condition else ()
        return self._log.decide(query, decide).head

    def subscribe(
        self, query: DCBQuery | None = None, *, after: int | None = None
    ) -> "LogSubscription":
        """Iterate over events as they come; waits where the last one is reached."""
        return LogSubscription(self, query, after)

    def _looked_through(self, query: Query, head: int) -> Iterator[StoredRow]:
        for start in range(min(interest.after for interest in query), head, PAGE):
            for row in self._log.follow(start, min(PAGE, head - start)):
                if any(belongs(interest, row) for interest in query):
                    yield row


class LogFactory(DCBInfrastructureFactory[TrackingRecorder]):
    """What the library makes of `PERSISTENCE_MODULE`: a recorder of the book in its environment."""

    def dcb_recorder(self) -> LogRecorder:
        """Give the book as a recorder, open.

        Raises:
            InfrastructureFactoryError: The environment does not say which database and book.
        """
        url, book = (self.env.get(name) for name in ("OBOLE_DATABASE_URL", "BOOK"))
        if not url or not book:
            raise InfrastructureFactoryError("OBOLE_DATABASE_URL and BOOK are needed")
        self._recorder = LogRecorder(url, book)
        self._recorder.open_book()
        return self._recorder

    def close(self) -> None:
        """Close the recorder's connections."""
        self._recorder.close()


class LogReadResponse(DCBReadResponse):
    """The events of one reading; with a limit, the head is the last event within it."""

    def __init__(self, rows: Iterable[StoredRow], head: int, limit: int | None) -> None:
        self._rows: Iterator[StoredRow] = iter(rows)
        self._head: int | None = head or None
        if limit is not None:
            first = list(islice(self._rows, limit))
            self._rows = iter(first)
            self._head = first[-1].position if first else None

    @property
    def head(self) -> int | None:
        """The position up to which the reading is complete."""
        return self._head

    def __next__(self) -> DCBSequencedEvent:
        return _sequenced(next(self._rows))


class LogSubscription(DCBSubscription[LogRecorder]):
    """Follows the book over a connection of its own; a stop is noticed when all is quiet."""

    def __init__(self, recorder: LogRecorder, query: DCBQuery | None, after: int | None) -> None:
        super().__init__(recorder, query, after)
        self._interests = _interests(query, after)
        self._pages: Generator[list[StoredRow]] = follow(
            recorder.conninfo, recorder.book, self._last_position
        )
        self._waiting: Iterator[StoredRow] = iter(())

    def __next__(self) -> DCBSequencedEvent:
        while not self._has_been_stopped:
            for row in self._waiting:
                if any(belongs(interest, row) for interest in self._interests):
                    self._last_position = row.position
                    return _sequenced(row)
            self._waiting = iter(next(self._pages))
        self._pages.close()
        raise StopIteration

    def stop(self) -> None:
        """End the iteration, in whichever thread it is."""
        super().stop()
        # Another thread may be waiting inside; then that thread closes it.
        with suppress(ValueError):
            self._pages.close()


def _interests(query: DCBQuery | None, after: int | None) -> Query:
    items = query.items if query else []
    return tuple(
        Interest(tuple(item.tags), frozenset(item.types), after or 0) for item in items
    ) or (Interest((), frozenset(), after or 0),)


def _sequenced(row: StoredRow) -> DCBSequencedEvent:
    return DCBSequencedEvent(DCBEvent(row.type, row.data, list(row.tags)), row.position)
