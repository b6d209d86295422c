"""Explains each line of a merchant's month by its facts, and tells by how much they differ."""

from collections.abc import AsyncGenerator
from typing import NamedTuple

from psycopg import AsyncConnection

from api.documents.lines import Line, LineFact, Wanted, page, snapshot
from projections.charges.lines import OLDEST
from projections.charges.read import Period
from projections.merchant_accounts.read import Money, Statement, statement
from projections.reading import Answer, Watermark, answer_async

PAGE = 1_000
"""Facts read at a time."""

LINES: tuple[Line, ...] = ("pending", "unresolved", "earned", "refunded", "written_off")
"""The lines of a payout."""


class NotTogether(Exception):
    """Lines and facts come from projections that stand at different facts."""


class Explained(NamedTuple):
    """A line, what its facts come to in one currency, and by how much the two differ."""

    line: Line
    currency: str
    share_micros: int
    charges: int
    facts: list[LineFact]

    @property
    def difference(self) -> int:
        """What the facts leave unexplained, in micros; it is to be zero."""
        return self.share_micros - sum(one.share for one in self.facts)

    @property
    def whole(self) -> bool:
        """Whether each fact of the line is there, and no other."""
        return self.difference == 0 and self.charges == len(self.facts)


async def explained(
    connection: AsyncConnection, book: str, merchant: str, period: Period
) -> Answer[list[Explained]]:
    """Read lines and facts of a month in one snapshot, so that nothing comes between them.

    Raises:
        NotProjected: nothing was projected in this book yet.
        NotTogether: the two projections stand at different facts.
    """
    async with snapshot(connection):
        asked = statement(merchant, period.first)
        watermark, account = await answer_async(connection, book, asked)
        found: list[Explained] = []
        for line in LINES:
            wanted = Wanted(book, merchant, period, line)
            facts = [one async for one in _facts(connection, wanted, watermark)]
            found += _compared(line, account, facts)
    return Answer(watermark, found)


async def _facts(
    connection: AsyncConnection, wanted: Wanted, account: Watermark
) -> AsyncGenerator[LineFact]:
    after = OLDEST
    while True:
        watermark, found = await page(connection, wanted, after, PAGE)
        if watermark.position != account.position:
            raise NotTogether(
                f"the charges stand at position {watermark.position:,}, the merchants' accounts "
                f"at {account.position:,}"
            )
        for one in found.facts:
            yield one
        if found.end is None:
            return
        after = found.end


def _compared(line: Line, account: Statement, facts: list[LineFact]) -> list[Explained]:
    found: list[Explained] = []
    for currency in sorted({*account.totals, *(one.currency for one in facts)}):
        position = account.totals.get(currency)
        told: Money = getattr(position, line) if position else Money(0, 0)
        its = [one for one in facts if one.currency == currency]
        found.append(Explained(line, currency, told.micros, told.charges, its))
    return found
