"""Wrong rule packs: refused whole, every mistake told with its line and place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.rules.codes import covers, overlap_unclearly
from ledger.rules.pack import RulePackInvalid, parse_pack
from ledger.rules.toml_lines import lines_of
from tests.support.packs import FR, OTHER, edited, line_of, refusal, told


class TestRefusedPack:
    """A pack with mistakes, refused whole."""

    def test_lists_every_problem_with_its_line_and_place(self) -> None:
        text = edited(
            FR,
            ('floor = "0.35"', "floor = 0.35"),
            ('ceiling = "4.50"', 'ceilin = "4.50"'),
            ("days = 60\n", ""),
            ('confidence = "primary"', 'confidence = "hearsay"'),
        )
        lines = text.splitlines()
        range_8 = line_of(text, 'codes = "8xxxx"') - 1
        assert told(text) == [
            (
                lines.index('confidence = "hearsay"') + 1,
                "consumer[1].confidence",
                "Input should be 'primary', 'secondary' or 'memory'",
            ),
            (
                line_of(text, "floor = 0.35"),
                "code_range[4].floor",
                '0.35 loses exactness; write it in quotes, "0.35"',
            ),
            (range_8, "code_range[6].ceiling", "is missing"),
            (
                line_of(text, 'ceilin = "4.50"'),
                "code_range[6].ceilin",
                "is no field that belongs here",
            ),
            (line_of(text, "[[alias_window]]"), "alias_window[1].days", "is missing"),
        ]

    def test_reads_as_a_list(self) -> None:
        text = edited(OTHER, ('source = "an old text"\n', ""))
        assert str(refusal(text)) == (
            "x.toml is refused, 1 problem:\n  line 13: billing[1].source: is missing"
        )

    @pytest.mark.parametrize(
        "number", ["0.5", "4e2", "1_0.5", "inf", "nan", "-0.0"], ids=lambda text: text
    )
    def test_names_a_number_that_would_be_a_float(self, number: str) -> None:
        text = edited(OTHER, ('ceiling = "4.00"', f"ceiling = {number}"))
        line = line_of(text, f"ceiling = {number}")
        assert (line, "code_range[1].ceiling") in [(at, place) for at, place, _ in told(text)]

    def test_names_a_float_where_no_field_is(self) -> None:
        text = edited(OTHER, ("[[consumer]]", "extra = { deep = [1.5] }\n[[consumer]]"))
        assert (6, "extra.deep[1]", '1.5 loses exactness; write it in quotes, "1.5"') in told(text)

    @pytest.mark.parametrize(
        ("amount", "why"),
        [
            ("4", "in quotes"),
            ("true", "in quotes"),
            ('"4,00"', "is not an amount"),
            ('"4.0000001"', "at most 6 decimals"),
            ('"-4"', "must not be negative"),
            ('""', "is not an amount"),
            ('"9999999"', "more than the largest amount"),
        ],
    )
    def test_names_an_amount_that_is_none(self, amount: str, why: str) -> None:
        [(_, place, text)] = told(edited(OTHER, ('ceiling = "4.00"', f"ceiling = {amount}")))
        assert place == "code_range[1].ceiling"
        assert why in text

    def test_keeps_the_digits_of_an_amount(self) -> None:
        pack = parse_pack(edited(OTHER, ('"4.00"', '"0.020833"')).encode(), "x.toml")
        assert pack.contents.code_range[0].ceiling == 20_833

    @pytest.mark.parametrize(
        ("edit", "place", "why"),
        [
            (('ceiling = "4.00"', 'ceiling = "4"\nsurprise = 1'), "code_range[1].surprise", "no f"),
            (('source = "an old text"', 'source = ""'), "billing[1].source", "at least 1"),
            (('source = "an old text"', 'source = " x"'), "billing[1].source", "pattern"),
            (("from = 2020-01-01\n", ""), "billing[1].from", "is missing"),
            (("from = 2020-01-01", 'from = "2020-01-01"'), "billing[1].from", "such as 2026-03-01"),
            (("from = 2020-01-01", "from = 2020-01-01T00:00:00Z"), "billing[1].from", "a day"),
            (("from = 2020-01-01", "from = 2026-07-01"), "billing[1]", "must be later than"),
            (('floor = "0"', 'floor = "4.01"'), "code_range[1]", "floor 4.01 is above the ceil"),
            (('codes = "3xxx"', 'codes = "3yyy"'), "code_range[1].codes", "pattern"),
            (('"STOP", "TSOP"', '"Stop"'), "service_word[1].spellings[1]", "pattern"),
            (('["STOP", "TSOP"]', "[]"), "service_word[1].spellings", "must not be empty"),
            (('zone = "Europe/Brussels"', 'zone = "Europe/Nowhere"'), "zone", "no time zone"),
            (('zone = "Europe/Brussels"', 'zone = "../etc"'), "zone", "no time zone"),
            (("[[subscription]]", "[[subscriptions]]"), "subscription", "is missing"),
            (('name = "Elsewhere"', 'name = "Elsewhere"\ntax = 1'), "", "is no TOML file"),
            (("charged_segments = 1", "charged_segments = 0"), "segment[1].charged_segments", "1"),
        ],
    )
    def test_names_what_is_wrong(self, edit: tuple[str, str], place: str, why: str) -> None:
        found = told(edited(OTHER, edit))
        assert any(at == place and why in text for _, at, text in found), found

    @pytest.mark.parametrize(
        ("raw", "why"), [(b"a = \n", "line 1"), (b"\xff\xfe", "utf-8"), (b"a=1\na=2", "overwrite")]
    )
    def test_says_why_a_file_is_no_toml(self, raw: bytes, why: str) -> None:
        with pytest.raises(RulePackInvalid, match=f"is no TOML file: .*{why}"):
            parse_pack(raw, "x.toml")

    def test_tells_an_empty_file_what_it_lacks(self) -> None:
        missing = {place for _, place, _ in told("")}
        assert {"country", "currency", "zone", "billing", "code_range", "tax"} <= missing

    def test_names_hours_that_close_before_they_open(self) -> None:
        [(_, place, why)] = told(edited(FR, ("opens = 08:00:00", "opens = 22:00:00")))
        assert (place, why) == (
            "hours[1]",
            "opens 22:00:00 must be earlier than closes 22:00:00",
        )

    def test_refuses_a_list_that_is_none(self) -> None:
        [(_, place, text)] = told(
            edited(OTHER, ('name = "Elsewhere"', 'name = "Elsewhere"\nnotice = "none"'))
        )
        assert (place, text) == ("notice", "must be a list")


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


class TestWindow:
    """The time over which a cap counts."""

    CAP = """
[[spending_cap]]
name = "a cap"
amount = "5"
window = {{ {window} }}
counted_per = "consumer"
from = "unknown"
source = "a text"
confidence = "memory"
"""

    @pytest.mark.parametrize(
        "window",
        [
            'kind = "each_charge"',
            'kind = "rolling", n = 1, unit = "minute"',
            'kind = "calendar", n = 1, unit = "month", zone = "Europe/Brussels"',
        ],
    )
    def test_is_complete(self, window: str) -> None:
        parse_pack((OTHER + self.CAP.format(window=window)).encode(), "x.toml")

    @pytest.mark.parametrize(
        "window",
        [
            'kind = "each_charge", n = 1',
            'kind = "rolling", n = 1',
            'kind = "rolling", n = 1, unit = "day", zone = "Europe/Brussels"',
            'kind = "calendar", n = 1, unit = "month"',
            'kind = "calendar", zone = "Europe/Brussels"',
        ],
    )
    def test_is_refused_by_halves(self, window: str) -> None:
        [(_, place, text)] = told(OTHER + self.CAP.format(window=window))
        assert place == "spending_cap[1].window"
        assert "a calendar window has n, unit and zone" in text


class TestLines:
    """The lines on which tables and keys stand."""

    def test_are_found_beside_long_values_and_nested_tables(self) -> None:
        text = (
            "a = [  # a list\n"
            '  "[[not a header]]",\n'
            "]\n"
            'b = """\n'
            "c = 1\n"
            '"""\n'
            "d.e = 2\n"
            "[[f]]\n"
            "g = 1\n"
            "[[f]]\n"
            "[[f.h]]\n"
            "[[f.h]]\n"
            "i = 1\n"
            '[f."j"]\n'
            "k = 1\n"
        )
        assert lines_of(text) == {
            ("a",): 1,
            ("b",): 4,
            ("d", "e"): 7,
            ("f", 0): 8,
            ("f", 0, "g"): 9,
            ("f", 1): 10,
            ("f", 1, "h", 0): 11,
            ("f", 1, "h", 1): 12,
            ("f", 1, "h", 1, "i"): 13,
            ("f", 1, "j"): 14,
            ("f", 1, "j", "k"): 15,
        }
