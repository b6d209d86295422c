"""What one would take instead: the `eventsourcing` library's default PostgreSQL recorder."""

from collections.abc import Sequence
from time import perf_counter
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from api.bench.measure import Figure, waits
from ledger.log.rows import Row


def saved_by_library(url: str, exchanges: Sequence[Sequence[Row]]) -> Figure:
    """Time one save for each exchange of facts, as the library's documentation shows it."""
    parts = conninfo_to_dict(url)
    datastore = PostgresDatastore(
        dbname=str(parts["dbname"]),
        host=str(parts["host"]),
        port=str(parts.get("port", 5432)),
        user=str(parts["user"]),
        password=str(parts.get("password", "")),
    )
    recorder = PostgresApplicationRecorder(datastore, events_table_name="library_events")
    recorder.create_table()
    each: list[float] = []
    start = perf_counter()
    for number, rows in enumerate(exchanges):
        before = perf_counter()
        recorder.insert_events(
            [
                StoredEvent(UUID(int=number + 1), version, row.type, row.data)
                for version, row in enumerate(rows, 1)
            ]
        )
        each.append(perf_counter() - before)
    seconds = perf_counter() - start
    datastore.close()
    return waits(
        "eventsourcing's default recorder, a save each", "exchanges", len(each), seconds, each
    )
