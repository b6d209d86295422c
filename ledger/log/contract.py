"""What a command needs of a log, whichever it is: the asynchronous one serves, the others test."""

from typing import Protocol

from ledger.log.batch import Decide, Outcome
from ledger.log.rows import Query, StoredRow


class AsyncLog(Protocol):
    """One book's log as a command uses it inside an event loop."""

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        """Decide on the history that `query` names, and append what follows.

        Raises:
            LogOverloaded: Too much is waiting; nothing was decided.
            LogUnavailable: The database is away; whether anything was appended is not known.
            RowRefused: The store does not take one of the rows.
            UnknownBook: The book was never opened.
            Exception: Whatever `decide` raised; nothing was appended.
        """
        ...

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        """Read what belongs to `query`, with the position up to which that is complete."""
        ...
