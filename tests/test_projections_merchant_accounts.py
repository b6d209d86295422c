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
from projections.charges.fold import CHARGES, Charge
from projections.fold import Context
from projections.merchant_accounts.fold import MERCHANT_ACCOUNTS, Account, States
from tests.support.history import LAST, LATER, NOON, History, histories, paris

PARIS = Context("Europe/Paris")
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


def account(month: date) -> Account:
    return Account("acme", month, "72345", "20801", "quiz", "EUR")


EARNED = States(earned=1, earned_micros=1_000_000, price_micros=3_000_000, tax_micros=500_000)
"""A captured charge of 3.00, and nothing else."""


def is_somebodys(charge: Charge) -> bool:
    ref = charge.standing.ref
    return ref.merchant is not None and not ref.test


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

    def test_hold_what_is_tried_again_as_pending_in_the_month_of_that(self) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T12:00:00"))
        history.released("a", paris("2026-07-31T13:00:00"))
        history.authorized_again("a", paris("2026-08-02T12:00:00"))
        assert merchants(history) == {
            account(JULY): States(),
            account(AUGUST): States(pending=1, pending_micros=1_000_000),
        }

    def test_earn_what_was_billed_and_never_allowed(self) -> None:
        # An operator billed an MO of a merchant's beyond a cap: it pays it, and so do we.
        history = History()
        sold = {"merchant": "acme", "service": "quiz", "merchant_contract": "c" * 32}
        history.unauthorized("a", NOON, **sold)
        assert merchants(history) == {account(JULY): EARNED}

    def test_know_nothing_of_what_nobody_sold_or_a_test_bought(self) -> None:
        history = History()
        history.unauthorized("a", NOON)
        history.exchange("b", NOON, test=True)
        history.captured("b", LATER)
        history.refunded("b", LAST)
        assert merchants(history) == {}


class TestRefunds:
    """What is given back of a merchant's charges, each of 3.00 of which it earned 1.00."""

    def sold(self) -> History:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        return history

    def test_stand_in_the_month_of_the_refund_and_leave_what_was_earned(self) -> None:
        history = self.sold()
        history.refunded("a", paris("2026-08-01T00:00:01"))
        assert merchants(history) == {
            account(JULY): EARNED,
            # The operator takes its 1.25 back, and 1.00 of that was the merchant's.
            account(AUGUST): States(refunded=1, refunded_micros=1_000_000),
        }

    @pytest.mark.parametrize(
        ("by", "borne_by", "lost"),
        [
            # We paid 2.00 of the price back, and the contract says that the merchant bears it.
            ("aggregator", "merchant", 2_000_000),
            ("aggregator", "aggregator", 0),
            # The merchant paid it itself and bears it: we owe it what we did.
            ("merchant", "merchant", 0),
            # It paid for us: we owe it 2.00 more.
            ("merchant", "aggregator", -2_000_000),
        ],
    )
    def test_paid_directly_lower_what_we_owe_as_the_contract_says(
        self, by: str, borne_by: str, lost: int
    ) -> None:
        history = self.sold()
        how = {"by": by, "borne_by": borne_by, "channel": "transfer"}
        history.refunded("a", LAST, 2_000_000, **how)
        (states,) = merchants(history).values()
        assert (states.refunded, states.refunded_micros) == (1, lost)

    @pytest.mark.parametrize(("borne_by", "lost"), [("merchant", 1_000_000), ("aggregator", 0)])
    def test_are_told_apart_from_what_is_written_off(self, borne_by: str, lost: int) -> None:
        history = self.sold()
        history.written_off("a", paris("2026-08-15T10:00:00"), "unpaid", borne_by)
        assert merchants(history) == {
            account(JULY): EARNED,
            account(AUGUST): States(written_off=1, written_off_micros=lost),
        }


class TestLaws:
    """What holds after any history."""

    @given(history=histories())
    def test_count_every_charge_in_one_state_and_never_less_than_none(
        self, history: History
    ) -> None:
        facts = history.recorded
        for end in range(len(facts) + 1):
            found = MERCHANT_ACCOUNTS.fold(facts[:end], PARIS).values()
            charges = CHARGES.fold(facts[:end], PARIS)
            # What a merchant paid on our behalf is less than nothing lost.
            states = [one._replace(refunded_micros=0) for one in found]
            assert all(number >= 0 for one in states for number in one)
            counted = sum(one.pending + one.released + one.earned for one in states)
            assert counted == sum(map(is_somebodys, charges.values()))

    @given(history=histories())
    def test_owe_what_the_books_owe_the_merchant(self, history: History) -> None:
        owed: dict[str, int] = {}
        for key, states in merchants(history).items():
            lost = states.refunded_micros + states.written_off_micros
            owed[key.merchant] = owed.get(key.merchant, 0) + states.earned_micros - lost
        booked = dict.fromkeys(owed, 0)
        for key, moved in BALANCES.fold(history.recorded, PARIS).items():
            if key.account in {"merchant_accrued", "refunds_borne_by_merchant"}:
                booked[key.party] += moved.credit - moved.debit
        assert owed == booked
