"""message-db: Eventide's message store, plain SQL functions, as its npm package installs it.

Source: message-db's user guide, "Write a Message" and "Get Messages from a Category".
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from uuid import UUID

from psycopg import Connection, connect
from psycopg_pool import ConnectionPool

from api.bench.peers.driven import Exchange

PACKAGE = "@eventide/message-db"
_ORDER = (
    *("schema/message-store.sql", "tables/messages.sql", "types/message.sql"),
    *(
        f"functions/{name}.sql"
        for name in (
            *("message-store-version", "hash-64", "acquire-lock", "category", "is-category"),
            *("id", "cardinal-id", "stream-version", "write-message", "get-stream-messages"),
            *("get-category-messages", "get-last-stream-message"),
        )
    ),
    *(f"indexes/messages-{name}.sql" for name in ("id", "stream", "category")),
)
"""As its own `install.sh` runs them; pgcrypto is left out, what it is for is in the core now."""

_SEARCH = "-c search_path=message_store,public"


class MessageDb:
    """A stream an exchange; its messages written in one transaction."""

    name = "message-db"

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool
        self._numbers = count(1)

    @classmethod
    @contextmanager
    def opened(cls, url: str, writers: int, package: Path) -> Generator["MessageDb"]:
        """Install it from its package's folder, and open a pool for so many writers."""
        with connect(url, options=_SEARCH, autocommit=True) as connection:
            for name in _ORDER:
                _run(connection, package / "database" / name)
        kwargs = {"options": _SEARCH, "autocommit": False}
        with ConnectionPool[Connection](
            url, min_size=1, max_size=writers + 1, kwargs=kwargs
        ) as pool:
            yield cls(pool)

    def append(self, exchanges: Sequence[Exchange]) -> None:
        """Call `write_message` for each message."""
        with self._pool.connection() as connection:
            for exchange in exchanges:
                number = next(self._numbers)
                for version, row in enumerate(exchange):
                    message = str(UUID(int=number * 16 + version))
                    connection.execute(
                        "SELECT write_message(%s, %s, %s, %s::jsonb, NULL, %s)",
                        (message, f"exchange-{number}", row.type, row.data.decode(), version - 1),
                    )

    def after(self, last: int) -> Sequence[int]:
        """Read the category from the next global position on."""
        with self._pool.connection() as connection:
            rows = connection.execute(
                "SELECT global_position FROM get_category_messages('exchange', %s, 1000)",
                (last + 1,),
            ).fetchall()
        return [row[0] for row in rows]

    def total(self) -> int:
        """Count the messages."""
        with self._pool.connection() as connection:
            row = connection.execute("SELECT count(*) FROM messages").fetchone()
        assert row is not None
        return row[0]


def _run(connection: Connection, file: Path) -> None:
    connection.execute(file.read_bytes())
