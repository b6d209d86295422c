"""Compares two ledgers of one market: fact for fact, and what was kept with what is rebuilt."""

from typing import Any, LiteralString, NamedTuple

from psycopg import Connection
from psycopg.sql import SQL, Identifier

from projections.engine import Engine
from projections.known import PROJECTIONS

# What a fact says of the world, without what may differ between two ledgers: when it was recorded,
# who brought it in, and texts, which are sealed anew each time.
_FACTS: LiteralString = """
SELECT type, count(*), sum(hashtextextended(
    substring(text FROM '"id":"([0-9a-f]{32})"')
    || coalesce(substring(text FROM '.*"occurred_at":"([^"]*)"'), ''), 0
)::numeric)::text
FROM (
    SELECT type, convert_from(data, 'UTF8') AS text FROM facts
    WHERE book = %s AND type <> ALL (%s)
) AS each
GROUP BY type ORDER BY type
"""
_SETTING = ["access_granted.v1", "access_revoked.v1"]
_ROWS = SQL("""
SELECT count(*), coalesce(sum(hashtextextended(one::text, 0)::numeric), 0)::text
FROM {} AS one WHERE book = %s
""")


class Digest(NamedTuple):
    """How many of a kind there are, and a sum over all of them in which each one counts."""

    number: int
    sum: str


def facts(connection: Connection[Any], book: str) -> dict[str, Digest]:
    """Digest a book's facts, by type."""
    rows = connection.execute(_FACTS, (book, _SETTING)).fetchall()
    return {name: Digest(count, total) for name, count, total in rows}


def projected(connection: Connection[Any], book: str) -> dict[str, Digest]:
    """Digest a book's projections, by name."""
    found: dict[str, Digest] = {}
    for name in (one.name for one in PROJECTIONS):
        row = connection.execute(_ROWS.format(Identifier(name)), (book,)).fetchone()
        assert row is not None
        found[name] = Digest(*row)
    return found


def rebuild(connection: Connection[Any], book: str) -> int:
    """Drop every projection of a book and fold its log anew; gives how many facts were read."""
    engine = Engine(connection, book)
    engine.begin_anew()
    return engine.catch_up()
