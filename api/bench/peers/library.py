"""The `eventsourcing` library's own PostgreSQL recorders: the default one, and the one for DCB.

Source: the library's documentation, "PostgreSQL module" and "DCB".
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import LiteralString
from uuid import UUID

from eventsourcing.dcb.api import DCBEvent
from eventsourcing.dcb.postgres_tt import PostgresDCBRecorderTT
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from api.bench.peers.driven import Exchange

_READ = 1_000


@contextmanager
def datastore(url: str, writers: int) -> Generator[PostgresDatastore]:
    """Give the library's datastore, with a pool for so many writers."""
    parts = conninfo_to_dict(url)
    store = PostgresDatastore(
        dbname=str(parts["dbname"]),
        host=str(parts["host"]),
        port=str(parts.get("port", 5432)),
        user=str(parts["user"]),
        password=str(parts.get("password", "")),
        pool_size=writers + 1,
    )
    try:
        yield store
    finally:
        store.close()


class DefaultRecorder:
    """An aggregate an exchange, its events saved together."""

    name = "eventsourcing, default"

    def __init__(self, store: PostgresDatastore) -> None:
        self._store = store
        self._recorder = PostgresApplicationRecorder(store, events_table_name="peer_events")
        self._recorder.create_table()
        self._numbers = count(1)

    def append(self, exchanges: Sequence[Exchange]) -> None:
        """Insert all events of some aggregates."""
        self._recorder.insert_events(
            [
                StoredEvent(UUID(int=number), version, row.type, row.data)
                for number, exchange in zip(self._numbers, exchanges, strict=False)
                for version, row in enumerate(exchange, 1)
            ]
        )

    def after(self, last: int) -> Sequence[int]:
        """Select notifications, as the library's own readers do."""
        found = self._recorder.select_notifications(last + 1, _READ)
        return [one.id for one in found]

    def total(self) -> int:
        """Count the events."""
        return _count(self._store, "SELECT count(*) AS number FROM peer_events")


class DcbRecorder:
    """Events with the same tags as ours, each exchange appended in one call."""

    name = "eventsourcing, DCB"

    def __init__(self, store: PostgresDatastore) -> None:
        self._store = store
        self._recorder = PostgresDCBRecorderTT(store, events_table_name="peer_dcb_events")
        self._recorder.create_table()

    def append(self, exchanges: Sequence[Exchange]) -> None:
        """Append all events of some exchanges."""
        self._recorder.append(
            [DCBEvent(row.type, row.data, list(row.tags)) for rows in exchanges for row in rows]
        )

    def after(self, last: int) -> Sequence[int]:
        """Read all events after a position."""
        return [one.position for one in self._recorder.read(after=last, limit=_READ)]

    def total(self) -> int:
        """Count the events."""
        return _count(self._store, "SELECT count(*) AS number FROM peer_dcb_events_tt_main")


def _count(store: PostgresDatastore, question: LiteralString) -> int:
    with store.cursor() as cursor:
        row = cursor.execute(question).fetchone()
    assert row is not None
    return int(row["number"])
