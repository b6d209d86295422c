"""Lets one worker at a time work on a book: whoever holds its lease, and says so again and again.

A row and not a lock of a session: such a lock is held for as long as the server believes in the
connection, and over a local socket, or to a process that hangs, that is for ever. Time is that of
the database alone. A holder that cannot renew counts by its own steady clock, from before it last
asked, so that it stops before another may begin.
"""

from time import monotonic
from typing import LiteralString

from psycopg import AsyncConnection

SECONDS = 5.0
"""How long a lease lasts that is not renewed: how long at most nobody works on a book."""
RENEW_SECONDS = 1.0
"""How often it is renewed, or asked for by those who wait."""

_TAKE: LiteralString = """
INSERT INTO leases (book, holder, until)
VALUES (%(book)s, %(holder)s, clock_timestamp() + make_interval(secs => %(seconds)s))
ON CONFLICT (book) DO UPDATE SET holder = excluded.holder, until = excluded.until
WHERE leases.holder = excluded.holder OR leases.until < clock_timestamp()
"""
_LEAVE: LiteralString = "DELETE FROM leases WHERE book = %s AND holder = %s"
# A lease that is lost in a crash is asked for again: nothing waits for the disk.
_HASTY: LiteralString = "SET synchronous_commit = off"


class Lease:
    """What one worker knows of one book's lease; `holder` is a name no other worker has."""

    def __init__(self, book: str, holder: str, seconds: float = SECONDS) -> None:
        self.book = book
        self.holder = holder
        self.seconds = seconds
        self._until = 0.0

    @property
    def left(self) -> float:
        """For how many seconds it is still ours, as far as we can be sure."""
        return max(0.0, self._until - monotonic())

    async def take(self, connection: AsyncConnection) -> bool:
        """Take the lease, or renew it; tells whether it is ours now.

        Raises:
            psycopg.OperationalError: the database is away; what we hold lasts until it runs out.
        """
        asked = monotonic()
        values = {"book": self.book, "holder": self.holder, "seconds": self.seconds}
        await connection.execute(_HASTY)
        taken = (await connection.execute(_TAKE, values)).rowcount == 1
        self._until = asked + self.seconds if taken else 0.0
        return taken

    async def leave(self, connection: AsyncConnection) -> None:
        """Give it back, so that another need not wait."""
        self._until = 0.0
        await connection.execute(_LEAVE, (self.book, self.holder))
