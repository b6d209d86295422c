"""The commands that change the catalogue: judged by what is true as it is written."""

from datetime import timedelta

import msgspec
import pytest

from ledger.commands.catalogue import (
    declare_test_number,
    load_catalogue,
    resume_service,
    suspend_service,
    withdraw_test_number,
)
from ledger.commands.desk import Settled
from ledger.commands.numbers import NumberWanted
from ledger.decisions.catalogue import CatalogueFact, CatalogueRefused, Requested
from ledger.decisions.refusals import RulesOutdated, ServiceNotDeclared
from ledger.facts import catalogue as entries
from ledger.facts.catalogue import MerchantRegistered, ServiceResumed, ServiceSuspended
from ledger.facts.traffic import MoReceived
from tests.support.book import ORIGIN, Book, ChangedRules, in_memory, overtaken
from tests.support.builders import DONATION, NOON, ON_DELIVERED, ORANGE, SFR, code, mo, tariff

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


def suspend(book: Book, service: str = "quiz", why: str = "complaints") -> Settled:
    """Suspend a service at noon."""
    return book.run(suspend_service(book.desk, service, why, ORIGIN, NOON))


def resume(book: Book, service: str = "quiz") -> Settled:
    """Resume a service a day later."""
    return book.run(resume_service(book.desk, service, ORIGIN, NOON + timedelta(days=1)))


class TestSuspend:
    """A service that shall sell nothing."""

    def test_happens_at_once_also_in_a_book_with_traffic(self) -> None:
        book = in_memory()
        book.receive(mo())
        (recorded,) = suspend(book).appended
        assert recorded.fact == ServiceSuspended(
            service="quiz", merchant="ludotel", reason="complaints", effective_from=NOON
        )
        assert recorded.actor == ORIGIN.actor
        assert book.desk.catalogue.suspended("quiz", NOON)

    def test_of_a_service_that_nobody_declared_is_refused(self) -> None:
        book = in_memory()
        before = book.rows
        with pytest.raises(ServiceNotDeclared):
            suspend(book, "nope")
        with pytest.raises(ServiceNotDeclared):
            resume(book, "nope")
        assert book.rows == before

    def test_repeated_records_nothing(self) -> None:
        book = in_memory()
        suspend(book)
        assert suspend(book, why="others").appended == ()
        resume(book)
        assert resume(book).appended == ()
        assert len(book.facts(ServiceSuspended)) == len(book.facts(ServiceResumed)) == 1

    def test_raced_by_another_records_one(self) -> None:
        book = in_memory()
        other = book.beside()
        assert overtaken(book, lambda: suspend(book), lambda: suspend(other)).appended == ()
        assert len(book.facts(ServiceSuspended)) == 1

    def test_is_not_ended_where_it_never_was(self) -> None:
        book = in_memory()
        with pytest.raises(CatalogueRefused, match="quiz is not suspended then"):
            resume(book)


def number(**changed: object) -> NumberWanted:
    """Give a number of Orange's on the code that is captured on delivery."""
    given = {
        "operator": ORANGE,
        "short_code": ON_DELIVERED,
        "sender": "alias-1",
        "label": "our own telephone",
        "effective_from": NOON,
        "place": "here",
    }
    return NumberWanted(**{**given, **changed})


def declare(book: Book, **changed: object) -> tuple[str, Settled]:
    """Declare a number for testing at noon."""
    return book.run(declare_test_number(book.desk, number(**changed), ORIGIN, NOON))


class TestTestNumber:
    """A number to test with."""

    def test_is_named_as_its_messages_are(self) -> None:
        book = in_memory()
        consumer, _ = declare(book)
        book.receive(mo(sender="alias-1"))
        received = book.facts(MoReceived)[-1]
        assert received.consumer == consumer
        assert book.desk.catalogue.is_test(consumer, NOON)

    def test_is_another_with_another_operator_and_in_another_group(self) -> None:
        # A French alias means somebody only together with its operator and the code's group.
        book = in_memory(code(DONATION, SFR))
        found = {
            declare(book)[0],
            declare(book, operator=SFR)[0],
            declare(book, short_code=DONATION)[0],
        }
        assert len(found) == 3

    def test_stands_in_no_fact(self) -> None:
        book = in_memory()
        declare(book, sender="+33 6 12 34 56 78")
        assert b"612345678" not in b"".join(row.data for row in book.rows)
        assert not any("612345678" in tag for row in book.rows for tag in row.tags)

    @pytest.mark.parametrize(
        ("sender", "label"),
        [
            ("alias-1", "this is alias-1"),
            ("+33612345678", "Jo, 33 6 12 34 56 78"),
            ("+33612345678", "Jo, 06,12,34,56,78"),
            ("0612345678", "Jo, 33.612.345.678"),
        ],
    )
    def test_whose_label_would_tell_it_is_refused(self, sender: str, label: str) -> None:
        book = in_memory()
        before = book.rows
        with pytest.raises(CatalogueRefused, match="tells the number itself"):
            declare(book, sender=sender, label=label)
        assert book.rows == before

    @pytest.mark.parametrize("label", ["Jo, 0470 00 00 01", "bench of 01/08/2026"])
    def test_whose_label_may_tell_another_is_refused(self, label: str) -> None:
        book = in_memory()
        with pytest.raises(CatalogueRefused, match="a telephone number may not stand in the log"):
            declare(book, sender="+33612345678", label=label)

    def test_whose_label_tells_a_day_is_not_refused(self) -> None:
        _, settled = declare(in_memory(), sender="+33612345678", label="bench of 2026-08-01")
        assert settled.appended

    def test_on_a_code_that_the_operator_never_opened_is_refused(self) -> None:
        book = in_memory()
        with pytest.raises(CatalogueRefused, match=f"{DONATION} is not open with {SFR} by then"):
            declare(book, operator=SFR, short_code=DONATION)

    def test_declared_again_records_nothing_and_has_the_same_name(self) -> None:
        book = in_memory()
        first, _ = declare(book)
        again, settled = declare(book)
        assert again == first
        assert settled.appended == ()

    def test_of_a_file_may_name_a_code_that_the_same_file_opens(self) -> None:
        book = in_memory()
        opened = code("81500", SFR, effective_from=NOON)
        asked = [
            Requested(opened, "line 1"),
            number(operator=SFR, short_code="81500", place="line 2"),
        ]
        settled = book.run(load_catalogue(book.desk, asked, ORIGIN, NOON, has_traffic=False))
        assert [type(one.fact) for one in settled.appended] == [
            entries.ShortCodeOpened,
            entries.TestNumberDeclared,
        ]

    def test_withdrawn_is_an_ordinary_consumer_again(self) -> None:
        book = in_memory()
        consumer, _ = declare(book)
        later = NOON + timedelta(days=1)
        book.run(withdraw_test_number(book.desk, consumer, ORIGIN, later))
        assert not book.desk.catalogue.is_test(consumer, later)
        again = book.run(withdraw_test_number(book.desk, consumer, ORIGIN, later))
        assert again.appended == ()

    def test_that_nobody_declared_is_not_withdrawn(self) -> None:
        book = in_memory()
        with pytest.raises(CatalogueRefused, match="is not declared for testing then"):
            book.run(withdraw_test_number(book.desk, "1_" + "a" * 32, ORIGIN, NOON))
