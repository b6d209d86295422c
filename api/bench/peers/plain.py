"""Plain SQL: a double-entry table with balances kept by row locks, as textbooks have it."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from psycopg import Connection
from psycopg_pool import ConnectionPool

from api.bench.peers.driven import Exchange

_SCHEMA = """
CREATE SCHEMA plain;
CREATE TABLE plain.accounts (name text PRIMARY KEY, balance bigint NOT NULL DEFAULT 0);
CREATE TABLE plain.messages (id bigserial PRIMARY KEY, type text NOT NULL, data jsonb NOT NULL);
CREATE TABLE plain.entries (
    id bigserial PRIMARY KEY,
    account text NOT NULL REFERENCES plain.accounts (name),
    message bigint NOT NULL REFERENCES plain.messages (id),
    debit bigint NOT NULL,
    credit bigint NOT NULL
);
INSERT INTO plain.accounts (name) VALUES ('operator'), ('merchant'), ('revenue');
"""
_ACCOUNTS = (("operator", 2, 0), ("merchant", 0, 1), ("revenue", 0, 1))
_LOCK = "SELECT name FROM plain.accounts WHERE name = ANY(%s) ORDER BY name FOR UPDATE"
_MESSAGE = "INSERT INTO plain.messages (type, data) VALUES (%s, %s::jsonb) RETURNING id"
_ENTRY = "INSERT INTO plain.entries (account, message, debit, credit) VALUES (%s, %s, %s, %s)"
_BALANCE = "UPDATE plain.accounts SET balance = balance + %s WHERE name = %s"


class PlainSql:
    """One transaction an exchange: its messages, three entries, three balances."""

    name = "plain SQL, row locks"

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool

    @classmethod
    @contextmanager
    def opened(cls, url: str, writers: int) -> Generator["PlainSql"]:
        """Make the tables, and a pool for so many writers."""
        with ConnectionPool[Connection](url, min_size=1, max_size=writers + 1, open=True) as pool:
            with pool.connection() as connection:
                connection.execute(_SCHEMA)
            yield cls(pool)

    def append(self, exchanges: Sequence[Exchange]) -> None:
        """Lock the accounts, insert, update, commit."""
        with self._pool.connection() as connection:
            connection.execute(_LOCK, ([name for name, _, _ in _ACCOUNTS],))
            for exchange in exchanges:
                found = [
                    connection.execute(_MESSAGE, (row.type, row.data.decode())).fetchone()
                    for row in exchange
                ]
                last = found[-1]
                assert last is not None
                for account, debit, credit in _ACCOUNTS:
                    connection.execute(_ENTRY, (account, last[0], debit, credit))
                    connection.execute(_BALANCE, (debit - credit, account))

    def after(self, last: int) -> Sequence[int]:
        """Read messages by their sequence, as one does."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT id FROM plain.messages WHERE id > %s ORDER BY id LIMIT 1000", (last,)
            ).fetchall()
        return [row[0] for row in rows]

    def total(self) -> int:
        """Count the messages."""
        with self._pool.connection() as connection:
            row = connection.execute("SELECT count(*) FROM plain.messages").fetchone()
        assert row is not None
        return row[0]
