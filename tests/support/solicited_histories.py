"""Draws histories of solicitations: bought, asked, sent, run out, stopped; late and set back."""

from datetime import timedelta

from hypothesis import strategies

from ledger.decisions.refusals import Refusal
from tests.support.book import Book, in_memory
from tests.support.builders import CHEAP, ON_DELIVERED, dlr, mo
from tests.support.given import numbered, take
from tests.support.solicited import MINUTE, Step, asking, bought, later, running_out, sending

CODES = (ON_DELIVERED, CHEAP)
TEXTS = ("JEU", "JEU", "VOTE 1", "STOP", "STOP JEU", "BONJOUR")
SERVICES = ("quiz", "tournoi", "vote")
_NAMES = strategies.integers(1, 6).map(lambda n: f"s-{n}")
_CODES = strategies.sampled_from(CODES)


def _wrote(text: str, code: str, minutes_late: int) -> Step:
    """Let a message reach us some minutes after it was sent."""

    def step(book: Book) -> None:
        sent = book.clock.now - minutes_late * MINUTE
        name = f"late-{len(book.rows)}"
        take(book, mo(text, short_code=code, stated_at=sent, gateway_message_id=name))

    return step


def _asked(number: int, code: str, service: str) -> Step:
    """Ask under a name of its own; the names of the first six are also used and let run out."""
    return asking(f"s-{number}", short_code=code, service=service)


def _paid(text: str, code: str) -> Step:
    """Let the consumer write, and have what is answered delivered, if anything is."""

    def step(book: Book) -> None:
        answer = book.receive(numbered(book, mo(text, short_code=code)))
        if answer.mt is not None:
            book.report(dlr(answer.mt))

    return step


_STEPS = strategies.one_of(
    strategies.builds(
        _asked, strategies.integers(1, 40), _CODES, strategies.sampled_from(SERVICES)
    ),
    strategies.builds(_asked, strategies.integers(1, 6), _CODES, strategies.just("quiz")),
    strategies.builds(_wrote, strategies.sampled_from(TEXTS), _CODES, strategies.integers(0, 9)),
    strategies.builds(_paid, strategies.sampled_from(("JEU", "VOTE 1")), _CODES),
    strategies.builds(sending, _NAMES),
    strategies.builds(running_out, _NAMES),
    strategies.builds(later, strategies.integers(-30, 90).map(lambda n: timedelta(minutes=n))),
)


@strategies.composite
def solicited_books(draw: strategies.DrawFn) -> Book:
    """Draw a book in memory, decided by the commands; what they refuse is refused."""
    book = in_memory()
    take(book, bought())
    for step in draw(strategies.lists(_STEPS, max_size=30)):
        try:
            take(book, step)
        except Refusal:
            continue
    return book
