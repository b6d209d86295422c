"""Charges: one row for each, as its latest fact leaves it."""

from projections.charges.fold import CHARGES
from projections.fold import Context
from tests.support.history import LAST, LATER, NOON, History

PARIS = Context("Europe/Paris")


class TestCharges:
    """Charges after some history."""

    def test_keep_what_only_the_authorization_knows(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        (charge,) = CHARGES.fold(history.recorded, PARIS).values()
        assert charge.authorized is not None
        assert (charge.authorized.at, charge.authorized.captures_on) == (NOON, "delivered")
        assert (charge.state, charge.since, charge.late) == ("captured", LATER, False)

    def test_lose_the_reason_of_a_release_when_captured_late(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.released("a", LATER, reason="rejected")
        (released,) = CHARGES.fold(history.recorded, PARIS).values()
        history.captured("a", LAST)
        (captured,) = CHARGES.fold(history.recorded, PARIS).values()
        assert (released.state, released.reason, released.late) == ("released", "rejected", False)
        assert (captured.state, captured.reason, captured.late) == ("captured", None, True)

    def test_go_by_position_whatever_comes_first(self) -> None:
        history = History()
        history.exchange("a", NOON)
        history.released("a", LATER)
        history.captured("a", LAST)
        facts = history.recorded
        one, two = CHARGES.fold(facts[:-1], PARIS), CHARGES.fold(facts[-1:], PARIS)
        assert CHARGES.combine(two, one) == CHARGES.combine(one, two)
