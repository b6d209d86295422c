"""Wrong rule packs: refused whole, every mistake told with its line and place."""

import pytest

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
