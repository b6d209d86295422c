"""Belgium: both legs, four digits, subscriptions on nine alone; all of it data."""

from datetime import UTC, datetime

import pytest

from ledger.facts.base import Leg
from ledger.money import Rate
from ledger.rules.inforce import CodeRange, TaxRateUnknown
from ledger.rules.pack import load_pack
from ledger.rules.resolve import SubscriptionSettingsMissing, resolve
from ledger.rules.settings import load_settings, parse_settings
from tests.support.packs import BELGIAN_SETTINGS, NOON, belgian


def range_of(code: str) -> CodeRange:
    found = belgian().range_of(code)
    assert found is not None
    return found


class TestCodes:
    """What a code of four digits may cost, and on which leg."""

    @pytest.mark.parametrize(
        ("code", "ceiling"),
        [
            ("2014", 1_000_000),
            ("3014", 4_000_000),
            ("4014", 31_000_000),
            ("5014", 500_000),
            ("6014", 2_000_000),
            ("7014", 4_000_000),
            ("8014", 0),
            ("9014", 2_000_000),
        ],
    )
    def test_cost_no_more_than_their_range_allows_in_micros(self, code: str, ceiling: int) -> None:
        found = range_of(code)
        assert (found.floor, found.ceiling) == (0, ceiling)

    @pytest.mark.parametrize("code", ["1014", "0014", "301", "30144", "81212"])
    def test_of_no_range_sell_nothing(self, code: str) -> None:
        assert belgian().range_of(code) is None

    @pytest.mark.parametrize("code", ["2014", "3014", "4014", "5014", "6014", "7014"])
    def test_may_charge_a_message_and_its_answer_under_one_ceiling(self, code: str) -> None:
        found = range_of(code)
        assert (found.billing_point, found.ceiling_on) == ("both", "legs_together")

    def test_of_subscriptions_charge_what_is_received_message_by_message(self) -> None:
        found = range_of("9014")
        assert (found.billing_point, found.ceiling_on) == ("mt", "each_leg")

    def test_have_one_price_whatever_is_written_to_them(self) -> None:
        attached = {one.price_attaches_to for one in belgian().code_ranges}
        assert attached == {"short_code"}


class TestSubscriptions:
    """Where a consumer may be charged again and again, and after what."""

    @pytest.mark.parametrize("code", ["2014", "3014", "4014", "5014", "6014", "7014", "8014"])
    def test_are_sold_on_no_other_code_than_nine(self, code: str) -> None:
        assert range_of(code).subscriptions == "none"

    def test_are_all_that_is_sold_on_nine(self) -> None:
        assert range_of("9014").subscriptions == "only"

    def test_are_confirmed_by_a_second_message(self) -> None:
        found = belgian().subscriptions
        assert found is not None
        assert found.steps == ("mo", "confirming_mo")

    def test_take_their_hours_and_attempts_from_the_settings(self) -> None:
        found = belgian().subscriptions
        assert found is not None
        assert found.confirm_within_seconds == 24 * 60 * 60
        assert found.retry_after_seconds == 12 * 60 * 60
        assert (found.attempts, found.unpaid_cycles) == (3, 2)

    def test_without_settings_are_refused_by_the_name_of_each(self) -> None:
        bare = load_settings(BELGIAN_SETTINGS).model_copy(update={"subscriptions": None})
        with pytest.raises(SubscriptionSettingsMissing) as raised:
            resolve(load_pack("be"), bare, NOON)
        assert raised.value.country == "be"
        for name in ("confirm_within_hours", "retry_after_hours", "attempts", "unpaid_cycles"):
            assert name in str(raised.value)


class TestConsumer:
    """Who writes, what they may say, and what it ends."""

    def test_is_a_number_that_means_one_person_in_the_whole_book(self) -> None:
        rules = belgian()
        assert (rules.consumer_kind, rules.consumer_scope) == ("msisdn", "book")
        assert rules.alias_window_days is None

    def test_pays_for_what_is_written_even_when_nobody_sells_it(self) -> None:
        charged = belgian().mo_charge
        assert charged is not None
        assert (charged.taxed_as, charged.free) == ("content", frozenset())

    @pytest.mark.parametrize(
        "word", ["STOP", "TSOP", "STOPPEN", "ARRETER", "ARRET", "STOPP", "SOTP", "STPO"]
    )
    def test_ends_services_by_stop_its_misspellings_and_its_translations(self, word: str) -> None:
        assert belgian().service_words[word] == "stop"

    @pytest.mark.parametrize("word", ["OK", "JA", "OUI", "YES"])
    def test_confirms_in_each_language(self, word: str) -> None:
        assert belgian().service_words[word] == "confirm"

    def test_may_ask_who_sells(self) -> None:
        assert belgian().service_words["CONTACT"] == "contact"

    def test_stops_a_code_or_with_a_keyword_one_service(self) -> None:
        stop = belgian().stop
        assert (stop.bare, stop.with_keyword) == ("code", "service")
        assert stop.ends == ("replies", "solicitations", "subscriptions")
        assert stop.confirmations == 1

    def test_is_told_the_price_again_at_each_ten_euros(self) -> None:
        assert [one.every for one in belgian().notices] == [10_000_000]


class TestMoney:
    """Currency, tax and what one consumer may spend."""

    def test_is_euros_taxed_at_21_percent(self) -> None:
        # 21 % is 21/100 of the price net of it: 1.21 with tax is 1.00 without.
        assert belgian().currency == "EUR"
        assert belgian().tax_rate("content") == Rate(21, 100)

    @pytest.mark.parametrize("category", ["donation", "transport", "press"])
    def test_has_no_tax_that_no_source_gives(self, category: str) -> None:
        with pytest.raises(TaxRateUnknown):
            belgian().tax_rate(category)

    def test_is_capped_by_the_european_exclusion_alone(self) -> None:
        caps = {(cap.amount, cap.window.kind, cap.counted_per) for cap in belgian().caps}
        assert caps == {
            (50_000_000, "each_charge", "consumer"),
            (300_000_000, "calendar", "consumer"),
        }

    def test_may_be_capped_further_by_the_settings(self) -> None:
        cap = (
            '[{ name = "a week", amount = "20", counted_per = "consumer", '
            'window = { kind = "rolling", n = 1, unit = "week" } }]'
        )
        text = BELGIAN_SETTINGS.read_text(encoding="utf-8").replace("= []", f"= {cap}")
        rules = resolve(load_pack("be"), parse_settings(text.encode(), "be.toml"), NOON)
        [own] = [cap for cap in rules.caps if cap.name == "a week"]
        assert (own.amount, own.window.unit, own.codes) == (20_000_000, "week", None)


class TestShippedSettings:
    """The settings of the demonstration's Belgian book."""

    def test_say_that_they_are_fictional(self) -> None:
        assert "fictional" in load_settings(BELGIAN_SETTINGS).legal_entity

    @pytest.mark.parametrize("operator", ["20601", "20610", "20620"])
    def test_take_a_consumers_own_message_as_billed_when_it_comes(self, operator: str) -> None:
        assert belgian().captures(operator, "3014", "mo") == "mo_received"

    @pytest.mark.parametrize(
        ("operator", "leg", "on"),
        [
            ("20601", "mt", "delivered"),
            ("20610", "mt", "billed_flag"),
            ("20620", "mt", "delivered"),
        ],
    )
    def test_capture_an_answer_as_its_operator_proves_it(
        self, operator: str, leg: Leg, on: str
    ) -> None:
        assert belgian().captures(operator, "3014", leg) == on

    def test_set_every_number_that_the_pack_leaves_out(self) -> None:
        left = [missing.setting for missing in load_pack("be").contents.set_elsewhere]
        assert left == ["spending_caps", "solicitation_limit_without_return"]
        assert set(left) <= set(load_settings(BELGIAN_SETTINGS).values())


class TestHours:
    """When a past buyer may be invited to buy again."""

    @pytest.mark.parametrize(
        ("day", "is_open"),
        [
            pytest.param(datetime(2026, 7, 20, 12, tzinfo=UTC), True, id="a Monday"),
            pytest.param(datetime(2026, 7, 21, 12, tzinfo=UTC), False, id="the National Day"),
            pytest.param(datetime(2026, 7, 22, 12, tzinfo=UTC), True, id="the Wednesday after it"),
            pytest.param(datetime(2026, 11, 11, 12, tzinfo=UTC), False, id="Armistice Day"),
            pytest.param(datetime(2026, 7, 14, 12, tzinfo=UTC), True, id="a French holiday"),
            pytest.param(datetime(2026, 7, 18, 12, tzinfo=UTC), True, id="a Saturday"),
            pytest.param(datetime(2026, 7, 19, 12, tzinfo=UTC), False, id="a Sunday"),
        ],
    )
    def test_are_none_on_sundays_and_public_holidays(self, day: datetime, is_open: bool) -> None:  # noqa: FBT001 - a table of answers
        found = belgian(day).solicitations
        assert found is not None
        assert found.open_today is is_open

    def test_are_this_ledgers_own_caution_for_want_of_a_charter(self) -> None:
        found = belgian().solicitations
        assert found is not None
        assert found.charter == "this ledger's own caution"
        assert (found.opens.hour, found.closes.hour) == (8, 20)
        assert found.after_purchase
        assert (found.limit_without_return, found.reserved_seconds) == (3, 3600)
