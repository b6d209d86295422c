"""Reads for a caller as the database's role that sees what it may see, and no more.

See `migrations/0016_row_level_security.sql`. What is archived no policy guards any more, so that
the same is asked of it here.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection

from ledger.log.archive import Span
from ledger.log.older import older
from ledger.log.rows import StoredRow
from ledger.log.writer import run_async

_AUDITORS = frozenset({"finance", "regulator", "admin"})

# The last of them takes the rights away, so that nothing can be read between them.
_BECOME_READER: LiteralString = """
SELECT
    set_config('obole.book', %(book)s, TRUE),
    set_config('obole.role', %(role)s, TRUE),
    set_config('obole.merchant', %(merchant)s, TRUE),
    set_config('obole.gateway', %(gateway)s, TRUE),
    set_config('role', 'obole_reader', TRUE)
"""
_BECOME_APPLICATION: LiteralString = "SELECT set_config('role', 'obole_app', TRUE)"
_SHOWN_RANGE: LiteralString = """
SELECT position, recorded_at, type, tags, data
FROM facts_shown
WHERE book = %s AND position > %s AND position <= %s
ORDER BY position
"""
_SHOWN_AT: LiteralString = """
SELECT position, recorded_at, type, tags, data
FROM facts_shown
WHERE book = %s AND position = ANY(%s)
ORDER BY position
"""


class Viewer(NamedTuple):
    """On whose behalf something is read; of a role without a merchant or gateway they are empty."""

    book: str
    role: str
    merchant: str = ""
    gateway: str = ""


@asynccontextmanager
async def acting(connection: AsyncConnection, viewer: Viewer | None) -> AsyncGenerator[None]:
    """Read for a viewer in the block, within a transaction; without one, as the application.

    Where the block fails, so does the transaction, and its settings go with it.
    """
    if viewer is None:
        yield
        return
    await connection.execute(_BECOME_READER, viewer._asdict())
    yield
    await connection.execute(_BECOME_APPLICATION)


async def shown_range(
    connection: AsyncConnection, viewer: Viewer, after: int, upto: int
) -> list[StoredRow]:
    """Read the facts after one position up to another, as far as the viewer may see them."""
    return await _shown(
        connection, viewer, (_SHOWN_RANGE, (viewer.book, after, upto)), [Span(after + 1, upto)]
    )


async def shown_at(
    connection: AsyncConnection, viewer: Viewer, positions: Sequence[int]
) -> list[StoredRow]:
    """Read the facts at some positions, as far as the viewer may see them, in their order."""
    return await _shown(
        connection,
        viewer,
        (_SHOWN_AT, (viewer.book, list(positions))),
        [Span(one, one) for one in positions],
    )


async def _shown(
    connection: AsyncConnection,
    viewer: Viewer,
    ask: tuple[LiteralString, Sequence[Any]],
    spans: Sequence[Span],
) -> list[StoredRow]:
    async with connection.transaction():
        async with acting(connection, viewer):
            cursor = await connection.execute(*ask, binary=True)
            rows = await cursor.fetchall()
        # After those of the database: what left it in between is then found here.
        old = await run_async(connection, older(viewer.book, spans)) if spans else []
    found = {row.position: row for row in old if _may_see(viewer, row)}
    for position, recorded_at, type_, tags, data in rows:
        found[position] = StoredRow(viewer.book, position, recorded_at, type_, tuple(tags), data)
    return [found[position] for position in sorted(found)]


def _may_see(viewer: Viewer, row: StoredRow) -> bool:
    """Tell of an archived fact what the view `facts_shown` tells of those in the database."""
    if viewer.role == "merchant":
        return f"merchant:{viewer.merchant}" in row.tags
    return viewer.role in _AUDITORS
