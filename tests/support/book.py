"""A whole book for tests: the real commands on the log in memory, or on PostgreSQL."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from ledger.commands import traffic
from ledger.commands.charges import age_charge
from ledger.commands.desk import Desk, Settled, data_key_of
from ledger.commands.opening import open_book
from ledger.commands.traffic import Answer, IncomingMo, IncomingReceipt
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.registry import REGISTRY, Origin
from ledger.log.batch import Decide, Outcome, Proposal, decide_all
from ledger.log.memory import AsyncMemoryLog, MemoryLog
from ledger.log.rows import Interest, Query, StoredRow
from ledger.rules.inforce import Rules
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import parse_settings
from ledger.vault import DataKeyId, new_data_key, unseal
from ledger.words import LocalDay
from tests.support.builders import BOOK, NOON, OPENING, SETTINGS, catalogue

T = TypeVar("T")
ORIGIN = Origin(BOOK, "test", "request-1")
EVERYTHING = (Interest(()),)


class MemoryKeys:
    """The data keys of a book that lives in memory; they may be destroyed."""

    def __init__(self) -> None:
        self.pseudonym_version = 1
        self.pseudonym_key = bytes(32)
        self.keys: dict[DataKeyId, bytes] = {}
        self.addresses: dict[str, str] = {}

    async def ensure(self, wanted: DataKeyId, address: str | None = None) -> bytes:
        if address is not None:
            self.addresses.setdefault(wanted.consumer, address)
        return self.keys.setdefault(wanted, new_data_key())

    async def ensure_all(self, wanted: Mapping[DataKeyId, str | None]) -> Mapping[DataKeyId, bytes]:
        return {one: await self.ensure(one, address) for one, address in wanted.items()}

    async def address(self, consumer: str) -> str | None:
        return self.addresses.get(consumer)

    async def find(self, wanted: Iterable[DataKeyId]) -> Mapping[DataKeyId, bytes]:
        return {one: self.keys[one] for one in wanted if one in self.keys}


class InOneBatch:
    """A log on which the first callers are decided together, as one batch; later ones alone."""

    def __init__(self, log: MemoryLog, callers: int) -> None:
        self._log = log
        self._callers = callers
        self._waiting: list[tuple[Proposal, asyncio.Future[Outcome]]] = []

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        return self._log.read(query)

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((Proposal(query, decide), future))
        if len(self._waiting) >= self._callers:
            batch, self._waiting, self._callers = self._waiting, [], 1
            outcomes = self._log.submit([proposal for proposal, _ in batch])
            for (_, waiting), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    waiting.set_exception(outcome)
                else:
                    waiting.set_result(outcome)
        return await future


class Overtaken:
    """A log on which `by` happens between a first decision's reading and its writing."""

    def __init__(self, log: MemoryLog, by: Callable[[], object]) -> None:
        self._log = log
        self._by = [by]

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        return self._log.read(query)

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        proposal = [Proposal(query, decide)]
        reading, head = self._log.read(query)
        before = decide_all(proposal, [reading])
        while self._by:
            self._by.pop()()
        tail = self._log.follow(head, 10_000)
        (decided,) = decide_all(proposal, [reading], tail, before)
        if decided.failure is not None:
            raise decided.failure
        return self._log.decide(query, lambda _: decided.rows)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = NOON


class Book:
    """One book, each command a plain call at `clock.now`."""

    def __init__(
        self, desk: Desk, run: Callable[[Coroutine[object, object, T]], T], clock: Clock
    ) -> None:
        self.desk = desk
        self.run = run
        self.clock = clock

    def open(self, facts: Sequence[Fact]) -> None:
        """Open the book and put a catalogue into it."""
        self.run(open_book(self.desk, ORIGIN, OPENING))
        self.add(*facts)
        self.run(self.desk.refresh())

    def add(self, *facts: Fact, n: int = 0) -> Settled:
        """Append facts as they are, those of one kind and subject counted from `n`."""
        names = [(type(fact), fact.subject) for fact in facts]
        counted = (n + names[:place].count(name) for place, name in enumerate(names))
        drafts = [Draft(fact, number) for fact, number in zip(facts, counted, strict=True)]
        return self.run(self.desk.settle((), lambda _: drafts, ORIGIN))

    async def take_in(self, message: IncomingMo) -> Answer:
        """Take in a message, beside others."""
        return await traffic.receive_mo(self.desk, message, ORIGIN, self.clock.now)

    async def be_told(self, receipt: IncomingReceipt) -> list[Fact]:
        """Take in a receipt, beside others; gives what it added."""
        settled = await traffic.receive_receipt(self.desk, receipt, ORIGIN, self.clock.now)
        return [one.fact for one in settled.appended]

    def receive(self, message: IncomingMo) -> Answer:
        """Take in a message."""
        return self.run(self.take_in(message))

    def report(self, receipt: IncomingReceipt) -> list[Fact]:
        """Take in a receipt; gives what it added."""
        return self.run(self.be_told(receipt))

    async def grow_old(self, charge: str, now: datetime) -> list[Fact]:
        """Let time pass for a charge, beside others; gives what that added."""
        settled = await age_charge(self.desk, charge, ORIGIN, now)
        return [one.fact for one in settled.appended]

    def age(self, charge: str, now: datetime) -> list[Fact]:
        """Let time pass for a charge; gives what that added."""
        return self.run(self.grow_old(charge, now))

    def beside(self, rules: RuleBook | None = None) -> "Book":
        """Give another process at the same book: it has read as much, and no more."""
        desk = Desk(self.desk.book, self.desk.log, self.desk.keys, rules or self.desk.rules)
        desk.catalogue = self.desk.catalogue
        return Book(desk, self.run, self.clock)

    def text_of(self, fact: Fact) -> str:
        """Open the sealed text of a fact that was recorded."""
        (name,) = [one.id for one in self.recorded if one.fact == fact]
        key = data_key_of(fact)
        return unseal(self.run(self.desk.keys.find([key]))[key], name, fact.text)

    @property
    def in_memory(self) -> bool:
        """Whether it needs no event loop."""
        return self.run is at_once

    @property
    def rows(self) -> tuple[StoredRow, ...]:
        """Everything that was written, as it is stored."""
        return self.run(self.desk.log.read(EVERYTHING))[0]

    @property
    def recorded(self) -> list[Recorded]:
        """Everything that was recorded, in order."""
        return [REGISTRY.decode(row) for row in self.rows]

    def facts(self, *kinds: type[Fact]) -> list[Fact]:
        """Give the facts of some kinds, in order; of any, if none is named."""
        found = [one.fact for one in self.recorded]
        return [fact for fact in found if not kinds or isinstance(fact, kinds)]


def at_once(story: Coroutine[object, object, T]) -> T:
    """Run what never has to wait, as nothing does in memory."""
    try:
        story.send(None)
    except StopIteration as end:
        return end.value
    story.close()
    raise AssertionError("something in memory waited")


def rule_book(settings: str = SETTINGS) -> RuleBook:
    """Give the French rules under some settings."""
    return RuleBook(load_pack("fr"), parse_settings(settings.encode(), "settings"))


FRENCH = rule_book()


class ChangedRules(RuleBook):
    """A book's rules, the French by default, some of them changed as another pack would."""

    def __init__(self, like: RuleBook = FRENCH, /, **changes: object) -> None:
        super().__init__(like.pack, like.settings)
        self._changes = changes

    def on(self, day: LocalDay) -> Rules:
        """Give the rules in force, changed."""
        return msgspec.structs.replace(super().on(day), **self._changes)


def closed(rules: RuleBook = FRENCH) -> Book:
    """Give a book in memory that nobody has opened."""
    clock = Clock()
    log = MemoryLog(BOOK, lambda: clock.now)
    return Book(Desk(BOOK, AsyncMemoryLog(log), MemoryKeys(), rules), at_once, clock)


def in_memory(*more: Fact, rules: RuleBook = FRENCH) -> Book:
    """Open a book in memory with the usual catalogue and `more`."""
    book = closed(rules)
    book.open([*catalogue(), *more])
    return book


def together(
    book: Book, *stories: Callable[[], Coroutine[object, object, object]], also: Sequence[Book] = ()
) -> list[object]:
    """Run several commands of a book in memory at once, their first decisions in one batch.

    `also` are other processes at the same book that take part.
    """
    log = book.desk.log
    assert isinstance(log, AsyncMemoryLog)
    desks = [book.desk, *(other.desk for other in also)]
    batching = InOneBatch(log.log, len(stories))
    for desk in desks:
        desk.log = batching
    try:
        return asyncio.run(_gathered(stories))
    finally:
        for desk in desks:
            desk.log = log


async def _gathered(
    stories: Sequence[Callable[[], Coroutine[object, object, object]]],
) -> list[object]:
    return await asyncio.gather(*(story() for story in stories), return_exceptions=True)


def overtaken(book: Book, story: Callable[[], T], by: Callable[[], object]) -> T:
    """Run a command of a book in memory, `by` happening after it has read and decided."""
    log = book.desk.log
    assert isinstance(log, AsyncMemoryLog)

    def meanwhile() -> None:
        book.desk.log = log
        by()

    book.desk.log = Overtaken(log.log, meanwhile)
    try:
        return story()
    finally:
        book.desk.log = log
