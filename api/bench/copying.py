"""The limit: PostgreSQL's own binary COPY of the same facts, with no index, tag or decision."""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from psycopg import Connection

from api.bench.measure import Figure, rate, timed
from ledger.log.rows import StoredRow

BATCH = 20_000
SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = struct.pack("!h", -1)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def copied(connection: Connection, rows: Sequence[StoredRow]) -> Figure:
    """Time how fast a bare table takes rows that are encoded beforehand, 20,000 a transaction."""
    connection.execute(
        "CREATE TABLE bare (book text, position bigint, recorded_at timestamptz,"
        " type text, data bytea)"
    )
    payloads = [_payload(rows[at : at + BATCH]) for at in range(0, len(rows), BATCH)]

    def run() -> None:
        for payload in payloads:
            with connection.cursor().copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy:
                copy.write(payload)

    seconds = timed(run)
    connection.execute("DROP TABLE bare")
    return rate("bare binary COPY, the limit", "facts", len(rows), seconds, f"{BATCH:,} a batch")


def _payload(rows: Sequence[StoredRow]) -> bytes:
    parts = [SIGNATURE]
    for row in rows:
        time = (row.recorded_at - EPOCH) // MICROSECOND
        parts.append(struct.pack("!h", 5))
        for field in (
            row.book.encode(),
            struct.pack("!q", row.position),
            struct.pack("!q", time),
            row.type.encode(),
            row.data,
        ):
            parts += (struct.pack("!i", len(field)), field)
    return b"".join((*parts, TRAILER))
