"""Solicitations: ask before you write to a past buyer, and be told yes or no, and why.

The book's settings allow two without a return, and an allowance lasts an hour. Noon is a Friday.
"""

from datetime import timedelta

import pytest

from ledger.commands.solicitations import MerchantAsks, ask_solicitation
from ledger.decisions.refusals import (
    ConflictingSolicitation,
    ServiceNotDeclared,
    SolicitationNotAllowed,
    UnknownExchange,
    UnknownGateway,
    UnknownLink,
)
from ledger.facts import catalogue
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
    SolicitationRefused,
)
from ledger.words import derived_id
from tests.support.book import ORIGIN, in_memory, overtaken, together
from tests.support.builders import (
    CHEAP,
    NOON,
    ON_ACCEPTED,
    dlr,
    mo,
)
from tests.support.given import given, some
from tests.support.solicited import (
    MINUTE,
    Step,
    adding,
    ask,
    asking,
    bought,
    later,
    named,
    refused,
    sending,
)

HOUR = timedelta(hours=1)
ALLOWED = some(SolicitationAllowed, count=1)


def asking_for_the_merchant(mo_id: str, merchant: str = "ludotel", service: str = "quiz") -> Step:
    """Ask as a merchant, by a message."""
    asks = MerchantAsks("s-1", merchant, mo_id, service)
    return lambda book: book.run(ask_solicitation(book.desk, asks, ORIGIN, book.clock.now))


class TestAsk:
    """Asking whether a past buyer may be solicited."""

    def test_is_allowed_for_a_past_buyer(self) -> None:
        happened = given(bought()).when(asking()).then(ALLOWED)
        fact = happened.fact(SolicitationAllowed)
        assert (fact.count, fact.limit) == (1, 2)
        assert fact.charter == "af2m business messaging"
        assert (fact.occurred_at, fact.expires_at) == (NOON, NOON + HOUR)
        assert (fact.ref.merchant, fact.ref.operator, fact.ref.test) == ("ludotel", "20801", False)
        (one,) = happened.appended
        assert one.exchange == fact.subject == named()

    def test_is_answered_the_same_again(self) -> None:
        book = in_memory()
        first = given(bought(), book=book).when(asking()).then(ALLOWED)
        again = given(later(HOUR * 20), book=book).when(asking())
        again.then()
        told = asking()(book)
        assert told.fact == first.fact(SolicitationAllowed)
        assert told.repeated

    def test_that_was_refused_stays_so_under_its_id(self) -> None:
        given(asking(), bought()).when(asking()).then()

    @pytest.mark.parametrize(
        "other",
        [{"sender": "alias-2"}, {"service": "tournoi"}, {"short_code": ON_ACCEPTED}],
        ids=lambda other: next(iter(other)),
    )
    def test_with_other_content_is_a_conflict(self, other: dict[str, str]) -> None:
        given(bought(), asking()).when(asking(**other)).left().refused(ConflictingSolicitation)

    def test_of_two_gateways_by_the_same_name_is_two(self) -> None:
        elsewhere = asking(gateway="recycler")
        given(bought(), asking()).when(elsewhere).then(some(SolicitationAllowed, count=2))

    def test_twice_at_once_is_one(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        first, second = together(book, lambda: ask(book), lambda: ask(book))
        assert first.fact == second.fact
        assert len(book.facts(SolicitationAllowed)) == 1

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"gateway": "nobody"}, UnknownGateway),
            ({"smsc": "nowhere"}, UnknownLink),
            ({"service": "nothing"}, ServiceNotDeclared),
        ],
    )
    def test_of_what_is_not_declared_leaves_nothing(
        self, fields: dict[str, str], error: type[Exception]
    ) -> None:
        given(bought()).when(asking(**fields)).left().refused(error)

    def test_of_a_test_number_is_flagged_and_counts_nowhere(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        captured = book.facts(ChargeCaptured)[0]
        assert isinstance(captured, ChargeCaptured)
        declared = catalogue.TestNumberDeclared(
            consumer=captured.ref.consumer, label="ours", effective_from=NOON
        )
        given(adding(declared), asking("s-1"), asking("s-2"), book=book).when(asking("s-3")).then(
            some(SolicitationAllowed, ref__test=True, count=1)
        )


class TestAMerchantAsks:
    """The merchant names one of its own messages in the place of a consumer."""

    def test_and_is_answered_for_whoever_wrote_it(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        sold = book.facts(ChargeAuthorized)[0]
        assert isinstance(sold, ChargeAuthorized)
        happened = given(book=book).when(asking_for_the_merchant(sold.ref.mo or "")).then(ALLOWED)
        ref = happened.fact(SolicitationAllowed).ref
        assert (ref.consumer, ref.gateway, ref.smsc) == (sold.ref.consumer, "kannel", "orange")
        assert ref.solicitation == derived_id("fr", "solicitation", "merchant ludotel", "s-1")

    def test_by_another_merchants_message_in_vain(self) -> None:
        book = in_memory()
        given(bought("VOTE 1"), book=book)
        sold = book.facts(ChargeAuthorized)[0]
        assert isinstance(sold, ChargeAuthorized)
        step = asking_for_the_merchant(sold.ref.mo or "")
        given(book=book).when(step).left().refused(UnknownExchange)

    def test_by_a_message_that_nobody_sent_in_vain(self) -> None:
        given().when(asking_for_the_merchant("0" * 32)).left().refused(UnknownExchange)

    def test_for_another_merchants_service_in_vain(self) -> None:
        step = asking_for_the_merchant("0" * 32, "voxpop")
        given().when(step).left().refused(ServiceNotDeclared)


class TestLimit:
    """Two without a return, and no third."""

    def test_is_reached_by_what_was_sent(self) -> None:
        steps = (
            bought(),
            later(HOUR),
            asking("s-1"),
            sending("s-1"),
            asking("s-2"),
            sending("s-2"),
        )
        happened = given(*steps, later(3 * HOUR)).when(asking("s-3"))
        refused(happened, "limit_without_return", count=2, limit=2)

    def test_is_reached_by_what_is_reserved(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"))
        refused(given(*steps).when(asking("s-3")), "limit_without_return", count=2)

    def test_counts_what_was_not_delivered(self) -> None:
        book = in_memory()
        given(bought(), asking("s-1"), asking("s-2"), book=book)
        sent = [sending(one)(book) for one in ("s-1", "s-2")]
        given(*(dlr(one.emitted.ref.mt, "failed") for one in sent), later(2 * HOUR), book=book)
        refused(given(book=book).when(asking("s-3")), "limit_without_return")

    def test_begins_anew_when_the_consumer_returns(self) -> None:
        steps = (bought(), later(HOUR), asking("s-1"), asking("s-2"), later(HOUR / 4), mo("JEU"))
        given(*steps).when(asking("s-3")).then(ALLOWED)

    @pytest.mark.parametrize("text", ["STOP VOTE", "CONTACT", "BONJOUR", "VOTE 1"])
    def test_does_not_begin_anew_by(self, text: str) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"), later(HOUR / 4), mo(text))
        refused(given(*steps).when(asking("s-3")), "limit_without_return", count=2)

    def test_does_not_begin_anew_by_a_message_to_another_code(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"), later(HOUR / 4))
        happened = given(*steps, mo("JEU", short_code=CHEAP)).when(asking("s-3"))
        refused(happened, "limit_without_return")

    def test_does_not_begin_anew_by_a_message_of_before_that_came_late(self) -> None:
        steps = (bought(), later(HOUR), asking("s-1"), later(2 * MINUTE), asking("s-2"))
        between = mo("JEU", stated_at=NOON + HOUR + MINUTE)
        happened = given(*steps, later(5 * MINUTE), between).when(asking("s-3"))
        happened.then(some(SolicitationAllowed, count=2))
        refused(given(book=happened.book).when(asking("s-4")), "limit_without_return", count=2)

    def test_is_each_codes_own(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2"))
        given(*steps).when(asking("s-3", short_code=CHEAP)).then(ALLOWED)

    def test_is_shared_by_a_merchants_services(self) -> None:
        steps = (bought(), asking("s-1"), asking("s-2", service="tournoi"))
        refused(given(*steps).when(asking("s-3")), "limit_without_return", count=2)

    def test_counts_after_a_return_of_the_same_instant_or_a_clock_set_back(self) -> None:
        back = given(bought(), mo("JEU"), asking("s-1"), later(-MINUTE / 2)).when(asking("s-2"))
        back.then(some(SolicitationAllowed, count=2))
        refused(given(book=back.book).when(asking("s-3")), "limit_without_return", count=2)

    def test_is_one_places_when_two_ask_for_the_last(self) -> None:
        book = in_memory()
        given(bought(), asking("s-1"), book=book)
        told = together(book, lambda: ask(book, "s-2"), lambda: ask(book, "s-3"))
        assert sorted(type(one.fact).__name__ for one in told) == [
            "SolicitationAllowed",
            "SolicitationRefused",
        ]

    def test_is_seen_by_who_is_overtaken(self) -> None:
        book = in_memory()
        given(bought(), asking("s-1"), book=book)
        told = overtaken(book, lambda: asking("s-2")(book), lambda: asking("s-3")(book))
        assert isinstance(told.fact, SolicitationRefused)
        assert told.fact.rule == "limit_without_return"


class TestReservation:
    """An allowance that nobody uses gives its place back after an hour."""

    STEPS = (bought(), asking("s-1"), asking("s-2"))

    def test_holds_until_it_runs_out(self) -> None:
        almost = later(HOUR - timedelta(microseconds=1))
        refused(given(*self.STEPS, almost).when(asking("s-3")), "limit_without_return", count=2)

    def test_counts_no_longer_though_nobody_recorded_its_end(self) -> None:
        happened = given(*self.STEPS, later(HOUR)).when(asking("s-3"))
        happened.then(SolicitationExpired, SolicitationExpired, ALLOWED)

    def test_stays_over_when_the_clock_is_set_back(self) -> None:
        book = in_memory()
        given(*self.STEPS, later(HOUR), asking("s-3"), asking("s-4"), later(-HOUR / 2), book=book)
        refused(given(book=book).when(asking("s-5")), "limit_without_return", count=2)
        given(book=book).when(sending("s-1")).left().refused(SolicitationNotAllowed, "expired")
