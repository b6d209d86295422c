"""The command that takes in a change of the catalogue: judged by what is true as it is written."""

from datetime import timedelta

import msgspec
import pytest

from ledger.commands.catalogue import load_catalogue
from ledger.commands.desk import Settled
from ledger.decisions.catalogue import CatalogueFact, CatalogueRefused, Requested
from ledger.decisions.refusals import RulesOutdated
from ledger.facts.catalogue import MerchantRegistered
from ledger.facts.traffic import MoReceived
from tests.support.book import ORIGIN, Book, ChangedRules, in_memory, overtaken
from tests.support.builders import NOON, ON_DELIVERED, mo, tariff

PAST = NOON - timedelta(days=1)
RENAMED = MerchantRegistered(merchant="ludotel", name="Ludotel et fils", effective_from=PAST)


def load(book: Book, *facts: CatalogueFact, has_traffic: bool = False) -> Settled:
    """Ask for changes, each at a place of its own."""
    asked = [Requested(fact, f"line {number}") for number, fact in enumerate(facts, 1)]
    return book.run(load_catalogue(book.desk, asked, ORIGIN, NOON, has_traffic=has_traffic))


class TestLoad:
    """A merchant's new name, from a day that is past."""

    def test_happens_in_a_book_without_traffic(self) -> None:
        book = in_memory()
        load(book, RENAMED)
        assert book.desk.catalogue.merchant("ludotel", NOON) == RENAMED

    def test_is_refused_whole_for_the_least_mistake(self) -> None:
        book = in_memory()
        before = book.rows
        above = tariff(ON_DELIVERED, 9_000_000, "JEU", effective_from=PAST)
        with pytest.raises(CatalogueRefused) as refused:
            load(book, RENAMED, above)
        assert "line 2" in str(refused.value)
        assert book.rows == before

    def test_repeated_records_nothing(self) -> None:
        book = in_memory()
        load(book, RENAMED)
        assert load(book, RENAMED).appended == ()

    def test_is_refused_where_a_message_was_received_that_nobody_told_of(self) -> None:
        book = in_memory()
        book.receive(mo())
        with pytest.raises(CatalogueRefused, match="the book has traffic"):
            load(book, RENAMED)

    def test_raced_by_the_first_message_is_refused(self) -> None:
        book = in_memory()
        other = book.beside()
        with pytest.raises(CatalogueRefused, match="the book has traffic"):
            overtaken(book, lambda: load(book, RENAMED), lambda: other.receive(mo()))
        assert len(book.facts(MoReceived)) == 1
        assert RENAMED not in book.facts(MerchantRegistered)

    def test_raced_by_the_same_change_records_it_once(self) -> None:
        book = in_memory()
        other = book.beside()
        assert (
            overtaken(book, lambda: load(book, RENAMED), lambda: load(other, RENAMED)).appended
            == ()
        )
        assert book.facts(MerchantRegistered).count(RENAMED) == 1

    def test_that_is_told_of_traffic_reads_none_of_it(self) -> None:
        book = in_memory()
        book.receive(mo())
        ahead = msgspec.structs.replace(RENAMED, effective_from=NOON + timedelta(days=1))
        settled = load(book, ahead, has_traffic=True)
        assert not any(isinstance(one.fact, MoReceived) for one in settled.history)
        assert [one.fact for one in settled.appended] == [ahead]

    def test_under_rules_that_the_book_does_not_follow_is_refused(self) -> None:
        book = in_memory()
        other = book.beside(ChangedRules())
        other.desk._loaded = "others"  # noqa: SLF001 - as after an edit of the settings
        with pytest.raises(RulesOutdated):
            load(other, RENAMED)
