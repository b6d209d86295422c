"""Lists of charges: pages that lose nothing, and who still waits for an answer."""

from collections.abc import Generator
from datetime import date, timedelta

import psycopg
import pytest

from ledger.log.session import connect
from projections.charges.read import NEWEST, PageEnd, Period, authorized, one, unattributed, waiting
from projections.reading import (
    answer,
)
from tests.support.database import TestDatabase
from tests.support.history import LATER, NOON, History, paris, reference, two_charges
from tests.support.projected import project


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def pages(connection: psycopg.Connection, limit: int) -> list[list[str]]:
    """Read all pages of a merchant's charges."""
    found, end = [], NEWEST
    while end:
        page = answer(connection, "fr", authorized("acme", limit, after=end)).value
        found.append([charge.charge for charge in page.charges])
        end = page.end
    return found


def name(charge: str) -> str:
    return reference("fr", charge).charge


class TestCharges:
    """Asking for charges."""

    def test_come_newest_first_page_by_page(self, connection: psycopg.Connection) -> None:
        history = History()
        for number in range(5):
            history.exchange(f"c{number}", NOON)
        history.exchange("other", NOON, merchant="bolt")
        project(connection, history)
        assert pages(connection, 2) == [
            [name("c4"), name("c3")],
            [name("c2"), name("c1")],
            [name("c0")],
        ]
        assert pages(connection, 5) == [[name(f"c{number}") for number in (4, 3, 2, 1, 0)]]

    def test_that_come_meanwhile_move_no_page(self, connection: psycopg.Connection) -> None:
        history = History()
        for number in range(4):
            history.exchange(f"c{number}", NOON)
        project(connection, history)
        first = answer(connection, "fr", authorized("acme", 2)).value
        history.exchange("new", LATER)
        history.captured("c1", LATER)
        project(connection, history)
        assert first.end
        then = PageEnd.parse(str(first.end))
        second = answer(connection, "fr", authorized("acme", 2, after=then)).value
        assert [charge.charge for charge in second.charges] == [name("c1"), name("c0")]
        assert second.end is None

    def test_may_be_of_some_days_or_in_one_state(self, connection: psycopg.Connection) -> None:
        history = two_charges()
        history.exchange("c", paris("2026-08-02T10:00:00"))
        project(connection, history)

        def asked(**wanted: object) -> list[str]:
            page = answer(connection, "fr", authorized("acme", 10, **wanted)).value
            return [charge.charge for charge in page.charges]

        assert asked(state="captured") == [name("a")]
        assert asked(period=Period(last=date(2026, 7, 31))) == [name("b"), name("a")]
        assert asked(period=Period(first=date(2026, 8, 2))) == [name("c")]
        assert asked(period=Period(date(2026, 8, 3))) == []

    def test_tell_their_terms_and_times(self, connection: psycopg.Connection) -> None:
        project(connection, two_charges())
        charge = answer(connection, "fr", one(name("a"))).value
        assert charge is not None
        assert (charge.state, charge.since, charge.authorized_at) == ("captured", LATER, NOON)
        assert (charge.price, charge.tax, charge.operator_share) == (3_000_000, 500_000, 1_250_000)
        assert (charge.aggregator_share, charge.merchant_share) == (250_000, 1_000_000)
        assert (charge.authorized_position, charge.position) == (4, 12)
        assert answer(connection, "fr", one("f" * 32)).value is None

    def test_tell_what_was_given_back_and_written_off(self, connection: psycopg.Connection) -> None:
        history = two_charges()
        project(connection, history)
        # What is given back comes in a batch without the charge, and more of it in another.
        history.refunded("a", LATER, 1_000_000, by="aggregator", channel="transfer")
        project(connection, history)
        history.refunded("a", LATER, 500_000, by="merchant", channel="voucher")
        history.written_off("a", LATER, "clawback")
        project(connection, history)
        charge = answer(connection, "fr", one(name("a"))).value
        assert charge is not None
        assert (charge.state, charge.refunded, charge.written_off) == (
            "captured",
            1_500_000,
            "clawback",
        )
        assert charge.position == 16

    def test_tried_again_come_on_the_day_of_that(self, connection: psycopg.Connection) -> None:
        history = two_charges()
        project(connection, history)
        history.authorized_again("b", paris("2026-08-02T10:00:00"))
        history.captured("b", paris("2026-08-03T10:00:00"))
        project(connection, history)
        page = answer(connection, "fr", authorized("acme", 10)).value
        assert [charge.charge for charge in page.charges] == [name("b"), name("a")]
        assert page.charges[0].authorized_at == paris("2026-08-02T10:00:00")
        assert (page.charges[0].state, page.charges[0].reason) == ("captured", None)

    def test_that_nobody_sold_are_a_list_of_their_own(self, connection: psycopg.Connection) -> None:
        history = two_charges()
        for number in range(3):
            history.unauthorized(f"n{number}", LATER)
        project(connection, history)
        first = answer(connection, "fr", unattributed(2)).value
        assert [charge.charge for charge in first.charges] == [name("n2"), name("n1")]
        assert first.end
        second = answer(connection, "fr", unattributed(2, after=first.end)).value
        assert [charge.charge for charge in second.charges] == [name("n0")]
        (charge,) = second.charges
        assert (charge.merchant, charge.service, charge.authorized_at) == (None, None, None)
        assert (
            answer(connection, "fr", unattributed(2, Period(date(2026, 8, 1)))).value.charges == []
        )
        assert len(pages(connection, 10)[0]) == 2

    @pytest.mark.parametrize(
        "text", ["", "2026-08-01", "2026-08-01.", "x.1", "2026-08-01.-1", f"2026-08-01.{1 << 63}"]
    )
    def test_refuse_what_is_no_end_of_a_page(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"Invalid isoformat|end of a page"):
            PageEnd.parse(text)

    def test_end_is_read_as_it_was_written(self) -> None:
        end = PageEnd(date(2026, 8, 1), 4711)
        assert (str(end), PageEnd.parse(str(end))) == ("2026-08-01.4711", end)


class TestWaiting:
    """Asking which charges nobody has answered for."""

    def test_gives_the_longest_waiting_first_and_only_those(
        self, connection: psycopg.Connection
    ) -> None:
        history = History()
        for number, charge in enumerate(("old", "captured", "lost", "young", "new")):
            history.exchange(charge, NOON + timedelta(minutes=number))
        history.captured("captured", LATER)
        history.unresolved("lost", LATER)
        project(connection, history)
        due = answer(connection, "fr", waiting(NOON + timedelta(minutes=3), 10)).value
        assert [charge.charge for charge in due] == [name("old"), name("young")]
        assert (due[0].authorized_at, due[0].operator, due[0].short_code, due[0].leg) == (
            NOON,
            "20801",
            "72345",
            "mt",
        )

    def test_goes_on_after_the_last_that_was_seen(self, connection: psycopg.Connection) -> None:
        history = History()
        for number in range(5):
            history.exchange(f"c{number}", NOON)
        project(connection, history)
        seen, last = [], None
        while batch := answer(connection, "fr", waiting(LATER, 2, after=last)).value:
            seen += [charge.charge for charge in batch]
            last = batch[-1]
        assert seen == sorted(name(f"c{number}") for number in range(5))
