"""Opens a line of a merchant's month to its facts, read from the log itself.

The charges of a line are found by the projection; what each is worth is read from its fact, so
that the sum of the facts is a second opinion of the line.
"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from datetime import date, timedelta
from typing import Literal, NamedTuple, TypeVar, get_args

from psycopg import AsyncConnection

from api.documents.period import EARLIEST, Asked, stretch
from ledger.facts.base import Recorded
from ledger.facts.book import BookOpened
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefunded,
    ChargeReleased,
    ChargeUnresolved,
    ChargeWrittenOff,
)
from ledger.facts.registry import REGISTRY, stored_name
from ledger.facts.tags import tag
from ledger.log.rows import Interest
from ledger.log.scripts import Script, asking_head, picking, ranging, reading
from ledger.log.session import SNAPSHOT
from ledger.log.writer import run_async
from ledger.postings import Account, postings
from projections.charges import lines as members
from projections.charges.lines import Member, Members
from projections.charges.read import PageEnd, Period
from projections.reading import Answer, Read, answer_async
from projections.shown import Viewer, shown_at

Line = Literal["pending", "unresolved", "released", "earned", "refunded", "written_off"]
T = TypeVar("T")

PROJECTION = members.PROJECTION
LINES: tuple[Line, ...] = get_args(Line)

Living = ChargeAuthorized | ChargeUnresolved | ChargeReleased | ChargeCaptured
Taking = ChargeRefunded | ChargeWrittenOff

_STATES: dict[Line, tuple[members.State, ...]] = {
    "pending": ("authorized", "unresolved"),
    "unresolved": ("unresolved",),
    "released": ("released",),
}
_TAKEN: dict[Line, type[Taking]] = {"refunded": ChargeRefunded, "written_off": ChargeWrittenOff}
_OWED = frozenset({Account.MERCHANT_ACCRUED, Account.REFUNDS_BORNE_BY_MERCHANT})
_EARLY = timedelta(days=2)
"""By how much a fact may have been recorded before the day that it is for, clocks being wrong."""


class Wanted(NamedTuple):
    """One line of a merchant's month."""

    book: str
    merchant: str
    period: Period
    line: Line
    viewer: Viewer | None = None
    """On whose behalf it is opened; none: ours."""


class LineFact(NamedTuple):
    """One fact of a line; `share` is what it adds to the line, `price` what the consumer paid.

    Of a refund, the price is what the consumer got back, and the share what the merchant bears.
    """

    position: int
    fact: str
    type: str
    charge: str
    day: date
    currency: str
    price: int
    share: int


class Page(NamedTuple):
    """Facts of a line, oldest first; `end` asks for the next page, none when this is the last."""

    facts: list[LineFact]
    end: PageEnd | None


@asynccontextmanager
async def snapshot(connection: AsyncConnection) -> AsyncGenerator[None]:
    """Let all that is read in the block be of one moment, lines and facts alike."""
    async with connection.transaction():
        await connection.execute(SNAPSHOT, prepare=False)
        yield


async def page_of(
    connection: AsyncConnection, wanted: Wanted, after: PageEnd, limit: int
) -> Answer[Page]:
    """Read the next facts of a line, in a snapshot of their own."""
    async with snapshot(connection):
        return await page(connection, wanted, after, limit)


async def page(
    connection: AsyncConnection, wanted: Wanted, after: PageEnd, limit: int
) -> Answer[Page]:
    """Read the next facts of a line, within a `snapshot`."""
    taken = _TAKEN.get(wanted.line)
    # Of what was taken back the projection only tells how far it is.
    asked = _charges(wanted, after, 1 if taken else limit)
    watermark, found = await answer_async(connection, wanted.book, asked, wanted.viewer)
    if taken is None:
        return Answer(watermark, Page(await _of(connection, wanted, found.charges), found.end))
    facts = await _taken(connection, wanted, taken, watermark.position)
    later = [one for one in facts if (one.day, one.position) > after]
    last = later[limit - 1] if len(later) > limit else None
    end = PageEnd(last.day, last.position) if last else None
    return Answer(watermark, Page(later[:limit], end))


def _charges(wanted: Wanted, after: PageEnd, limit: int) -> Read[Members]:
    states = _STATES.get(wanted.line)
    if states is None:
        return members.earned(wanted.merchant, wanted.period, after, limit)
    return members.standing(wanted.merchant, wanted.period, states, after, limit)


async def _of(connection: AsyncConnection, wanted: Wanted, charges: list[Member]) -> list[LineFact]:
    """Read the fact that put each charge where it stands."""
    book, line = wanted.book, wanted.line
    places = [one.authorized_position if line == "pending" else one.position for one in charges]
    rows = (
        await run_async(connection, picking(book, places))
        if wanted.viewer is None
        else await shown_at(connection, wanted.viewer, places)
    )
    found = {one.position: one for one in map(REGISTRY.decode, rows)}
    facts: list[LineFact] = []
    for charge, place in zip(charges, places, strict=True):
        one = found[place]
        if isinstance(one.fact, Taking):
            one = await _capture(connection, book, charge.charge)
        facts.append(_told(one))
    return facts


async def _capture(connection: AsyncConnection, book: str, charge: str) -> Recorded:
    """Read by which fact a charge was captured that something was given back of since."""
    interest = Interest((tag("charge", charge),), frozenset({stored_name(ChargeCaptured)}))
    read = await run_async(connection, reading(book, [(interest,)]))
    ((row,),) = read.histories
    return REGISTRY.decode(row)


async def _taken(
    connection: AsyncConnection, wanted: Wanted, kind: type[Taking], through: int
) -> list[LineFact]:
    """Read all refunds, or all write-offs, of a month; unlike charges they are few."""
    first = await _recorded_since(connection, wanted)
    interest = Interest((tag("merchant", wanted.merchant),), frozenset({stored_name(kind)}), first)
    read = await run_async(connection, reading(wanted.book, [(interest,)]))
    facts = [REGISTRY.decode(row) for row in read.histories[0] if row.position <= through]
    told = [_told(one) for one in facts if not _of_a_test(one)]
    within = [one for one in told if wanted.period.first <= one.day <= wanted.period.last]
    return sorted(within, key=lambda one: (one.day, one.position))


def _of_a_test(one: Recorded) -> bool:
    assert isinstance(one.fact, Living | Taking)
    return one.fact.ref.test


async def _recorded_since(connection: AsyncConnection, wanted: Wanted) -> int:
    """Give a position before which nothing of the month was recorded."""

    def ask(script: Script[T]) -> Awaitable[T]:
        return run_async(connection, script)

    head, _ = await ask(asking_head(wanted.book))
    (row,) = await ask(ranging(wanted.book, 0, 1))
    opened = REGISTRY.decode(row).fact
    assert isinstance(opened, BookOpened)
    asked = Asked(ask, wanted.book, opened.zone, head)
    since = max(wanted.period.first, EARLIEST) - _EARLY
    return (await stretch(asked, since, since)).after


def _told(one: Recorded) -> LineFact:
    fact = one.fact
    assert isinstance(fact, Living | Taking)
    if isinstance(fact, Living):
        price, share = fact.amounts.price, fact.amounts.merchant
    else:
        price = fact.price if isinstance(fact, ChargeRefunded) else fact.amounts.price
        share = _borne(fact)
    return LineFact(
        position=one.position,
        fact=one.id,
        type=stored_name(type(fact)),
        charge=fact.ref.charge,
        day=fact.value_day,
        currency=fact.currency,
        price=price,
        share=share,
    )


def _borne(fact: Taking) -> int:
    """Give by how much the merchant is owed less, as the books have it."""
    lines = (line for line in postings(fact) if line.account in _OWED)
    return sum(line.debit - line.credit for line in lines)
