"""A charge that nobody speaks of: unresolved once, when its delay has run out."""

from datetime import date, timedelta

import pytest

from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.traffic import DeliveryReceived
from ledger.postings import postings
from tests.support.book import Book, in_memory, overtaken, together
from tests.support.builders import NOON, dlr, mo, paris
from tests.support.given import given, some
from tests.support.subscribers import brussels, on, renew, subscriber, told

DUE = NOON + timedelta(hours=72)
"""The settings give a receipt 72 hours."""
MICROSECOND = timedelta(microseconds=1)


def sold() -> tuple[Book, str, str]:
    """Sell something; gives the book, the charge and the message."""
    book = in_memory()
    mt = book.receive(mo("JEU")).mt
    assert mt is not None
    return book, book.facts(ChargeAuthorized)[0].ref.charge, mt


class TestAge:
    """Letting time pass for a charge."""

    def test_makes_it_unresolved_when_its_delay_runs_out(self) -> None:
        book, charge, _ = sold()
        given(book=book).when(lambda book: book.age(charge, DUE)).then(
            some(ChargeUnresolved, ref__charge=charge, occurred_at=DUE, was="authorized")
        )

    def test_does_nothing_before(self) -> None:
        book, charge, _ = sold()
        assert book.age(charge, DUE - MICROSECOND) == []

    def test_tells_the_same_instant_however_late_it_is_noticed(self) -> None:
        book, charge, _ = sold()
        (unresolved,) = book.age(charge, DUE + timedelta(days=30))
        assert (unresolved.occurred_at, unresolved.value_day) == (DUE, date(2026, 7, 13))

    def test_counts_hours_that_pass_and_not_those_of_the_clock(self) -> None:
        # 72 hours from 23:30 on 23 October are 22:30 on the 26th, for the clocks went back.
        book = in_memory()
        book.clock.now = paris("2026-10-23T23:30:00")
        book.receive(mo("JEU"))
        charge = book.facts(ChargeAuthorized)[0]
        (unresolved,) = book.age(charge.ref.charge, paris("2026-10-26T22:30:00"))
        assert unresolved.value_day == date(2026, 10, 26)
        assert unresolved.authorized_day == date(2026, 10, 23)

    def test_happens_once(self) -> None:
        book, charge, _ = sold()
        book.age(charge, DUE)
        assert book.age(charge, DUE + timedelta(days=1)) == []

    @pytest.mark.parametrize("outcome", ["delivered", "failed"])
    def test_does_nothing_to_a_charge_that_is_settled(self, outcome: str) -> None:
        book, charge, mt = sold()
        book.report(dlr(mt, outcome))
        assert book.age(charge, DUE) == []

    @pytest.mark.parametrize("outcome", ["submitted", "buffered"])
    def test_does_not_take_a_message_under_way_for_an_answer(self, outcome: str) -> None:
        book, charge, mt = sold()
        book.report(dlr(mt, outcome))
        assert [type(fact) for fact in book.age(charge, DUE)] == [ChargeUnresolved]

    def test_does_nothing_to_a_charge_that_nobody_made(self) -> None:
        assert in_memory().age("f" * 32, DUE) == []

    def test_does_nothing_to_a_charge_that_was_refused(self) -> None:
        book = in_memory()
        refused = given(book=book).when(mo("NEUF")).appended[2].fact
        assert book.age(refused.charge, DUE) == []

    def test_posts_nothing(self) -> None:
        book, charge, _ = sold()
        (unresolved,) = book.age(charge, DUE)
        assert postings(unresolved) == ()

    def test_raced_by_another_happens_once(self) -> None:
        book, charge, _ = sold()
        together(book, lambda: book.grow_old(charge, DUE), lambda: book.grow_old(charge, DUE))
        assert len(book.facts(ChargeUnresolved)) == 1

    def test_overtaken_by_the_receipt_does_nothing(self) -> None:
        book, charge, mt = sold()
        added = overtaken(book, lambda: book.age(charge, DUE), by=lambda: book.report(dlr(mt)))
        assert added == []
        assert book.facts(ChargeUnresolved) == []


class TestTriedAgain:
    """A renewal's charge that failed once its delay had run out, and was tried again."""

    def waiting(self) -> tuple[Book, str]:
        book = given(on("2026-08-10T12:00"), renew(), book=subscriber(text="METEO")).book
        charge = book.facts(ChargeAuthorized)[-1].ref.charge
        book.age(charge, brussels("2026-08-20T12:00"))
        given(on("2026-08-20T13:00"), told("failed"), on("2026-08-22T12:00"), renew(), book=book)
        return book, charge

    def test_becomes_unresolved_again_as_a_fact_of_its_own(self) -> None:
        book, charge = self.waiting()
        given(book=book).when(lambda book: book.age(charge, brussels("2026-08-30T12:00"))).then(
            some(ChargeUnresolved, ref__charge=charge)
        )
        ids = [one.id for one in book.recorded]
        assert len(set(ids)) == len(ids)

    def test_follows_from_the_authorization_that_waited(self) -> None:
        book, charge = self.waiting()
        book.age(charge, brussels("2026-08-30T12:00"))
        on_it = [one for one in book.recorded if getattr(one.fact, "ref", None) is not None]
        tries = [
            one
            for one in on_it
            if isinstance(one.fact, ChargeAuthorized) and one.fact.ref.charge == charge
        ]
        told_of = [one for one in on_it if isinstance(one.fact, ChargeUnresolved)]
        assert [one.caused_by for one in told_of] == [one.id for one in tries]
        assert [one.exchange for one in told_of] == [one.exchange for one in tries]
        assert None not in [one.exchange for one in told_of]


class TestAfterwards:
    """A receipt for a charge that is unresolved."""

    @pytest.mark.parametrize(
        ("outcome", "moved"), [("delivered", ChargeCaptured), ("failed", ChargeReleased)]
    )
    def test_settles_it(self, outcome: str, moved: type) -> None:
        book, charge, mt = sold()
        book.age(charge, DUE)
        happened = given(book=book).when(dlr(mt, outcome))
        happened.then(DeliveryReceived, some(moved, was="unresolved"))

    def test_is_not_called_late(self) -> None:
        book, charge, mt = sold()
        book.age(charge, DUE)
        assert not given(book=book).when(dlr(mt)).fact(ChargeCaptured).late

    def test_overtaken_by_the_delay_settles_it(self) -> None:
        book, charge, mt = sold()
        overtaken(book, lambda: book.report(dlr(mt)), by=lambda: book.age(charge, DUE))
        assert [fact.was for fact in book.facts(ChargeCaptured)] == ["unresolved"]
