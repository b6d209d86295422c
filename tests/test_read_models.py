"""Read models over what the decisions themselves record, both legs of a Belgian book among it.

JEU costs 1.00 on its way in and 2.00 for its answer on 3014, and 0.50 on its way in alone on 2014.
Ludobel gets 0.40 of each leg on 3014, and 0.20 on 2014.
"""

from collections.abc import Generator
from datetime import date
from fractions import Fraction

import psycopg
import pytest

from ledger.decisions import opt_out
from ledger.facts.consent import OptedOut
from ledger.facts.traffic import MtEmitted
from ledger.log.session import connect
from projections.engine import Engine
from projections.expected.read import expected
from projections.opt_outs.read import of_consumer
from projections.rates.read import Rates, Wanted, rates
from projections.reading import answer
from tests.support.belgium import MO_ONLY, PROXIMUS, be_mo, belgian
from tests.support.book import Book
from tests.support.builders import NOON, dlr, service
from tests.support.database import TestDatabase
from tests.support.given import take
from tests.support.projected import store

DAY: date = NOON.date()


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def answered(book: Book, outcome: str | None = None, **message: str) -> None:
    """Take in a message, and what becomes of its answer."""
    taken = take(book, be_mo(**message))
    if outcome is not None:
        take(book, dlr(taken.mt, outcome))


def projected(connection: psycopg.Connection, book: Book) -> str:
    """Project a book that was kept in memory, and give its name."""
    store(connection, book.rows)
    name = book.rows[0].book
    Engine(connection, name).catch_up()
    return name


def of_ludobel(
    connection: psycopg.Connection, book: Book, merchant: str | None = "ludobel"
) -> Rates:
    name = projected(connection, book)
    return answer(connection, name, rates(DAY, DAY, Wanted(merchant))).value


class TestRates:
    """Rates of what was decided."""

    def test_count_both_legs_as_one_exchange(self, connection: psycopg.Connection) -> None:
        book = belgian()
        answered(book, "delivered")
        answered(book, "failed")
        answered(book, short_code=MO_ONLY)
        answered(book, text="BONJOUR")
        found = of_ludobel(connection, book).total
        # Three asked; paid in the end were one answer of two, and the message that is all there is.
        assert (found.counts.matched, found.counts.authorized) == (3, 3)
        assert (found.counts.captured, found.counts.released) == (2, 1)
        assert found.conversion == Fraction(2, 3)
        # Billed were two messages of 1.00, one answer of 2.00, and one message of 0.50.
        assert found.counts.earned == 4
        assert found.revenue["EUR"].price == 4_500_000
        # 3 x 0.40 and 0.20.
        assert found.revenue["EUR"].share == 1_400_000
        assert found.counts.unmatched == 0

    def test_give_what_nobody_sells_to_no_merchant(self, connection: psycopg.Connection) -> None:
        book = belgian()
        answered(book, text="BONJOUR")
        found = of_ludobel(connection, book, None).total
        assert (found.counts.unmatched, found.counts.earned) == (1, 0)
        assert found.revenue == {}

    def test_take_what_came_twice_for_one_purchase(self, connection: psycopg.Connection) -> None:
        book = belgian(service("jeu", "ludobel", duplicate_window_seconds=60))
        answered(book, "delivered")
        answered(book)
        found = of_ludobel(connection, book).total
        assert (found.counts.matched, found.counts.captured) == (2, 1)
        # The operator bills the second message all the same; its answer is sent again, free.
        assert found.counts.earned == 3


class TestExpected:
    """What was decided, as its operator is to declare it."""

    def test_counts_each_leg_and_what_nobody_sold(self, connection: psycopg.Connection) -> None:
        book = belgian()
        answered(book, "delivered")
        answered(book, text="BONJOUR")
        name = projected(connection, book)
        (found,) = answer(connection, name, expected(DAY)).value
        assert found.operator == PROXIMUS
        lines = {(line.short_code, line.leg): line.expected for line in found.lines}
        # Of 1.00: 0.173554 is tax, and 60 % of the rest is owed, 0.495868.
        # Of 2.00: 0.347107, and 0.991736.
        assert lines["3014", "mo"].all.captured == (2, 2_000_000, 347_108, 991_736)
        assert lines["3014", "mo"].unattributed.captured == (1, 1_000_000, 173_554, 495_868)
        assert lines["3014", "mt"].all.captured == (1, 2_000_000, 347_107, 991_736)
        assert found.total.all.captured == (3, 4_000_000, 694_215, 1_983_472)


class TestOptOuts:
    """What a consumer stopped, as it was decided."""

    def test_say_what_the_decisions_go_by(self, connection: psycopg.Connection) -> None:
        book = belgian()
        answered(book)
        answered(book, text="STOP")
        (stop,) = book.facts(OptedOut)
        name = projected(connection, book)
        listed = answer(connection, name, of_consumer(stop.consumer)).value
        stopped = opt_out.stopped(book.facts())
        assert {one.scope: one.since for one in listed if one.stands} == stopped != {}
        assert listed[0].mo == stop.mo
        assert book.facts(MtEmitted)
