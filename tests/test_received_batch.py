"""Many messages and receipts at once: the same facts and answers as one after another."""

import asyncio
from collections.abc import Coroutine, Generator, Iterable, Sequence
from datetime import timedelta

import msgspec
import pytest

from ledger.catalogue import Catalogue
from ledger.commands.desk import ATTEMPTS, Settled
from ledger.commands.received import Arrived, Result, receive_all
from ledger.commands.traffic import Answer, IncomingMo, IncomingReceipt
from ledger.decisions.refusals import ConflictingDuplicate, Refusal
from ledger.decisions.story import mo_id, mt_id
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured
from ledger.facts.traffic import DeliveryReceived, MoReceived
from ledger.log.errors import LogOverloaded, RowRefused
from tests.support.book import ORIGIN, Book, MemoryKeys, in_memory, overtaken
from tests.support.builders import BOOK, NOON, ON_DELIVERED, dlr, gateway, mo, service, tariff
from tests.support.database import TestDatabase
from tests.support.served import on_postgres, processes


@pytest.fixture(params=["memory", "postgres"])
def book(request: pytest.FixtureRequest) -> Generator[Book]:
    """Give an open book with the usual catalogue, on each kind of log."""
    if request.param == "memory":
        yield in_memory()
        return
    database = request.getfixturevalue("database")
    with on_postgres(database.app_url) as opened:
        yield opened


def arrived(*what: IncomingMo | IncomingReceipt) -> list[Arrived]:
    """Let things arrive one after another, a second apart."""
    return [Arrived(one, NOON + timedelta(seconds=n)) for n, one in enumerate(what)]


def taken(book: Book, batch: Sequence[Arrived]) -> list[Result]:
    """Take a batch in."""
    return book.run(receive_all(book.desk, batch, ORIGIN))


def one_by_one(batch: Sequence[Arrived], like: Book) -> tuple[Book, list[object]]:
    """Take a batch in one after another, in memory, in a book that names consumers as `like`."""
    book = in_memory()
    assert isinstance(book.desk.keys, MemoryKeys)
    book.desk.keys.pseudonym_key = like.desk.keys.pseudonym_key
    answers: list[object] = []
    for what, book.clock.now in batch:
        try:
            receive = book.receive if isinstance(what, IncomingMo) else book.report
            answers.append(receive(what))
        except Refusal as refused:
            answers.append(type(refused))
    return book, answers


def shape(result: object) -> object:
    """Give a result as `one_by_one` gives it."""
    if isinstance(result, Settled):
        return [_unsealed(one.fact) for one in result.appended]
    return type(result) if isinstance(result, Exception) else result


def shapes(results: Iterable[object]) -> list[object]:
    """Give results as they compare: facts without what sealing drew, no positions."""
    return [_comparable(shape(one)) for one in results]


def _comparable(one: object) -> object:
    if isinstance(one, Answer):
        return one._replace(position=0)
    return [_unsealed(fact) for fact in one] if isinstance(one, list) else one


def _unsealed(fact: Fact) -> Fact:
    changes = {name: None for name in ("text", "fingerprint") if hasattr(fact, name)}
    return msgspec.structs.replace(fact, **changes)


def facts_of(book: Book) -> list[tuple[str, str, str | None, Fact]]:
    """Give what was recorded since the catalogue, apart from what sealing drew."""
    return [
        (one.id, one.actor, one.caused_by, _unsealed(one.fact))
        for one in book.recorded
        if one.position > book.desk.catalogue.position
    ]


MT = mt_id(BOOK, mo_id(BOOK, "kannel", "m-1"))
STORY = arrived(
    mo("JEU 1"),
    dlr(MT, "submitted"),
    dlr(MT),
    mo("JEU 2", gateway_message_id="m-2"),
    mo("JEU 1"),
    mo("JEU 3", gateway_message_id="m-2"),
    mo("nothing on sale", gateway_message_id="m-3", sender="alias-2"),
    dlr("f" * 32),
    mo("STOP", gateway_message_id="m-4"),
    mo("JEU 4", gateway_message_id="m-5"),
    mo("JEU 5", gateway_message_id="m-6", gateway="nobody"),
    mo("JEU 6", gateway_message_id="m-7", smsc="nowhere"),
    dlr(MT),
    mo("QUIZ", gateway_message_id="m-8", sender="alias-3"),
)
"""A charged exchange with its receipts, a repeat, a conflict, an error, an orphan, a STOP."""


class TestReceiveAll:
    """A batch taken in."""

    def test_records_and_answers_as_one_after_another(self, book: Book) -> None:
        alone, answers = one_by_one(STORY, book)
        assert shapes(taken(book, STORY)) == shapes(answers)
        assert facts_of(book) == facts_of(alone)

    def test_again_is_answered_alike_and_records_nothing(self, book: Book) -> None:
        first = [one for one in taken(book, STORY) if isinstance(one, Answer)]
        before = book.rows
        again = [one for one in taken(book, STORY) if isinstance(one, Answer)]
        assert [one.text for one in again] == [one.text for one in first]
        assert all(one.repeated for one in again)
        assert book.rows == before

    def test_in_pieces_is_the_same_as_whole(self, book: Book) -> None:
        alone, _ = one_by_one(STORY, book)
        for at in range(0, len(STORY), 3):
            taken(book, STORY[at : at + 3])
        assert facts_of(book) == facts_of(alone)

    def test_gives_each_its_own_facts_and_position(self, book: Book) -> None:
        results = taken(book, STORY[:3])
        (answer, submitted, delivered) = results
        assert isinstance(answer, Answer)
        assert isinstance(submitted, Settled)
        assert isinstance(delivered, Settled)
        (recorded,) = submitted.appended
        assert recorded.position == submitted.head == answer.position + 1
        assert [type(one.fact) for one in delivered.appended] == [DeliveryReceived, ChargeCaptured]
        assert delivered.head == book.rows[-1].position
        assert delivered.history[-1].position == submitted.head

    def test_learns_a_catalogue_that_has_moved(self, book: Book) -> None:
        book.beside().add(tariff(ON_DELIVERED, 4_000_000, effective_from=NOON), n=1)
        (first, second) = taken(
            book, arrived(mo("JEU"), mo("JEU", gateway_message_id="m-2", sender="alias-2"))
        )
        assert isinstance(first, Answer)
        assert isinstance(second, Answer)
        assert first.text == second.text == "Merci pour , 4.00 EUR"

    def test_learns_of_a_gateway_that_is_new(self, book: Book) -> None:
        book.beside().add(gateway("late", effective_from=NOON))
        (answer,) = taken(book, arrived(mo("JEU", gateway="late")))
        assert isinstance(answer, Answer)
        assert answer.mt is not None

    def test_finds_the_key_that_an_older_message_was_sealed_under(self, book: Book) -> None:
        book.receive(mo("JEU 1"))
        later = NOON + timedelta(days=31)
        same, fresh, other = taken(
            book,
            [
                Arrived(mo("JEU 1"), later),
                Arrived(mo("JEU 1", gateway_message_id="m-2", sender="alias-2"), later),
                Arrived(mo("JEU 2"), later),
            ],
        )
        assert isinstance(same, Answer)
        assert same.repeated
        assert isinstance(fresh, Answer)
        assert not fresh.repeated
        assert isinstance(other, ConflictingDuplicate)

    def test_compares_a_message_under_any_number_of_keys(self, book: Book) -> None:
        """Each consumer who wrote under one id has a key of their own."""
        batch = arrived(*(mo("JEU", sender=f"alias-{n}") for n in range(ATTEMPTS + 2)))
        alone, answers = one_by_one(batch, book)
        results = [one for part in batch for one in taken(book, [part])]
        assert shapes(results) == shapes(answers)
        assert sum(isinstance(one, ConflictingDuplicate) for one in results) == ATTEMPTS + 1
        assert facts_of(book) == facts_of(alone)

    def test_lets_one_bad_row_fail_alone(self, book: Book) -> None:
        batch = arrived(
            *(
                mo("JEU " + "x" * (50_000 if n == 3 else 1), gateway_message_id=f"m-{n}")
                for n in range(7)
            )
        )
        results = taken(book, batch)
        assert [n for n, one in enumerate(results) if isinstance(one, RowRefused)] == [3]
        assert len(book.facts(MoReceived)) == 6

    def test_of_nothing_is_nothing(self, book: Book) -> None:
        before = book.rows
        assert taken(book, []) == []
        assert book.rows == before

    def test_joins_what_others_recorded_meanwhile(self) -> None:
        book = in_memory()
        other = book.beside()
        results = overtaken(
            book, lambda: taken(book, STORY[1:4]), by=lambda: other.receive(mo("JEU 1"))
        )
        assert all(isinstance(one, Settled | Answer) for one in results)
        assert len(book.facts(ChargeCaptured)) == 1
        assert len(book.facts(DeliveryReceived)) == 1

    def test_gives_up_where_the_catalogue_never_stands_still(self) -> None:
        book = in_memory()
        late = book.beside()
        late.desk.refresh = at_rest
        book.add(service("late", effective_from=NOON))
        before = book.rows
        with pytest.raises(LogOverloaded):
            taken(late, STORY[:2])
        assert book.rows == before


async def at_rest() -> Catalogue:
    """Read nothing more of the catalogue."""
    return Catalogue()


class TestSeveralProcesses:
    """Two processes at one book, each with its own connections, taking in the same batches."""

    def test_record_each_message_once_and_answer_alike(self, database: TestDatabase) -> None:
        batches = [
            arrived(
                *(
                    mo(f"JEU {n}", gateway_message_id=f"m-{n}", sender=f"alias-{n % 7}")
                    for n in range(first, first + 12)
                )
            )
            for first in range(0, 60, 12)
        ]
        with processes(database.app_url, 2) as (one, other):
            both = [
                receive_all(book.desk, batch, ORIGIN) for batch in batches for book in (one, other)
            ]
            results = one.run(_all_of(both))
            for first, second in zip(results[::2], results[1::2], strict=True):
                assert [_told(answer) for answer in first] == [_told(answer) for answer in second]
            received = one.facts(MoReceived)
            positions = [row.position for row in one.rows]
        assert len(received) == len({fact.mo for fact in received}) == 60
        assert positions == list(range(1, len(positions) + 1))


async def _all_of(stories: Iterable[Coroutine[object, object, list[Result]]]) -> list[list[Result]]:
    return await asyncio.gather(*stories)


def _told(result: Result) -> tuple[str, str]:
    assert isinstance(result, Answer)
    return result.mo, result.text
