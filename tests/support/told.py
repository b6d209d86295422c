"""Exchanges that another platform decided, with defaults: a test names only what it is about."""

import json
from collections.abc import Callable
from typing import Any

from api.importing.elsewhere import imported
from api.importing.lines import Exchange, read_line
from ledger.commands.imported import TakenOver, import_all
from ledger.decisions.story import mo_id
from ledger.facts.base import Fact
from ledger.facts.findings import FindingOpened
from ledger.rules.inforce import Cap
from ledger.spans import Window
from tests.support.book import ORIGIN, Book, ChangedRules, in_memory
from tests.support.builders import BOOK, ON_DELIVERED

SENT_AT = "2026-07-10T10:00:00Z"
QUIZ = {"keyword": "JEU", "merchant": "ludotel", "service": "quiz"}
EUR3 = {"amount": "3.00", "currency": "EUR"}
DELIVERED = {"outcome": "delivered", "status": "raw", "occurred_at": "2026-07-10T10:00:05Z"}
MO = mo_id(BOOK, "kannel", "m-1")


def charged(state: str = "captured", **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - of every type
    """Charge the answer 3.00."""
    return {"price": EUR3, "state": state, **fields}


def exchange_line(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - of every type
    """Tell of a message that bought the quiz, was answered, charged 3.00 and delivered."""
    defaults = {
        "kind": "exchange",
        "gateway": "kannel",
        "smsc": "orange",
        "id": "m-1",
        "sender": "alias-1",
        "short_code": ON_DELIVERED,
        "text": "JEU 42",
        "sent_at": SENT_AT,
        "match": QUIZ,
        "mt": {"text": "Merci"},
        "charges": [charged()],
        "receipts": [DELIVERED],
    }
    given = {**defaults, **fields}
    return {name: value for name, value in given.items() if value is not None}


def exchange(**fields: Any) -> Exchange:  # noqa: ANN401 - of every type
    """Give the same as the line that it is read from."""
    line = read_line(json.dumps(exchange_line(**fields)).encode())
    assert isinstance(line, Exchange)
    return line


def told(**fields: Any) -> Callable[[Book], TakenOver]:  # noqa: ANN401 - of every type
    """Let such an exchange be taken over."""

    def step(book: Book) -> TakenOver:
        (one,) = take_over(book, exchange(**fields))
        if isinstance(one, Exception):
            raise one
        return one

    return step


def take_over(book: Book, *lines: Exchange) -> list[TakenOver | Exception]:
    """Take several over in one batch."""
    batch = [imported(BOOK, line, recycles_ids=False) for line in lines]
    return book.run(import_all(book.desk, batch, ORIGIN))


def findings(book: Book) -> list[str]:
    """Give the kinds of what was found, in order."""
    return [one.kind for one in book.facts(FindingOpened) if isinstance(one, FindingOpened)]


def only(book: Book, kind: type[Fact]) -> Any:  # noqa: ANN401 - a fact of that kind
    (found,) = book.facts(kind)
    return found


CAP = Cap(
    name="a day",
    amount=5_000_000,
    counted_per="consumer",
    window=Window(kind="rolling", n=1, unit="day"),
)


def capped() -> Book:
    """Give a book in which a consumer may spend 5.00 a day."""
    return in_memory(rules=ChangedRules(caps=(CAP,), notices=()))
