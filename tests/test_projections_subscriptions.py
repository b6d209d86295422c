"""Subscriptions as a list: where each stands, and which are due, out of a real history."""

from collections.abc import Generator, Sequence
from datetime import date, timedelta
from functools import lru_cache, reduce
from itertools import pairwise

import psycopg
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeCaptured
from ledger.log.session import connect
from ledger.rules.inforce import Cap
from ledger.spans import Window
from projections.engine import Engine
from projections.fold import Context
from projections.reading import answer
from projections.rebuild import compare
from projections.subscriptions.fold import SUBSCRIPTIONS
from projections.subscriptions.read import Due, Retry, due, of_merchant, one
from projections.subscriptions.table import PROJECTION
from tests.support.belgium import ORANGE_BE
from tests.support.book import Book
from tests.support.builders import dlr
from tests.support.database import TestDatabase
from tests.support.given import Step, given
from tests.support.projected import store
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

BRUSSELS = Context("Europe/Brussels")


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def project(connection: psycopg.Connection, book: Book, batch: int = 3) -> None:
    """Put a book's history into a real log, and project it in small batches."""
    store(connection, book.rows)
    Engine(connection, "fr", [PROJECTION], batch=batch).catch_up()


@lru_cache
def story() -> tuple[Recorded, ...]:
    """Give a history: three subscriptions, renewed, failed, retried, captured late and stopped."""
    steps: list[Step] = [
        *(on("2026-07-10T12:00"), sms("HORO"), sms("OK"), told("delivered")),
        *(sms("METEO"), sms("OK"), sms("MOP", sender="32470000002")),
        on("2026-07-17T12:00"),
    ]
    book = given(*steps, book=subscribers()).book
    first = the_subscription(book, 0)
    given(renew(name=first), told("failed"), on("2026-07-18T01:00"), book=book)
    given(renew(name=first), on("2026-07-24T12:00"), told("delivered"), book=book)
    given(renew(name=first), end(name=first), sms("STOP"), told("failed"), book=book)
    return tuple(book.recorded)


class TestFold:
    """One row out of a subscription's facts."""

    @drawn(cuts=st.lists(st.integers(0, 80), max_size=6))
    def test_is_the_same_for_any_ranges(self, cuts: Sequence[int]) -> None:
        facts = story()
        ends = [0, *sorted(min(cut, len(facts)) for cut in cuts), len(facts)]
        parts = [SUBSCRIPTIONS.fold(facts[a:b], BRUSSELS) for a, b in pairwise(ends)]
        whole = SUBSCRIPTIONS.fold(facts, BRUSSELS)
        assert reduce(SUBSCRIPTIONS.combine, parts) == whole
        assert reduce(lambda late, early: SUBSCRIPTIONS.combine(early, late), parts[::-1]) == whole
        assert len(whole) == 3

    @pytest.mark.parametrize("batch", [1, 3, 1000])
    def test_is_rebuilt_to_what_it_is(self, connection: psycopg.Connection, batch: int) -> None:
        book = subscriber()
        given(on("2026-07-17T12:00"), renew(), told("failed"), book=book)
        given(on("2026-07-18T00:00"), renew(), sms("STOP"), told("delivered"), book=book)
        project(connection, book, batch)
        assert compare(connection, "fr", PROJECTION) == []
        found = answer(connection, "fr", one(the_subscription(book))).value
        assert found is not None
        assert (found.charge_attempts, found.state) == (2, "stopped")


class TestOne:
    """Where a single subscription stands."""

    def test_is_requested_until_it_is_confirmed(self, connection: psycopg.Connection) -> None:
        book = given(on("2026-07-10T12:00"), sms("HORO"), book=subscribers()).book
        project(connection, book)
        (found,) = answer(connection, "fr", of_merchant("ludobel", 10)).value.subscriptions
        assert (found.state, found.service, found.keyword) == ("requested", "horo", "HORO")
        assert found.requested_at == brussels("2026-07-10T12:00")
        assert found.expires_at == brussels("2026-07-11T12:00")
        assert (found.started_at, found.cycle, found.charge_state) == (None, None, None)

    def test_is_live_with_its_terms_and_first_cycle(self, connection: psycopg.Connection) -> None:
        book = subscriber()
        project(connection, book)
        found = answer(connection, "fr", one(the_subscription(book))).value
        assert found is not None
        assert (found.state, found.price, found.currency) == ("live", PRICE, "EUR")
        assert (found.every_n, found.every_unit, found.test) == (1, "week", False)
        assert (found.cycle_number, found.cycle) == (0, date(2026, 7, 10))
        assert found.next_due_at == brussels("2026-07-17T12:00")
        assert (found.charge_cycle, found.charge_state) == (date(2026, 7, 10), "captured")
        assert found.charge_attempts == 1

    def test_is_of_the_operator_that_it_started_at(self, connection: psycopg.Connection) -> None:
        steps = (on("2026-07-10T12:00"), sms("HORO"), sms("OK", smsc="orange"))
        book = given(*steps, book=subscribers()).book
        project(connection, book)
        found = answer(connection, "fr", one(the_subscription(book))).value
        assert found is not None
        assert found.operator == ORANGE_BE
        assert compare(connection, "fr", PROJECTION) == []

    def test_shows_the_latest_cycle_whatever_comes_late_of_an_earlier_one(
        self, connection: psycopg.Connection
    ) -> None:
        book = given(sms("HORO"), sms("OK"), book=subscribers()).book
        of_the_start = last_mt(book)
        given(on("2026-07-17T12:00"), renew(), dlr(of_the_start), book=book)
        assert book.facts(ChargeCaptured)
        project(connection, book)
        found = answer(connection, "fr", one(the_subscription(book))).value
        assert found is not None
        assert (found.cycle_number, found.charge_state) == (1, "authorized")
        assert compare(connection, "fr", PROJECTION) == []

    def test_says_who_stopped_it_and_when(self, connection: psycopg.Connection) -> None:
        book = given(on("2026-07-12T12:00"), end("regulator", "no proof"), book=subscriber()).book
        project(connection, book)
        found = answer(connection, "fr", one(the_subscription(book))).value
        assert found is not None
        assert (found.state, found.stopped_by, found.stop_reason) == (
            "stopped",
            "regulator",
            "no proof",
        )
        assert found.stopped_at == brussels("2026-07-12T12:00")

    def test_that_is_not_there_is_none(self, connection: psycopg.Connection) -> None:
        project(connection, subscriber())
        assert answer(connection, "fr", one("0" * 32)).value is None


class TestOfAMerchant:
    """A merchant's subscriptions."""

    def test_come_newest_first_page_by_page(self, connection: psycopg.Connection) -> None:
        book = subscriber()
        given(sms("METEO"), sms("OK"), sms("MOP", sender="32470000002"), book=book)
        project(connection, book)
        first = answer(connection, "fr", of_merchant("ludobel", 2)).value
        assert [found.service for found in first.subscriptions] == ["moppen", "meteo"]
        assert first.end is not None
        second = answer(connection, "fr", of_merchant("ludobel", 2, before=first.end)).value
        assert ([found.service for found in second.subscriptions], second.end) == (["horo"], None)
        assert answer(connection, "fr", of_merchant("other", 2)).value == ([], None)

    @pytest.mark.parametrize(
        ("state", "services"),
        [("live", ["meteo"]), ("requested", ["moppen"]), ("stopped", ["horo"])],
    )
    def test_may_be_of_one_state(
        self, connection: psycopg.Connection, state: str, services: list[str]
    ) -> None:
        book = given(end(), sms("METEO"), sms("OK"), sms("MOP"), book=subscriber()).book
        project(connection, book)
        page = answer(connection, "fr", of_merchant("ludobel", 10, state)).value
        assert [found.service for found in page.subscriptions] == services


class TestDue:
    """What a scheduler is to propose."""

    def asked(
        self, connection: psycopg.Connection, at: str, retry: Retry | None = None
    ) -> list[Due]:
        return answer(connection, "fr", due(brussels(at), 10, retry=retry)).value

    def test_is_a_cycle_whose_time_has_come(self, connection: psycopg.Connection) -> None:
        book = subscriber()
        project(connection, book)
        assert self.asked(connection, "2026-07-17T11:59") == []
        wanted = Due(the_subscription(book), brussels("2026-07-17T12:00"))
        assert self.asked(connection, "2026-07-17T12:00") == [wanted]

    def test_is_no_cycle_that_was_renewed(self, connection: psycopg.Connection) -> None:
        project(connection, given(on("2026-07-17T12:00"), renew(), book=subscriber()).book)
        assert self.asked(connection, "2026-07-17T12:00") == []

    @pytest.mark.parametrize("ending", [end(), sms("STOP")])
    def test_is_nothing_that_was_stopped(
        self, connection: psycopg.Connection, ending: Step
    ) -> None:
        project(connection, given(ending, book=subscriber()).book)
        assert self.asked(connection, "2026-08-17T12:00") == []

    def test_is_nothing_that_is_only_offered(self, connection: psycopg.Connection) -> None:
        project(connection, given(sms("HORO"), book=subscribers()).book)
        assert self.asked(connection, "2026-08-17T12:00") == []

    def test_is_a_failed_attempt_once_it_has_waited(self, connection: psycopg.Connection) -> None:
        book = given(on("2026-07-17T12:00"), renew(), told("failed"), book=subscriber()).book
        project(connection, book)

        def retries(at: str, attempts: int = 3) -> list[Due]:
            waited = Retry(brussels(at) - timedelta(hours=12), attempts)
            return self.asked(connection, at, waited)

        wanted = Due(the_subscription(book), brussels("2026-07-17T12:00"))
        assert retries("2026-07-17T23:59") == []
        assert retries("2026-07-18T00:00") == [wanted]
        assert retries("2026-07-18T00:00", attempts=1) == []
        # Once the next cycle is due, it is that which is proposed, and once.
        assert retries("2026-07-24T12:00") == [
            Due(the_subscription(book), brussels("2026-07-24T12:00"))
        ]

    def test_is_a_refused_cycle_once_it_has_waited(self, connection: psycopg.Connection) -> None:
        # One charge a month and no more: the start's.
        cap = Cap(
            name="one",
            amount=PRICE,
            window=Window(kind="rolling", n=1, unit="month"),
            counted_per="consumer",
        )
        book = subscribers(rules=ChangedBelgian(caps=(cap,)))
        given(on("2026-07-10T12:00"), sms("HORO"), sms("OK"), told("delivered"), book=book)
        given(on("2026-07-17T12:00"), renew(), book=book)
        project(connection, book)
        waited = Retry(brussels("2026-07-17T11:59"), 3)
        assert self.asked(connection, "2026-07-17T23:59", waited) == []
        waited = Retry(brussels("2026-07-17T12:00"), 3)
        (found,) = self.asked(connection, "2026-07-18T00:00", waited)
        assert found.subscription == the_subscription(book)

    def test_counts_no_confirmation_in_vain(self, connection: psycopg.Connection) -> None:
        # METEO uses up the hour; HORO is confirmed three times in vain, and once an hour later.
        cap = Cap(
            name="an hour",
            amount=PRICE,
            window=Window(kind="rolling", n=1, unit="hour"),
            counted_per="consumer",
        )
        book = subscribers(rules=ChangedBelgian(caps=(cap,)))
        given(on("2026-07-10T08:00"), sms("METEO"), sms("OK"), sms("HORO"), book=book)
        given(sms("OK"), sms("OK"), sms("OK"), on("2026-07-10T09:30"), sms("OK"), book=book)
        given(told("failed"), book=book)
        project(connection, book)
        waited = Retry(brussels("2026-07-10T09:30"), 3)
        (found,) = self.asked(connection, "2026-07-10T21:30", waited)
        assert found.subscription == the_subscription(book)

    def test_goes_on_after_the_last_failed_attempt_that_was_seen(
        self, connection: psycopg.Connection
    ) -> None:
        book = subscriber()
        given(sms("METEO"), sms("OK"), told("failed"), book=book)
        given(on("2026-07-10T13:00"), sms("MOP"), sms("OK"), told("failed"), book=book)
        project(connection, book)
        at = brussels("2026-07-11T12:00")
        seen, last = [], None
        while page := answer(connection, "fr", due(at, 1, last)).value:
            seen += [found.subscription for found in page]
            last = page[-1]
        assert seen == [the_subscription(book, 1), the_subscription(book, 2)]

    def test_comes_longest_due_first_and_goes_on_after_the_last_seen(
        self, connection: psycopg.Connection
    ) -> None:
        book = subscriber()
        steps = (sms("MOP", sender="32470000002"), sms("OK", sender="32470000002"))
        given(on("2026-07-10T13:00"), *steps, sms("METEO"), sms("OK"), book=book)
        project(connection, book)
        seen, last = [], None
        at = brussels("2026-08-10T13:00")
        while page := answer(connection, "fr", due(at, 1, last)).value:
            seen += [found.due_at for found in page]
            last = page[-1]
        assert seen == [
            brussels("2026-07-11T13:00"),
            brussels("2026-07-17T12:00"),
            brussels("2026-08-10T13:00"),
        ]
