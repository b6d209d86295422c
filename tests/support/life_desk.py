"""A book in memory on which charges live: its inputs by the names of their messages, its folds.

`forgets` are facts that the log keeps from every decision: a control's flaw, none in a sound one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

import msgspec

from ledger.commands.traffic import IncomingMo
from ledger.decisions.charging import charge_id
from ledger.decisions.refusals import Refusal
from ledger.decisions.story import mo_id, mt_id
from ledger.facts.base import Recorded
from ledger.facts.catalogue import TestNumberDeclared
from ledger.facts.registry import REGISTRY
from ledger.facts.traffic import MoReceived
from ledger.log.batch import Decide, Outcome, Proposal, decide_all
from ledger.log.memory import AsyncMemoryLog, MemoryLog
from ledger.log.rows import Query
from ledger.rules.inforce import Cap
from ledger.spans import Window
from projections.fold import Context
from projections.known import PROJECTIONS
from tests.support.book import FRENCH, Book, ChangedRules, in_memory
from tests.support.builders import (
    BOOK,
    DONATION,
    ON_DELIVERED,
    OPENING,
    UNKNOWN_CODE,
    dlr,
    mo,
    percent,
    with_merchant,
)
from tests.support.life_model import CAP, GATEWAY, Report, Told
from tests.support.life_money import Asking
from tests.support.life_sales import PEOPLE, Who
from tests.support.refunding import PRINCIPAL, refund_of, refunding, write_off_of, writing_off
from tests.support.told import QUIZ, charged, exchange, take_over

FOLDS = [projection.fold for projection in PROJECTIONS]
PARIS = Context("Europe/Paris")
ONE_DAY = Cap(
    name="a day",
    amount=CAP,
    counted_per="consumer",
    window=Window(kind="rolling", n=1, unit="day"),
)


class Terms(NamedTuple):
    """How we act, and who bears Ludotel's part of refunds and of what is unpaid."""

    principal: bool = False
    refunds: str = "aggregator"
    unpaid: str = "aggregator"


class ForgetfulLog(AsyncMemoryLog):
    """A log that keeps some facts from every decision, though it stores them."""

    def __init__(self, log: MemoryLog, forgets: frozenset[str]) -> None:
        super().__init__(log)
        self._forgets = forgets

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        """Decide on what is remembered."""
        rows, _ = self.log.read(query)
        reading = tuple(row for row in rows if row.type not in self._forgets)
        (decided,) = decide_all([Proposal(query, decide)], [reading])
        if decided.failure is not None:
            raise decided.failure
        outcome = self.log.decide(query, lambda _: decided.rows)
        return outcome._replace(history=reading)


class Seen(NamedTuple):
    """What came of one input: what was said, and what was recorded."""

    said: object
    new: Sequence[Recorded]


class Life:
    """The book, and what was folded of it so far."""

    def __init__(self, book: Book, forgets: frozenset[str]) -> None:
        self.book = book
        log = self.book.desk.log
        assert isinstance(log, AsyncMemoryLog)
        self._log = log.log
        if forgets:
            self.book.desk.log = ForgetfulLog(self._log, forgets)
        self.recorded: list[Recorded] = []
        self.tables: dict[str, dict] = {fold.name: {} for fold in FOLDS}
        self.catch_up()

    def catch_up(self) -> Sequence[Recorded]:
        """Fold what is new and combine it with what was folded before; gives the new facts."""
        rows = self._log.follow(len(self.recorded), 10_000)
        new = [REGISTRY.decode(row) for row in rows]
        self.recorded += new
        if new:
            for fold in FOLDS:
                delta = fold.fold(new, PARIS)
                self.tables[fold.name] = fold.combine(self.tables[fold.name], delta)
        return new

    def do(self, step: Callable[[Book], object]) -> Seen:
        """Let something happen: gives what is said, a refusal by its name."""
        try:
            said = step(self.book)
        except Refusal as refusal:
            said = type(refusal).__name__
        return Seen(said, self.catch_up())

    def unlike_rebuilt(self) -> list[str]:
        """Name the tables that are not what folding all facts at once gives."""
        return [
            fold.name for fold in FOLDS if self.tables[fold.name] != fold.fold(self.recorded, PARIS)
        ]


def opened(terms: Terms) -> Book:
    """Open the book: its cap, Ludotel's contract by its terms, and the number that only tests."""
    rules = ChangedRules(PRINCIPAL if terms.principal else FRENCH, caps=(ONE_DAY,))
    contract = with_merchant(
        "ludotel",
        percent(80, "reversement"),
        refunds_borne_by=terms.refunds,
        unpaid_borne_by=terms.unpaid,
    )
    contract = msgspec.structs.replace(contract, contract="c-ludotel-again")
    tests = [
        TestNumberDeclared(consumer=consumer, label="ours", effective_from=OPENING)
        for consumer in testing()
    ]
    return in_memory(contract, *tests, rules=rules)


def message(name: str, who: Who, code: str, text: str, **fields: object) -> IncomingMo:
    """Write a message of somebody, under a name of its own."""
    return mo(
        text,
        gateway_message_id=name,
        sender=who.sender,
        smsc=who.smsc,
        short_code=code,
        **fields,
    )


def mt_of(name: str) -> str:
    """Give the id of the answer to a message."""
    return mt_id(BOOK, mo_id(BOOK, GATEWAY, name))


def charge_of(name: str) -> str:
    """Give the id of the charge of that answer."""
    return charge_id(BOOK, mo_id(BOOK, GATEWAY, name), "mt")


@lru_cache(maxsize=1)
def testing() -> tuple[str, ...]:
    """Give the pseudonyms of the numbers that only test, one for each group of codes."""
    book = in_memory()
    numbers = [who for who in PEOPLE if who.test]
    for code in (ON_DELIVERED, DONATION, UNKNOWN_CODE):
        for who in numbers:
            book.receive(message(f"{who.sender} {code}", who, code, "ZUT"))
    return tuple(one.consumer for one in book.facts(MoReceived))


Step = Callable[[Book], object]


def sending(name: str, who: Who, code: str, text: str, stated_at: datetime | None) -> Step:
    """Make a step of a message: gives what is answered, its place aside."""

    def step(book: Book) -> tuple[object, ...]:
        answer = book.receive(message(name, who, code, text, stated_at=stated_at))
        return answer.mo, answer.mt, answer.text, answer.billing_code

    return step


def reporting(mt: str, report: Report) -> Step:
    """Make a step of a receipt of a message."""
    gateway, outcome, billed, part = report
    receipt = dlr(mt, outcome, billed=billed, gateway=gateway, part=part)

    def step(book: Book) -> str:
        book.report(receipt)
        return "heard"

    return step


def telling(name: str, who: Who, told: Told, at: datetime) -> Step:
    """Make a step of an exchange that another platform decided."""
    matched = told.text.startswith("JEU")
    line = exchange(
        id=name,
        smsc=who.smsc,
        sender=who.sender,
        short_code=told.code,
        text=told.text,
        sent_at=at.isoformat(),
        match=QUIZ if matched else None,
        unmatched=None if matched else "unknown_keyword",
        mt={"text": "M" * (200 if told.parts > 1 else 5)},
        charges=[charged(told.state, category="content")],
        receipts=[],
    )

    def step(book: Book) -> str:
        (taken,) = take_over(book, line)
        if isinstance(taken, Exception):
            raise taken
        return taken.mo

    return step


def asking_for(charge: str, asking: Asking, merchant: str | None) -> Step:
    """Make a step of a refund or a write-off; `merchant` if it asks by itself."""
    if asking.is_write_off:
        write_off = write_off_of(charge, id=asking.name, reason=asking.by)
        return lambda book: writing_off(write_off)(book).fact
    channel = {"operator": "bill", "aggregator": "transfer", "merchant": "voucher"}[asking.by]
    refund = refund_of(
        charge,
        id=asking.name,
        by=asking.by,
        channel=channel,
        price=asking.price,
        merchant=merchant,
    )
    return lambda book: refunding(refund)(book).fact
