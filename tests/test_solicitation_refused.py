"""Solicitations that are refused, each rule by its name: who may be invited, and to what."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from ledger.facts.catalogue import (
    KeywordWithdrawn,
    ServiceResumed,
    ServiceSuspended,
    ShortCodeClosed,
)
from ledger.facts.charges import ChargeCaptured, ChargeRefunded
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationRefused,
)
from ledger.rules.resolve import RuleBook
from ledger.words import derived_id
from tests.support.book import FRENCH, Book, ChangedRules, in_memory, overtaken
from tests.support.builders import (
    CHEAP,
    NOON,
    ON_ACCEPTED,
    ON_DELIVERED,
    UNKNOWN_CODE,
    code,
    dlr,
    keyword,
    mo,
    paris,
)
from tests.support.given import given, some
from tests.support.solicited import (
    MINUTE,
    Step,
    adding,
    asking,
    at,
    bought,
    later,
    refused,
)

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ALLOWED = some(SolicitationAllowed, count=1)


def refunded(price: int = 3_000_000) -> Step:
    """Give a part of the first charge back, by default all of it."""

    def step(book: Book) -> None:
        captured = book.facts(ChargeCaptured)[0]
        assert isinstance(captured, ChargeCaptured)
        fact = ChargeRefunded(
            refund=derived_id("refund", price),
            ref=captured.ref,
            by="merchant",
            channel="transfer",
            price=price,
            borne_by="merchant",
            reason="asked",
            currency="EUR",
            captured_day=captured.value_day,
            value_day=captured.value_day,
            occurred_at=book.clock.now,
        )
        book.add(fact)

    return step


def rules_with(**changes: object) -> RuleBook:
    """Give the French rules with other rules of soliciting."""
    hours = FRENCH.at(NOON).solicitations
    assert hours is not None
    return ChangedRules(solicitations=replace(hours, **changes))


class TestCharter:
    """No charter, no solicitation."""

    def test_that_no_pack_names_forbids_all(self) -> None:
        book = in_memory(rules=ChangedRules(solicitations=None))
        happened = given(bought(), book=book).when(asking())
        fact = refused(happened, "no_charter", count=0, limit=0, charter="")
        assert fact.opens_at is None


class TestUnknownConsumer:
    """Nobody who never wrote is written to."""

    def test_is_refused_by_name(self) -> None:
        refused(given().when(asking()), "unknown_consumer", count=0, limit=2)

    def test_does_not_become_known_by_being_asked_for(self) -> None:
        refused(given(asking("s-1")).when(asking("s-2")), "unknown_consumer")

    def test_is_another_operators_alias_of_the_same_name(self) -> None:
        refused(given(bought()).when(asking(smsc="sfr")), "unknown_consumer")


class TestOnSale:
    """Only what can be bought is advertised."""

    def test_needs_a_keyword_on_that_code(self) -> None:
        # Quiz has keywords everywhere; the donation has one on its own code only.
        happened = given(bought()).when(asking(service="don"))
        refused(happened, "not_on_sale")

    def test_needs_the_code_to_be_open(self) -> None:
        closed = ShortCodeClosed(short_code=ON_DELIVERED, operator="20801", effective_from=NOON)
        refused(given(bought(), adding(closed)).when(asking()), "not_on_sale")

    def test_needs_a_code_that_somebody_opened(self) -> None:
        refused(
            given(mo(short_code=UNKNOWN_CODE)).when(asking(short_code=UNKNOWN_CODE)), "not_on_sale"
        )

    def test_needs_a_price(self) -> None:
        unpriced = [code("85014"), *keyword("JEU", "quiz", on="85014")]
        book = in_memory(*unpriced)
        refused(given(bought(), book=book).when(asking(short_code="85014")), "not_on_sale")

    def test_ends_with_the_last_keyword(self) -> None:
        gone = [
            KeywordWithdrawn(short_code=ON_DELIVERED, keyword=word, effective_from=NOON)
            for word in ("JEU", "GRATUIT", "CHER")
        ]
        book = in_memory(*gone[:2])
        refused(given(mo("JEU"), adding(gone[2]), book=book).when(asking()), "not_on_sale")

    def test_ends_while_the_service_is_suspended(self) -> None:
        pause = ServiceSuspended(
            service="quiz", merchant="ludotel", reason="x", effective_from=NOON
        )
        resumed = ServiceResumed(service="quiz", merchant="ludotel", effective_from=NOON + HOUR)
        steps = (bought(), adding(pause, resumed))
        refused(given(*steps).when(asking()), "service_suspended")
        given(*steps, later(HOUR)).when(asking()).then(ALLOWED)


class TestOptedOut:
    """After STOP nobody is solicited, until they have paid anew."""

    @pytest.mark.parametrize("stop", ["STOP", "STOP JEU"])
    def test_is_refused(self, stop: str) -> None:
        refused(given(bought(), mo(stop)).when(asking()), "opted_out", count=0, limit=2)

    def test_of_another_service_does_not_matter(self) -> None:
        given(bought(), mo("STOP VOTE")).when(asking()).then(ALLOWED)

    def test_on_another_code_does_not_matter(self) -> None:
        given(bought(), mo("STOP", short_code=ON_ACCEPTED)).when(asking()).then(ALLOWED)

    def test_everywhere_is_refused_on_every_code(self) -> None:
        book = in_memory()
        given(bought(), mo("STOP", short_code=ON_ACCEPTED), book=book)
        stop = book.facts(OptedOut)[0]
        assert isinstance(stop, OptedOut)
        everywhere = replace(stop, everywhere=True, mo="1" * 32)
        refused(given(adding(everywhere), book=book).when(asking()), "opted_out")

    def test_is_not_lifted_by_writing_again(self) -> None:
        book = in_memory()
        given(bought(), mo("STOP"), later(HOUR), mo("BONJOUR"), book=book)
        assert len(book.facts(OptOutLifted)) == 1
        refused(given(book=book).when(asking()), "opted_out")

    def test_is_not_lifted_by_a_purchase_that_was_not_paid(self) -> None:
        refused(given(bought(), mo("STOP"), later(HOUR), mo("JEU")).when(asking()), "opted_out")

    def test_is_lifted_by_a_new_paid_transaction(self) -> None:
        given(bought(), mo("STOP"), later(HOUR), bought()).when(asking()).then(ALLOWED)

    def test_is_not_lifted_by_what_was_bought_before_and_paid_after(self) -> None:
        book = in_memory()
        answer = book.receive(mo("JEU"))
        assert answer.mt is not None
        given(later(HOUR), mo("STOP"), later(HOUR), dlr(answer.mt), book=book)
        assert len(book.facts(ChargeCaptured)) == 1
        refused(given(book=book).when(asking()), "opted_out")

    def test_is_not_lifted_by_buying_from_another_merchant(self) -> None:
        steps = (bought(), mo("STOP"), later(HOUR), bought("VOTE 1"))
        refused(given(*steps).when(asking()), "opted_out")

    def test_is_not_lifted_by_buying_on_another_code(self) -> None:
        steps = (bought(), mo("STOP"), later(HOUR), bought("JEU", short_code=CHEAP))
        refused(given(*steps).when(asking()), "opted_out")

    def test_counts_only_where_the_pack_says_so(self) -> None:
        stop = replace(FRENCH.at(NOON).stop, ends=("replies",))
        book = in_memory(rules=ChangedRules(stop=stop))
        given(bought(), mo("STOP"), book=book).when(asking()).then(ALLOWED)

    def test_while_the_asking_is_judged_is_seen(self) -> None:
        book = in_memory()
        given(bought(), book=book)
        told = overtaken(
            book, lambda: asking()(book), lambda: book.receive(mo("STOP", gateway_message_id="x"))
        )
        assert isinstance(told.fact, SolicitationRefused)
        assert told.fact.rule == "opted_out"


class TestNeverBought:
    """Only a customer of this merchant is solicited for it."""

    def test_by_somebody_who_only_wrote_is_refused(self) -> None:
        refused(given(mo("JEU")).when(asking()), "never_bought")

    def test_from_this_merchant_is_refused(self) -> None:
        refused(given(bought("VOTE 1")).when(asking()), "never_bought")

    def test_what_was_given_back_is_refused(self) -> None:
        refused(given(bought(), refunded()).when(asking()), "never_bought")

    def test_is_not_said_of_what_was_given_back_in_part(self) -> None:
        given(bought(), refunded(1_000_000)).when(asking()).then(ALLOWED)

    def test_is_not_asked_where_the_pack_does_not_demand_it(self) -> None:
        book = in_memory(rules=rules_with(after_purchase=False))
        given(bought("VOTE 1"), book=book).when(asking()).then(ALLOWED)


class TestAliasWindow:
    """After sixty days without a paid transaction an alias leads nowhere."""

    @pytest.mark.parametrize(
        ("after", "reached"),
        [(60 * DAY - timedelta(seconds=1), True), (60 * DAY, False)],
        ids=["up to its end", "from its end on"],
    )
    def test_is_kept(self, after: timedelta, reached: bool) -> None:  # noqa: FBT001 - a parameter
        happened = given(at(paris("2026-05-04T12:01:00")), bought(), later(after - MINUTE)).when(
            asking()
        )
        if reached:
            happened.then(ALLOWED)
        else:
            refused(happened, "alias_window")

    def test_begins_again_with_any_paid_transaction_of_the_alias(self) -> None:
        steps = (bought(), later(50 * DAY), bought("VOTE 1"), later(50 * DAY))
        given(at(paris("2026-04-01T12:00:00")), *steps).when(asking()).then(ALLOWED)

    def test_does_not_begin_again_with_what_was_not_paid(self) -> None:
        steps = (bought(), later(50 * DAY), mo("JEU"), later(50 * DAY))
        refused(given(at(paris("2026-04-01T12:00:00")), *steps).when(asking()), "alias_window")

    def test_is_not_asked_where_numbers_stay_reachable(self) -> None:
        book = in_memory(rules=ChangedRules(alias_window_days=None))
        given(bought(), later(300 * DAY), book=book).when(asking()).then(ALLOWED)
