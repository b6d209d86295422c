"""The market's own model, where it once differed from the rules."""

from io import StringIO

import pytest

from api.books import load_rules
from api.market.calendars import Calendar
from api.market.dealing import Mo
from api.market.goods import SHOPS
from api.market.people import Consumer
from api.market.simulate import FIRST_DAY
from api.market.trade import Trade
from api.market.truth import Truth

WINDOW = 10
"""Seconds within which the quiz takes the same words for a repeat."""
NOW = 100_000


class TestRepeats:
    """The same words again, under another id, for a service that looks out for that."""

    @pytest.mark.parametrize(
        ("seconds", "repeats"),
        [
            ((0, WINDOW), 1),
            ((0, WINDOW + 1), 0),
            ((0, -WINDOW), 1),
            ((0, -WINDOW - 1), 0),
            ((0, -42, 5), 1),
        ],
        ids=["soon", "later", "slow", "slower", "slower, and one soon after the first"],
    )
    def test_count_by_when_they_were_sent(self, seconds: tuple[int, ...], repeats: int) -> None:
        shop, rules = SHOPS["be"], load_rules()["be"]
        calendar, truth = Calendar(shop.zone, FIRST_DAY, 3), Truth(StringIO())
        trade = Trade(shop, rules, calendar, truth)
        who, begins = Consumer(shop.operators[0], 1), calendar.midnight(0) + NOW
        for number, second in enumerate(seconds):
            trade.receive(Mo(f"x{number}", who, "3030", "kwis", begins + second))
        assert truth.facts["duplicate_suspected"] == repeats
        # Operators charge each message, whatever it is; a repeat is answered for nothing.
        assert truth.facts["charge_authorized"] == 2 * len(seconds) - repeats
