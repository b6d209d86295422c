"""Contradictions in a rule pack: two rules for the same thing on the same day, refused by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.codes import covers, overlap_unclearly
from ledger.rules.pack import parse_pack
from tests.support.packs import FR, OTHER, edited, line_of, told


class TestContradictions:
    """Two rules of one kind for the same thing on the same day."""

    def test_of_dates_are_refused(self) -> None:
        text = edited(OTHER, ("until = 2026-07-01", "until = 2026-07-02"))
        first, second = (line_of(text, f'point = "{point}"') - 1 for point in ("mt", "both"))
        why = f"both it and billing[1] (line {first}) hold for codes of * on the same days"
        assert told(text) == [(second, "billing[2]", why)]

    def test_do_not_come_from_one_rule_ending_as_the_next_begins(self) -> None:
        parse_pack(OTHER.encode(), "x.toml")

    def test_come_from_a_rule_without_an_end_before_another(self) -> None:
        text = edited(OTHER, ("until = 2026-07-01\n", ""))
        assert [place for _, place, _ in told(text)] == ["billing[2]"]

    def test_of_ranges_are_refused(self) -> None:
        text = edited(FR, ('codes = "92xxx"', 'codes = "x2xxx"'))
        # 3 to 9 make seven ranges that x2xxx crosses; none lies within the other.
        assert [place for _, place, _ in told(text)] == ["code_range[8]"] * 7

    CROSSING = """
[[{kind}]]
codes = "9xxx"
{says}
from = "unknown"
source = "a text"
confidence = "memory"

[[{kind}]]
codes = "x1xx"
{says}
from = "unknown"
source = "a text"
confidence = "memory"
"""

    @pytest.mark.parametrize(
        ("kind", "says", "number"),
        [
            pytest.param("billing", 'point = "mt"', 4, id="billing points"),
            pytest.param("subscription", "allowed = false", 3, id="subscriptions"),
            pytest.param("price", 'attaches_to = "short_code"', 3, id="prices"),
        ],
    )
    def test_of_crossing_ranges_are_refused_with_both_lines(
        self, kind: str, says: str, number: int
    ) -> None:
        # 9100 to 9199 lie in both, and neither lies within the other.
        text = OTHER + self.CROSSING.format(kind=kind, says=says)
        second = line_of(text, 'codes = "x1xx"') - 1
        first = line_of(text, 'codes = "9xxx"') - 1
        why = f"both it and {kind}[{number - 1}] (line {first}) hold for codes of x1xx on the same"
        [(line, place, told_why)] = told(text)
        assert (line, place) == (second, f"{kind}[{number}]")
        assert told_why.startswith(why.replace("x1xx", "9xxx"))

    @pytest.mark.parametrize("kind", ["billing", "subscription", "price"])
    def test_do_not_come_from_a_range_within_all_codes_or_within_another(self, kind: str) -> None:
        says = {
            "billing": 'point = "mt"',
            "subscription": "allowed = false",
            "price": 'attaches_to = "short_code"',
        }
        nested = self.CROSSING.replace("x1xx", "91xx").format(kind=kind, says=says[kind])
        parse_pack((OTHER + nested).encode(), "x.toml")

    @pytest.mark.parametrize("step", ["registration", "consent", "paid_transaction"])
    def test_of_a_subscription_with_a_step_that_is_no_message_are_refused(self, step: str) -> None:
        rule = (
            f'[[consent]]\nto = "subscription"\nsteps = ["{step}", "confirming_mo"]\n'
            'from = "unknown"\nsource = "a text"\nconfidence = "memory"\n'
        )
        [(line, place, why)] = told(OTHER + rule)
        assert (line, place) == (line_of(OTHER + rule, "[[consent]]"), "consent[1]")
        assert why.endswith(f"a subscription is agreed to by messages, not by {step}")

    def test_of_a_range_that_sells_only_what_it_may_not_sell_are_refused(self) -> None:
        text = edited(OTHER, ("allowed = true", "allowed = false\nonly = true"))
        [(line, place, why)] = told(text)
        assert (line, place) == (line_of(text, "[[subscription]]"), "subscription[1]")
        assert "leaves nothing to sell" in why

    def test_of_equal_ranges_are_refused(self) -> None:
        text = edited(FR, ('codes = "93xxx"\nmeaning', 'codes = "92xxx"\nmeaning'))
        assert [place for _, place, _ in told(text)] == ["code_range[9]"]

    def test_of_spellings_are_refused(self) -> None:
        text = edited(FR, ('["CONTACT"]', '["CONTACT", "TSOP"]'))
        [(_, place, why)] = told(text)
        assert place == "service_word[3]"
        assert "service_word[2]" in why
        assert "hold for TSOP" in why

    def test_are_told_beside_other_problems_of_the_same_kind(self) -> None:
        text = edited(
            FR, ('codes = "93xxx"\nmeaning', 'codes = "92xxx"\nmeaning'), ("spellings = [", "x = [")
        )
        places = {place for _, place, _ in told(text)}
        assert {"code_range[9]", "service_word[1].x", "service_word[1].spellings"} <= places

    def test_of_a_charter_without_hours_are_refused(self) -> None:
        text = edited(FR, ('[[solicitation]]\ncharter = "af2m', '[[solicitation]]\ncharter = "x'))
        [(line, place, why)] = told(text)
        assert (line, place) == (line_of(text, "[[solicitation]]") + 1, "solicitation[1].charter")
        assert "no hours are given for the charter x business messaging" in why


class TestCodeRanges:
    """Ranges of short codes, nested or not."""

    def test_hold_codes_of_their_own_length(self) -> None:
        assert covers("92xxx", "92000")
        assert covers("92xxx", "92999")
        assert not covers("92xxx", "93000")
        assert not covers("92xxx", "9200")
        assert not covers("92xxx", "920000")

    @given(st.text("0x", min_size=3, max_size=3), st.text("0x", min_size=3, max_size=3))
    def test_are_unclear_exactly_when_a_code_has_two_and_neither_is_narrower(
        self, one: str, other: str
    ) -> None:
        codes = [f"{n:03b}" for n in range(8)]
        ones = {code for code in codes if covers(one, code)}
        others = {code for code in codes if covers(other, code)}
        nested = ones < others or others < ones
        assert overlap_unclearly(one, other) == (bool(ones & others) and not nested)
