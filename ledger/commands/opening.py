"""Open a book, and adopt the rules that it decides by."""

from datetime import datetime

from ledger.commands.desk import Desk, Settled
from ledger.decisions import opening
from ledger.facts.base import Draft, Recorded
from ledger.facts.registry import Origin
from ledger.facts.tags import TRADE
from ledger.log.rows import Interest


async def open_book(desk: Desk, origin: Origin, now: datetime) -> Settled:
    """Record that the book is open and follows the loaded rules; nothing, if it does already."""
    rules = desk.rules

    async def once() -> Settled:
        catalogue = desk.catalogue

        def decide(_: list[Recorded]) -> list[Draft]:
            return opening.open_book(desk.book, catalogue, rules.pack, rules.settings, now)

        query = (Interest((TRADE,), after=catalogue.position),)
        return await desk.settle(query, decide, origin)

    await desk.refresh()
    settled = await desk.attempt(once)
    await desk.refresh()
    return settled
