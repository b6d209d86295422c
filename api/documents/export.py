"""Makes an export: finds the facts of its scope in the log, and writes them with their rules."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from api.documents.bundle import MANIFEST, Bundle
from api.documents.manifest import Contents, manifest, rule_files
from api.documents.period import Ask, Asked, Stretch, stretch
from ledger.decisions.exported import Export, Scope, check
from ledger.decisions.refusals import (
    BookNotOpen,
    PeriodRefused,
    UnknownConsumer,
    UnknownShortCode,
)
from ledger.facts.base import Recorded
from ledger.facts.book import BookOpened, RulesAdopted
from ledger.facts.registry import REGISTRY, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.log.rows import Interest, StoredRow
from ledger.log.scripts import asking_head, picking, ranging, reading
from ledger.words import local_day

PAGE = 1_000
"""Facts read and written at a time."""

Show = Callable[[int, int], None]
"""Told how many positions are done, and of how many."""


class Wanted(NamedTuple):
    """What somebody wants exported; with `through`, as if nothing after it were there yet."""

    scope: Scope
    through: int | None = None


async def write_export(
    ask: Ask, book: str, wanted: Wanted, folder: Path, now: datetime, show: Show
) -> Export:
    """Write an export's files into an empty folder.

    Raises:
        BookNotOpen: nothing was ever recorded.
        PeriodRefused: the days can hold no fact, or `through` is none of their positions.
        UnknownConsumer, UnknownShortCode: nothing at all is recorded of it.
    """
    scope = wanted.scope
    asked, opened = await _opened(ask, book)
    await _refuse_empty(asked, scope, now)
    after, upto = await stretch(asked, scope.first_day, scope.last_day)
    if wanted.through is not None:
        upto = _cut(asked, Stretch(after, upto), wanted.through)
    await _refuse_unknown(asked, scope)
    with Bundle(folder) as bundle:
        async for rows in _pages(asked, scope, Stretch(after, upto), show):
            await asyncio.to_thread(bundle.add, rows)
        await asyncio.to_thread(bundle.end_facts)
        contents = Contents(
            *(opened, scope, after, upto, (await _at(asked, upto)).recorded_at),
            *(bundle.types, await _in_force(asked, Stretch(after, upto))),
        )
        for name, content in rule_files(contents.adopted).items():
            bundle.put(name, content)
        made = bundle.put(MANIFEST, manifest(contents, bundle.files))
    return Export(scope, bundle.types.total(), upto, made.sha256)


async def _opened(ask: Ask, book: str) -> tuple[Asked, BookOpened]:
    head, _ = await ask(asking_head(book))
    if not head:
        raise BookNotOpen(book)
    (row,) = await ask(ranging(book, 0, 1))
    fact = REGISTRY.decode(row).fact
    assert isinstance(fact, BookOpened)
    return Asked(ask, book, fact.zone, head), fact


async def _refuse_empty(asked: Asked, scope: Scope, now: datetime) -> None:
    """See that the days are days of the book.

    Raises: PeriodRefused.
    """
    first, last = await _at(asked, 1), await _at(asked, asked.head)
    # A clock that was set back must not take today's facts for tomorrow's.
    today = max(now, last.recorded_at)
    check(scope, local_day(first.recorded_at, asked.zone), local_day(today, asked.zone))


def _cut(asked: Asked, among: Stretch, through: int) -> int:
    """Give where a stretch ends if nothing after `through` were there yet.

    Raises: PeriodRefused.
    """
    if through > asked.head:
        raise PeriodRefused("through_position", f"the book is at position {asked.head}")
    if through <= among.after:
        wrong = f"position {through} was recorded before the first day"
        raise PeriodRefused("through_position", wrong)
    return min(among.upto, through)


def _tags(scope: Scope) -> tuple[str, ...]:
    named = (("consumer", scope.consumer), ("code", scope.short_code))
    return tuple(tag(kind, value) for kind, value in named if value is not None)


async def _refuse_unknown(asked: Asked, scope: Scope) -> None:
    """Tell a scope without facts in the period from one that is not there.

    Raises: UnknownConsumer, UnknownShortCode.
    """
    if scope.consumer is not None and not await _found(asked, (tag("consumer", scope.consumer),)):
        raise UnknownConsumer(scope.consumer)
    if scope.short_code is not None:
        # Of a code the catalogue is asked: its messages may be millions.
        opened = await _found(asked, (TRADE, tag("code", scope.short_code)))
        if not opened:
            raise UnknownShortCode(scope.short_code)


async def _pages(
    asked: Asked, scope: Scope, among: Stretch, show: Show
) -> AsyncGenerator[Sequence[StoredRow]]:
    """Give the facts of a scope, page after page; of one consumer they are few, and looked up."""
    show(0, among.upto - among.after)
    if scope.consumer is not None:
        rows = await _found(asked, _tags(scope), after=among.after)
        yield [row for row in rows if row.position <= among.upto]
    else:
        wanted = set(_tags(scope))
        for after in range(among.after, among.upto, PAGE):
            rows = await asked.ask(ranging(asked.book, after, min(after + PAGE, among.upto)))
            yield [row for row in rows if wanted.issubset(row.tags)]
            show(after + len(rows) - among.after, among.upto - among.after)
    show(among.upto - among.after, among.upto - among.after)


async def _at(asked: Asked, position: int) -> StoredRow:
    (row,) = await asked.ask(picking(asked.book, [position]))
    return row


async def _found(
    asked: Asked, tags: tuple[str, ...], types: frozenset[str] = frozenset(), after: int = 0
) -> Sequence[StoredRow]:
    read = await asked.ask(reading(asked.book, [(Interest(tags, types, after),)]))
    return read.histories[0]


async def _in_force(asked: Asked, among: Stretch) -> list[Recorded]:
    """Give the adoptions in force within a stretch: the last before it, and those inside."""
    rows = await _found(asked, (TRADE,), frozenset({stored_name(RulesAdopted)}))
    adopted = [REGISTRY.decode(row) for row in rows if row.position <= among.upto]
    earlier = [one for one in adopted if one.position <= among.after]
    return [*earlier[-1:], *adopted[len(earlier) :]]
