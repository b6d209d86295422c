"""How far each unfinished import came, kept beside the facts: never ahead of what is committed."""

import hashlib
from typing import LiteralString, NamedTuple

from psycopg import AsyncConnection

from api.importing.bytes import Place

HEAD_BYTES = 1 << 16

_SELECT: LiteralString = """
    SELECT bytes_read, lines_read, digest, recorded, repeated, rejected
    FROM imports WHERE book = %(book)s AND source = %(source)s
"""
_SAVE: LiteralString = """
    INSERT INTO imports (
        book, source, bytes_read, lines_read, digest, recorded, repeated, rejected, saved_at
    ) VALUES (
        %(book)s, %(source)s, %(offset)s, %(lines)s, %(digest)s,
        %(recorded)s, %(repeated)s, %(rejected)s, clock_timestamp()
    )
    ON CONFLICT (book, source) DO UPDATE SET
        bytes_read = excluded.bytes_read,
        lines_read = excluded.lines_read,
        digest = excluded.digest,
        recorded = excluded.recorded,
        repeated = excluded.repeated,
        rejected = excluded.rejected,
        saved_at = excluded.saved_at
"""
_REMOVE: LiteralString = "DELETE FROM imports WHERE book = %(book)s AND source = %(source)s"


class Counts(NamedTuple):
    """What became of the lines so far; a conflict counts as rejected."""

    recorded: int = 0
    repeated: int = 0
    rejected: int = 0


class Saved(NamedTuple):
    """Where an import stands."""

    place: Place
    counts: Counts


def source_name(head: bytes) -> str:
    """Name a source by its first bytes; what follows them is told apart by the place's digest."""
    return hashlib.sha256(head[:HEAD_BYTES]).hexdigest()


class Places:
    """Where the imports into one book stand; the connection is in autocommit, and its own."""

    def __init__(self, connection: AsyncConnection, book: str) -> None:
        self._connection = connection
        self._book = book

    async def find(self, source: str) -> Saved | None:
        """Give where the import of a source stands, if it was begun and not finished."""
        found = await self._connection.execute(_SELECT, self._key(source))
        row = await found.fetchone()
        return None if row is None else Saved(Place(*row[:3]), Counts(*row[3:]))

    async def save(self, source: str, saved: Saved) -> None:
        """Keep how far an import came, once all of that is committed."""
        values = saved.place._asdict() | saved.counts._asdict()
        await self._connection.execute(_SAVE, self._key(source) | values)

    async def finish(self, source: str) -> None:
        """Forget an import that came to its end, so that the next one looks at every line."""
        await self._connection.execute(_REMOVE, self._key(source))

    def _key(self, source: str) -> dict[str, object]:
        return {"book": self._book, "source": source}
