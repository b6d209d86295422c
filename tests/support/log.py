"""Rows, decisions and connections for the stories of the log."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
from psycopg import Connection

from ledger.log.batch import AnyRow, Decide, Outcome, Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest, Query, Row, StoredRow
from ledger.log.session import connect

NOON = datetime(2026, 8, 1, 10, tzinfo=UTC)
BOOK = "fr"


def open_small(owner_url: str, bits: int) -> None:
    """Open the book with partitions of 2 to the power of `bits` positions; some are soon full."""
    with psycopg.connect(owner_url) as owner:
        owner.execute("INSERT INTO heads (book, partition_bits) VALUES (%s, %s)", (BOOK, bits))


class SlotTaken(Exception):
    """A refusal: somebody else has the slot."""


def row(*tags: str, type: str = "noted.v1", data: bytes = b"{}") -> Row:  # noqa: A002 - a row's own word
    """Make a row that is about its tags."""
    return Row(type, tuple(sorted(tags)), data)


def stored(position: int, *tags: str, type: str = "noted.v1") -> StoredRow:  # noqa: A002 - as above
    """Make a stored row."""
    return StoredRow(BOOK, position, NOON, *row(*tags, type=type))


def about(*tags: str) -> Query:
    """Name what belongs to each of these tags."""
    return tuple(Interest((tag,)) for tag in tags)


def noting(*tags: str) -> Proposal:
    """Propose a row, whatever has happened."""
    return Proposal((), lambda _: [row(*tags)])


def once(*tags: str) -> Proposal:
    """Propose a row that is written once: if the first tag is there already, nothing follows."""
    return Proposal(about(tags[0]), lambda history: [] if history else [row(*tags)])


def taking(slot: str, by: str) -> Proposal:
    """Propose to take a slot; refused if somebody else has it, nothing if it is ours already."""

    def decide(history: Sequence[AnyRow]) -> Sequence[Row]:
        if any(by in taken.tags for taken in history):
            return []
        if history:
            raise SlotTaken(slot)
        return [row(slot, by)]

    return Proposal(about(slot), decide)


def counting(tag: str) -> Proposal:
    """Propose a row whose data is the number of those before it."""
    return Proposal(about(tag), lambda history: [row(tag, data=b"%d" % len(history))])


def interrupted(proposal: Proposal, by: Callable[[], object]) -> Proposal:
    """Let something happen after the history was read, the first time it is decided on."""
    interruptions = [by]

    def decide(history: Sequence[AnyRow]) -> Sequence[Row]:
        if interruptions:
            interruptions.pop()()
        return proposal.decide(history)

    return Proposal(proposal.query, decide)


def refusing(refusal: Exception) -> Decide:
    """Decide by refusing."""

    def decide(_: Sequence[AnyRow]) -> Sequence[Row]:
        raise refusal

    return decide


def appended(outcomes: Iterable[Outcome | Exception]) -> list[list[int]]:
    """Give the positions that each outcome appended; fails if one of them was refused."""
    positions: list[list[int]] = []
    for outcome in outcomes:
        assert isinstance(outcome, Outcome), outcome
        positions.append([row.position for row in outcome.appended])
    return positions


@contextmanager
def opened(url: str, book: str = BOOK) -> Generator[PostgresLog]:
    """Give a book of a database, opened, over a connection of its own."""
    with connect(url) as connection:
        log = PostgresLog(connection, book)
        log.open_book()
        yield log


def as_owner(owner_url: str, *statements: LiteralString) -> list[tuple[object, ...]]:
    """Perform statements as the owner of the tables; give the rows of the last."""
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute("SET ROLE obole_owner")
        cursor: psycopg.Cursor[tuple[object, ...]] | None = None
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor and cursor.description else []


@contextmanager
def head_held(url: str, book: str = BOOK) -> Generator[Connection]:
    """Hold the book's head, so that whoever appends must wait until the block ends."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT lock_head(%s)", (book,))
        yield connection


def end_sessions(owner_url: str) -> None:
    """End every other session in the database, as an administrator would."""
    with psycopg.connect(owner_url) as connection:
        connection.execute(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """
        )
