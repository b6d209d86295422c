"""What operators are expected to declare, worked out by hand.

Of 3.00 EUR: tax 0.50; net 2.50, of which the operator owes half, 1.25. Of 0.05 EUR: tax
0.008333…, net 0.041666…, half of it 0.020833…: to the micro 0.008333 and 0.020834, for the
merchant's 0.016666… and our 0.004166… are each rounded, and the left-over micros go to both.
"""

from collections.abc import Generator
from datetime import date

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.log.session import connect
from projections.balances.fold import BALANCES
from projections.engine import Engine
from projections.expected.fold import EXPECTED, Sum
from projections.expected.read import Expected, Figures, OperatorMonth, expected
from projections.expected.table import PROJECTION
from projections.reading import answer
from projections.rebuild import compare
from tests.support.database import TestDatabase
from tests.support.history import NOON, OPERATOR, paris
from tests.support.projected import project, store
from tests.support.trades import PARIS, Trade, both_ways, folded_in_ranges, trades

JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)
ONE = Sum(1, 3_000_000, 500_000, 1_250_000)
TWO = Sum(2, 6_000_000, 1_000_000, 2_500_000)


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def captured(trade: Trade, name: str, when: str, price: int = 3_000_000, **terms: object) -> None:
    """Authorize a charge at noon of 10 July, and capture it at a local time."""
    trade.authorized(name, NOON, price, **terms)
    trade.captured(name, paris(when))


def month(
    connection: psycopg.Connection, trade: Trade, of: date, operator: str | None = None
) -> list[OperatorMonth]:
    project(connection, trade)
    return answer(connection, "fr", expected(of, operator)).value


class TestAMonth:
    """What an operator is expected to declare."""

    def test_counts_what_was_captured_in_it(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        captured(trade, "a", "2026-07-31T23:59:59")
        captured(trade, "b", "2026-08-01T00:00:00")
        trade.authorized("pending", NOON)
        (found,) = month(connection, trade, JULY)
        assert (found.operator, found.currency) == (OPERATOR, "EUR")
        assert found.total == Expected(all=Figures(captured=ONE))
        # In UTC the second was captured in July, too.
        assert answer(connection, "fr", expected(AUGUST)).value[0].total.all.captured == ONE

    def test_keeps_codes_tariffs_and_legs_apart(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        captured(trade, "a", "2026-07-10T15:00:00")
        captured(trade, "b", "2026-07-10T15:00:00", short_code="81085")
        captured(trade, "c", "2026-07-10T15:00:00", 50_000, tariff="T005")
        captured(trade, "d", "2026-07-10T15:00:00", leg="mo")
        (found,) = month(connection, trade, JULY)
        assert [(*line[:3], line.expected.all.captured) for line in found.lines] == [
            ("72345", "T005", "mt", Sum(1, 50_000, 8_333, 20_834)),
            ("72345", "T300", "mo", ONE),
            ("72345", "T300", "mt", ONE),
            ("81085", "T300", "mt", ONE),
        ]
        # Three of 3.00 and 0.05; of 0.50 and 0.008333; of 1.25 and 0.020834.
        assert found.total.all.captured == Sum(4, 9_050_000, 1_508_333, 3_770_834)

    def test_counts_what_was_taken_back_in_the_month_it_was(
        self, connection: psycopg.Connection
    ) -> None:
        trade = Trade()
        for name in ("a", "b", "c", "d"):
            captured(trade, name, "2026-07-10T15:00:00")
        trade.refunded("a", paris("2026-08-01T00:00:00"))
        trade.written_off("b", paris("2026-08-31T23:59:59"), "unpaid")
        trade.written_off("c", paris("2026-08-15T12:00:00"), "clawback")
        (july,) = month(connection, trade, JULY)
        (august,) = answer(connection, "fr", expected(AUGUST)).value
        # Four of 3.00, 0.50 and 1.25.
        assert july.total.all.left == Sum(4, 12_000_000, 2_000_000, 5_000_000)
        assert august.total.all == Figures(Sum(), ONE, ONE, ONE)
        assert august.total.all.left == Sum(-3, -9_000_000, -1_500_000, -3_750_000)

    def test_leaves_out_what_others_gave_back(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        captured(trade, "a", "2026-07-10T15:00:00")
        directly = {"by": "merchant", "channel": "transfer", "borne_by": "merchant"}
        trade.refunded("a", paris("2026-07-11T12:00:00"), 1_000_000, **directly)
        (found,) = month(connection, trade, JULY)
        assert found.total.all == Figures(captured=ONE)

    def test_counts_test_numbers_and_what_nobody_sold_and_tells_them(
        self, connection: psycopg.Connection
    ) -> None:
        nobody = {"leg": "mo", "merchant": None, "service": None, "merchant_contract": None}
        trade = Trade()
        captured(trade, "sold", "2026-07-10T15:00:00")
        captured(trade, "test", "2026-07-10T15:00:00", test=True)
        captured(trade, "nobody", "2026-07-10T15:00:00", **nobody)
        captured(trade, "neither", "2026-07-10T15:00:00", **nobody, test=True)
        trade.refunded("nobody", paris("2026-07-12T12:00:00"))
        (found,) = month(connection, trade, JULY)
        assert found.total == Expected(
            all=Figures(captured=Sum(4, 12_000_000, 2_000_000, 5_000_000), refunded=ONE),
            unattributed=Figures(captured=ONE, refunded=ONE),
            test=Figures(captured=TWO),
        )

    def test_is_of_one_operator_or_of_all(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        captured(trade, "a", "2026-07-10T15:00:00")
        captured(trade, "b", "2026-07-10T15:00:00", operator="20810")
        every = month(connection, trade, JULY)
        assert [one.operator for one in every] == ["20801", "20810"]
        assert answer(connection, "fr", expected(JULY, "20810")).value == every[1:]
        assert answer(connection, "fr", expected(AUGUST)).value == []


class TestFold:
    """Any history, in any ranges."""

    @given(trade=trades(), cuts=st.lists(st.integers(0, 60), max_size=5))
    def test_gives_the_same_for_any_ranges(self, trade: Trade, cuts: list[int]) -> None:
        whole = EXPECTED.fold(trade.recorded, PARIS)
        assert folded_in_ranges(EXPECTED, trade, cuts) == whole

    @given(trade=trades(), cuts=st.tuples(st.integers(0, 60), st.integers(0, 60)))
    def test_combines_associatively(self, trade: Trade, cuts: tuple[int, int]) -> None:
        left, right = both_ways(EXPECTED, trade, cuts)
        assert left == right

    @given(trade=trades())
    def test_expects_what_the_books_say_operators_owe(self, trade: Trade) -> None:
        owed: dict[str, int] = {}
        for line, found in EXPECTED.fold(trade.recorded, PARIS).items():
            sign = 1 if line.what == "captured" else -1
            owed[line.operator] = owed.get(line.operator, 0) + sign * found.reversement
        posted = dict.fromkeys(owed, 0)
        for account, moved in BALANCES.fold(trade.recorded, PARIS).items():
            if account.account == "operator_receivable_accrued":
                posted[account.party] += moved.debit - moved.credit
        assert owed == posted


class TestTable:
    """What is live, and what is built anew."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
    @given(trade=trades())
    def test_equals_a_rebuild(self, connection: psycopg.Connection, trade: Trade) -> None:
        (number,) = connection.execute("SELECT count(*) FROM heads").fetchone() or (0,)
        book = f"fr{number}"
        store(connection, [row._replace(book=book) for row in trade.rows])
        Engine(connection, book, [PROJECTION], batch=3).catch_up()
        assert compare(connection, book, PROJECTION) == []
