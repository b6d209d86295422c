"""Reading balances and merchants' accounts: figures worked out by hand."""

from collections.abc import Generator
from datetime import date

import psycopg
import pytest

from ledger.log.session import connect
from projections.balances.read import Balance, balances, trial_balance
from projections.charges.read import Period, earned
from projections.merchant_accounts.read import Money, Position, overview, statement
from projections.reading import (
    answer,
)
from tests.support.database import TestDatabase
from tests.support.history import LAST, LATER, NOON, History, paris, reference, two_charges
from tests.support.projected import project

NOTHING = Money(0, 0)
ONE = Money(1, 1_000_000)
"""The merchant's share of one charge of 3.00; see the tests of merchants' accounts."""


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def name(charge: str) -> str:
    return reference("fr", charge).charge


class TestBalances:
    """Asking for balances."""

    def test_are_those_of_a_day_as_known_on_another(self, connection: psycopg.Connection) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T12:00:00"))
        history.exchange("b", paris("2026-07-31T12:00:00"))
        history.captured("a", paris("2026-07-31T12:00:05"))
        # Billed on 31 July, but the operator said so on 2 August.
        late = history.captured("b", paris("2026-07-31T12:00:06"))
        history.facts[-1] = (paris("2026-08-02T09:00:00"), late)
        project(connection, history)

        def owed(value_day: date, known_on: date) -> list[int]:
            ask = balances(value_day, known_on, account="merchant_accrued", party="acme")
            return [balance.balance for balance in answer(connection, "fr", ask).value]

        july, august = date(2026, 7, 31), date(2026, 8, 2)
        assert owed(date(2026, 7, 30), august) == []
        assert owed(july, july) == [-1_000_000]
        assert owed(july, date(2026, 8, 1)) == [-1_000_000]
        assert owed(july, august) == [-2_000_000]

    def test_of_all_accounts_are_told_with_both_sides(self, connection: psycopg.Connection) -> None:
        project(connection, two_charges())
        assert answer(connection, "fr", balances()).value == [
            Balance("aggregator_revenue", "", "EUR", 0, 250_000),
            Balance("merchant_accrued", "acme", "EUR", 0, 1_000_000),
            Balance("operator_receivable_accrued", "20801", "EUR", 1_250_000, 0),
        ]

    def test_sum_to_zero(self, connection: psycopg.Connection) -> None:
        project(connection, two_charges())
        (trial,) = answer(connection, "fr", trial_balance()).value
        assert (trial.currency, trial.debit, trial.credit) == ("EUR", 1_250_000, 1_250_000)
        assert trial.balance == 0

    def test_that_do_not_sum_to_zero_are_shown(self, connection: psycopg.Connection) -> None:
        """A control: an imbalance would be seen."""
        project(connection, two_charges())
        connection.execute("UPDATE balances SET debit = debit + 1 WHERE party = '20801'")
        (trial,) = answer(connection, "fr", trial_balance()).value
        assert trial.balance == 1

    def test_may_outgrow_sixty_four_bits(self, connection: psycopg.Connection) -> None:
        project(connection, two_charges())
        connection.execute("UPDATE balances SET debit = 30000000000000000000 WHERE debit > 0")
        (trial,) = answer(connection, "fr", trial_balance()).value
        assert trial.debit == 30 * 10**18


class TestStatement:
    """Asking for a merchant's month."""

    def test_shows_every_state_line_by_line_with_totals(
        self, connection: psycopg.Connection
    ) -> None:
        history = History()
        for charge in ("pending", "earned", "lost", "failed"):
            history.exchange(charge, NOON)
        history.exchange("vote", NOON, price=50_000, service="vote")
        history.captured("earned", LATER)
        history.captured("vote", LATER)
        history.released("failed", LATER)
        history.unresolved("lost", LAST)
        project(connection, history)
        found = answer(connection, "fr", statement("acme", date(2026, 7, 31))).value
        assert found.month == date(2026, 7, 1)
        assert [(line.service, line.short_code, line.operator) for line in found.lines] == [
            ("quiz", "72345", "20801"),
            ("vote", "72345", "20801"),
        ]
        quiz, vote = (line.position for line in found.lines)
        assert quiz == Position(
            pending=Money(2, 2_000_000),
            unresolved=ONE,
            released=ONE,
            earned=ONE,
            price=3_000_000,
            tax=500_000,
        )
        assert vote == Position(NOTHING, NOTHING, NOTHING, Money(1, 16_667), 50_000, 8_333)
        assert found.totals == {
            "EUR": Position(
                pending=Money(2, 2_000_000),
                unresolved=ONE,
                released=ONE,
                earned=Money(2, 1_016_667),
                price=3_050_000,
                tax=508_333,
            )
        }

    def test_shows_what_was_taken_in_a_month_without_charges(
        self, connection: psycopg.Connection
    ) -> None:
        history = two_charges()
        history.exchange("c", NOON)
        history.captured("c", LATER)
        august = paris("2026-08-02T10:00:00")
        history.refunded("a", august)
        history.written_off("c", august)
        project(connection, history)
        july = answer(connection, "fr", statement("acme", date(2026, 7, 1))).value.totals["EUR"]
        # Two were earned in July, 1.00 each, and stay so.
        assert (july.earned, july.refunded, july.written_off) == (
            Money(2, 2_000_000),
            NOTHING,
            NOTHING,
        )
        found = answer(connection, "fr", statement("acme", date(2026, 8, 1))).value
        assert [line.service for line in found.lines] == ["quiz"]
        total = found.totals["EUR"]
        assert (total.earned, total.refunded, total.written_off) == (NOTHING, ONE, ONE)
        (whole,) = answer(connection, "fr", overview()).value
        assert (whole.position.refunded, whole.position.written_off) == (ONE, ONE)

    def test_tells_what_is_not_recorded_yet_from_nothing(
        self, connection: psycopg.Connection
    ) -> None:
        project(connection, two_charges())
        totals = answer(connection, "fr", statement("acme", NOON.date())).value.totals["EUR"]
        assert (totals.declared, totals.collected, totals.payable) == (None, None, None)

    def test_leaves_out_a_line_whose_charges_have_moved_on(
        self, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T23:59:50"))
        history.captured("a", paris("2026-08-01T00:00:05"))
        project(connection, history)
        july = answer(connection, "fr", statement("acme", date(2026, 7, 1))).value
        august = answer(connection, "fr", statement("acme", date(2026, 8, 1))).value
        assert (july.lines, july.totals) == ([], {})
        assert august.totals["EUR"].earned == ONE

    def test_equals_the_charges_that_it_is_made_of(self, connection: psycopg.Connection) -> None:
        history = History()
        for number, at in enumerate([NOON, LATER, paris("2026-07-31T23:59:50")]):
            history.exchange(f"c{number}", at, price=50_000)
        for number in range(3):
            history.captured(f"c{number}", paris(f"2026-0{7 + number // 2}-01T00:00:05"))
        project(connection, history)
        august = date(2026, 8, 1)
        total = answer(connection, "fr", statement("acme", august)).value.totals["EUR"].earned
        page = answer(connection, "fr", earned("acme", 10, Period(august, date(2026, 8, 31))))
        assert [charge.charge for charge in page.value.charges] == [name("c2")]
        assert sum(charge.merchant_share for charge in page.value.charges) == total.micros


class TestOverview:
    """Asking what each merchant has."""

    def test_adds_months_up_for_each_merchant(self, connection: psycopg.Connection) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T23:59:50"))
        history.exchange("b", paris("2026-07-31T23:59:50"), merchant="bolt")
        history.exchange("c", paris("2026-07-31T23:59:50"))
        history.captured("a", paris("2026-08-01T00:00:05"))
        project(connection, history)
        whole = answer(connection, "fr", overview()).value
        assert [(row.merchant, row.position.pending, row.position.earned) for row in whole] == [
            ("acme", ONE, ONE),
            ("bolt", ONE, NOTHING),
        ]
        august = answer(connection, "fr", overview(date(2026, 8, 15), date(2026, 8, 31))).value
        assert [(row.merchant, row.position.pending, row.position.earned) for row in august] == [
            ("acme", NOTHING, ONE)
        ]
