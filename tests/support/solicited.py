"""Steps of stories about solicitations: to buy, to ask, to send, to let time pass."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ledger.commands.desk import Settled
from ledger.commands.solicitations import (
    Asker,
    GatewayAsks,
    Sent,
    Told,
    ask_solicitation,
    expire_solicitation,
    use_solicitation,
)
from ledger.facts.base import Fact
from ledger.facts.solicitations import SolicitationRefused
from ledger.words import derived_id
from tests.support.book import ORIGIN, Book
from tests.support.builders import ON_DELIVERED, dlr, mo
from tests.support.given import Happened, numbered, some

MINUTE = timedelta(minutes=1)
TEXT = "Ludotel : rejouez en envoyant JEU au 81014. STOP au 81014"
GATEWAY = Asker("kannel")
Step = Callable[[Book], object]


def at(now: datetime) -> Step:
    """Let it be that time."""

    def step(book: Book) -> None:
        book.clock.now = now

    return step


def later(by: timedelta) -> Step:
    """Let time pass."""

    def step(book: Book) -> None:
        book.clock.now += by

    return step


def bought(text: str = "JEU", **fields: object) -> Step:
    """Let the consumer have bought something a minute ago, delivered and so paid."""

    def step(book: Book) -> None:
        book.clock.now -= MINUTE
        answer = book.receive(numbered(book, mo(text, **fields)))
        assert answer.mt is not None
        book.report(dlr(answer.mt))
        book.clock.now += MINUTE

    return step


def asking(asked: str = "s-1", **fields: str) -> Callable[[Book], Told]:
    """Ask, as the gateway, to solicit the usual consumer for the game."""
    return lambda book: book.run(ask(book, asked, **fields))


async def ask(book: Book, asked: str = "s-1", **fields: str) -> Told:
    """Ask as `asking` does, beside others."""
    asks = GatewayAsks(asked, "kannel", "orange", "alias-1", ON_DELIVERED, "quiz")
    return await ask_solicitation(book.desk, asks._replace(**fields), ORIGIN, book.clock.now)


def named(asked: str = "s-1") -> str:
    """Give the id of what the gateway asked."""
    return derived_id("fr", "solicitation", "gateway kannel", asked)


def sending(asked: str = "s-1", text: str = TEXT, asker: Asker = GATEWAY) -> Callable[[Book], Sent]:
    """Use an allowance."""
    return lambda book: book.run(send(book, asked, text, asker))


async def send(book: Book, asked: str = "s-1", text: str = TEXT, asker: Asker = GATEWAY) -> Sent:
    """Use an allowance, beside others."""
    now = book.clock.now
    return await use_solicitation(book.desk, named(asked), text, asker, origin=ORIGIN, now=now)


def running_out(asked: str = "s-1") -> Step:
    """Look whether an allowance has run out."""
    return lambda book: book.run(run_out(book, asked))


async def run_out(book: Book, asked: str = "s-1") -> Settled:
    """Look as `running_out` does, beside others."""
    return await expire_solicitation(book.desk, named(asked), ORIGIN, book.clock.now)


def adding(*facts: Fact) -> Step:
    """Record facts as they are."""

    def step(book: Book) -> None:
        book.add(*facts)
        book.run(book.desk.refresh())

    return step


def refused(happened: Happened, rule: str, **fields: object) -> SolicitationRefused:
    """See that the asking was refused by a rule, and that nothing else was recorded."""
    happened.then(some(SolicitationRefused, rule=rule, **fields))
    return happened.fact(SolicitationRefused)
