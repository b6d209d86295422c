"""What people are shown of the rules: words, days, sources, and what must be set."""

from datetime import date

import pytest

from ledger.rules.describe import RuleLine, describe, rules_table
from ledger.rules.pack import load_pack
from ledger.rules.schema import CapTerms, Window
from ledger.rules.settings import Settings
from tests.support.packs import NOON, settings_for


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

    def test_shows_settings_of_several_values_as_words(self) -> None:
        lines = self.lines(date(2026, 11, 22), settings_for("fr"))
        assert lines["setting spending_caps"][0].value == "none beside those of the pack"
        assert lines["setting subscriptions"][0].value == (
            "confirmed within 24 hours; each cycle tried 3 times, 12 hours apart; "
            "over after 3 cycles without money"
        )

    def test_says_that_nobody_may_be_solicited_where_no_charter_is_named(self) -> None:
        no_charter = "no charter is named, so nobody may be solicited"
        british = [one.value for one in rules_table("gb", NOON.date()) if "hours" in one.rule]
        assert british == [no_charter]
        # The French charter is in force since 1 September 2024.
        [before] = self.lines(date(2024, 8, 31))["solicitation hours"]
        [after] = self.lines(date(2024, 9, 1))["solicitation hours"]
        assert (before.value, after.value) == (no_charter, "af2m business messaging")

    def test_shows_each_ceiling_that_was_set(self) -> None:
        week = Window(kind="rolling", n=1, unit="week")
        cap = CapTerms.model_validate(
            {"name": "a week", "amount": "20", "window": week, "counted_per": "consumer"}
        )
        settings = settings_for("fr").model_copy(
            update={"spending_caps": (cap,), "subscriptions": None}
        )
        lines = self.lines(date(2026, 11, 22), settings)
        [shown] = lines["setting spending_caps a week"]
        assert shown.value == "20.00 in 1 rolling week per consumer"
        assert "setting spending_caps" not in lines
        [none] = lines["setting subscriptions"]
        assert none.value == "not set, which only a pack without subscriptions allows"

    @pytest.mark.parametrize(
        ("country", "rule", "value"),
        [
            ("be", "currency and zone", "EUR, Europe/Brussels"),
            ("be", "billing point on *", "both"),
            ("be", "billing point on 9xxx", "mt"),
            ("be", "charge of an MO", "free: none; otherwise taxed as content"),
            (
                "be",
                "code range 3xxx",
                "0.00 to 4.00 for a message and its answer together; general services",
            ),
            ("be", "code range 9xxx", "0.00 to 2.00 for each message; subscriptions"),
            ("be", "subscriptions on *", "not allowed"),
            ("be", "subscriptions on 9xxx", "allowed, and nothing else may be sold"),
            ("be", "consent to subscription", "mo, then confirming_mo"),
            ("be", "notice ten euros", "each 10.00 per consumer_and_service"),
            ("be", "tax on content", "21 %"),
            ("gb", "currency and zone", "GBP, Europe/London"),
            ("gb", "subscriptions on *", "allowed"),
            ("gb", "service word stop", "STOP, STOP ALL (mandatory)"),
        ],
    )
    def test_reads_as_words_for_other_countries_too(
        self, country: str, rule: str, value: str
    ) -> None:
        shown = {(one.rule, one.value) for one in rules_table(country, date(2026, 11, 22))}
        assert (rule, value) in shown

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
