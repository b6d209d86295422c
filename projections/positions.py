"""How far each projection has come: moved forward under a guard, parked, and told."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple

from psycopg import Connection
from psycopg.rows import class_row, scalar_row

from ledger.log.postgres import PostgresLog
from projections.apply import Failure
from projections.fold import AnyFold

_STANDINGS: LiteralString = """
SELECT projection, version, position, parked_at IS NOT NULL AS parked
FROM projection_positions
WHERE book = %s
ORDER BY projection, version
"""
_START: LiteralString = """
INSERT INTO projection_positions (book, projection, version)
SELECT %(book)s, %(projection)s, %(version)s
WHERE NOT EXISTS (
    SELECT 1 FROM projection_positions WHERE book = %(book)s AND projection = %(projection)s
)
ON CONFLICT DO NOTHING
"""
_MOVE: LiteralString = """
UPDATE projection_positions SET position = %s
WHERE book = %s AND projection = %s AND version = %s AND position = %s AND parked_at IS NULL
"""
_MOVE_TOGETHER: LiteralString = """
UPDATE projection_positions AS reached SET position = %(to)s
FROM unnest(%(projections)s::text [], %(versions)s::int []) AS moved (projection, version)
WHERE
    reached.book = %(book)s
    AND reached.projection = moved.projection
    AND reached.version = moved.version
    AND reached.position = %(position)s
    AND reached.parked_at IS NULL
"""
_FORGET: LiteralString = "DELETE FROM projection_positions WHERE book = %s AND projection = ANY(%s)"
_PARK: LiteralString = """
UPDATE projection_positions SET
    position = %(position)s - 1,
    parked_at = clock_timestamp(),
    parked_position = %(position)s,
    parked_fact = %(fact)s,
    parked_error = %(error)s
WHERE book = %(book)s AND projection = %(projection)s AND version = %(version)s
"""
_UNPARK: LiteralString = """
UPDATE projection_positions SET
    parked_at = NULL,
    parked_position = NULL,
    parked_fact = NULL,
    parked_error = NULL
WHERE book = %s AND projection = %s AND parked_at IS NOT NULL
"""
_STATUS: LiteralString = """
SELECT
    heads.book,
    reached.projection,
    reached.version,
    heads.position AS accepted,
    reached.position AS projected,
    num_nonnulls(reached.parked_at) AS parked,
    heads.position - reached.position - num_nonnulls(reached.parked_at) AS pending,
    facts.recorded_at AS projected_until,
    reached.parked_at,
    reached.parked_position,
    reached.parked_fact,
    reached.parked_error
FROM heads
INNER JOIN projection_positions AS reached ON heads.book = reached.book
LEFT JOIN facts ON heads.book = facts.book AND reached.position = facts.position
WHERE heads.book = %s
ORDER BY reached.projection, reached.version
"""


class Standing(NamedTuple):
    """Where a projection stands, and in which version its table is."""

    projection: str
    version: int
    position: int
    parked: bool


class Status(NamedTuple):
    """What became of all that one book accepted: accepted = projected + parked + pending.

    `parked` counts the one fact, if any, that could not be folded and holds up those pending
    behind it.
    """

    book: str
    projection: str
    version: int
    accepted: int
    projected: int
    parked: int
    pending: int
    projected_until: datetime | None
    parked_at: datetime | None
    parked_position: int | None
    parked_fact: str | None
    parked_error: str | None


class Overtaken(Exception):
    """Another engine has moved this projection meanwhile, so what was done here is undone."""


def standings(connection: Connection, book: str) -> dict[str, Standing]:
    """Read where the projections of a book stand, by their names."""
    with connection.cursor(row_factory=class_row(Standing)) as cursor:
        return {row.projection: row for row in cursor.execute(_STANDINGS, (book,))}


def start(connection: Connection, book: str, folds: Iterable[AnyFold]) -> None:
    """Let projections that were never run, in no version, begin before the first fact."""
    for fold in folds:
        values = {"book": book, "projection": fold.name, "version": fold.version}
        connection.execute(_START, values)


def move(connection: Connection, book: str, standing: Standing, to: int) -> None:
    """Move a projection from where it stands, in the transaction that applies what is between.

    Raises:
        Overtaken: it no longer stands there.
    """
    name, version, position, _ = standing
    if connection.execute(_MOVE, (to, book, name, version, position)).rowcount != 1:
        raise Overtaken(name)


def move_together(
    connection: Connection, book: str, standings: Sequence[Standing], to: int
) -> None:
    """Move projections that stand at one position as `move` does, in one statement.

    Raises:
        Overtaken: one of them no longer stands there.
    """
    values = {
        "to": to,
        "book": book,
        "position": standings[0].position,
        "projections": [one.projection for one in standings],
        "versions": [one.version for one in standings],
    }
    if connection.execute(_MOVE_TOGETHER, values).rowcount != len(standings):
        raise Overtaken(", ".join(one.projection for one in standings))


def forget(connection: Connection, book: str, projections: Sequence[str]) -> None:
    """Take projections back to before they ever ran, in every version."""
    connection.execute(_FORGET, (book, list(projections)))


def park(connection: Connection, book: str, standing: Standing, failure: Failure) -> None:
    """Let a projection stand still just before a fact that it cannot take."""
    values = {
        "book": book,
        "projection": standing.projection,
        "version": standing.version,
        "position": failure.position,
        "fact": failure.fact,
        "error": f"{type(failure.error).__name__}: {failure.error}",
    }
    connection.execute(_PARK, values)


def unpark(connection: Connection, book: str, name: str) -> bool:
    """Let a parked projection try again; tells whether it was parked."""
    return connection.execute(_UNPARK, (book, name)).rowcount > 0


def status(connection: Connection, book: str) -> list[Status]:
    """Tell for each projection what became of all that the book accepted."""
    with connection.cursor(row_factory=class_row(Status)) as cursor:
        found = cursor.execute(_STATUS, (book,)).fetchall()
    return [_timed(connection, one) for one in found]


def _timed(connection: Connection, one: Status) -> Status:
    """Add until when it is projected, where the fact that tells that is archived."""
    if one.projected_until is not None or not one.projected:
        return one
    for row in PostgresLog(connection, one.book).rows_at([one.projected]):
        return one._replace(projected_until=row.recorded_at)
    return one


def books(connection: Connection) -> list[str]:
    """Name the books that are open."""
    with connection.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute("SELECT book FROM heads ORDER BY book").fetchall()
