"""A book's settings: everything required, nothing assumed, every mistake named."""

import json
from pathlib import Path

import pytest

from ledger.rules.settings import Settings, SettingsInvalid, load_settings, parse_settings

SHIPPED = Path(__file__).parent.parent / "settings" / "fr.toml"

WHOLE = """\
pack = "fr"
legal_entity = "Éditions du Canal SAS"
log_origin = "log.example/fr"
acting = "agent"
free_billing_code = "FREE"
unresolved_after_hours = 72
keyword_rest_days = 90
clock_tolerance_seconds = 900
solicitation_limit_without_return = 2
solicitation_reservation_minutes = 60
spending_caps = []

[[capture]]
operator = "20820"
code = "*"
leg = "mt"
on = "billed_flag"

[[capture]]
operator = "20801"
code = "*"
leg = "mt"
on = "delivered"
"""


def parsed(text: str) -> Settings:
    return parse_settings(text.encode(), "settings/fr.toml")


def refusal(text: str) -> SettingsInvalid:
    with pytest.raises(SettingsInvalid) as raised:
        parsed(text)
    return raised.value


def without(key: str) -> str:
    """Leave out the first line of a key, which must be there."""
    lines = WHOLE.splitlines(keepends=True)
    lines.remove(next(line for line in lines if line.startswith(f"{key} =")))
    return "".join(lines)


def changed(old: str, new: str) -> str:
    assert old in WHOLE
    return WHOLE.replace(old, new, 1)


class TestShippedSettings:
    """The settings of the demonstration book."""

    def test_are_whole(self) -> None:
        settings = load_settings(SHIPPED)
        assert settings.pack == "fr"
        assert {one.operator for one in settings.capture} == {"20801", "20810", "20815", "20820"}

    def test_say_that_they_are_fictional(self) -> None:
        assert "fictional" in load_settings(SHIPPED).legal_entity


class TestMissingSetting:
    """A value that nobody gave."""

    # A table of subscriptions is required where the pack allows any, and by nothing else.
    REQUIRED = frozenset(name for name, f in Settings.model_fields.items() if f.is_required())
    SINGLE = sorted(REQUIRED - {"capture"})

    @pytest.mark.parametrize("key", SINGLE)
    def test_stops_with_its_name_its_meaning_and_an_example(self, key: str) -> None:
        [problem] = refusal(without(key)).problems
        field = Settings.model_fields[key]
        assert field.description
        assert field.examples
        assert problem.place == key
        assert problem.text == (
            f"is missing ({field.description}; for example {key} = {field.examples[0]})"
        )

    @pytest.mark.parametrize("key", SINGLE)
    def test_has_an_example_that_would_do(self, key: str) -> None:
        example = Settings.model_fields[key].examples
        assert example
        assert isinstance(parsed(f"{key} = {example[0]}\n{without(key)}"), Settings)

    def test_has_an_example_of_captures_that_would_do(self) -> None:
        example = Settings.model_fields["capture"].examples
        assert example
        head = WHOLE.partition("[[capture]]")[0]
        assert len(parsed(f"{head}capture = {example[0]}").capture) == 1

    @pytest.mark.parametrize(
        "key", ["confirm_within_hours", "retry_after_hours", "attempts", "unpaid_cycles"]
    )
    def test_is_named_in_the_subscriptions_too(self, key: str) -> None:
        keys = {"confirm_within_hours", "retry_after_hours", "attempts", "unpaid_cycles"} - {key}
        table = ", ".join(f"{name} = 3" for name in sorted(keys))
        [problem] = refusal(f"subscriptions = {{ {table} }}\n{WHOLE}").problems
        assert (problem.line, problem.place) == (1, f"subscriptions.{key}")
        assert problem.text.startswith("is missing (")

    @pytest.mark.parametrize("key", ["operator", "code", "leg", "on"])
    def test_is_named_in_a_capture_too(self, key: str) -> None:
        [problem] = refusal(without(key)).problems
        assert (problem.line, problem.place) == (13, f"capture[1].{key}")
        assert problem.text.startswith("is missing (")
        assert f"; for example {key} = " in problem.text

    def test_is_named_with_all_others(self) -> None:
        refused = refusal("")
        assert {problem.place for problem in refused.problems} == self.REQUIRED
        assert str(refused).startswith("settings/fr.toml is refused, 12 problems:\n")

    def test_of_the_whole_file_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsInvalid, match="cannot be read"):
            load_settings(tmp_path / "none.toml")


class TestWrongSetting:
    """A value that cannot be."""

    @pytest.mark.parametrize(
        ("old", "new", "place", "why"),
        [
            ('"log.example/fr"', '"https://log.example/fr"', "log_origin", "without its scheme"),
            ('"log.example/fr"', '"log.example/f r"', "log_origin", "without its scheme"),
            ('acting = "agent"', 'acting = "both"', "acting", "'agent' or 'principal'"),
            ("hours = 72", "hours = 1.5", "unresolved_after_hours", "1.5 loses exactness"),
            ("hours = 72", "hours = 0", "unresolved_after_hours", "greater than or equal to 1"),
            ("hours = 72", 'hours = "72"', "unresolved_after_hours", "valid integer"),
            ("hours = 72", "hours = true", "unresolved_after_hours", "valid integer"),
            ("days = 90", "days = -1", "keyword_rest_days", "greater than or equal to 0"),
            ("return = 2", "return = 0", "solicitation_limit_without_return", "or equal to 1"),
            ('"FREE"', '""', "free_billing_code", "at least 1"),
            ('pack = "fr"', 'pack = "fr"\nextra = 1', "extra", "no field that belongs here"),
            ('operator = "20820"', 'operator = "*"', "capture[1].operator", "pattern"),
            ('code = "*"', 'code = "8*"', "capture[1].code", "pattern"),
            ('leg = "mt"', 'leg = "*"', "capture[1].leg", "'mo' or 'mt'"),
            ('"billed_flag"', '"sometimes"', "capture[1].on", "'operator_file'"),
            ('"billed_flag"', '"mo_received"', "capture[1]", "mo_received never happens to an MT"),
        ],
    )
    def test_is_named(self, old: str, new: str, place: str, why: str) -> None:
        [problem] = refusal(changed(old, new)).problems
        assert problem.place == place
        assert why in problem.text
        assert problem.line > 0

    @pytest.mark.parametrize("event", ["smsc_accepted", "delivered"])
    def test_of_an_mo_that_would_be_delivered_is_refused(self, event: str) -> None:
        text = changed('leg = "mt"\non = "billed_flag"', f'leg = "mo"\non = "{event}"')
        [problem] = refusal(text).problems
        assert problem.text == f"{event} never happens to an MO"

    @pytest.mark.parametrize("event", ["mo_received", "billed_flag", "operator_file"])
    def test_is_not_an_mo_that_the_operator_bills(self, event: str) -> None:
        text = changed('leg = "mt"\non = "billed_flag"', f'leg = "mo"\non = "{event}"')
        assert parsed(text).capture[1].on == event

    def test_is_a_capture_that_is_set_twice(self) -> None:
        [problem] = refusal(changed('operator = "20820"', 'operator = "20801"')).problems
        assert problem.place == "capture"
        assert problem.text.startswith("set more than once: 20801 * mt")

    def test_is_an_empty_list_of_captures(self) -> None:
        head = WHOLE.partition("[[capture]]")[0]
        [problem] = refusal(f"{head}capture = []").problems
        assert (problem.place, problem.line) == ("capture", 13)
        assert problem.text.startswith("must not be empty")

    @pytest.mark.parametrize("text", ["pack = ", "\N{BYTE ORDER MARK}pack = 1"])
    def test_may_be_a_file_that_is_no_toml(self, text: str) -> None:
        with pytest.raises(SettingsInvalid, match="is no TOML file"):
            parsed(text)


class TestDigest:
    """The digest by which settings are recorded."""

    def test_follows_the_values_alone(self) -> None:
        head, *captures = WHOLE.split("[[capture]]")
        turned = "# a comment\n" + "[[capture]]".join((head, captures[1], f"\n{captures[0]}"))
        assert parsed(turned).sha256 == parsed(WHOLE).sha256

    @pytest.mark.parametrize(
        ("old", "new"),
        [("= 72", "= 73"), ('"agent"', '"principal"'), ('"billed_flag"', '"operator_file"')],
    )
    def test_changes_with_any_value(self, old: str, new: str) -> None:
        assert parsed(changed(old, new)).sha256 != parsed(WHOLE).sha256

    def test_is_of_json_that_gives_the_settings_back(self) -> None:
        settings = parsed(WHOLE)
        text = settings.canonical_json()
        assert Settings.model_validate_json(text) == settings
        assert json.loads(text) == settings.values()
        assert "Éditions" in text
        assert ", " not in text
