"""Rule packs: every number dated and sourced, and shown to people as it stands."""

import re
import tomllib
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.money import Rate
from ledger.rules.describe import RuleLine, describe, rules_table
from ledger.rules.inforce import TaxRateUnknown
from ledger.rules.pack import (
    RulePack,
    UnknownCountry,
    countries,
    load_pack,
    load_pack_file,
    parse_pack,
    rule_kinds,
)
from ledger.rules.settings import Settings
from tests.support.packs import FR, NOON, OTHER, french, other, settings_for


class TestFrenchPack:
    """The pack that comes with this ledger for France."""

    def test_gives_each_rule_a_source_a_confidence_and_a_first_day(self) -> None:
        tables = [
            (name, entry)
            for name, value in tomllib.loads(FR).items()
            if isinstance(value, list) and name != "set_elsewhere"
            for entry in value
        ]
        assert len(tables) > 30
        for name, entry in tables:
            assert len(entry["source"]) > 20, (name, entry)
            assert entry["confidence"] in {"primary", "secondary", "memory"}
            assert entry["from"] == "unknown" or isinstance(entry["from"], date)

    def test_names_a_place_to_look_up_for_whatever_it_does_not_call_memory(self) -> None:
        for rule in load_pack("fr").contents.rules():
            if rule.confidence != "memory":
                assert re.search(r"https?://|\.org |\.fr\b", rule.source), rule

    def test_holds_no_number_outside_a_sourced_rule(self) -> None:
        loose = {k: v for k, v in tomllib.loads(FR).items() if not isinstance(v, list)}
        assert loose == {
            "country": "fr",
            "name": "France (SMS+)",
            "currency": "EUR",
            "zone": "Europe/Paris",
        }

    def test_has_the_digest_of_its_bytes(self) -> None:
        assert load_pack("fr").sha256 == sha256(FR.encode()).hexdigest()

    def test_is_known_by_its_country(self) -> None:
        assert "fr" in countries()
        with pytest.raises(UnknownCountry, match=r"no rule pack 'xx'.* fr") as raised:
            load_pack("xx")
        assert raised.value.country == "xx"

    def test_never_reaches_outside_its_folder(self) -> None:
        with pytest.raises(UnknownCountry):
            load_pack("../../settings/fr")

    def test_leaves_to_settings_only_what_settings_hold(self) -> None:
        left = [missing.setting for missing in load_pack("fr").contents.set_elsewhere]
        assert left == ["solicitation_limit_without_return", "spending_caps"]
        assert set(left) <= set(Settings.model_fields)

    @pytest.mark.parametrize(
        ("code", "floor", "ceiling"),
        [
            ("31212", 0, 0),
            ("41212", 50_000, 50_000),
            ("51212", 100_000, 200_000),
            ("61212", 350_000, 500_000),
            ("71212", 500_000, 990_000),
            ("81212", 1_000_000, 4_500_000),
            ("91212", 10_000, 20_000_000),
            ("92212", 10_000, 20_000_000),
            ("93212", 10_000, 20_000_000),
        ],
    )
    def test_bounds_the_price_of_a_code_in_micros(
        self, code: str, floor: int, ceiling: int
    ) -> None:
        found = french().range_of(code)
        assert found is not None
        assert (found.floor, found.ceiling) == (floor, ceiling)

    @pytest.mark.parametrize("code", ["11212", "2121", "8121", "812121", ""])
    def test_knows_no_price_for_a_code_of_no_range(self, code: str) -> None:
        assert french().range_of(code) is None

    def test_attaches_the_price_to_the_code_except_in_transport(self) -> None:
        by_keyword = {
            found.codes
            for found in french().code_ranges
            if found.price_attaches_to == "short_code_and_keyword"
        }
        assert by_keyword == {"93xxx"}

    def test_keeps_donations_and_transport_to_their_ranges(self) -> None:
        taxed = {found.codes: found.tax_category for found in french().code_ranges}
        assert {codes: tax for codes, tax in taxed.items() if tax} == {
            "92xxx": "donation",
            "93xxx": "transport",
        }

    def test_charges_an_alias_on_the_answer_and_knows_no_subscription(self) -> None:
        rules = french()
        assert (rules.consumer_kind, rules.consumer_scope) == ("alias", "operator_and_alias_group")
        assert (rules.currency, rules.zone) == ("EUR", "Europe/Paris")
        assert {one.billing_point for one in rules.code_ranges} == {"mt"}
        assert {one.subscriptions for one in rules.code_ranges} == {"none"}

    def test_understands_stop_and_contact(self) -> None:
        rules = french()
        assert rules.service_words["STOP"] == "stop"
        assert rules.service_words["ARRET"] == "stop"
        assert rules.service_words["CONTACT"] == "contact"
        assert (rules.stop.bare, rules.stop.with_keyword) == ("code", "service")
        assert rules.stop.ends == ("replies", "solicitations", "subscriptions")
        assert rules.stop.confirmations == 1

    def test_taxes_content_and_not_donations(self) -> None:
        # 20 % is one fifth of the price net of it.
        assert french().tax_rate("content") == Rate(1, 5)
        assert french().tax_rate("donation") == Rate(0, 1)

    def test_passes_donations_on_whole_and_nothing_else(self) -> None:
        assert french().passed_on_whole == {"donation"}

    @pytest.mark.parametrize("category", ["transport", "press", "Content", ""])
    def test_knows_no_tax_that_no_source_gives(self, category: str) -> None:
        with pytest.raises(TaxRateUnknown) as raised:
            french().tax_rate(category)
        assert raised.value.category == category

    def test_limits_a_charged_message_to_one_segment(self) -> None:
        rules = french()
        assert (rules.gsm7_characters, rules.ucs2_characters) == (160, 70)
        assert rules.charged_segments == 1


class TestAnotherCountry:
    """A pack that differs from the French one on nearly every line."""

    def test_is_only_other_data(self) -> None:
        rules = other(NOON)
        assert (rules.consumer_kind, rules.consumer_scope) == ("msisdn", "book")
        assert {one.subscriptions for one in rules.code_ranges} == {"allowed"}
        assert {found.price_attaches_to for found in rules.code_ranges} == {
            "short_code_and_keyword"
        }
        # 5.5 % is 55/1000, in lowest terms 11/200.
        assert rules.tax_rate("content") == Rate(11, 200)

    def test_is_read_from_a_file_of_ones_own(self, tmp_path: Path) -> None:
        file = tmp_path / "be.toml"
        file.write_text(OTHER, encoding="utf-8")
        assert load_pack_file(file) == parse_pack(OTHER.encode(), "be.toml")


class TestRuleKinds:
    """The kinds of rule."""

    def test_each_say_what_they_are_about(self, pack: RulePack) -> None:
        for rule in pack.contents.rules():
            assert rule.subject
            assert rule.shown

    def test_are_each_used_by_a_pack_that_comes_with_this_ledger(self) -> None:
        used = {type(rule) for name in countries() for rule in load_pack(name).contents.rules()}
        assert used == set(rule_kinds().values())

    @pytest.fixture
    def pack(self) -> RulePack:
        return load_pack("fr")


class TestRulesTable:
    """What people are shown of the rules."""

    def lines(self, at: date, settings: Settings | None = None) -> dict[str, list[RuleLine]]:
        found: dict[str, list[RuleLine]] = {}
        for line in rules_table("fr", at, settings):
            found.setdefault(line.rule, []).append(line)
        return found

    def test_shows_every_rule_in_force_with_its_source(self) -> None:
        pack = load_pack("fr")
        shown = describe(pack, None, date(2026, 11, 22))
        in_force = [rule for rule in pack.contents.rules() if rule.holds_on(date(2026, 11, 22))]
        assert [line.source for line in shown if line.source] == [r.source for r in in_force]
        assert all(line.value for line in shown)

    def test_shows_the_hours_of_that_day(self) -> None:
        hours = "hours of af2m business messaging"
        [now] = self.lines(date(2026, 11, 22))[hours]
        [then] = self.lines(date(2026, 2, 28))[hours]
        assert now.value.startswith("08:00 to 21:30 on mon")
        assert (now.since, now.until) == ("2026-03-01", "")
        assert then.value.startswith("08:00 to 22:00 on mon")
        assert (then.since, then.until) == ("2024-09-01", "2026-03-01")
        assert hours not in self.lines(date(2024, 8, 31))

    def test_says_where_no_first_day_was_found(self) -> None:
        [line] = self.lines(date(2026, 11, 22))["subscriptions on *"]
        assert (line.value, line.since, line.confidence) == ("not allowed", "not found", "primary")

    def test_says_what_must_be_set(self) -> None:
        [line] = self.lines(date(2026, 11, 22))["setting solicitation_limit_without_return"]
        assert (line.value, line.confidence) == ("no default", "not set")

    def test_shows_what_was_set(self) -> None:
        lines = self.lines(date(2026, 11, 22), settings_for("fr"))
        assert lines["setting solicitation_limit_without_return"][0].value == "2"
        assert lines["setting capture 20801 * mt"][0].value == "delivered"
        assert lines["setting capture 20801 81212 mt"][0].value == "billed_flag"

    @pytest.mark.parametrize(
        ("rule", "value"),
        [
            ("currency and zone", "EUR, Europe/Paris"),
            ("code range 8xxxx", "1.00 to 4.50; services from 1.00, such as paid content"),
            ("price on 93xxx", "attaches to short_code_and_keyword"),
            (
                "spending cap donations to one charity",
                "50.00 in 1 calendar month Europe/Paris per consumer_and_merchant on 92xxx",
            ),
            ("spending cap one payment on the bill", "50.00 in each charge per consumer"),
            ("notice tariff", "each 5.00 per consumer_and_service"),
            ("alias window", "60 days after the last paid transaction"),
            ("retention of operator_billing", "1 year from payment"),
            ("retention of accounts", "10 years from the entry"),
            ("tax on content", "20 %"),
            ("share kept of donation", "none; all but the tax is passed on"),
        ],
    )
    def test_reads_as_words(self, rule: str, value: str) -> None:
        [line] = self.lines(date(2026, 11, 22))[rule]
        assert line.value == value
