"""Rule packs: every number dated and sourced, and shown to people as it stands."""

import re
import tomllib
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.money import Rate
from ledger.rules.describe import rules_table
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
from tests.support.packs import FR, NOON, OTHER, book_of, french, other, settings_for


@pytest.mark.parametrize("country", countries())
class TestEveryPack:
    """Each pack that comes with this ledger."""

    def test_gives_each_rule_a_source_a_confidence_and_a_first_day(self, country: str) -> None:
        tables = [
            (name, entry)
            for name, value in tomllib.loads(load_pack(country).toml).items()
            if isinstance(value, list) and name != "set_elsewhere"
            for entry in value
        ]
        assert len(tables) > 20
        for name, entry in tables:
            assert len(entry["source"]) > 20, (name, entry)
            assert entry["confidence"] in {"primary", "secondary", "memory"}
            assert entry["from"] == "unknown" or isinstance(entry["from"], date)

    def test_names_a_place_to_look_up_for_whatever_it_does_not_call_memory(
        self, country: str
    ) -> None:
        for rule in load_pack(country).contents.rules():
            if rule.confidence != "memory":
                assert re.search(r"https?://|\.org |\.fr\b", rule.source), rule

    def test_has_rules_for_every_day_of_the_year(self, country: str) -> None:
        book = book_of(country)
        for n in range(366):
            rules = book.at(NOON + timedelta(days=n))
            assert rules.code_ranges
            assert rules.tax_rate("content")

    def test_leaves_to_settings_only_what_settings_hold(self, country: str) -> None:
        left = {missing.setting for missing in load_pack(country).contents.set_elsewhere}
        assert left <= set(Settings.model_fields)

    def test_is_shown_without_the_signs_of_any_program(self, country: str) -> None:
        for line in rules_table(country, NOON.date(), settings_for(country)):
            assert not re.search(r"[\[\]{}]|None|True|False", line.rule + line.value), line


class TestFrenchPack:
    """The pack that comes with this ledger for France."""

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
