"""Solicitations that were allowed: one message each, or none before the hour is over."""

from datetime import timedelta

import pytest

from ledger.commands.solicitations import Asker
from ledger.decisions.refusals import (
    ConflictingSolicitation,
    MessageUnfit,
    SolicitationNotAllowed,
    UnknownSolicitation,
)
from ledger.facts.catalogue import (
    ServiceSuspended,
)
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
)
from ledger.facts.traffic import MtEmitted
from ledger.vault import new_data_key
from tests.support.book import in_memory, overtaken, together
from tests.support.builders import (
    NOON,
    mo,
    paris,
)
from tests.support.given import given, some
from tests.support.solicited import (
    TEXT,
    adding,
    asking,
    at,
    bought,
    later,
    named,
    run_out,
    running_out,
    send,
    sending,
)

HOUR = timedelta(hours=1)


class TestUse:
    """The one message of an allowance."""

    ASKED = (bought(), asking())

    def test_goes_out_free_and_pushed(self) -> None:
        happened = (
            given(*self.ASKED)
            .when(sending())
            .then(
                some(
                    MtEmitted,
                    kind="solicitation",
                    billing_code="FREE",
                    pushed=True,
                    smsc="orange",
                    parts=1,
                    tariff=None,
                    ref__solicitation=named(),
                    ref__charge=None,
                    ref__mo=None,
                    ref__merchant="ludotel",
                )
            )
        )
        assert happened.book.text_of(happened.fact(MtEmitted)) == TEXT
        (one,) = happened.appended
        allowed = next(
            one for one in happened.book.recorded if isinstance(one.fact, SolicitationAllowed)
        )
        assert (one.exchange, one.caused_by) == (named(), allowed.id)

    def test_is_answered_the_same_again_even_when_it_is_over(self) -> None:
        book = in_memory()
        first = given(*self.ASKED, book=book).when(sending()).fact(MtEmitted)
        given(later(20 * HOUR), book=book).when(sending()).then()
        again = sending()(book)
        assert (again.emitted, again.repeated) == (first, True)

    def test_with_another_text_is_a_conflict(self) -> None:
        given(*self.ASKED, sending()).when(sending(text="autre")).left().refused(
            ConflictingSolicitation
        )

    @pytest.mark.parametrize("now", ["no key", "another key"])
    def test_whose_text_nobody_can_read_any_more_stays_as_it_is(self, now: str) -> None:
        book = in_memory()
        given(*self.ASKED, sending(), book=book)
        keys = book.desk.keys.keys
        kept = {key: new_data_key() for key in keys} if now == "another key" else {}
        keys.clear()
        keys.update(kept)
        given(book=book).when(sending(text="autre")).then()

    def test_twice_at_once_is_one(self) -> None:
        book = in_memory()
        given(*self.ASKED, book=book)
        first, second = together(book, lambda: send(book), lambda: send(book))
        assert first.emitted == second.emitted
        assert len(book.facts(MtEmitted)) == 2  # The answer to the purchase, and this one.

    def test_may_be_its_merchants(self) -> None:
        given(*self.ASKED).when(sending(asker=Asker(merchant="ludotel"))).then(MtEmitted)

    @pytest.mark.parametrize("asker", [Asker("recycler"), Asker(merchant="voxpop"), Asker()])
    def test_is_nobody_elses(self, asker: Asker) -> None:
        given(*self.ASKED).when(sending(asker=asker)).left().refused(UnknownSolicitation)

    def test_of_what_nobody_asked_is_unknown(self) -> None:
        given(*self.ASKED).when(sending("s-9")).left().refused(UnknownSolicitation)

    def test_of_what_was_refused_is_refused(self) -> None:
        given(asking()).when(sending()).left().refused(SolicitationNotAllowed, "unknown_consumer")

    @pytest.mark.parametrize("text", ["", " \n", "x" * (153 * 10 + 1)])
    def test_needs_a_text_that_can_be_sent(self, text: str) -> None:
        given(*self.ASKED).when(sending(text=text)).left().refused(MessageUnfit)

    def test_is_over_at_the_instant_it_runs_out(self) -> None:
        book = in_memory()
        given(*self.ASKED, later(HOUR), book=book).when(sending()).left().refused(
            SolicitationNotAllowed, "expired"
        )
        given(later(-timedelta(microseconds=1)), book=book).when(sending()).then(MtEmitted)

    def test_is_refused_once_it_was_recorded_as_over(self) -> None:
        steps = (*self.ASKED, later(HOUR), running_out(), later(-HOUR / 2))
        given(*steps).when(sending()).left().refused(SolicitationNotAllowed, "expired")

    def test_is_refused_after_hours(self) -> None:
        steps = (bought(), at(paris("2026-07-10T21:00:00")), asking())
        happened = given(*steps, at(paris("2026-07-10T21:30:00"))).when(sending())
        happened.left().refused(SolicitationNotAllowed, "outside_hours")

    def test_is_refused_after_a_stop_since(self) -> None:
        given(*self.ASKED, mo("STOP")).when(sending()).left().refused(
            SolicitationNotAllowed, "opted_out"
        )

    def test_is_refused_when_a_stop_comes_first(self) -> None:
        book = in_memory()
        given(*self.ASKED, book=book)
        with pytest.raises(SolicitationNotAllowed, match="opted_out"):
            overtaken(
                book,
                lambda: sending()(book),
                lambda: book.receive(mo("STOP", gateway_message_id="x")),
            )

    def test_is_refused_while_the_service_is_suspended(self) -> None:
        pause = ServiceSuspended(
            service="quiz", merchant="ludotel", reason="x", effective_from=NOON
        )
        given(*self.ASKED, adding(pause)).when(sending()).left().refused(
            SolicitationNotAllowed, "service_suspended"
        )

    def test_is_never_before_the_allowance(self) -> None:
        happened = given(*self.ASKED, later(-HOUR)).when(sending()).then(MtEmitted)
        assert happened.fact(MtEmitted).occurred_at == NOON


class TestExpiry:
    """An allowance that was not used runs out."""

    ASKED = (bought(), asking())

    def test_is_recorded_at_the_instant_it_ran_out(self) -> None:
        happened = given(*self.ASKED, later(3 * HOUR)).when(running_out())
        happened.then(some(SolicitationExpired, occurred_at=NOON + HOUR, allowed_at=NOON))
        (one,) = happened.appended
        assert one.exchange == named()
        assert one.caused_by is not None

    def test_comes_not_before_its_time(self) -> None:
        almost = later(HOUR - timedelta(microseconds=1))
        given(*self.ASKED, almost).when(running_out()).then()

    def test_is_recorded_once(self) -> None:
        given(*self.ASKED, later(HOUR), running_out()).when(running_out()).then()

    def test_does_not_touch_what_was_used(self) -> None:
        given(*self.ASKED, sending(), later(HOUR)).when(running_out()).then()

    def test_of_what_nobody_asked_is_unknown(self) -> None:
        given().when(running_out()).left().refused(UnknownSolicitation)

    def test_of_what_was_refused_is_refused(self) -> None:
        given(asking()).when(running_out()).left().refused(SolicitationNotAllowed)

    def test_twice_at_once_is_one(self) -> None:
        book = in_memory()
        given(*self.ASKED, later(HOUR), book=book)

        together(book, lambda: run_out(book), lambda: run_out(book))
        assert len(book.facts(SolicitationExpired)) == 1

    def test_and_use_at_once_is_one_of_them(self) -> None:
        book = in_memory()
        given(*self.ASKED, later(HOUR), book=book)

        _, sent = together(book, lambda: run_out(book), lambda: send(book))
        assert isinstance(sent, SolicitationNotAllowed)
        assert len(book.facts(SolicitationExpired)) == 1
