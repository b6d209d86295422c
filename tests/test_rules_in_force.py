"""The rules in force: by local day, from a pack and a book's settings together."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ledger.facts.base import Leg
from ledger.money import Waterfall
from ledger.rules.day import RuleNotInForce
from ledger.rules.inforce import CaptureNotSet
from ledger.rules.pack import load_pack, parse_pack
from ledger.rules.resolve import RuleBook, SettingsForAnotherPack, resolve
from tests.support.packs import NOON, OTHER, edited, french, other, settings_for


class TestResolve:
    """The rules in force at an instant."""

    # Midnight of 1 July 2026 in Brussels, summer time, is 22:00 UTC the evening before.
    MIDNIGHT = datetime(2026, 6, 30, 22, tzinfo=UTC)

    def test_changes_at_local_midnight(self) -> None:
        before, after = other(self.MIDNIGHT - timedelta(microseconds=1)), other(self.MIDNIGHT)
        legs = [[found.billing_point for found in one.code_ranges] for one in (before, after)]
        assert legs == [["mt"], ["both"]]
        assert [found.ceiling for found in before.code_ranges] == [4_000_000]
        assert [found.ceiling for found in after.code_ranges] == [5_000_000]

    def test_takes_an_instant_in_any_zone(self) -> None:
        elsewhere = self.MIDNIGHT.astimezone(ZoneInfo("America/New_York"))
        assert other(elsewhere) == other(self.MIDNIGHT)

    def test_is_refused_before_a_rule_that_it_cannot_do_without(self) -> None:
        with pytest.raises(RuleNotInForce, match="no rule on billing point on 3xxx for 2019-12-31"):
            other(datetime(2019, 12, 31, 12, tzinfo=UTC))

    def test_is_refused_where_no_rule_says_what_the_price_attaches_to(self) -> None:
        pack = parse_pack(edited(OTHER, ('codes = "*"', 'codes = "4xxx"')).encode(), "be.toml")
        with pytest.raises(RuleNotInForce, match="price on 3xxx"):
            resolve(pack, settings_for("be"), NOON)

    def test_is_refused_with_the_settings_of_another_pack(self) -> None:
        with pytest.raises(SettingsForAnotherPack, match="follow the pack 'be', not 'fr'"):
            resolve(load_pack("fr"), settings_for("be"), NOON)

    def test_says_which_pack_and_settings_it_came_from(self) -> None:
        rules = french()
        assert rules.pack_sha256 == load_pack("fr").sha256
        assert rules.settings_sha256 == settings_for("fr").sha256

    def test_takes_the_settings_over(self) -> None:
        rules = french()
        assert (rules.acting, rules.free_billing_code) == ("agent", "FREE")
        assert rules.unresolved_after_seconds == 72 * 60 * 60
        assert (rules.keyword_rest_days, rules.clock_tolerance_seconds) == (90, 900)

    def test_gives_the_same_day_after_day_as_each_day_by_itself(self) -> None:
        pack, settings = parse_pack(OTHER.encode(), "be.toml"), settings_for("be")
        book = RuleBook(pack, settings)
        days = [self.MIDNIGHT + timedelta(days=n) for n in range(-70, 70)]
        for day in (*days, *reversed(days)):
            assert book.at(day) == resolve(pack, settings, day)

    def test_does_a_day_once(self) -> None:
        book = RuleBook(load_pack("fr"), settings_for("fr"))
        assert book.at(NOON) is book.at(NOON + timedelta(hours=1))


class TestWithheld:
    """Who keeps a part of what is passed on whole."""

    def test_names_each_that_keeps_something(self) -> None:
        rules = french()
        split = Waterfall(price=100, tax=17, operator=3, aggregator=2, merchant=78)
        assert rules.withheld("donation", split) == {"operator": 3, "aggregator": 2}
        assert rules.withheld("content", split) == {}

    def test_is_nothing_where_the_merchant_has_all_but_the_tax(self) -> None:
        split = Waterfall(price=100, tax=17, operator=0, aggregator=0, merchant=83)
        assert french().withheld("donation", split) == {}

    def test_lasts_as_long_as_its_rule(self) -> None:
        rule = (
            '[[passed_on]]\ncategory = "content"\nfrom = 2026-01-01\nuntil = 2026-07-01\n'
            'source = "a text"\nconfidence = "primary"\n'
        )
        pack = parse_pack((OTHER + rule).encode(), "be.toml")
        book = RuleBook(pack, settings_for("be"))
        days = [datetime(2025, 12, 31, 12, tzinfo=UTC), datetime(2026, 6, 30, 12, tzinfo=UTC), NOON]
        assert [book.at(day).passed_on_whole for day in days] == [set(), {"content"}, set()]


class TestCaptures:
    """What captures a charge, by operator, code and leg."""

    def test_follows_the_code_before_the_operator(self) -> None:
        assert french().captures("20801", "81212", "mt") == "billed_flag"

    def test_follows_the_operator_on_its_other_codes(self) -> None:
        assert french().captures("20801", "84100", "mt") == "delivered"

    @pytest.mark.parametrize(
        ("operator", "code", "leg"),
        [
            pytest.param("20801", "81212", "mo", id="the other leg"),
            pytest.param("20810", "84100", "mt", id="a code without a line or a wildcard"),
            pytest.param("20820", "81212", "mt", id="an operator that is not listed"),
        ],
    )
    def test_is_refused_where_nothing_is_set(self, operator: str, code: str, leg: Leg) -> None:
        with pytest.raises(CaptureNotSet) as raised:
            french().captures(operator, code, leg)
        assert (raised.value.operator, raised.value.code, raised.value.leg) == (operator, code, leg)
