"""Stories of a book: given what happened, when something comes, then these facts follow.

    given(mo("STOP")).when(mo("JEU")).then(MoReceived, OptOutLifted, ..., some(MtEmitted, parts=1))

Each step is a message, a receipt, or a function of the book. A message without an id of its own
gets the next one.
"""

import re
from collections.abc import Callable
from typing import Any

from ledger.commands.traffic import Answer, IncomingMo, IncomingReceipt
from ledger.facts.base import Fact, Recorded
from tests.support.book import Book, in_memory
from tests.support.builders import mo

Step = IncomingMo | IncomingReceipt | Callable[[Book], object]
NEXT = mo().gateway_message_id


class Some:
    """A fact of a kind, of which only the named fields matter; `a.b` is written `a__b`."""

    def __init__(self, kind: type[Fact], fields: dict[str, Any]) -> None:
        self.kind = kind
        self.fields = fields

    def seen_in(self, fact: Fact) -> dict[str, Any]:
        """Give the same fields of a fact, the kind among them."""
        return {"": type(fact).__name__} | {name: _get(fact, name) for name in self.fields}

    @property
    def wanted(self) -> dict[str, Any]:
        """The fields as they must be."""
        return {"": self.kind.__name__} | self.fields


def some(kind: type[Fact], /, **fields: Any) -> Some:  # noqa: ANN401 - fields of every type
    """Describe a fact by its kind and the fields that matter."""
    return Some(kind, fields)


class Happened:
    """What one step led to."""

    def __init__(self, book: Book, appended: list[Recorded], result: object) -> None:
        self.book = book
        self.appended = appended
        self._result = result

    @property
    def answer(self) -> Answer:
        """What the gateway is told."""
        assert isinstance(self._result, Answer), self._result
        return self._result

    def then(self, *wanted: type[Fact] | Some) -> "Happened":
        """Compare the facts that were added, in order, with what is wanted."""
        if isinstance(self._result, Exception):
            raise self._result
        return self.left(*wanted)

    def left(self, *wanted: type[Fact] | Some) -> "Happened":
        """Compare the facts that were added, whether the step was refused or not."""
        kinds = [one if isinstance(one, Some) else Some(one, {}) for one in wanted]
        found = [one.fact for one in self.appended]
        names = [type(fact).__name__ for fact in found]
        assert names == [one.kind.__name__ for one in kinds]
        for fact, one in zip(found, kinds, strict=True):
            assert one.seen_in(fact) == one.wanted
        return self

    def refused(self, kind: type[Exception], match: str = "") -> "Happened":
        """See that the step was refused so."""
        result = self._result
        assert isinstance(result, kind), result
        assert re.search(match, str(result)), result
        return self

    def fact(self, kind: type[Fact]) -> Any:  # noqa: ANN401 - the caller knows its fields
        """Give the only added fact of a kind."""
        (found,) = [one.fact for one in self.appended if isinstance(one.fact, kind)]
        return found


class Given:
    """A book in which something has happened."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def when(self, step: Step) -> Happened:
        """Let one more thing happen."""
        before = len(self.book.rows)
        try:
            result = take(self.book, step)
        except Exception as error:  # noqa: BLE001 - the story says which it expects
            result = error
        return Happened(self.book, self.book.recorded[before:], result)


def given(*steps: Step, book: Book | None = None) -> Given:
    """Let steps happen to a book, by default a new one in memory."""
    book = book or in_memory()
    for step in steps:
        take(book, step)
    return Given(book)


def take(book: Book, step: Step) -> object:
    """Let one step happen."""
    match step:
        case IncomingMo():
            return book.receive(numbered(book, step))
        case IncomingReceipt():
            return book.report(step)
        case _:
            return step(book)


def numbered(book: Book, message: IncomingMo) -> IncomingMo:
    """Give a message an id of its own, unless it has one already."""
    if message.gateway_message_id != NEXT:
        return message
    return message._replace(gateway_message_id=f"{NEXT}-{len(book.rows)}")


def _get(fact: object, path: str) -> object:
    for name in path.split("__"):
        fact = getattr(fact, name)
    return fact
