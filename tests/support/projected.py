"""Puts histories into a real log, and looks at what projections make of them."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

import psycopg
from psycopg import sql

from ledger.facts.base import Recorded
from ledger.log.postgres import PostgresLog
from ledger.log.rows import StoredRow
from projections.engine import Engine
from projections.fold import Context
from projections.known import PROJECTIONS
from projections.positions import standings
from projections.table import Projection
from tests.support.history import History

NAMES = tuple(projection.name for projection in PROJECTIONS)
"""Every projection, and its table."""


def store(connection: psycopg.Connection, rows: Iterable[StoredRow]) -> None:
    """Write rows to the log at the positions and times they name, as no decision could."""
    rows = list(rows)
    if not rows:
        return
    book, last = rows[0].book, rows[-1]
    _open_early(connection, rows[0])
    with connection.transaction():
        connection.execute("SELECT ensure_partitions(%s, %s)", (book, last.position))
        for _, batch in groupby(rows, lambda row: row.recorded_at):
            with connection.cursor().copy(
                "COPY facts (book, position, recorded_at, type, tags, data) FROM STDIN"
            ) as copy:
                for row in batch:
                    copy.write_row((*row[:4], " ".join(row.tags), row.data))


def _open_early(connection: psycopg.Connection, first: StoredRow) -> None:
    """Open a book as if it had been opened when its first fact was recorded."""
    with psycopg.connect(connection.info.dsn, user="obole") as owner:
        owner.execute(
            "INSERT INTO heads (book, recorded_at) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (first.book, first.recorded_at),
        )
    PostgresLog(connection, first.book).open_book()


def contents(connection: psycopg.Connection, book: str) -> dict[str, list[str]]:
    """Read every projected row of a book as text, by table, sorted."""
    found = {}
    for name in NAMES:
        rows = connection.execute(
            sql.SQL("SELECT t::text FROM {} AS t WHERE book = %s ORDER BY 1").format(
                sql.Identifier(name)
            ),
            (book,),
        )
        found[name] = [row for (row,) in rows]
    return found


def reset(connection: psycopg.Connection, book: str) -> None:
    """Take every projection of a book back to before its first fact."""
    for name in (*NAMES, "projection_positions"):
        connection.execute(
            sql.SQL("DELETE FROM {} WHERE book = %s").format(sql.Identifier(name)), (book,)
        )


def standing(connection: psycopg.Connection, book: str) -> dict[str, int]:
    """Read where each projection stands."""
    return {name: found.position for name, found in standings(connection, book).items()}


def failing(projection: Projection, position: int) -> Projection:
    """Make a projection's fold fail at one position."""
    changes = projection.fold.changes

    def poisoned(recorded: Recorded, context: Context) -> Iterable:
        if recorded.position == position:
            raise ArithmeticError("poison")
        return changes(recorded, context)

    return projection._replace(fold=replace(projection.fold, changes=poisoned))


def project(connection: psycopg.Connection, history: History) -> None:
    """Store what a history adds to the log, and project it."""
    found = connection.execute("SELECT position FROM heads WHERE book = 'fr'").fetchone()
    store(connection, history.rows[found[0] if found else 0 :])
    Engine(connection, "fr").catch_up()
