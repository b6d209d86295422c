"""The log in memory: the same engine over a list, to try decisions without a database.

It keeps nothing and serves one process; it also refuses what the facts table would refuse.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from ledger.log.batch import Decide, Outcome, Proposal, decide_all, place, select
from ledger.log.encoding import encoded
from ledger.log.errors import RowRefused
from ledger.log.rows import MAX_ENTRY_BYTES, Query, Row, StoredRow, entry_bytes


class MemoryLog:
    """One book's log in a list; `clock` tells what time to record."""

    def __init__(self, book: str, clock: Callable[[], datetime]) -> None:
        self.book = book
        self._clock = clock
        self._rows: list[StoredRow] = []
        self._recorded_at = clock()

    def submit(self, proposals: Sequence[Proposal]) -> list[Outcome | Exception]:
        """Decide a batch and keep what stands; a refusal takes the place of its outcome."""
        histories = [select(proposal.query, self._rows) for proposal in proposals]
        decided = decide_all(proposals, histories, prepare=self._refuse_what_no_table_takes)
        recorded_at = max(self._clock(), self._recorded_at)
        outcomes = place(self.book, decided, len(self._rows), recorded_at)
        for outcome in outcomes:
            if isinstance(outcome, Outcome) and outcome.appended:
                self._rows += outcome.appended
                self._recorded_at = recorded_at
        return outcomes

    def decide(self, query: Query, decide: Decide) -> Outcome:
        """Submit one decision alone; raises its refusal."""
        (outcome,) = self.submit([Proposal(query, decide)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def read(
        self, query: Query, after: int = 0, limit: int | None = None
    ) -> tuple[tuple[StoredRow, ...], int]:
        """Read the first `limit` rows after `after` that belong to a query, and the head."""
        return select(query, self._rows[after:])[:limit], len(self._rows)

    def follow(self, after: int, limit: int) -> list[StoredRow]:
        """Read the next `limit` rows after a position, of any kind; fewer if no more are there."""
        return self._rows[after : after + limit]

    def rows_at(self, positions: Sequence[int]) -> list[StoredRow]:
        """Read the rows at these positions, in order of position."""
        return [self._rows[n - 1] for n in sorted(set(positions)) if 0 < n <= len(self._rows)]

    def head(self) -> tuple[int, datetime]:
        """Read the last position and when it was recorded; 0 and the opening in an empty book."""
        return len(self._rows), self._recorded_at

    def _refuse_what_no_table_takes(self, row: Row) -> tuple[bytes, ...]:
        text = "".join((row.type, *row.tags))
        stored = StoredRow(self.book, len(self._rows) + 1, self._recorded_at, *row)
        if len(entry_bytes(stored)) > MAX_ENTRY_BYTES:
            raise RowRefused("entry_is_at_most_60000_bytes")
        if not row.type or "\n" in row.type:
            raise RowRefused("type_is_one_line")
        if "\0" in text:
            raise RowRefused("22021")
        return encoded(row)


class AsyncMemoryLog:
    """A `MemoryLog` as a command sees a log."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        """Decide and keep what follows; raises its refusal."""
        return self.log.decide(query, decide)

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        """Read what belongs to a query, and the head."""
        return self.log.read(query)
