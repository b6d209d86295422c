"""Opening a book: its first facts, and the rules that it adopts."""

from datetime import timedelta

from ledger.commands.opening import open_book
from ledger.facts.book import BookOpened, RulesAdopted
from tests.support.book import FRENCH, ORIGIN, Book, closed, rule_book, together
from tests.support.builders import NOON, SETTINGS
from tests.support.given import given, some

OTHER = rule_book(SETTINGS.replace('"agent"', '"principal"'))


def opening(book: Book) -> object:
    """Open a book."""
    return book.run(open_book(book.desk, ORIGIN, book.clock.now))


class TestOpen:
    """Opening a book."""

    def test_records_the_book_first_and_its_rules_second(self) -> None:
        happened = given(book=closed()).when(opening)
        happened.then(
            some(
                BookOpened,
                book="fr",
                jurisdiction="FR",
                currency="EUR",
                zone="Europe/Paris",
                legal_entity="Example SAS",
                log_origin="log.example/fr",
                pseudonym_scheme="hmac-sha256-128/v1",
                occurred_at=NOON,
            ),
            some(
                RulesAdopted,
                pack="fr",
                pack_sha256=FRENCH.pack.sha256,
                settings_sha256=FRENCH.settings.sha256,
                settings=FRENCH.settings.values(),
            ),
        )
        assert [one.position for one in happened.appended] == [1, 2]

    def test_again_changes_nothing(self) -> None:
        given(opening, book=closed()).when(opening).then()

    def test_by_a_process_that_has_just_started_changes_nothing(self) -> None:
        book = closed()
        newcomer = book.beside()
        given(opening, book=book)
        given(book=newcomer).when(opening).then()

    def test_leaves_the_process_knowing_what_was_adopted(self) -> None:
        book = given(opening, book=closed()).book
        assert book.desk.catalogue.position == 2
        assert book.desk.known(NOON).rules_fact == book.recorded[1].id

    def test_raced_by_another_process_opens_once(self) -> None:
        book = closed()
        newcomer = book.beside()
        together(
            book,
            lambda: open_book(book.desk, ORIGIN, NOON),
            lambda: open_book(newcomer.desk, ORIGIN, NOON),
            also=[newcomer],
        )
        assert [type(fact) for fact in book.facts()] == [BookOpened, RulesAdopted]


class TestAdopt:
    """Adopting other rules."""

    def test_records_the_new_ones_only(self) -> None:
        book = given(opening, book=closed()).book
        step = given(book=book.beside(OTHER)).when(opening)
        step.then(some(RulesAdopted, settings=OTHER.settings.values()))

    def test_anew_of_earlier_ones_is_a_fact_of_its_own(self) -> None:
        book = given(opening, book=closed()).book
        given(opening, book=book.beside(OTHER))
        again = given(opening, book=book.beside()).book
        given(opening, book=again.beside(OTHER))
        adopted = [one for one in book.recorded if isinstance(one.fact, RulesAdopted)]
        assert [one.fact.settings["acting"] for one in adopted] == ["agent", "principal"] * 2
        assert len({one.id for one in adopted}) == 4

    def test_happens_when_it_is_done(self) -> None:
        book = given(opening, book=closed()).book
        book.clock.now += timedelta(days=1)
        adopted = given(book=book.beside(OTHER)).when(opening).fact(RulesAdopted)
        assert adopted.occurred_at == NOON + timedelta(days=1)
