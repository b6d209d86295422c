"""The limits: PostgreSQL's own binary COPY of the same facts, bare, and with what finds them."""

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from psycopg import Connection

from api.bench.book import EACH
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


def indexed(connection: Connection, rows: Sequence[StoredRow], batch: int) -> Figure:
    """Time how fast tables with the log's indexes take facts and sightings, `batch` facts at once.

    All is known and encoded beforehand: no look-up, lock, check, trigger or hash is left.
    """
    connection.execute(
        "CREATE TABLE copied (book text NOT NULL, position bigint NOT NULL,"
        " recorded_at timestamptz NOT NULL, type text NOT NULL, tags text NOT NULL,"
        " data bytea NOT NULL, PRIMARY KEY (book, position))"
    )
    connection.execute(
        "CREATE TABLE sighted (book text NOT NULL, term bigint NOT NULL, last bigint NOT NULL,"
        " span int NOT NULL)"
    )
    connection.execute("CREATE INDEX ON sighted (term, last)")
    batches = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    payloads = [(_encoded(map(_tagged, some)), _encoded(_sightings(some))) for some in batches]

    def run() -> None:
        for facts, sightings in payloads:
            with connection.transaction():
                with connection.cursor().copy("COPY copied FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(facts)
                with connection.cursor().copy("COPY sighted FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(sightings)

    seconds = timed(run)
    connection.execute("DROP TABLE copied, sighted")
    what = f"the log's own rows and indexes by copying, {batch // EACH} exchanges a batch"
    return rate(what, "facts", len(rows), seconds)


def _payload(rows: Sequence[StoredRow]) -> bytes:
    return _encoded(map(_bare, rows))


def _encoded(lines: Iterable[Sequence[bytes]]) -> bytes:
    """Encode lines of fields as COPY takes them."""
    parts = [SIGNATURE]
    for fields in lines:
        parts.append(struct.pack("!h", len(fields)))
        for field in fields:
            parts += (struct.pack("!i", len(field)), field)
    return b"".join((*parts, TRAILER))


def _bare(row: StoredRow) -> tuple[bytes, ...]:
    time = (row.recorded_at - EPOCH) // MICROSECOND
    place, at = struct.pack("!q", row.position), struct.pack("!q", time)
    return row.book.encode(), place, at, row.type.encode(), row.data


def _tagged(row: StoredRow) -> tuple[bytes, ...]:
    *before, data = _bare(row)
    return (*before, " ".join(row.tags).encode(), data)


def _sightings(rows: Sequence[StoredRow]) -> list[tuple[bytes, ...]]:
    """Give where each tag is found in each block of 64 positions, in the order of its hash."""
    found: dict[tuple[bytes, int], tuple[int, int]] = {}
    for row in rows:
        for tag in row.tags:
            key = blake2b(tag.encode(), digest_size=8).digest(), (row.position - 1) >> 6
            found[key] = found.get(key, (row.position, 0))[0], row.position
    return [
        (rows[0].book.encode(), term, struct.pack("!q", last), struct.pack("!i", last - first))
        for (term, _), (first, last) in sorted(found.items())
    ]
