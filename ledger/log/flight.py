"""A batch on its way into the log, after which the next can be decided already, and its turn."""

import asyncio
from collections.abc import Mapping, Sequence

from ledger.log.batch import Decided, Outcome, Proposal, place
from ledger.log.rows import StoredRow
from ledger.log.scripts import (
    NEVER,
    Appended,
    Reading,
    Script,
    append_after,
    appending,
    landed_after,
)


class Flight:
    """A batch that was decided and is to follow the head `head`.

    `known` are the rows of the batch before it as they are stored, by the identity they had when
    this one was decided.
    """

    def __init__(
        self, head: int, decided: Sequence[Decided], known: Mapping[int, StoredRow] | None = None
    ) -> None:
        self.head = head
        self.rows = [row for this in decided for row in this.rows]
        self.landed: asyncio.Future[Appended | None] = asyncio.get_running_loop().create_future()
        """What it came to; none if it is not what follows `head`."""
        self._decided = decided
        self._known = known or {}

    @property
    def end(self) -> int:
        """Give the head after it."""
        return self.head + len(self.rows)

    def appending(self, book: str) -> Script[Appended | None]:
        """Append it if the head is the one that it is to follow."""
        (found,) = yield (append_after(book, self.head, self._decided),)
        return landed_after(book, self.head, self._decided, found, self._known)

    @property
    def rests_on_a_flight(self) -> bool:
        """Tell whether it was decided on a batch that was not stored yet."""
        return bool(self._known)

    def after_others(
        self, book: str, proposals: Sequence[Proposal], tail_limit: int
    ) -> Script[Appended | None]:
        """Append it where others were faster: decided again is only what theirs touches.

        It rests on no flight; returns none, and writes nothing, if they appended more than that.
        """
        read = Reading(self.head, [tuple(this.reading) for this in self._decided])
        return appending(book, proposals, read, tail_limit, crowded=True, before=self._decided)

    def nothing(self, book: str) -> list[Outcome | Exception]:
        """Give the outcomes of a batch that appends nothing."""
        return place(book, self._decided, self.head, NEVER, self._known)

    def stored(self) -> dict[int, StoredRow]:
        """Give its rows as they are stored, by their identity; once it has landed."""
        appended = self.landed.result()
        outcomes = appended.outcomes if appended else ()
        stored = [row for this in outcomes if isinstance(this, Outcome) for row in this.appended]
        return dict(zip(map(id, self.rows), stored, strict=True))


class Turn:
    """The place of a batch among those of one writer, which are carried out in their order."""

    def __init__(self, *, over: bool = False) -> None:
        self._flight: Flight | None = None
        self._launched, self._over = asyncio.Event(), asyncio.Event()
        if over:
            self.end()

    def launch(self, flight: Flight) -> None:
        """Let the next batch be decided after this one."""
        self._flight = flight
        self._launched.set()

    def end(self) -> None:
        """Tell that no decision of it is left to be made."""
        self._launched.set()
        self._over.set()

    async def ended(self) -> None:
        """Wait until each of its decisions was appended or refused."""
        await self._over.wait()

    async def in_the_air(self) -> Flight | None:
        """Wait until it is on its way, and give it; none if it has ended, however that went."""
        await self._launched.wait()
        if self._flight is not None and not self._flight.landed.done():
            return self._flight
        await self._over.wait()
        return None
