"""Renewals by what holds on their day, counted from the start, and what brought each about."""

from ledger.facts import catalogue
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefused, ChargeReleased
from ledger.facts.notices import NoticeDue
from ledger.facts.subscriptions import (
    RenewalRefused,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import MtEmitted
from ledger.rules.inforce import Cap
from ledger.spans import Window
from tests.support.book import Book
from tests.support.given import Happened, given, some
from tests.support.subscribers import (
    ChangedBelgian,
    brussels,
    end,
    on,
    renew,
    sms,
    subscriber,
    subscribers,
    told,
)

HOURLY = Cap(
    name="an hour",
    amount=2_500_000,
    window=Window(kind="rolling", n=1, unit="hour"),
    counted_per="consumer",
)


def declared(book: Book, since: str) -> Book:
    """Let the subscriber's number be one for testing."""
    consumer = book.facts(SubscriptionRequested)[-1].ref.consumer
    number = {"consumer": consumer, "label": "bench"}
    book.add(catalogue.TestNumberDeclared(effective_from=brussels(since), **number))
    return book


def withdrawn(book: Book, since: str) -> Book:
    """Let it be an ordinary consumer's again."""
    consumer = book.facts(SubscriptionRequested)[-1].ref.consumer
    book.add(catalogue.TestNumberWithdrawn(consumer=consumer, effective_from=brussels(since)))
    return book


class TestTestNumber:
    """Whether a number tests is asked when its cycle is charged."""

    def test_that_was_declared_since_the_start_tests(self) -> None:
        book = declared(subscriber(), "2026-07-12T12:00")
        happened = given(on("2026-07-17T12:00"), book=book).when(renew())
        assert happened.fact(ChargeAuthorized).ref.test
        assert happened.fact(MtEmitted).ref.test
        given(told("delivered"), book=book)
        assert [one.ref.test for one in book.facts(ChargeCaptured)] == [False, True]

    def test_that_was_withdrawn_since_the_start_pays(self) -> None:
        book = given(on("2026-07-10T12:00"), sms("HORO"), book=subscribers()).book
        declared(book, "2026-07-10T12:00")
        given(on("2026-07-10T12:01"), sms("OK"), told("delivered"), book=book)
        withdrawn(book, "2026-07-12T12:00")
        happened = given(on("2026-07-17T12:01"), book=book).when(renew())
        assert book.facts(SubscriptionStarted)[0].ref.test
        assert not happened.fact(ChargeAuthorized).ref.test
        assert not happened.fact(MtEmitted).ref.test

    def test_is_told_by_the_notice_of_a_cycle_too(self) -> None:
        book = declared(subscriber(), "2026-07-12T12:00")
        for day in ("17", "24", "31"):
            given(on(f"2026-07-{day}T12:00"), renew(), told("delivered"), book=book)
        # The fifth cycle of 2.00 crosses 10.00.
        happened = given(on("2026-08-07T12:00"), book=book).when(renew())
        assert happened.fact(NoticeDue).ref.test

    def test_stays_what_it_was_at_the_first_attempt_at_a_charge(self) -> None:
        book = given(on("2026-07-17T12:00"), renew(), told("failed"), book=subscriber()).book
        declared(book, "2026-07-17T18:00")
        happened = given(on("2026-07-18T00:00"), book=book).when(renew())
        assert not happened.fact(ChargeAuthorized).ref.test
        assert not happened.fact(MtEmitted).ref.test


class TestRefusedBeforeTheStart:
    """Confirmations in vain, before one that started it."""

    def started(self) -> Book:
        """Let METEO use up the hour, HORO be confirmed three times in vain, and later once."""
        book = subscribers(rules=ChangedBelgian(caps=(HOURLY,)))
        given(on("2026-07-10T08:00"), sms("METEO"), sms("OK"), sms("HORO"), book=book)
        given(sms("OK"), sms("OK"), sms("OK"), on("2026-07-10T09:30"), sms("OK"), book=book)
        return given(told("failed"), book=book).book

    def test_are_no_attempts_at_its_first_cycle(self) -> None:
        book = self.started()
        assert len(book.facts(ChargeRefused)) == 3
        happened = given(on("2026-07-10T21:30"), book=book).when(renew())
        happened.then(some(ChargeAuthorized, was="released"), MtEmitted)

    def test_are_other_facts_than_a_refusal_after_it(self) -> None:
        book = self.started()
        given(on("2026-07-10T21:00"), sms("MOP"), sms("OK"), on("2026-07-10T21:30"), book=book)
        horo = book.facts(SubscriptionStarted)[1].subject
        given(book=book).when(renew(name=horo)).then(ChargeRefused)
        refused = [one.id for one in book.recorded if isinstance(one.fact, ChargeRefused)]
        assert len(set(refused)) == len(refused) == 4

    def test_are_no_cycle_without_money(self) -> None:
        # On the 9th in vain, and the first cycle, of the 10th, fails: two in a row would end it.
        book = subscribers(rules=ChangedBelgian(caps=(HOURLY,)))
        given(on("2026-07-09T23:30"), sms("METEO"), sms("OK"), sms("HORO"), sms("OK"), book=book)
        given(on("2026-07-10T12:00"), sms("OK"), told("failed"), book=book)
        assert (len(book.facts(ChargeRefused)), len(book.facts(ChargeReleased))) == (1, 1)
        happened = given(on("2026-07-17T12:00"), book=book).when(renew())
        happened.then(SubscriptionRenewed, ChargeAuthorized, MtEmitted)


class TestCause:
    """An end that no message brings about, and a renewal that was asked for in vain."""

    def assert_follows_from_the_start(self, happened: Happened) -> None:
        (start,) = [
            one for one in happened.book.recorded if isinstance(one.fact, SubscriptionStarted)
        ]
        (one,) = happened.appended
        assert (one.exchange, one.caused_by) == (start.fact.mo, start.id)
        assert one.exchange == start.exchange

    def test_of_an_end_by_a_merchant(self) -> None:
        happened = given(book=subscriber()).when(end()).then(SubscriptionStopped)
        self.assert_follows_from_the_start(happened)

    def test_of_an_end_unpaid(self) -> None:
        book = subscriber()
        for day in ("17", "24"):
            given(on(f"2026-07-{day}T12:00"), renew(), told("failed"), book=book)
        happened = given(on("2026-07-31T12:00"), book=book).when(renew())
        happened.then(some(SubscriptionStopped, by="unpaid"))
        self.assert_follows_from_the_start(happened)

    def test_of_a_renewal_that_was_not_due(self) -> None:
        happened = given(book=subscriber()).when(renew("r-1")).left(RenewalRefused)
        self.assert_follows_from_the_start(happened)

    def test_is_none_where_nothing_has_started(self) -> None:
        book = given(sms("HORO"), book=subscribers()).book
        offered = book.facts(SubscriptionRequested)[0].subject
        happened = given(book=book).when(renew("r-1", offered)).left(RenewalRefused)
        assert (happened.appended[0].exchange, happened.appended[0].caused_by) == (None, None)
