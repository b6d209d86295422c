"""What most would write first: positions from a sequence. A control, not an example."""

from collections.abc import Callable, Sequence
from threading import Event
from typing import Any

from psycopg_pool import ConnectionPool

Name = tuple[int, int]


class NaiveTable:
    """A table whose positions a sequence gives, read on behind the last one seen."""

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool
        with pool.connection() as connection:
            connection.execute(
                "CREATE TABLE naive (position bigserial PRIMARY KEY, writer int, number int)"
            )

    def append(self, names: Sequence[Name], before_commit: Callable[[], None]) -> None:
        """Insert in one transaction."""
        with self._pool.connection() as connection, connection.cursor() as cursor:
            cursor.executemany("INSERT INTO naive (writer, number) VALUES (%s, %s)", names)
            before_commit()

    def tail(self, page: int, done: Event) -> list[tuple[int, Name]]:
        """Read page after page behind the last position, until the writers have ended."""
        seen: list[tuple[int, Name]] = []
        while True:
            ended = done.is_set()
            rows = self._after(seen[-1][0] if seen else 0, page)
            seen += ((position, (writer, number)) for position, writer, number in rows)
            if ended and not rows:
                return seen
            if not rows:
                done.wait(0.002)

    def _after(self, last: int, page: int) -> list[tuple[int, int, int]]:
        with self._pool.connection() as connection:
            return connection.execute(
                "SELECT position, writer, number FROM naive"
                " WHERE position > %s ORDER BY position LIMIT %s",
                (last, page),
            ).fetchall()
