"""Subscriptions: asked for, offered, confirmed, started on a proof, and stopped.

Proximus owes 60 % of the net price. Of 2.00 with 21 % of tax: net 1.652893, tax 0.347107; of the
net the operator keeps 0.661157 and owes 0.991736; Ludobel has a fixed 0.40, the rest is ours.
"""

from datetime import timedelta

import msgspec

from ledger.facts.base import Recorded
from ledger.facts.catalogue import ServiceSuspended
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefused
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.subscriptions import (
    Consent,
    SubscriptionRefused,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import DeliveryReceived, KeywordMatched, KeywordUnmatched, MoReceived
from ledger.facts.traffic import MtEmitted as Emitted
from ledger.money import Waterfall
from ledger.rules.inforce import Cap, Subscriptions
from ledger.spans import Period, Window
from ledger.words import derived_id
from tests.support.belgium import BELGIAN, BOTH, PROXIMUS, SUBSCRIBED
from tests.support.book import Book, in_memory, overtaken, together
from tests.support.builders import NOON, ON_DELIVERED, code, dlr, keyword, tariff
from tests.support.builders import mo as french_mo
from tests.support.given import Some, given, some
from tests.support.subscribers import (
    PRICE,
    ChangedBelgian,
    last_mt,
    on,
    sms,
    subscribers,
    subscribing,
)

OFFERED = some(Emitted, kind="subscription_offer", billing_code="FREE", ref__charge=None)
ERROR = some(Emitted, kind="error", billing_code="FREE", ref__charge=None)
REQUESTED = (MoReceived, KeywordMatched, SubscriptionRequested, OFFERED)
STARTED = (
    MoReceived,
    SubscriptionStarted,
    some(SubscriptionRenewed, number=0),
    some(ChargeAuthorized, ref__leg="mt", was="new"),
    some(Emitted, kind="renewal", pushed=False, billing_code=f"P{PRICE}"),
)


WEEKLY = Period(1, "week")
ONE_STEP = Subscriptions(
    steps=("mo",), confirm_within_seconds=60, retry_after_seconds=60, attempts=3, unpaid_cycles=2
)


def refused(rule: str) -> Some:
    """Describe why none began."""
    return some(SubscriptionRefused, rule=rule)


def ruled(**changes: object) -> Book:
    """Give the usual book under rules that were changed."""
    return subscribers(rules=ChangedBelgian(**changes))


class TestAsk:
    """A message for a service that is sold as a subscription."""

    def test_is_offered_free_and_starts_nothing(self) -> None:
        happened = given(book=subscribers()).when(sms("HORO")).then(*REQUESTED)
        assert happened.answer.text == "Horo: 2.00 EUR per 1 week. OK naar 9014"
        requested = happened.fact(SubscriptionRequested)
        assert (requested.confirm, requested.expires_at) == ("OK", NOON + timedelta(hours=24))

    def test_freezes_what_the_consumer_is_told(self) -> None:
        happened = given(book=subscribers()).when(sms("HORO"))
        ref = happened.fact(SubscriptionRequested).ref
        assert ref.subscription == derived_id("fr", "subscription", happened.answer.mo)
        assert (ref.merchant, ref.service, ref.keyword) == ("ludobel", "horo", "HORO")
        assert (ref.price, ref.currency, ref.billing_code) == (PRICE, "EUR", f"P{PRICE}")
        assert (ref.gateway, ref.smsc, ref.test) == ("kannel", "proximus", False)

    def test_is_one_chain_that_names_its_subscription(self) -> None:
        happened = given(book=subscribers()).when(sms("HORO"))
        chain: list[Recorded] = happened.appended
        assert [one.caused_by for one in chain] == [None, *(one.id for one in chain[:-1])]
        ref = happened.fact(SubscriptionRequested).ref
        assert happened.fact(Emitted).ref.subscription == ref.subscription

    def test_starts_at_once_where_one_message_is_enough(self) -> None:
        book = ruled(subscriptions=ONE_STEP)
        happened = given(book=book).when(sms("HORO"))
        happened.then(MoReceived, KeywordMatched, *STARTED[1:])
        started = happened.fact(SubscriptionStarted)
        assert (started.text, [one.step for one in started.consent]) == (None, ["mo"])

    def test_is_not_made_by_a_service_that_is_sold_once(self) -> None:
        happened = given(book=subscribers()).when(sms("JEU", short_code=BOTH))
        assert not happened.book.facts(SubscriptionRequested, SubscriptionStarted)
        assert isinstance(happened.appended[-1].fact, Emitted)


class TestAskRefused:
    """A request for a subscription that cannot begin: a fact, and the code's own error, free."""

    def test_where_the_country_has_none(self) -> None:
        book = in_memory(subscribing("abo", WEEKLY), *keyword("ABO", "abo", on=ON_DELIVERED))
        happened = given(book=book).when(french_mo("ABO"))
        happened.then(MoReceived, KeywordMatched, refused("not_allowed"), ERROR)
        assert happened.answer.text == "Inconnu sur 81014"
        assert happened.fact(SubscriptionRefused).subscription is None

    def test_on_a_code_that_has_none(self) -> None:
        book = subscribers(*keyword("HORO", "horo", "ludobel", on=BOTH))
        happened = given(book=book).when(sms("HORO", short_code=BOTH))
        assert happened.fact(SubscriptionRefused).rule == "not_allowed"
        assert not book.facts(SubscriptionRequested)

    def test_where_no_word_of_the_country_confirms(self) -> None:
        words = {
            word: kind for word, kind in BELGIAN.at(NOON).service_words.items() if kind != "confirm"
        }
        book = ruled(service_words=words)
        happened = given(book=book).when(sms("HORO"))
        happened.then(MoReceived, KeywordMatched, refused("not_allowed"), ERROR)

    def test_while_the_same_is_live(self) -> None:
        happened = given(sms("HORO"), sms("OK"), book=subscribers()).when(sms("HORO"))
        happened.then(MoReceived, KeywordMatched, refused("already_subscribed"), ERROR)
        (started,) = happened.book.facts(SubscriptionStarted)
        assert happened.fact(SubscriptionRefused).subscription == started.subject

    def test_but_another_service_is_another_subscription(self) -> None:
        given(sms("HORO"), sms("OK"), book=subscribers()).when(sms("METEO")).then(*REQUESTED)

    def test_where_its_first_cycle_may_not_be_charged(self) -> None:
        cap = Cap(
            name="little",
            amount=PRICE - 1,
            window=Window(kind="each_charge"),
            counted_per="consumer",
        )
        book = ruled(subscriptions=ONE_STEP, caps=(cap,))
        happened = given(book=book).when(sms("HORO"))
        happened.then(
            *(MoReceived, KeywordMatched, some(ChargeRefused, rule="spending_cap")),
            *(refused("charge_refused"), ERROR),
        )

    def test_as_a_single_purchase_where_only_subscriptions_are_sold(self) -> None:
        happened = given(book=subscribers()).when(sms("JEU"))
        happened.then(
            MoReceived, KeywordMatched, some(ChargeRefused, rule="subscriptions_only"), ERROR
        )


class TestAskRepeated:
    """Asking again for what was offered already."""

    def test_is_offered_again_without_a_second_request(self) -> None:
        happened = given(sms("HORO"), book=subscribers()).when(sms("HORO"))
        happened.then(MoReceived, KeywordMatched, OFFERED)
        assert happened.answer.text == "Horo: 2.00 EUR per 1 week. OK naar 9014"

    def test_is_offered_at_the_price_that_was_told(self) -> None:
        dearer = tariff(SUBSCRIBED, 1_500_000, effective_from=NOON + timedelta(minutes=1))
        book = subscribers()
        book.add(dearer, n=1)
        given(sms("HORO"), on("2026-07-10T12:05"), book=book)
        happened = given(book=book).when(sms("HORO"))
        assert happened.answer.text == "Horo: 2.00 EUR per 1 week. OK naar 9014"

    def test_after_the_offer_has_run_out_is_a_new_request(self) -> None:
        story = given(sms("HORO"), on("2026-07-11T12:01"), book=subscribers())
        story.when(sms("HORO")).then(*REQUESTED)
        assert len(story.book.facts(SubscriptionRequested)) == 2

    def test_by_the_same_message_changes_nothing(self) -> None:
        message = sms("HORO", gateway_message_id="m-9")
        happened = given(message, book=subscribers()).when(message).then()
        assert happened.answer.repeated
        assert happened.answer.text == "Horo: 2.00 EUR per 1 week. OK naar 9014"

    def test_at_the_same_moment_makes_one_request(self) -> None:
        book = subscribers()
        one, other = sms("HORO", gateway_message_id="a"), sms("HORO", gateway_message_id="b")
        together(book, lambda: book.take_in(one), lambda: book.take_in(other))
        assert len(book.facts(SubscriptionRequested)) == 1
        assert [mt.kind for mt in book.facts(Emitted)] == ["subscription_offer"] * 2


class TestConfirm:
    """The word that agrees to what was offered."""

    def test_starts_it_and_charges_its_first_cycle_with_the_answer(self) -> None:
        happened = given(sms("HORO"), book=subscribers()).when(sms("OK")).then(*STARTED)
        assert (happened.answer.text, happened.answer.billing_code) == (
            "Horo voor u, 2.00 EUR",
            f"P{PRICE}",
        )
        charged = happened.fact(ChargeAuthorized)
        assert charged.amounts == Waterfall(
            price=2_000_000, tax=347_107, operator=661_157, aggregator=591_736, merchant=400_000
        )

    def test_charges_the_cycle_of_its_day(self) -> None:
        late = given(sms("METEO"), on("2026-07-11T00:30"), book=subscribers()).when(sms("OK"))
        renewed, ref = late.fact(SubscriptionRenewed), late.fact(ChargeAuthorized).ref
        assert renewed.cycle.isoformat() == "2026-07-11"
        assert (ref.cycle, ref.subscription, ref.mo) == (
            renewed.cycle,
            renewed.ref.subscription,
            late.answer.mo,
        )
        assert (renewed.charge, renewed.mt) == (ref.charge, late.answer.mt)
        # A month later at the same time on the wall: half past midnight is 22:30 UTC in summer.
        assert renewed.next_due_at.isoformat() == "2026-08-10T22:30:00+00:00"

    def test_is_proven_by_both_messages_and_the_offer_as_it_was_sent(self) -> None:
        story = given(sms("HORO"), on("2026-07-10T12:05"), book=subscribers())
        (requested,) = story.book.facts(SubscriptionRequested)
        happened = story.when(sms("OK"))
        started = happened.fact(SubscriptionStarted)
        assert started.consent == (
            Consent("mo", requested.mo, NOON),
            Consent("confirming_mo", happened.answer.mo, NOON + timedelta(minutes=5)),
        )
        assert happened.book.text_of(started) == "Horo: 2.00 EUR per 1 week. OK naar 9014"

    def test_is_proven_by_the_old_offer_although_the_service_has_another_now(self) -> None:
        later = NOON + timedelta(minutes=1)
        named = subscribing("horo", WEEKLY, effective_from=later)
        changed = msgspec.structs.replace(named, name="Nieuw")
        book = subscribers()
        book.add(changed, n=1)
        happened = given(sms("HORO"), on("2026-07-10T12:05"), book=book).when(sms("OK"))
        started = happened.fact(SubscriptionStarted)
        assert book.text_of(started) == "Horo: 2.00 EUR per 1 week. OK naar 9014"

    def test_seals_its_proof_under_a_key_of_its_own(self) -> None:
        happened = given(sms("HORO"), book=subscribers()).when(sms("OK"))
        text = happened.fact(SubscriptionStarted).text
        assert (text.kind, happened.fact(MoReceived).text.kind) == ("consent", "text")
        kinds = {key.kind for key in happened.book.desk.keys.keys}
        assert kinds == {"consent", "text"}

    def test_starts_at_the_price_that_was_told(self) -> None:
        dearer = tariff(SUBSCRIBED, 1_000_000, effective_from=NOON + timedelta(minutes=1))
        book = subscribers()
        book.add(dearer, n=1)
        happened = given(sms("HORO"), on("2026-07-10T12:05"), book=book).when(sms("OK"))
        assert happened.fact(ChargeAuthorized).amounts.price == PRICE

    def test_starts_the_latest_of_two_offers(self) -> None:
        happened = given(sms("HORO"), sms("METEO"), book=subscribers()).when(sms("JA"))
        assert happened.fact(SubscriptionStarted).ref.service == "meteo"

    def test_is_captured_by_the_receipt_of_its_answer(self) -> None:
        book = given(sms("HORO"), sms("OK"), book=subscribers()).book
        given(book=book).when(dlr(last_mt(book))).then(DeliveryReceived, ChargeCaptured)


class TestConfirmRefused:
    """A confirmation that starts nothing."""

    def test_that_came_too_late(self) -> None:
        story = given(sms("HORO"), on("2026-07-11T12:01"), book=subscribers())
        story.when(sms("OK")).then(MoReceived, refused("request_expired"), ERROR)
        (requested,) = story.book.facts(SubscriptionRequested)
        (late,) = story.book.facts(SubscriptionRefused)
        assert late.subscription == requested.subject

    def test_at_the_last_moment_is_not_too_late(self) -> None:
        given(sms("HORO"), on("2026-07-11T12:00"), book=subscribers()).when(sms("OK")).then(
            *STARTED
        )

    def test_that_came_too_late_is_no_service_word_the_next_time(self) -> None:
        story = given(sms("HORO"), on("2026-07-11T12:01"), sms("OK"), book=subscribers())
        story.when(sms("OK")).then(
            MoReceived, KeywordUnmatched, refused("nothing_to_confirm"), ERROR
        )

    def test_of_an_offer_that_a_new_one_replaced_confirms_nothing(self) -> None:
        story = given(sms("HORO"), on("2026-07-11T12:01"), sms("HORO"), book=subscribers())
        story.when(sms("OK")).then(*STARTED)
        story.when(sms("OK")).then(
            MoReceived, KeywordUnmatched, refused("nothing_to_confirm"), ERROR
        )

    def test_of_what_another_offer_has_started_already(self) -> None:
        other = "9015"
        sold = [
            code(other, PROXIMUS),
            *keyword("HORO", "horo", "ludobel", on=other),
            tariff(other, PRICE),
        ]
        steps = (sms("HORO"), sms("HORO", short_code=other), sms("OK"))
        story = given(*steps, book=subscribers(*sold))
        story.when(sms("OK", short_code=other)).then(
            MoReceived, refused("already_subscribed"), ERROR
        )

    def test_of_nothing_is_tried_as_a_keyword(self) -> None:
        sold = [subscribing("okee", WEEKLY), *keyword("OK", "okee", "ludobel", on=SUBSCRIBED)]
        given(book=subscribers(*sold)).when(sms("OK")).then(*REQUESTED)

    def test_of_nothing_is_told_as_an_error_where_nobody_sells_it(self) -> None:
        given(book=subscribers()).when(sms("OK")).then(
            MoReceived, KeywordUnmatched, refused("nothing_to_confirm"), ERROR
        )

    def test_on_another_code_than_the_offer_confirms_nothing(self) -> None:
        story = given(sms("HORO"), book=subscribers())
        story.when(sms("OK", short_code=BOTH))
        assert not story.book.facts(SubscriptionStarted)

    def test_by_somebody_else_confirms_nothing(self) -> None:
        story = given(sms("HORO"), book=subscribers())
        story.when(sms("OK", sender="32470000002"))
        assert not story.book.facts(SubscriptionStarted)

    def test_after_stop_confirms_nothing(self) -> None:
        story = given(sms("HORO"), sms("STOP"), book=subscribers())
        story.when(sms("OK")).then(MoReceived, KeywordUnmatched, refused("nothing_to_confirm"))

    def test_while_the_service_is_suspended(self) -> None:
        book = subscribers()
        halt = ServiceSuspended(
            service="horo",
            merchant="ludobel",
            reason="complaints",
            effective_from=NOON + timedelta(minutes=1),
        )
        book.add(halt)
        given(sms("HORO"), on("2026-07-10T12:05"), book=book).when(sms("OK")).then(
            MoReceived, refused("suspended"), ERROR
        )

    def test_whose_first_cycle_is_above_a_cap_stays_open(self) -> None:
        cap = Cap(
            name="a day",
            amount=PRICE,
            window=Window(kind="calendar", n=1, unit="day", zone="Europe/Brussels"),
            counted_per="consumer",
        )
        book = ruled(caps=(cap,))
        story = given(sms("METEO"), sms("OK"), sms("HORO"), book=book)
        capped = some(ChargeRefused, rule="spending_cap", cap="a day", spent=PRICE)
        story.when(sms("OK")).then(MoReceived, capped, refused("charge_refused"), ERROR)
        # The next day the same offer, still open, is within the cap.
        given(on("2026-07-11T09:00"), book=book).when(sms("OK")).then(*STARTED)


class TestConfirmRaced:
    """Confirmations that come at the same moment as other things."""

    def test_twice_starts_one(self) -> None:
        book = given(sms("HORO"), book=subscribers()).book
        one, other = sms("OK", gateway_message_id="a"), sms("OK", gateway_message_id="b")
        together(book, lambda: book.take_in(one), lambda: book.take_in(other))
        assert len(book.facts(SubscriptionStarted)) == len(book.facts(ChargeAuthorized)) == 1

    def test_overtaken_by_stop_starts_nothing(self) -> None:
        book = given(sms("HORO"), book=subscribers()).book
        confirming, stopping = (
            sms("OK", gateway_message_id="a"),
            sms("STOP", gateway_message_id="b"),
        )
        overtaken(book, lambda: book.receive(confirming), by=lambda: book.receive(stopping))
        assert not book.facts(SubscriptionStarted, ChargeAuthorized)

    def test_by_the_same_message_starts_and_answers_once(self) -> None:
        confirming = sms("OK", gateway_message_id="m-9")
        story = given(sms("HORO"), confirming, book=subscribers())
        happened = story.when(confirming).then()
        assert (happened.answer.repeated, happened.answer.text) == (True, "Horo voor u, 2.00 EUR")


class TestStop:
    """STOP, as far as it ends subscriptions."""

    def test_alone_ends_all_on_its_code(self) -> None:
        story = given(sms("HORO"), sms("OK"), sms("METEO"), sms("OK"), book=subscribers())
        happened = story.when(sms("STOP"))
        happened.then(
            MoReceived,
            OptedOut,
            some(SubscriptionStopped, ref__service="horo", by="consumer"),
            some(SubscriptionStopped, ref__service="meteo", by="consumer"),
            some(Emitted, kind="opt_out_confirmation"),
        )
        stopped = [one for one in happened.appended if isinstance(one.fact, SubscriptionStopped)]
        assert {one.fact.mo for one in stopped} == {happened.answer.mo}
        assert len({one.caused_by for one in stopped}) == 1

    def test_with_a_keyword_ends_that_one(self) -> None:
        story = given(sms("HORO"), sms("OK"), sms("METEO"), sms("OK"), book=subscribers())
        happened = story.when(sms("STOP HORO"))
        assert happened.fact(SubscriptionStopped).ref.service == "horo"

    def test_after_the_keyword_ends_it_too(self) -> None:
        happened = given(sms("HORO"), sms("OK"), book=subscribers()).when(sms("HORO STOP"))
        assert happened.fact(SubscriptionStopped).ref.service == "horo"

    def test_on_another_code_ends_nothing(self) -> None:
        story = given(sms("HORO"), sms("OK"), book=subscribers())
        story.when(sms("STOP", short_code=BOTH))
        assert not story.book.facts(SubscriptionStopped)

    def test_ends_it_on_every_code_where_the_country_says_so(self) -> None:
        stop = msgspec.structs.replace(BELGIAN.at(NOON).stop, bare="consumer")
        book = ruled(stop=stop)
        story = given(sms("HORO"), sms("OK"), book=book)
        story.when(sms("STOP", short_code=BOTH))
        assert len(book.facts(SubscriptionStopped)) == 1

    def test_ends_none_where_the_country_says_so(self) -> None:
        stop = msgspec.structs.replace(BELGIAN.at(NOON).stop, ends=("replies",))
        book = ruled(stop=stop)
        given(sms("HORO"), sms("OK"), book=book).when(sms("STOP"))
        assert not book.facts(SubscriptionStopped)

    def test_again_ends_nothing_more(self) -> None:
        story = given(sms("HORO"), sms("OK"), sms("STOP"), book=subscribers())
        story.when(sms("STOP"))
        assert len(story.book.facts(SubscriptionStopped)) == 1

    def test_leaves_a_new_request_possible(self) -> None:
        story = given(sms("HORO"), sms("OK"), sms("STOP"), book=subscribers())
        story.when(sms("HORO")).then(
            MoReceived, OptOutLifted, KeywordMatched, SubscriptionRequested, OFFERED
        )
        story.when(sms("OK")).then(*STARTED)
        assert len(story.book.facts(SubscriptionStarted)) == 2
