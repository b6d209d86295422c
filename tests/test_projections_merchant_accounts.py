"""Merchants' accounts: each charge in one state and month. Figures are worked out by hand.

3.00 EUR, tax of 20 % included, half of the net to us, four fifths of that to the merchant:
net 2.50, tax 0.50; reversement 1.25, operator 1.25; merchant 1.00, us 0.25.

0.05 EUR the same way: net 0.041666…, tax 0.008333…; reversement and operator 0.020833… each;
merchant 0.016666…, us 0.004166…. Floored: 8333 + 20833 + 4166 + 16666 = 49998, so two micros are
left; the largest remainders (two thirds) are ours and the merchant's: 4167 and 16667.
"""

from datetime import date

import pytest
from hypothesis import given

from projections.balances.fold import BALANCES
from projections.charges.fold import CHARGES
from projections.fold import Context
from projections.merchant_accounts.fold import MERCHANT_ACCOUNTS, Account, States
from tests.support.history import LAST, LATER, NOON, History, histories, paris

PARIS = Context("Europe/Paris")
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


def account(month: date) -> Account:
    return Account("acme", month, "72345", "20801", "quiz", "EUR")


def merchants(history: History) -> dict[Account, States]:
    return MERCHANT_ACCOUNTS.fold(history.recorded, PARIS)


class TestMerchantAccounts:
    """Merchants' accounts after some history."""

    def test_hold_an_authorized_charge_as_pending(self) -> None:
        history = History()
        history.exchange("a", NOON)
        assert merchants(history) == {account(JULY): States(pending=1, pending_micros=1_000_000)}

    def test_hold_a_captured_charge_as_earned_alone(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        assert merchants(history) == {
            account(JULY): States(
                earned=1, earned_micros=1_000_000, price_micros=3_000_000, tax_micros=500_000
            )
        }

    def test_hold_five_cents_to_the_micro(self) -> None:
        history = History()
        history.exchange("a", NOON, price=50_000)
        history.captured("a", LATER)
        assert merchants(history) == {
            account(JULY): States(
                earned=1, earned_micros=16_667, price_micros=50_000, tax_micros=8_333
            )
        }

    def test_hold_a_lost_receipt_as_unresolved_within_pending(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.unresolved("a", LATER)
        assert merchants(history) == {
            account(JULY): States(
                pending=1, pending_micros=1_000_000, unresolved=1, unresolved_micros=1_000_000
            )
        }

    def test_hold_an_unresolved_charge_that_is_captured_after_all_as_earned_alone(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.unresolved("a", LATER)
        history.captured("a", LAST)
        assert merchants(history) == {
            account(JULY): States(
                earned=1, earned_micros=1_000_000, price_micros=3_000_000, tax_micros=500_000
            )
        }

    def test_hold_an_unresolved_charge_that_is_released_as_released_alone(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.unresolved("a", LATER)
        history.released("a", LAST)
        assert merchants(history) == {account(JULY): States(released=1, released_micros=1_000_000)}

    def test_hold_a_late_capture_as_earned_and_no_longer_released(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.released("a", LATER)
        late = history.captured("a", paris("2026-08-02T10:00:00"))
        assert late.late
        assert merchants(history) == {
            account(JULY): States(),
            account(AUGUST): States(
                earned=1, earned_micros=1_000_000, price_micros=3_000_000, tax_micros=500_000
            ),
        }

    def test_earn_in_the_month_of_the_receipt_what_was_asked_on_the_eve(self) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T23:59:50"))
        history.exchange("b", paris("2026-07-31T23:59:51"))
        history.captured("a", paris("2026-08-01T00:00:05"))
        # In UTC all of it happened on 31 July.
        assert merchants(history) == {
            account(JULY): States(pending=1, pending_micros=1_000_000),
            account(AUGUST): States(
                earned=1, earned_micros=1_000_000, price_micros=3_000_000, tax_micros=500_000
            ),
        }

    @pytest.mark.parametrize(
        ("asked", "answered"),
        [
            ("2026-03-29T01:59:59", "2026-03-29T03:00:04"),
            ("2026-10-25T02:59:59", "2026-10-25T02:00:04+"),
        ],
        ids=["summer begins", "summer ends"],
    )
    def test_keep_a_charge_across_a_change_of_the_clocks_in_its_day(
        self, asked: str, answered: str
    ) -> None:
        at, later = paris(asked), paris(answered)
        assert (later - at).total_seconds() == 5
        history = History(opening=at)
        history.exchange("a", at)
        captured = history.captured("a", later)
        assert captured.value_day == captured.authorized_day
        assert merchants(history) == {
            account(captured.value_day.replace(day=1)): States(
                earned=1, earned_micros=1_000_000, price_micros=3_000_000, tax_micros=500_000
            )
        }

    def test_keep_codes_operators_and_services_apart(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.exchange("b", NOON, short_code="81085")
        history.exchange("c", NOON, operator="20810")
        history.exchange("d", NOON, service="vote")
        history.exchange("e", NOON, merchant="bolt")
        assert {key[2:5] + key[:1] for key in merchants(history)} == {
            ("72345", "20801", "quiz", "acme"),
            ("81085", "20801", "quiz", "acme"),
            ("72345", "20810", "quiz", "acme"),
            ("72345", "20801", "vote", "acme"),
            ("72345", "20801", "quiz", "bolt"),
        }

    @given(history=histories())
    def test_count_every_charge_in_one_state_and_never_less_than_none(
        self, history: History
    ) -> None:
        facts = history.recorded
        for end in range(len(facts) + 1):
            found = MERCHANT_ACCOUNTS.fold(facts[:end], PARIS).values()
            charges = CHARGES.fold(facts[:end], PARIS)
            assert all(number >= 0 for states in found for number in states)
            counted = sum(states.pending + states.released + states.earned for states in found)
            assert counted == len(charges)

    @given(history=histories())
    def test_earn_what_the_books_owe_the_merchant(self, history: History) -> None:
        earned: dict[str, int] = {}
        for key, states in merchants(history).items():
            earned[key.merchant] = earned.get(key.merchant, 0) + states.earned_micros
        owed = dict.fromkeys(earned, 0)
        for key, moved in BALANCES.fold(history.recorded, PARIS).items():
            if key.account == "merchant_accrued":
                owed[key.party] += moved.credit - moved.debit
        assert earned == owed
