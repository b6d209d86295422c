"""Solicitations of one book, asked of several processes at once on PostgreSQL."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from datetime import timedelta

import pytest

from ledger.facts.consent import OptedOut
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
    SolicitationRefused,
)
from ledger.facts.traffic import MtEmitted
from tests.support.book import Book
from tests.support.builders import mo
from tests.support.database import TestDatabase
from tests.support.given import take
from tests.support.served import processes
from tests.support.solicited import TEXT, ask, asking, bought, run_out, send

Story = Callable[[], Coroutine[object, object, object]]


@pytest.fixture
def books(database: TestDatabase) -> Generator[list[Book]]:
    """Give a book with a buyer, served by three."""
    with processes(database.app_url, 3) as served:
        take(served[0], bought())
        yield served


def gathered(book: Book, *stories: Story) -> list[object]:
    """Run commands beside each other."""

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(story() for story in stories), return_exceptions=True)

    return book.run(all_of_them())


class TestAtOnce:
    """What many do at the same moment."""

    def test_two_of_many_get_a_place(self, books: list[Book]) -> None:
        asked = [(book, f"s-{n}") for n in range(4) for book in books]
        names = [(book, f"{name}-{place}") for place, (book, name) in enumerate(asked)]
        told = gathered(books[0], *(lambda b=b, n=n: ask(b, n) for b, n in names))
        facts = [one.fact for one in told]
        allowed = [fact for fact in facts if isinstance(fact, SolicitationAllowed)]
        refused = [fact for fact in facts if isinstance(fact, SolicitationRefused)]
        assert sorted(fact.count for fact in allowed) == [1, 2]
        assert {fact.rule for fact in refused} == {"limit_without_return"}
        assert len(refused) == 10
        assert len(books[0].facts(SolicitationAllowed, SolicitationRefused)) == 12

    def test_one_question_is_answered_once(self, books: list[Book]) -> None:
        told = gathered(books[0], *(lambda b=b: ask(b) for b in books * 3))
        assert len({one.fact.occurred_at for one in told}) == 1
        assert sum(not one.repeated for one in told) == 1
        assert len(books[0].facts(SolicitationAllowed)) == 1

    def test_one_message_goes_out_once(self, books: list[Book]) -> None:
        take(books[0], asking())
        sent = gathered(books[0], *(lambda b=b: send(b) for b in books * 3))
        assert len({one.emitted.ref.mt for one in sent}) == 1
        (emitted,) = [
            fact
            for fact in books[0].facts(MtEmitted)
            if isinstance(fact, MtEmitted) and fact.kind == "solicitation"
        ]
        assert books[0].text_of(emitted) == TEXT

    def test_a_place_runs_out_once(self, books: list[Book]) -> None:
        take(books[0], asking())
        for book in books:
            book.clock.now += timedelta(hours=1)
        gathered(
            books[0],
            *(lambda b=b: run_out(b) for b in books),
            *(lambda b=b, n=n: ask(b, f"s-{n}") for n, b in enumerate(books, 2)),
        )
        assert len(books[0].facts(SolicitationExpired)) == 1
        assert len(books[0].facts(SolicitationAllowed)) == 3

    def test_stop_and_the_message_are_one_after_the_other(self, books: list[Book]) -> None:
        take(books[0], asking())
        stop = mo("STOP", gateway_message_id="stop")
        gathered(books[0], lambda: send(books[1]), lambda: books[2].take_in(stop))
        order = [one.fact for one in books[0].recorded]
        (stopped,) = [place for place, fact in enumerate(order) if isinstance(fact, OptedOut)]
        kinds = {fact.kind for fact in order[stopped:] if isinstance(fact, MtEmitted)}
        assert kinds == {"opt_out_confirmation"}
        (after,) = gathered(books[0], lambda: ask(books[0], "s-2"))
        assert isinstance(after.fact, SolicitationRefused)
        assert after.fact.rule == "opted_out"
