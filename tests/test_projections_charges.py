"""Charges: one row for each, as its latest fact leaves it, and what was given back of it."""

from datetime import date

from hypothesis import given

from ledger.facts.charges import ChargeRefunded, ChargeWrittenOff
from projections.charges.fold import CHARGES, Charge
from projections.fold import Context
from tests.support.history import LAST, LATER, NOON, History, histories, paris

PARIS = Context("Europe/Paris")


def only(history: History) -> Charge:
    (charge,) = CHARGES.fold(history.recorded, PARIS).values()
    return charge


class TestCharges:
    """Charges after some history."""

    def test_keep_what_only_the_authorization_knows(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        charge = only(history)
        assert charge.authorized is not None
        assert (charge.authorized.at, charge.authorized.captures_on) == (NOON, "delivered")
        assert charge.standing is not None
        standing = charge.standing
        assert (standing.state, standing.since, standing.late) == ("captured", LATER, False)

    def test_lose_the_reason_of_a_release_when_captured_late(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.released("a", LATER, reason="rejected")
        released = only(history).standing
        history.captured("a", LAST)
        captured = only(history).standing
        assert (released.state, released.reason, released.late) == ("released", "rejected", False)
        assert (captured.state, captured.reason, captured.late) == ("captured", None, True)

    def test_tried_again_are_authorized_on_the_day_of_that(self) -> None:
        history = History()
        history.exchange("a", paris("2026-07-31T12:00:00"))
        history.released("a", paris("2026-07-31T13:00:00"))
        again = paris("2026-08-02T12:00:00")
        history.authorized_again("a", again)
        charge = only(history)
        assert charge.authorized.at == again
        assert (charge.standing.state, charge.standing.reason) == ("authorized", None)
        assert charge.standing.authorized_day == date(2026, 8, 2)

    def test_that_were_never_allowed_are_captured_without_an_authorization(self) -> None:
        history = History()
        history.unauthorized("a", NOON)
        charge = only(history)
        assert (charge.standing.state, charge.standing.ref.merchant) == ("captured", None)
        assert (charge.authorized.at, charge.authorized.captures_on) == (None, None)
        assert charge.authorized.position == 2

    def test_add_up_what_is_given_back_and_stay_captured(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        history.refunded("a", LAST, 1_000_000, by="aggregator", channel="transfer")
        history.refunded("a", LAST, 500_000, by="merchant", channel="voucher")
        charge = only(history)
        assert (charge.refunded, charge.written_off) == (1_500_000, None)
        assert (charge.standing.state, charge.standing.since) == ("captured", LATER)

    def test_say_why_they_are_written_off(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        history.written_off("a", LAST, "clawback")
        assert (only(history).written_off, only(history).refunded) == ("clawback", 0)

    def test_stand_by_position_whatever_comes_first(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.released("a", LATER)
        history.captured("a", LAST)
        history.refunded("a", LAST)
        facts = history.recorded
        for cut in range(len(facts)):
            one, two = CHARGES.fold(facts[:cut], PARIS), CHARGES.fold(facts[cut:], PARIS)
            assert CHARGES.combine(two, one) == CHARGES.combine(one, two)

    @given(history=histories())
    def test_hold_every_refund_and_never_more_than_was_paid(self, history: History) -> None:
        facts = history.recorded
        found = CHARGES.fold(facts, PARIS)
        given_back: dict[str, int] = {}
        for one in facts:
            if isinstance(one.fact, ChargeRefunded):
                charge = one.fact.ref.charge
                given_back[charge] = given_back.get(charge, 0) + one.fact.price
        assert {key: one.refunded for key, one in found.items() if one.refunded} == {
            key: price for key, price in given_back.items() if price
        }
        assert all(one.refunded <= one.standing.amounts.price for one in found.values())
        written_off = {
            one.fact.ref.charge for one in facts if isinstance(one.fact, ChargeWrittenOff)
        }
        assert {key for key, one in found.items() if one.written_off} == written_off
