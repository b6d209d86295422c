"""Rates by day, worked out by hand.

Of 3.00 EUR: tax 0.50; net 2.50, of which half is the operator's, 1.25; of the other half the
merchant has four fifths, 1.00.
"""

from collections.abc import Generator
from datetime import date, timedelta
from fractions import Fraction

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.facts.book import BookOpened
from ledger.facts.registry import fact_id
from ledger.log.session import connect
from projections.balances.fold import BALANCES
from projections.engine import Engine
from projections.rates.fold import RATES
from projections.rates.read import Counts, Figures, Rates, Revenue, Wanted, rates
from projections.rates.table import PROJECTION
from projections.reading import answer
from projections.rebuild import compare
from tests.support.database import TestDatabase
from tests.support.history import paris
from tests.support.projected import project, store
from tests.support.trades import PARIS, Trade, both_ways, cycle, folded_in_ranges, trades

FIRST, SECOND, THIRD = (date(2026, 8, day) for day in (1, 2, 3))
MORNING, EVENING = paris("2026-08-01T09:00:00"), paris("2026-08-01T18:00:00")
NEXT, AFTER = paris("2026-08-02T09:00:00"), paris("2026-08-03T09:00:00")
ACME = Wanted("acme")
MO = {"leg": "mo"}
DIRECTLY = {"by": "merchant", "channel": "transfer", "borne_by": "merchant"}
NOBODYS = {"merchant": None, "service": None, "merchant_contract": None}


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def asked(
    connection: psycopg.Connection,
    trade: Trade,
    wanted: Wanted = ACME,
    first: date = FIRST,
    last: date = THIRD,
) -> Rates:
    project(connection, trade)
    return answer(connection, "fr", rates(first, last, wanted)).value


def bought(trade: Trade, name: str, price: int = 3_000_000, **terms: object) -> None:
    """Match a message and authorize its answer, on the first morning."""
    trade.matched(name, MORNING, price, **terms)
    trade.authorized(name, MORNING, price, **terms)


def of_both_legs(trade: Trade, name: str) -> None:
    """Match a message that costs 1.00 itself, its answer 3.00, and capture the message."""
    trade.matched(name, MORNING, 3_000_000, 1_000_000)
    trade.authorized(f"{name}-mo", MORNING, 1_000_000, **MO)
    trade.captured(f"{name}-mo", MORNING)
    trade.authorized(name, MORNING)


class TestConversion:
    """Captured exchanges over matched messages."""

    def test_counts_a_capture_on_the_day_of_its_message(
        self, connection: psycopg.Connection
    ) -> None:
        trade = Trade()
        for name in ("a", "b", "c"):
            bought(trade, name)
        trade.captured("a", EVENING)
        trade.captured("b", NEXT)
        trade.released("c", NEXT)
        found = asked(connection, trade)
        first = found.days[FIRST]
        # Three asked, two were billed, the second of them a day later.
        assert first.conversion == Fraction(2, 3)
        assert first.counts == Counts(matched=3, authorized=3, released=1, captured=2, earned=1)
        assert found.days[SECOND].counts == Counts(earned=1)
        assert found.days[SECOND].conversion is None
        assert found.total.conversion == Fraction(2, 3)

    def test_counts_an_exchange_of_both_legs_once(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        for name in ("a", "b"):
            of_both_legs(trade, name)
        trade.captured("a", EVENING)
        trade.released("b", EVENING)
        found = asked(connection, trade).total
        # Two asked; of one the answer was billed too, of the other only the message was.
        assert (found.counts.authorized, found.counts.captured, found.counts.released) == (2, 1, 1)
        assert found.conversion == Fraction(1, 2)
        # Earned are three charges: 1.00 + 1.00 + 3.00.
        assert (found.counts.earned, found.revenue["EUR"].price) == (3, 5_000_000)

    def test_counts_no_exchange_whose_answer_was_refused(
        self, connection: psycopg.Connection
    ) -> None:
        trade = Trade()
        trade.matched("a", MORNING, 3_000_000, 1_000_000)
        trade.authorized("a-mo", MORNING, 1_000_000, **MO)
        trade.captured("a-mo", MORNING)
        found = asked(connection, trade).total
        assert (found.counts.captured, found.counts.earned) == (0, 1)
        assert found.conversion == 0

    def test_counts_on_the_message_where_the_answer_is_free(
        self, connection: psycopg.Connection
    ) -> None:
        free = {"tariff_version": fact_id("fr", BookOpened, "free answer")}
        trade = Trade()
        for name in ("a", "b"):
            trade.matched(name, MORNING, 0, 1_000_000, **free)
        trade.authorized("a", MORNING, 1_000_000, **MO, **free)
        trade.captured("a", MORNING)
        # Beside it, one of both legs, of which the answer is still pending.
        of_both_legs(trade, "c")
        found = asked(connection, trade).total
        assert (found.counts.captured, found.counts.matched) == (1, 3)

    def test_leaves_out_test_numbers_and_what_nobody_sold(
        self, connection: psycopg.Connection
    ) -> None:
        trade = Trade()
        bought(trade, "test", test=True)
        trade.captured("test", EVENING)
        trade.authorized("nobody", MORNING, **MO, **NOBODYS)
        trade.captured("nobody", MORNING)
        trade.unmatched("tester", MORNING, test=True)
        trade.opted_out("test", MORNING, test=True)
        trade.started("test", MORNING, test=True)
        trade.solicited("test", MORNING, test=True)
        found = asked(connection, trade, Wanted())
        assert found.total == Figures(Counts(), 0, {})
        assert found.total.conversion is None

    def test_leaves_out_the_cycles_of_subscriptions(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        bought(trade, "a")
        for name in ("s1", "s2"):
            trade.authorized(name, MORNING, **cycle(name))
        trade.captured("s1", EVENING)
        trade.released("s2", EVENING)
        found = asked(connection, trade).total
        assert found.conversion == 0
        assert (found.counts.cycles, found.counts.cycles_captured) == (2, 1)
        assert (found.counts.authorized, found.counts.earned) == (1, 1)

    def test_follows_a_charge_that_is_tried_again_to_its_day(
        self, connection: psycopg.Connection
    ) -> None:
        trade = Trade()
        bought(trade, "a")
        trade.released("a", EVENING)
        trade.authorized_again("a", NEXT)
        days = asked(connection, trade).days
        assert days[FIRST].counts == Counts(matched=1)
        assert days[SECOND].counts == Counts(authorized=1)

    def test_moves_a_late_capture_from_the_released(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        bought(trade, "a")
        trade.released("a", EVENING)
        trade.captured("a", AFTER)
        days = asked(connection, trade).days
        assert days[FIRST].counts == Counts(matched=1, authorized=1, captured=1)
        assert days[THIRD].counts == Counts(earned=1)


class TestRevenue:
    """What was earned, by the day of the capture."""

    def test_is_of_the_local_day_of_the_capture(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        for name in ("a", "b"):
            bought(trade, name)
        trade.captured("a", paris("2026-08-01T23:59:59"))
        trade.captured("b", paris("2026-08-02T00:00:00"))
        trade.refunded("a", AFTER)
        trade.refunded("b", AFTER, 1_500_000, **DIRECTLY)
        days = asked(connection, trade).days
        one = Revenue(3_000_000, 500_000, 1_000_000)
        assert days[FIRST].revenue == {"EUR": one}
        assert days[SECOND].revenue == {"EUR": one}
        # The operator gave 3.00 back, the merchant 1.50 of the other.
        assert days[THIRD].revenue == {"EUR": Revenue(refunded=4_500_000)}
        assert days[THIRD].counts == Counts(refunds=2)

    def test_may_be_of_one_service_code_or_operator(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        places = ({}, {"service": "vote"}, {"short_code": "81085"}, {"operator": "20810"})
        for number, place in enumerate((*places, {"merchant": "bolt"})):
            bought(trade, f"c{number}", **place)
            trade.captured(f"c{number}", EVENING)
        found = asked(connection, trade)
        assert found.total.counts.earned == 4
        assert {name: one.counts.earned for name, one in found.services.items()} == {
            "quiz": 3,
            "vote": 1,
        }
        for place in places[1:]:
            only = answer(connection, "fr", rates(FIRST, THIRD, Wanted("acme", **place))).value
            assert only.total.counts.earned == 1
        assert asked(connection, trade, Wanted()).total.counts.earned == 5


class TestChurn:
    """Subscriptions stopped over those active at the start."""

    def test_is_of_those_active_when_the_day_began(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        before = MORNING - timedelta(days=9)
        for name in ("a", "b", "c", "d", "e"):
            trade.started(name, before)
        trade.stopped("e", before)
        trade.started("f", MORNING)
        trade.stopped("a", MORNING)
        trade.stopped("f", NEXT)
        found = asked(connection, trade)
        # Four of five are left; one begins and one ends on the first day, one ends on the second.
        assert [found.days[day].active for day in (FIRST, SECOND, THIRD)] == [4, 4, 3]
        assert [found.days[day].churn for day in (FIRST, SECOND, THIRD)] == [
            Fraction(1, 4),
            Fraction(1, 4),
            Fraction(0),
        ]
        assert (found.total.active, found.total.churn) == (4, Fraction(1, 2))

    def test_is_nothing_where_none_was_active(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        trade.started("a", MORNING)
        trade.stopped("a", MORNING)
        found = asked(connection, trade)
        assert found.total.counts == Counts(started=1, stopped=1)
        assert (found.total.churn, found.days[THIRD].churn) == (None, None)

    def test_knows_a_service_that_nothing_happens_to_any_more(
        self, connection: psycopg.Connection
    ) -> None:
        trade = Trade()
        trade.started("a", MORNING - timedelta(days=60), service="alerts")
        found = asked(connection, trade)
        assert found.services["alerts"].active == 1
        assert found.services["alerts"].churn == 0


class TestBeside:
    """What else is counted, by the local day that it happened."""

    def test_gives_what_is_no_merchants_to_its_code(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        trade.unmatched("a", MORNING)
        trade.opted_out("b", MORNING, scoped=False)
        trade.opted_out("c", MORNING)
        trade.unmatched("d", MORNING, short_code="81085")
        code = asked(connection, trade, Wanted(short_code="72345")).total.counts
        assert (code.unmatched, code.opt_outs) == (1, 2)
        merchant = asked(connection, trade).total.counts
        assert (merchant.unmatched, merchant.opt_outs) == (0, 1)

    def test_counts_solicitations_and_requests(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        trade.solicited("a", paris("2026-08-01T23:59:59"))
        trade.requested("b", paris("2026-08-02T00:00:00"))
        days = asked(connection, trade).days
        assert days[FIRST].counts == Counts(solicited=1)
        assert days[SECOND].counts == Counts(requested=1)

    def test_gives_every_day_and_no_other(self, connection: psycopg.Connection) -> None:
        trade = Trade()
        bought(trade, "a")
        found = asked(connection, trade, first=SECOND, last=date(2026, 8, 4))
        assert list(found.days) == [SECOND, THIRD, date(2026, 8, 4)]
        assert found.total == Figures(Counts(), 0, {})


class TestFold:
    """Any history, in any ranges."""

    @given(trade=trades(), cuts=st.lists(st.integers(0, 60), max_size=5))
    def test_gives_the_same_for_any_ranges(self, trade: Trade, cuts: list[int]) -> None:
        whole = RATES.fold(trade.recorded, PARIS)
        assert folded_in_ranges(RATES, trade, cuts) == whole

    @given(trade=trades(), cuts=st.tuples(st.integers(0, 60), st.integers(0, 60)))
    def test_combines_associatively(self, trade: Trade, cuts: tuple[int, int]) -> None:
        left, right = both_ways(RATES, trade, cuts)
        assert left == right

    @given(trade=trades())
    def test_never_counts_less_than_none(self, trade: Trade) -> None:
        facts = trade.recorded
        for end in range(len(facts) + 1):
            for place, counts in RATES.fold(facts[:end], PARIS).items():
                assert all(number >= 0 for number in counts), place
                assert counts.released + counts.captured <= counts.authorized

    @given(trade=trades())
    def test_earns_what_the_books_say_merchants_do(self, trade: Trade) -> None:
        """Before anything is taken back: of refunds and losses the rates tell beside it."""
        kept = Trade()
        kept.facts = [one for one in trade.facts if "Refunded" not in type(one[1]).__name__]
        kept.facts = [one for one in kept.facts if "WrittenOff" not in type(one[1]).__name__]
        earned: dict[str, int] = {}
        for place, counts in RATES.fold(kept.recorded, PARIS).items():
            earned[place.merchant] = earned.get(place.merchant, 0) + counts.share_micros
        owed = dict.fromkeys(earned, 0)
        for account, moved in BALANCES.fold(kept.recorded, PARIS).items():
            if account.account == "merchant_accrued":
                owed[account.party] += moved.credit - moved.debit
        assert earned == owed


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
