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
        PeriodRefused: the days can hold no fact, or `through` is beyond the book.
        UnknownConsumer, UnknownShortCode: nothing at all is recorded of it.
    """
    scope = wanted.scope
    asked, opened = await _opened(ask, book)
    (first,) = await ask(picking(book, [1]))
    check(scope, local_day(first.recorded_at, opened.zone), local_day(now, opened.zone))
    if wanted.through is not None and wanted.through > asked.head:
        raise PeriodRefused("through_position", f"the book is at position {asked.head}")
    after, upto = await stretch(asked, scope.first_day, scope.last_day)
    upto = upto if wanted.through is None else max(after, min(upto, wanted.through))
    await _refuse_unknown(asked, scope)
    with Bundle(folder) as bundle:
        async for rows in _pages(asked, scope, Stretch(after, upto), show):
            await asyncio.to_thread(bundle.add, rows)
        await asyncio.to_thread(bundle.end_facts)
        last = await ask(picking(book, [upto]))
        contents = Contents(
            *(opened, scope, after, upto, last[0].recorded_at if last else None),
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
