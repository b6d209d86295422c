"""Renewals: one charge a cycle, on the anchor's day and time, within caps and never caught up.

A subscription that starts at 12:00 on Friday 10 July and is renewed every week is due at 12:00 on
the 17th, the 24th and so on. The settings: an attempt that failed is repeated after 12 hours, a
cycle is tried 3 times at most, and after 2 cycles without money it is over.
"""

from datetime import UTC, date, datetime

import msgspec
import pytest

from ledger.commands.desk import Settled
from ledger.commands.subscriptions import renew_subscription
from ledger.decisions import renewal
from ledger.decisions.past import NOTHING, account
from ledger.decisions.refusals import RenewalNotDue, SubscriptionEnded, UnknownSubscription
from ledger.facts.catalogue import ServiceResumed, ServiceSuspended, ShortCodeClosed
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.notices import NoticeDue
from ledger.facts.subscriptions import (
    RenewalRefused,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import DeliveryReceived, MtEmitted
from ledger.money import FixedAmount
from ledger.rules.inforce import Cap
from ledger.spans import Window
from ledger.words import derived_id
from tests.support.belgium import BELGIAN, PROXIMUS, SUBSCRIBED
from tests.support.book import ORIGIN, Book, together
from tests.support.builders import NOON, dlr, tariff, with_merchant
from tests.support.given import given, some
from tests.support.subscribers import (
    PRICE,
    ChangedBelgian,
    brussels,
    end,
    last_mt,
    on,
    renew,
    sms,
    subscriber,
    subscribers,
    the_subscription,
    told,
)

RENEWED = (
    SubscriptionRenewed,
    some(ChargeAuthorized, was="new"),
    some(MtEmitted, kind="renewal", pushed=True),
)
RETRIED = (
    some(ChargeAuthorized, was="released"),
    some(MtEmitted, kind="renewal", pushed=True),
)
FAILED = (DeliveryReceived, ChargeReleased)


async def renewing(book: Book, name: str) -> Settled:
    """Renew beside others."""
    return await renew_subscription(book.desk, name, ORIGIN, book.clock.now)


def dues(at: str, text: str, *looks: str) -> list[str]:
    """Give when each cycle of a subscription fell due, looking at those local times, in UTC."""
    book = subscriber(at, text)
    for look in looks:
        given(on(look), renew(), book=book)
    renewed = book.facts(SubscriptionRenewed)
    return [one.next_due_at.strftime("%m-%d %H:%M") for one in renewed]


class TestRenew:
    """A cycle that is due."""

    def test_is_charged_and_its_message_is_pushed(self) -> None:
        happened = given(on("2026-07-17T12:00"), book=subscriber()).when(renew()).then(*RENEWED)
        emitted = happened.fact(MtEmitted)
        assert (emitted.smsc, emitted.billing_code, emitted.parts) == ("proximus", f"P{PRICE}", 1)
        assert happened.book.text_of(emitted) == "Horo voor u, 2.00 EUR"

    def test_names_its_subscription_cycle_and_message_on_each_fact(self) -> None:
        happened = given(on("2026-07-17T13:00"), book=subscriber()).when(renew())
        name = the_subscription(happened.book)
        renewed, made = happened.fact(SubscriptionRenewed), happened.fact(ChargeAuthorized)
        emitted = happened.fact(MtEmitted)
        assert (renewed.number, renewed.cycle) == (1, date(2026, 7, 17))
        assert (made.ref.subscription, made.ref.cycle, made.ref.mo) == (name, renewed.cycle, None)
        assert made.ref.charge == derived_id("fr", "charge", f"{name}/2026-07-17", "mt")
        assert (renewed.charge, renewed.mt) == (made.ref.charge, emitted.ref.mt)
        assert (emitted.ref.subscription, emitted.ref.charge) == (name, made.ref.charge)

    def test_is_told_in_a_message_of_the_same_service_under_the_same_tariff(self) -> None:
        happened = given(on("2026-07-17T12:00"), book=subscriber()).when(renew())
        made, sent = happened.fact(ChargeAuthorized), happened.fact(MtEmitted)
        for name in ("consumer", "short_code", "operator", "merchant", "service", "test"):
            assert getattr(sent.ref, name) == getattr(made.ref, name)
        assert (sent.tariff, sent.tariff_version) == (made.ref.tariff, made.ref.tariff_version)
        assert sent.tariff_version is not None

    def test_is_one_chain_from_the_start(self) -> None:
        book = subscriber()
        (started,) = [one.id for one in book.recorded if isinstance(one.fact, SubscriptionStarted)]
        chain = given(on("2026-07-17T12:00"), book=book).when(renew()).appended
        assert [one.caused_by for one in chain] == [started, *(one.id for one in chain[:-1])]
        assert len({one.exchange for one in chain}) == 1
        assert chain[0].exchange is not None

    def test_is_captured_by_its_own_receipt(self) -> None:
        book = given(on("2026-07-17T12:00"), renew(), book=subscriber()).book
        happened = given(book=book).when(dlr(last_mt(book)))
        assert happened.fact(ChargeCaptured).ref.cycle == date(2026, 7, 17)

    def test_keeps_the_price_that_was_told(self) -> None:
        book = subscriber()
        book.add(tariff(SUBSCRIBED, 1_000_000, effective_from=NOON), n=1)
        happened = given(on("2026-07-17T12:00"), book=book).when(renew())
        assert happened.fact(ChargeAuthorized).amounts.price == PRICE

    def test_is_of_the_subscription_that_is_meant_and_no_other(self) -> None:
        book = subscriber()
        given(sms("METEO"), sms("OK"), on("2026-07-17T12:00"), book=book)
        first = the_subscription(book, 0)
        happened = given(book=book).when(renew(name=first)).then(*RENEWED)
        assert happened.fact(SubscriptionRenewed).ref.service == "horo"

    def test_lets_a_notice_fall_due_that_it_crosses(self) -> None:
        # Five cycles of 2.00 are 10.00, the step of the notice: the fifth one crosses it.
        book = subscriber()
        for day in ("17", "24", "31"):
            given(on(f"2026-07-{day}T12:00"), renew(), told("delivered"), book=book)
        happened = given(on("2026-08-07T12:00"), book=book).when(renew())
        happened.then(*RENEWED[:2], NoticeDue, RENEWED[2])
        due = happened.fact(NoticeDue)
        assert (due.threshold, due.crossed, due.spent) == (10_000_000, 1, 10_000_000)
        assert due.ref.smsc == "proximus"

    def test_is_not_made_a_moment_before_it_is_due(self) -> None:
        given(on("2026-07-17T11:59:59"), book=subscriber()).when(renew()).then()

    def test_is_made_later_within_its_cycle(self) -> None:
        happened = given(on("2026-07-24T11:59"), book=subscriber()).when(renew()).then(*RENEWED)
        assert happened.fact(SubscriptionRenewed).cycle == date(2026, 7, 17)


class TestCalendar:
    """When cycles fall due.

    Times are those of Brussels; UTC is an hour behind it in winter, two in summer, which began on
    29 March 2026 at 02:00 and ended on 25 October at 03:00.
    """

    def test_of_a_month_from_the_31st_stands_on_the_last_day_where_there_is_none(self) -> None:
        # Started on 31 January at 02:30, 01:30 in UTC. Then 28 February 02:30, 01:30 in UTC;
        # 31 March 02:30 in summer time, 00:30; 30 April, 00:30; 31 May, 00:30.
        looks = ("2026-02-28T02:30", "2026-03-31T02:30", "2026-04-30T02:30")
        assert dues("2026-01-31T02:30", "METEO", *looks) == [
            "02-28 01:30",
            "03-31 00:30",
            "04-30 00:30",
            "05-31 00:30",
        ]

    def test_at_a_time_that_the_clocks_skip_is_later_by_what_they_skip(self) -> None:
        # On 29 March there is no 02:30: it is 03:30, 01:30 in UTC. The day after, 02:30 is 00:30.
        looks = ("2026-03-28T02:30", "2026-03-29T03:30", "2026-03-30T02:30")
        assert dues("2026-03-27T02:30", "MOP", *looks) == [
            "03-28 01:30",
            "03-29 01:30",
            "03-30 00:30",
            "03-31 00:30",
        ]

    def test_is_not_due_at_the_skipped_time_itself(self) -> None:
        book = subscriber("2026-03-28T02:30", "MOP")
        book.clock.now = datetime(2026, 3, 29, 1, 29, tzinfo=UTC)  # 03:29 in Brussels
        given(book=book).when(renew()).then()

    def test_at_a_time_that_comes_twice_is_due_the_first_time_and_once(self) -> None:
        # On 25 October 02:30 comes twice, at 00:30 and at 01:30 in UTC.
        book = subscriber("2026-10-24T02:30", "MOP")
        given(on("2026-10-25T02:30"), book=book).when(renew()).then(*RENEWED)
        given(on("2026-10-25T02:30+"), book=book).when(renew()).then()
        after = given(on("2026-10-26T02:30"), book=book).when(renew())
        assert after.book.clock.now == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
        assert after.fact(SubscriptionRenewed).number == 2

    def test_of_cycles_that_nobody_renewed_is_not_caught_up(self) -> None:
        # Away from the 10th to the 29th: the cycle of the 17th is over, that of the 24th runs.
        happened = given(on("2026-07-29T09:00"), book=subscriber()).when(renew()).then(*RENEWED)
        renewed = happened.fact(SubscriptionRenewed)
        assert (renewed.cycle, renewed.number) == (date(2026, 7, 24), 2)
        assert renewed.next_due_at == brussels("2026-07-31T12:00")
        given(book=happened.book).when(renew()).then()


class TestUnknown:
    """A renewal of what nobody ever asked for, judged by bare data."""

    def test_is_refused(self) -> None:
        known = subscriber().desk.known(NOON)
        with pytest.raises(UnknownSubscription):
            renewal.renew((), renewal.Asking("0" * 32, NOON), known, account(NOTHING, ()))


class TestRetry:
    """An attempt that failed, tried again within its cycle."""

    def failed(self, at: str = "2026-07-17T12:00") -> Book:
        """Give a book in which the renewal's message failed at once."""
        return given(on(at), renew(), told("failed"), book=subscriber()).book

    def test_is_another_message_on_the_same_charge(self) -> None:
        book = self.failed()
        first = book.facts(ChargeAuthorized)[-1]
        happened = given(on("2026-07-18T00:00"), book=book).when(renew()).then(*RETRIED)
        again = happened.fact(ChargeAuthorized)
        assert again.ref == first.ref
        # Authorized again on Saturday the 18th, taken out of Friday the 17th.
        assert (again.released_day, again.value_day) == (date(2026, 7, 17), date(2026, 7, 18))
        mts = [one.ref.mt for one in book.facts(MtEmitted) if one.ref.charge == first.ref.charge]
        assert len(set(mts)) == len(mts) == 2

    def test_divides_as_at_first_although_a_contract_has_changed_since(self) -> None:
        book = self.failed()
        first = book.facts(ChargeAuthorized)[-1]
        since = brussels("2026-07-17T18:00")
        # Ludobel gets 0.40 of each; from the evening on it would be 0.50.
        book.add(with_merchant("ludobel", FixedAmount(500_000), effective_from=since), n=1)
        again = given(on("2026-07-18T00:00"), book=book).when(renew()).fact(ChargeAuthorized)
        assert again.amounts == first.amounts
        assert again.ref == first.ref

    def test_waits_for_the_settings_hours(self) -> None:
        given(on("2026-07-17T23:59:59"), book=self.failed()).when(renew()).then()

    def test_is_not_made_more_often_than_the_settings_say(self) -> None:
        book = self.failed()
        for at in ("2026-07-18T01:00", "2026-07-19T01:00"):
            given(on(at), renew(), told("failed"), book=book)
        given(on("2026-07-22T12:00"), book=book).when(renew()).then()
        assert len(book.facts(ChargeReleased)) == 3

    def test_is_never_made_once_the_next_cycle_is_due(self) -> None:
        # The first attempt is made in the cycle's last hours; 12 hours later is the next cycle.
        book = self.failed("2026-07-24T08:00")
        happened = given(on("2026-07-24T20:00"), book=book).when(renew()).then(*RENEWED)
        assert happened.fact(SubscriptionRenewed).cycle == date(2026, 7, 24)

    def test_is_made_of_the_first_cycle_too(self) -> None:
        steps = (on("2026-07-10T12:00"), sms("HORO"), sms("OK"), told("failed"))
        book = given(*steps, book=subscribers()).book
        happened = given(on("2026-07-11T00:00"), book=book).when(renew()).then(*RETRIED)
        assert happened.fact(ChargeAuthorized).ref.cycle == date(2026, 7, 10)

    def test_that_is_delivered_captures_the_charge(self) -> None:
        book = given(on("2026-07-18T00:00"), renew(), book=self.failed()).book
        captured = given(book=book).when(dlr(last_mt(book))).fact(ChargeCaptured)
        assert captured.authorized_day == date(2026, 7, 18)
        given(on("2026-07-19T12:00"), book=book).when(renew()).then()

    def test_is_not_made_of_a_charge_that_nobody_answered_for(self) -> None:
        book = given(on("2026-07-17T12:00"), renew(), book=subscriber()).book
        charge = book.facts(ChargeAuthorized)[-1].ref.charge
        book.age(charge, brussels("2026-07-19T13:00"))
        assert book.facts(ChargeUnresolved)
        given(on("2026-07-20T12:00"), book=book).when(renew()).then()


class TestRefused:
    """A renewal that charges nothing."""

    def test_by_a_cap_is_tried_again_like_one_that_failed(self) -> None:
        cap = Cap(
            name="a day",
            amount=PRICE,
            window=Window(kind="calendar", n=1, unit="day", zone="Europe/Brussels"),
            counted_per="consumer",
        )
        book = subscribers(rules=ChangedBelgian(caps=(cap,)))
        given(on("2026-07-10T12:00"), sms("HORO"), sms("OK"), told("delivered"), book=book)
        first = the_subscription(book)
        given(on("2026-07-17T08:00"), sms("METEO"), sms("OK"), on("2026-07-17T12:00"), book=book)
        happened = given(book=book).when(renew(name=first))
        happened.then(some(ChargeRefused, rule="spending_cap", subscription=first, spent=PRICE))
        given(on("2026-07-17T20:00"), book=book).when(renew(name=first)).then()
        given(on("2026-07-18T00:00"), book=book).when(renew(name=first)).then(*RENEWED)

    def test_by_a_cap_is_recorded_once_each_time(self) -> None:
        cap = Cap(
            name="all",
            amount=PRICE,
            window=Window(kind="rolling", n=1, unit="month"),
            counted_per="consumer",
        )
        book = subscribers(rules=ChangedBelgian(caps=(cap,)))
        given(on("2026-07-10T12:00"), sms("HORO"), sms("OK"), told("delivered"), book=book)
        looks = ("17T12:00", "18T12:00", "19T12:00", "20T12:00", "21T12:00")
        for look in looks:
            given(on(f"2026-07-{look}"), renew(), book=book)
        assert len(book.facts(ChargeRefused)) == 3
        assert len({one.id for one in book.recorded if isinstance(one.fact, ChargeRefused)}) == 3

    def test_while_the_service_is_suspended(self) -> None:
        book = subscriber()
        halt = {"service": "horo", "merchant": "ludobel"}
        book.add(
            ServiceSuspended(reason="x", effective_from=brussels("2026-07-16T00:00"), **halt),
            ServiceResumed(effective_from=brussels("2026-07-18T00:00"), **halt),
        )
        given(on("2026-07-17T12:00"), book=book).when(renew()).then()
        given(on("2026-07-18T00:00"), book=book).when(renew()).then(*RENEWED)

    def test_on_a_code_that_is_closed(self) -> None:
        book = subscriber()
        at = brussels("2026-07-16T00:00")
        book.add(ShortCodeClosed(short_code=SUBSCRIBED, operator=PROXIMUS, effective_from=at))
        given(on("2026-07-17T12:00"), book=book).when(renew()).then()

    def test_after_stop(self) -> None:
        given(sms("STOP"), on("2026-07-17T12:00"), book=subscriber()).when(renew()).then()

    def test_after_stop_that_ended_no_subscriptions_when_it_was_said(self) -> None:
        stop = msgspec.structs.replace(BELGIAN.at(NOON).stop, ends=("replies",))
        book = subscribers(rules=ChangedBelgian(stop=stop))
        given(on("2026-07-10T12:00"), sms("HORO"), sms("OK"), sms("STOP"), book=book)
        assert not book.facts(SubscriptionStopped)
        given(on("2026-07-17T12:00"), book=book.beside(BELGIAN)).when(renew()).then()

    def test_after_stop_that_ends_no_subscriptions_is_not_refused(self) -> None:
        stop = msgspec.structs.replace(BELGIAN.at(NOON).stop, ends=("replies",))
        book = subscribers(rules=ChangedBelgian(stop=stop))
        given(on("2026-07-10T12:00"), sms("HORO"), sms("OK"), sms("STOP"), book=book)
        given(on("2026-07-17T12:00"), book=book).when(renew()).then(*RENEWED)

    def test_where_the_country_has_subscriptions_no_longer(self) -> None:
        book = subscriber()
        other = book.beside(ChangedBelgian(subscriptions=None))
        given(on("2026-07-17T12:00"), book=other).when(renew()).then()

    def test_of_nothing(self) -> None:
        given(book=subscribers()).when(renew(name="0" * 32)).refused(UnknownSubscription).left()


class TestAskedByAPerson:
    """A renewal that somebody asked for, under a name of their own."""

    def test_happens_where_it_is_due(self) -> None:
        happened = given(on("2026-07-17T12:00"), book=subscriber()).when(renew("r-1"))
        happened.then(*RENEWED)
        assert {one.request for one in happened.appended} == {"r-1"}

    def test_is_refused_where_it_is_not(self) -> None:
        happened = given(on("2026-07-16T12:00"), book=subscriber()).when(renew("r-1"))
        happened.refused(RenewalNotDue, "due at 2026-07-17T10:00:00").left(
            some(
                RenewalRefused,
                rule="renewed_already",
                request="r-1",
                due_at=brussels("2026-07-17T12:00"),
            )
        )

    def test_is_refused_before_a_retry_is_due(self) -> None:
        book = given(on("2026-07-17T12:00"), renew(), told("failed"), book=subscriber()).book
        happened = given(on("2026-07-17T13:00"), book=book).when(renew("r-1"))
        happened.refused(RenewalNotDue).left(
            some(RenewalRefused, rule="not_due", due_at=brussels("2026-07-18T00:00"))
        )

    def test_is_refused_of_one_that_was_stopped(self) -> None:
        story = given(sms("STOP"), on("2026-07-17T12:00"), book=subscriber())
        story.when(renew("r-1")).refused(SubscriptionEnded).left(
            some(RenewalRefused, rule="stopped")
        )

    def test_is_refused_of_one_that_is_suspended(self) -> None:
        book = subscriber()
        halt = ServiceSuspended(service="horo", merchant="ludobel", reason="x", effective_from=NOON)
        book.add(halt)
        story = given(on("2026-07-17T12:00"), book=book)
        story.when(renew("r-1")).refused(RenewalNotDue).left(some(RenewalRefused, rule="suspended"))

    def test_is_refused_of_one_that_was_only_offered(self) -> None:
        book = given(sms("HORO"), book=subscribers()).book
        (requested,) = book.facts(SubscriptionRequested)
        story = given(book=book).when(renew("r-1", requested.subject))
        story.refused(UnknownSubscription).left(some(RenewalRefused, rule="no_such_subscription"))

    def test_again_under_the_same_name_has_one_effect(self) -> None:
        story = given(on("2026-07-17T12:00"), renew("r-1"), book=subscriber())
        story.when(renew("r-1")).then()

    def test_again_under_the_same_name_is_refused_alike(self) -> None:
        book = given(on("2026-07-16T12:00"), book=subscriber()).book
        given(book=book).when(renew("r-1")).refused(RenewalNotDue)
        given(on("2026-07-17T12:00"), book=book).when(renew("r-1")).refused(RenewalNotDue).left()


class TestUnpaid:
    """Cycles in a row that brought no money."""

    def unpaid(self, cycles: int) -> Book:
        """Give a book in which that many renewals failed, one attempt each."""
        book = subscriber()
        for number in range(cycles):
            given(on(f"2026-07-{17 + 7 * number}T12:00"), renew(), told("failed"), book=book)
        return book

    def test_end_the_subscription_when_the_next_is_due(self) -> None:
        story = given(on("2026-07-31T12:00"), book=self.unpaid(2))
        story.when(renew()).then(some(SubscriptionStopped, by="unpaid"))
        story.when(renew()).then()

    def test_end_nothing_while_they_are_fewer(self) -> None:
        given(on("2026-07-24T12:00"), book=self.unpaid(1)).when(renew()).then(*RENEWED)

    def test_end_nothing_where_one_of_them_is_not_answered_for(self) -> None:
        book = given(on("2026-07-24T12:00"), renew(), book=self.unpaid(1)).book
        given(on("2026-07-31T12:00"), book=book).when(renew()).then(*RENEWED)

    def test_end_nothing_in_a_cycle_that_has_begun(self) -> None:
        # The 24th is not answered for when the 31st begins, so that is charged; both fail then.
        book = given(on("2026-07-24T12:00"), renew(), book=self.unpaid(1)).book
        second = last_mt(book)
        given(on("2026-07-31T12:00"), renew(), told("failed"), dlr(second, "failed"), book=book)
        given(on("2026-08-01T00:00"), book=book).when(renew()).then(*RETRIED)

    def test_end_nothing_where_a_late_receipt_paid_one(self) -> None:
        book = self.unpaid(2)
        given(book=book).when(dlr(last_mt(book)))
        given(on("2026-07-31T12:00"), book=book).when(renew()).then(*RENEWED)


class TestRepeatedAndRaced:
    """The same renewal asked for again, at once, or by a clock that jumps."""

    def test_again_in_its_cycle_changes_nothing(self) -> None:
        given(on("2026-07-17T12:00"), renew(), book=subscriber()).when(renew()).then()

    def test_by_a_clock_that_jumps_back_charges_nothing_twice(self) -> None:
        book = given(on("2026-07-24T12:00"), renew(), book=subscriber()).book
        for back in ("2026-07-23T12:00", "2026-07-17T12:00", "2026-07-09T12:00"):
            given(on(back), book=book).when(renew()).then()
        given(on("2026-07-24T13:00"), book=book).when(renew()).then()

    def test_by_two_schedulers_at_once_charges_once(self) -> None:
        book = given(on("2026-07-17T12:00"), book=subscriber()).book
        other, name = book.beside(), the_subscription(book)
        together(
            book, *(lambda one=one: renewing(one, name) for one in (book, other)), also=[other]
        )
        cycle = [one for one in book.facts(ChargeAuthorized) if one.ref.cycle == date(2026, 7, 17)]
        assert len(cycle) == len(book.facts(SubscriptionRenewed)) - 1 == 1

    def test_at_the_moment_of_stop_charges_nothing_after_it(self) -> None:
        book = given(on("2026-07-17T12:00"), book=subscriber()).book
        name = the_subscription(book)
        stopping = sms("STOP", gateway_message_id="s")
        together(book, lambda: book.take_in(stopping), lambda: renewing(book, name))
        kinds = [type(one) for one in book.facts(SubscriptionStopped, SubscriptionRenewed)]
        assert kinds == [SubscriptionRenewed, SubscriptionStopped]


class TestStop:
    """A merchant or a regulator ends a subscription."""

    @pytest.mark.parametrize("by", ["merchant", "regulator"])
    def test_is_recorded_with_who_and_why(self, by: str) -> None:
        happened = given(book=subscriber()).when(end(by, "no proof"))
        happened.then(some(SubscriptionStopped, by=by, reason="no proof", mo=None))

    def test_ends_its_renewals(self) -> None:
        given(end(), on("2026-07-17T12:00"), book=subscriber()).when(renew()).then()

    def test_again_changes_nothing(self) -> None:
        given(end(), book=subscriber()).when(end("regulator")).then()

    def test_of_one_that_never_began_is_refused(self) -> None:
        book = given(sms("HORO"), book=subscribers()).book
        (requested,) = book.facts(SubscriptionRequested)
        story = given(book=book).when(end(name=requested.subject))
        story.refused(UnknownSubscription).left()

    def test_leaves_a_new_request_possible(self) -> None:
        story = given(end(), sms("HORO"), book=subscriber())
        story.when(sms("OK"))
        assert len(story.book.facts(SubscriptionStarted)) == 2
