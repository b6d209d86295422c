"""The commands, on the log in memory and on PostgreSQL: the same stories, the same facts."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from datetime import timedelta

import pytest

from ledger.commands.desk import ATTEMPTS, CatalogueMoved, FactRepeated
from ledger.commands.messages import told
from ledger.decisions.refusals import ConflictingDuplicate, RulesOutdated
from ledger.facts.base import Draft
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.consent import OptedOut
from ledger.facts.tags import tag
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    MoReceived,
    MtEmitted,
)
from ledger.log.errors import LogOverloaded
from ledger.log.rows import Interest
from ledger.postings import postings
from tests.support.book import ORIGIN, Book, closed, in_memory, overtaken
from tests.support.builders import NOON, ON_DELIVERED, dlr, mo, service, tariff
from tests.support.database import TestDatabase
from tests.support.served import on_postgres, processes

DUE = NOON + timedelta(hours=72)


@pytest.fixture(params=["memory", "postgres"])
def book(request: pytest.FixtureRequest) -> Generator[Book]:
    """Give an open book with the usual catalogue, on each kind of log."""
    if request.param == "memory":
        yield in_memory()
        return
    database = request.getfixturevalue("database")
    with on_postgres(database.app_url) as opened:
        yield opened


def gathered(book: Book, *stories: Callable[[], Coroutine[object, object, object]]) -> list[object]:
    """Run commands beside each other."""

    async def all_of_them() -> list[object]:
        return await asyncio.gather(*(story() for story in stories), return_exceptions=True)

    return asyncio.run(all_of_them()) if book.in_memory else book.run(all_of_them())


class TestExchange:
    """A message, its answer and its receipt."""

    def test_ends_in_the_merchants_account(self, book: Book) -> None:
        answer = book.receive(mo("JEU 42"))
        assert answer.mt is not None
        book.report(dlr(answer.mt, "submitted"))
        book.report(dlr(answer.mt, "delivered"))
        (captured,) = book.facts(ChargeCaptured)
        # 3.00: Ludotel earns 1.00 of the 1.25 that Orange owes.
        owed = [line for line in postings(captured) if line.party == "ludotel"]
        assert [line.credit for line in owed] == [1_000_000]
        assert (answer.text, answer.billing_code) == ("Merci pour 42, 3.00 EUR", "P3000000")

    def test_again_is_answered_alike(self, book: Book) -> None:
        message = mo("JEU 42", gateway_message_id="m-7")
        first = book.receive(message)
        before = book.rows
        assert book.receive(message) == first._replace(repeated=True)
        assert book.rows == before

    def test_of_another_content_is_a_conflict(self, book: Book) -> None:
        book.receive(mo("JEU 1", gateway_message_id="m-7"))
        for _ in range(2):
            with pytest.raises(ConflictingDuplicate):
                book.receive(mo("JEU 2", gateway_message_id="m-7"))
        assert len(book.facts(ConflictingDuplicateReceived)) == 1

    def test_that_stops_is_silent_afterwards(self, book: Book) -> None:
        texts = [book.receive(mo("STOP", gateway_message_id=id_)).text for id_ in ("a", "b")]
        assert texts == ["Arret sur 81014", ""]

    def test_begun_by_a_receipt_takes_it_in(self, book: Book) -> None:
        message = mo("JEU", gateway_message_id="m-7")
        known = in_memory().receive(message)
        assert known.mt is not None
        book.report(dlr(known.mt))
        assert book.receive(message).mt == known.mt
        assert len(book.facts(DeliveryOrphaned)) == len(book.facts(ChargeCaptured)) == 1

    def test_left_alone_grows_old_once(self, book: Book) -> None:
        book.receive(mo("JEU"))
        charge = book.facts(ChargeAuthorized)[0].ref.charge
        assert [len(book.age(charge, DUE)) for _ in range(2)] == [1, 0]
        assert book.facts(ChargeUnresolved)[0].occurred_at == DUE

    def test_after_the_price_has_changed_costs_the_new_one(self, book: Book) -> None:
        book.beside().add(tariff(ON_DELIVERED, 4_000_000, effective_from=NOON), n=1)
        assert book.receive(mo("JEU")).text == "Merci pour , 4.00 EUR"


class TestSettle:
    """A decision that would record a fact again, which no decision may."""

    def test_refuses_an_id_that_it_has_read(self) -> None:
        book = in_memory()
        mt = book.receive(mo("JEU")).mt
        (sent,) = [one for one in book.recorded if isinstance(one.fact, MtEmitted)]
        before = book.rows
        query = (Interest((tag("mt", mt),)),)
        with pytest.raises(FactRepeated, match=rf"mt_emitted\.v1 .*{sent.id}"):
            book.run(book.desk.settle(query, lambda _: [Draft(sent.fact)], ORIGIN))
        assert book.rows == before

    def test_refuses_an_id_twice_at_once(self) -> None:
        book = in_memory()
        fact = tariff(ON_DELIVERED, 4_000_000, effective_from=NOON)
        before = book.rows
        with pytest.raises(FactRepeated, match=r"tariff_set\.v1"):
            book.run(book.desk.settle((), lambda _: [Draft(fact, 1), Draft(fact, 1)], ORIGIN))
        assert book.rows == before

    def test_takes_another_one_of_the_same_subject(self) -> None:
        book = in_memory()
        mt = book.receive(mo("JEU")).mt
        (sent,) = book.facts(MtEmitted)
        query = (Interest((tag("mt", mt),)),)
        drafts = [Draft(sent, 1), Draft(sent, 2)]
        assert len(book.run(book.desk.settle(query, lambda _: drafts, ORIGIN)).appended) == 2

    def test_is_told_of_what_came_while_it_was_deciding(self) -> None:
        book = in_memory()
        mt = book.receive(mo("JEU")).mt
        (sent,) = book.facts(MtEmitted)
        query = (Interest((tag("mt", mt),)),)

        def record() -> object:
            return book.run(book.desk.settle(query, lambda _: [Draft(sent, 1)], ORIGIN))

        with pytest.raises(FactRepeated):
            overtaken(book, record, by=lambda: book.add(sent, n=1))
        assert len(book.facts(MtEmitted)) == 2


class TestBesideEachOther:
    """Many commands at once."""

    def test_many_messages_each_have_their_answer(self, book: Book) -> None:
        messages = [
            mo(f"JEU {n}", gateway_message_id=f"m-{n}", sender=f"alias-{n % 7}") for n in range(40)
        ]
        answers = gathered(book, *(lambda m=m: book.take_in(m) for m in messages))
        assert [one.text for one in answers] == [f"Merci pour {n}, 3.00 EUR" for n in range(40)]
        assert len(book.facts(MtEmitted)) == len(book.facts(ChargeAuthorized)) == 40
        assert [row.position for row in book.rows] == [*range(1, len(book.rows) + 1)]

    def test_the_same_message_is_taken_in_once(self, book: Book) -> None:
        message = mo("JEU 42", gateway_message_id="m-7")
        answers = gathered(book, *[lambda: book.take_in(message)] * 8)
        assert len({one._replace(repeated=True, position=0) for one in answers}) == 1
        assert sum(not one.repeated for one in answers) == 1
        assert len(book.facts(MoReceived)) == 1

    def test_stops_are_confirmed_once(self, book: Book) -> None:
        stops = [mo("STOP", gateway_message_id=f"m-{n}") for n in range(8)]
        answers = gathered(book, *(lambda m=m: book.take_in(m) for m in stops))
        assert sorted(one.text for one in answers) == [""] * 7 + ["Arret sur 81014"]
        assert len(book.facts(OptedOut)) == 1

    def test_receipts_that_disagree_capture_once(self, book: Book) -> None:
        mt = book.receive(mo("JEU")).mt
        assert mt is not None
        receipts = [dlr(mt, outcome) for outcome in ("failed", "delivered", "rejected") * 3]
        gathered(book, *(lambda r=r: book.be_told(r) for r in receipts))
        assert len(book.facts(DeliveryReceived)) == 3
        assert len(book.facts(ChargeCaptured)) == 1
        assert len(book.facts(ChargeReleased)) <= 1

    def test_no_two_facts_share_an_id(self, book: Book) -> None:
        messages = [mo("JEU PLUS", gateway_message_id=f"m-{n % 5}") for n in range(20)]
        gathered(book, *(lambda m=m: book.take_in(m) for m in messages))
        ids = [one.id for one in book.recorded]
        assert len(set(ids)) == len(ids)


class TestSeveralProcesses:
    """One book, served by several at once on PostgreSQL."""

    def test_take_a_message_in_once(self, database: TestDatabase) -> None:
        with processes(database.app_url, 3) as books:
            message = mo("JEU 42", gateway_message_id="m-7")
            answers = gathered(books[0], *(lambda b=b: b.take_in(message) for b in books * 4))
            assert {one.text for one in answers} == {"Merci pour 42, 3.00 EUR"}
            assert sum(not one.repeated for one in answers) == 1
            assert len(books[0].facts(MoReceived, ChargeAuthorized, MtEmitted)) == 3

    def test_capture_once_what_each_is_told_differently(self, database: TestDatabase) -> None:
        with processes(database.app_url, 3) as books:
            mts = [books[0].receive(mo("JEU", gateway_message_id=f"m-{n}")).mt for n in range(10)]
            told = [
                (book, dlr(mt, outcome))
                for mt in mts
                for book, outcome in zip(books, ("delivered", "failed", "rejected"), strict=True)
            ]
            gathered(books[0], *(lambda b=b, r=r: b.be_told(r) for b, r in told))
            assert len(books[0].facts(ChargeCaptured)) == 10
            assert len(books[0].facts(DeliveryReceived)) == 30

    def test_join_receipts_that_race_their_own_message(self, database: TestDatabase) -> None:
        messages = [mo("JEU", gateway_message_id=f"m-{n}") for n in range(10)]
        book = in_memory()
        mts = [book.receive(message).mt for message in messages]
        with processes(database.app_url, 2) as (one, other):
            takings = [lambda m=m: one.take_in(m) for m in messages]
            tellings = [lambda mt=mt: other.be_told(dlr(mt)) for mt in mts]
            gathered(
                one, *(story for pair in zip(takings, tellings, strict=True) for story in pair)
            )
            assert len(one.facts(ChargeCaptured)) == len(one.facts(DeliveryReceived)) == 10

    def test_learn_of_each_others_catalogue(self, database: TestDatabase) -> None:
        with processes(database.app_url, 2) as (one, other):
            one.add(tariff(ON_DELIVERED, 4_000_000, effective_from=NOON), n=1)
            assert other.receive(mo("JEU")).text == "Merci pour , 4.00 EUR"


class TestDeterminism:
    """Deciding the same again."""

    def story(self, book: Book) -> list[object]:
        """Play a day with something of everything."""
        texts = ["JEU 1", "RIEN", "STOP", "STOP", "JEU PLUS", "CHER", "VOTE 1", "CONTACT"]
        for place, text in enumerate(texts):
            answer = book.receive(mo(text, gateway_message_id=f"m-{place}"))
            if answer.mt and place % 2 == 0:
                book.report(dlr(answer.mt, "failed"))
                book.report(dlr(answer.mt, "delivered"))
        for charge in book.facts(ChargeAuthorized):
            book.age(charge.ref.charge, DUE)
        return [self.bare(one) for one in book.recorded]

    @staticmethod
    def bare(one: object) -> object:
        """Leave out what is drawn at random on purpose, nonces and keys, and the log's own time."""
        fields = {name: getattr(one.fact, name) for name in one.fact.__struct_fields__}
        for drawn in ("text", "fingerprint"):
            fields.pop(drawn, None)
        return (*one._replace(recorded_at=None, fact=None), type(one.fact), tuple(fields.items()))

    def test_gives_the_same_facts_in_the_same_order(self) -> None:
        assert self.story(in_memory()) == self.story(in_memory())

    def test_gives_on_postgres_what_it_gives_in_memory(self, book: Book) -> None:
        here, there = self.story(book), self.story(in_memory())
        named = [self.unnamed(one) for one in here]
        assert named == [self.unnamed(one) for one in there]

    @staticmethod
    def unnamed(one: object) -> str:
        """Leave out pseudonyms too: each book of these has a key of its own."""
        return "".join(part for part in str(one).split("'") if not part.startswith("1_"))


class TestLearning:
    """What a process does when others have changed the catalogue."""

    def test_begins_again_with_what_is_new(self) -> None:
        book = in_memory()
        renamed = service("quiz", reply_text="Bravo {argument}", effective_from=NOON)
        answer = overtaken(
            book, lambda: book.receive(mo("JEU 42")), by=lambda: book.add(renamed, n=1)
        )
        assert answer.text == "Bravo 42"

    def test_gives_up_where_the_catalogue_never_stands_still(self) -> None:
        book = in_memory()
        asked = []

        async def restless() -> None:
            asked.append(None)
            raise CatalogueMoved

        with pytest.raises(LogOverloaded):
            book.run(book.desk.attempt(restless))
        assert len(asked) == ATTEMPTS

    def test_decides_nothing_before_the_book_is_open(self) -> None:
        with pytest.raises(RulesOutdated, match="none"):
            closed().desk.known(NOON)

    def test_of_an_answer_says_nothing_for_a_message_without_one(self) -> None:
        book = in_memory()
        settled = book.add(service("late"))
        found = told("f" * 32, settled, {}.get)
        assert (found.mt, found.text, found.position) == (None, "", settled.head)
