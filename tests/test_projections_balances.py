"""Balances: what captured charges post, on which days. Figures are worked out by hand.

3.00 EUR, tax of 20 % included, half of the net to us, four fifths of that to the merchant:
net 2.50, tax 0.50; reversement 1.25, operator 1.25; merchant 1.00, us 0.25.

0.05 EUR the same way: net 0.041666…, tax 0.008333…; reversement and operator 0.020833… each;
merchant 0.016666…, us 0.004166…. Floored: 8333 + 20833 + 4166 + 16666 = 49998, so two micros are
left; the largest remainders (two thirds) are ours and the merchant's: 4167 and 16667.
"""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given

from ledger.postings import NOT_POSTING, POSTING
from projections.balances.fold import BALANCES, Account
from projections.fold import Context
from tests.support.history import LATER, NOON, History, histories, paris

PARIS = Context("Europe/Paris")


def posted(history: History) -> dict[tuple[str, str], int]:
    """Debit less credit by account and party."""
    found: dict[tuple[str, str], int] = {}
    for key, moved in BALANCES.fold(history.recorded, PARIS).items():
        place = key.account, key.party
        found[place] = found.get(place, 0) + moved.debit - moved.credit
    return found


def recorded_days(history: History) -> list[date]:
    return sorted({key.recorded_day for key in BALANCES.fold(history.recorded, PARIS)})


class TestBalances:
    """Balances after some history."""

    def test_reads_what_posts_and_ignores_the_rest(self) -> None:
        assert (BALANCES.reads, BALANCES.ignores) == (POSTING, NOT_POSTING)

    def test_of_a_captured_charge_are_its_reversement(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        assert posted(history) == {
            ("operator_receivable_accrued", "20801"): 1_250_000,
            ("aggregator_revenue", ""): -250_000,
            ("merchant_accrued", "acme"): -1_000_000,
        }

    def test_of_a_tariff_of_five_cents_keep_each_micro(self) -> None:
        history = History()
        history.exchange("a", NOON, price=50_000)
        history.captured("a", LATER)
        # 4167 + 16667 = 20834 is what the operator owes: its own share was floored.
        assert posted(history) == {
            ("operator_receivable_accrued", "20801"): 20_834,
            ("aggregator_revenue", ""): -4_167,
            ("merchant_accrued", "acme"): -16_667,
        }

    def test_of_a_principal_hold_all_as_revenue_and_the_share_as_cost(self) -> None:
        history = History()
        history.exchange("a", NOON, acting="principal")
        history.captured("a", LATER)
        assert posted(history) == {
            ("operator_receivable_accrued", "20801"): 1_250_000,
            ("aggregator_revenue", ""): -1_250_000,
            ("merchant_cost", ""): 1_000_000,
            ("merchant_accrued", "acme"): -1_000_000,
        }

    def test_of_what_is_authorized_unresolved_or_released_are_none(self) -> None:
        history = History()
        for name in "abc":
            history.exchange(name, NOON)
        history.unresolved("b", LATER)
        history.released("c", LATER)
        assert posted(history) == {}

    @given(history=histories())
    def test_sum_to_zero_on_any_pair_of_days(self, history: History) -> None:
        by_days: dict[tuple[date, date], int] = {}
        for key, moved in BALANCES.fold(history.recorded, PARIS).items():
            days = key.value_day, key.recorded_day
            by_days[days] = by_days.get(days, 0) + moved.debit - moved.credit
        assert set(by_days.values()) <= {0}

    def test_stand_on_the_day_of_the_capture_and_the_day_it_was_recorded(self) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T23:59:50"))
        captured = history.captured("a", paris("2026-08-01T00:00:05"))
        # Both instants are 31 July in UTC; it was written down two days later.
        history.facts[-1] = (paris("2026-08-03T00:10:00"), captured)
        assert set(BALANCES.fold(history.recorded, PARIS)) == {
            Account(name, party, "EUR", date(2026, 8, 1), date(2026, 8, 3))
            for name, party in [
                ("operator_receivable_accrued", "20801"),
                ("aggregator_revenue", ""),
                ("merchant_accrued", "acme"),
            ]
        }

    @pytest.mark.parametrize(
        ("recorded_at", "day"),
        [
            # Summer time begins on 29 March 2026: the day has 23 hours, 23:00Z to 22:00Z.
            ("2026-03-28T22:59:59", 28),
            ("2026-03-28T23:00:00", 29),
            ("2026-03-29T21:59:59", 29),
            ("2026-03-29T22:00:00", 30),
        ],
    )
    def test_are_recorded_on_local_days_when_summer_begins(
        self, recorded_at: str, day: int
    ) -> None:
        assert self._recorded(recorded_at) == [date(2026, 3, day)]

    @pytest.mark.parametrize(
        ("recorded_at", "day"),
        [
            # Summer time ends on 25 October 2026: the day has 25 hours, 22:00Z to 23:00Z.
            ("2026-10-24T21:59:59", 24),
            ("2026-10-24T22:00:00", 25),
            ("2026-10-25T22:59:59", 25),
            ("2026-10-25T23:00:00", 26),
        ],
    )
    def test_are_recorded_on_local_days_when_summer_ends(self, recorded_at: str, day: int) -> None:
        assert self._recorded(recorded_at) == [date(2026, 10, day)]

    def _recorded(self, recorded_at: str) -> list[date]:
        at = datetime.fromisoformat(recorded_at).replace(tzinfo=UTC)
        history = History(opening=at)
        history.exchange("a", at)
        history.captured("a", at)
        return recorded_days(history)
