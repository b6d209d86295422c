"""What a confirmation agrees to: the last offer alone, as it can be had where it comes from."""

from datetime import timedelta

from ledger.facts import catalogue
from ledger.facts.catalogue import KeywordAssigned, KeywordWithdrawn, ShortCodeClosed
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.notices import NoticeDue
from ledger.facts.subscriptions import (
    SubscriptionRefused,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
)
from ledger.facts.traffic import KeywordUnmatched, MoReceived, MtEmitted
from ledger.rules.inforce import Cap, Notice
from ledger.spans import Period, Window
from tests.support.belgium import ORANGE_BE, SUBSCRIBED
from tests.support.book import Book
from tests.support.builders import NOON
from tests.support.given import given, some
from tests.support.subscribers import (
    ChangedBelgian,
    on,
    sms,
    subscribers,
    subscribing,
)

SOON = NOON + timedelta(minutes=1)
ERROR = some(MtEmitted, kind="error", billing_code="FREE")
NOTHING = (MoReceived, KeywordUnmatched, some(SubscriptionRefused, rule="nothing_to_confirm"))


def offered(*changes: object) -> Book:
    """Offer HORO at noon; the catalogue changes a minute later, and it is five past now."""
    book = subscribers()
    for change in changes:
        book.add(change, n=1)
    return given(on("2026-07-10T12:00"), sms("HORO"), on("2026-07-10T12:05"), book=book).book


def capped() -> Book:
    """Give a book in which a consumer may spend less than a cycle costs, 2.00."""
    cap = Cap(
        name="a month",
        amount=1_500_000,
        window=Window(kind="calendar", n=1, unit="month", zone="Europe/Brussels"),
        counted_per="consumer",
    )
    return subscribers(rules=ChangedBelgian(caps=(cap,)))


class TestCountryWithoutSubscriptions:
    """A confirmation that comes once the rules have none any more."""

    def test_starts_nothing(self) -> None:
        book = given(sms("HORO"), book=subscribers()).book
        without = book.beside(ChangedBelgian(subscriptions=None))
        given(book=without).when(sms("OK")).then(
            MoReceived, some(SubscriptionRefused, rule="not_allowed"), ERROR
        )


class TestNoticeAtTheStart:
    """A first cycle that takes the consumer's spending over a threshold."""

    def test_falls_due_with_it(self) -> None:
        # 2.00, with a threshold at each 1.50.
        book = subscribers(rules=ChangedBelgian(notices=(Notice(name="tariff", every=1_500_000),)))
        happened = given(sms("HORO"), book=book).when(sms("OK"))
        assert happened.fact(NoticeDue).threshold == 1_500_000


class TestOffers:
    """Which of several offers a confirmation agrees to."""

    def test_are_ended_by_a_newer_one_on_their_code(self) -> None:
        story = given(sms("HORO"), sms("METEO"), sms("OK"), book=subscribers())
        story.when(sms("OK")).then(*NOTHING, ERROR)
        (started,) = story.book.facts(SubscriptionStarted)
        assert started.ref.service == "meteo"

    def test_that_were_ended_are_made_anew_when_asked_for(self) -> None:
        story = given(sms("HORO"), sms("METEO"), sms("HORO"), book=subscribers())
        assert len(story.book.facts(SubscriptionRequested)) == 3
        assert story.when(sms("OK")).fact(SubscriptionStarted).ref.service == "horo"

    def test_end_nothing_that_has_started(self) -> None:
        story = given(sms("HORO"), sms("OK"), sms("METEO"), book=subscribers())
        story.when(sms("STOP"))
        (started,) = story.book.facts(SubscriptionStarted)
        assert started.ref.service == "horo"


class TestOnSale:
    """An offer of what can be had no longer."""

    def test_whose_keyword_was_withdrawn_is_refused(self) -> None:
        gone = KeywordWithdrawn(short_code=SUBSCRIBED, keyword="HORO", effective_from=SOON)
        refused = some(SubscriptionRefused, rule="not_on_sale", service="horo")
        given(book=offered(gone)).when(sms("OK")).then(MoReceived, refused, ERROR)

    def test_whose_keyword_leads_to_another_service_is_refused(self) -> None:
        moved = KeywordAssigned(
            short_code=SUBSCRIBED,
            keyword="HORO",
            merchant="ludobel",
            service="meteo",
            effective_from=SOON,
        )
        happened = given(book=offered(moved)).when(sms("OK"))
        assert happened.fact(SubscriptionRefused).rule == "not_on_sale"

    def test_of_a_service_that_is_sold_once_now_is_refused(self) -> None:
        once = subscribing("horo", Period(1, "week"), subscription=None, effective_from=SOON)
        happened = given(book=offered(once)).when(sms("OK"))
        assert happened.fact(SubscriptionRefused).rule == "not_on_sale"


class TestOperator:
    """A confirmation that comes by another operator than the request."""

    def test_starts_at_its_own_operator_and_link(self) -> None:
        happened = given(book=offered()).when(sms("OK", smsc="orange"))
        started, made = happened.fact(SubscriptionStarted), happened.fact(ChargeAuthorized)
        assert (started.ref.operator, started.ref.smsc) == (ORANGE_BE, "orange")
        assert made.ref.operator == happened.fact(MtEmitted).ref.operator == ORANGE_BE
        assert happened.fact(SubscriptionRenewed).ref == started.ref

    def test_keeps_what_was_offered(self) -> None:
        story = given(book=offered())
        (requested,) = story.book.facts(SubscriptionRequested)
        started = story.when(sms("OK", smsc="orange")).fact(SubscriptionStarted)
        assert started.subject == requested.subject
        assert (started.ref.price, started.ref.tariff_version) == (
            requested.ref.price,
            requested.ref.tariff_version,
        )

    def test_at_which_the_code_is_closed_starts_nothing(self) -> None:
        closed = ShortCodeClosed(short_code=SUBSCRIBED, operator=ORANGE_BE, effective_from=SOON)
        happened = given(book=offered(closed)).when(sms("OK", smsc="orange"))
        assert happened.fact(KeywordUnmatched).reason == "unknown_code"
        assert not happened.book.facts(SubscriptionStarted, ChargeAuthorized)


class TestRefusedAgain:
    """A first cycle that may not be charged, however often it is confirmed."""

    def test_is_a_fact_of_its_own_each_time(self) -> None:
        book = given(sms("HORO"), sms("OK"), sms("OK"), sms("OK"), book=capped()).book
        refused = [one.id for one in book.recorded if isinstance(one.fact, ChargeRefused)]
        assert len(set(refused)) == len(refused) == 3


class TestTestNumber:
    """Whether a number tests is asked when it confirms."""

    def test_that_was_declared_since_the_offer_tests(self) -> None:
        book = offered()
        (requested,) = book.facts(SubscriptionRequested)
        consumer = requested.ref.consumer
        book.add(
            catalogue.TestNumberDeclared(consumer=consumer, label="bench", effective_from=SOON)
        )
        happened = given(book=book).when(sms("OK"))
        assert not requested.ref.test
        assert happened.fact(SubscriptionStarted).ref.test
        assert happened.fact(ChargeAuthorized).ref.test
        assert happened.fact(MtEmitted).ref.test

    def test_that_was_withdrawn_since_the_offer_pays(self) -> None:
        book = given(sms("xx"), book=subscribers()).book
        (before,) = book.facts(MoReceived)
        number = {"consumer": before.consumer}
        book.add(catalogue.TestNumberDeclared(label="bench", effective_from=NOON, **number))
        given(sms("HORO"), on("2026-07-10T12:05"), book=book)
        book.add(catalogue.TestNumberWithdrawn(effective_from=SOON, **number))
        happened = given(book=book).when(sms("OK"))
        assert not happened.fact(SubscriptionStarted).ref.test
        assert not happened.fact(ChargeAuthorized).ref.test
