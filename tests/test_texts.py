"""Templates filled in, and the segments that a text takes."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger.texts import (
    CODE_PLACEHOLDERS,
    REPLY_PLACEHOLDERS,
    Room,
    is_seen,
    overflow,
    price_text,
    render,
    segments,
    template_problems,
)

any_text = st.text(alphabet=st.characters(codec=None), max_size=400)
templates = st.lists(
    st.sampled_from([f"{{{name}}}" for name in sorted(REPLY_PLACEHOLDERS)]) | any_text, max_size=6
).map("".join)
values = st.fixed_dictionaries({}, optional=dict.fromkeys(sorted(REPLY_PLACEHOLDERS), any_text))


class TestSegments:
    """How many messages a text takes. Source: 3GPP TS 23.038, TS 23.040 9.2.3.24."""

    @pytest.mark.parametrize(
        ("text", "encoding", "parts", "units"),
        [
            ("", "gsm7", 1, 0),
            ("a" * 160, "gsm7", 1, 160),
            ("a" * 161, "gsm7", 2, 161),
            ("a" * 306, "gsm7", 2, 306),
            ("a" * 307, "gsm7", 3, 307),
            ("é" * 160, "gsm7", 1, 160),
            ("€" * 80, "gsm7", 1, 160),
            ("€" * 81, "gsm7", 2, 162),
            ("ê" * 70, "ucs2", 1, 70),
            ("ê" * 71, "ucs2", 2, 71),
            ("ê" * 134, "ucs2", 2, 134),
            ("ê" * 135, "ucs2", 3, 135),
            ("a" * 69 + "ê", "ucs2", 1, 70),
            ("😀" * 35, "ucs2", 1, 70),
            ("😀" * 36, "ucs2", 2, 72),
        ],
    )
    def test_follow_the_alphabet_and_the_length(
        self, text: str, encoding: str, parts: int, units: int
    ) -> None:
        assert segments(text) == (encoding, parts, units)

    def test_never_split_an_escaped_character(self) -> None:
        # 152 + 2 + 152 septets would fill two parts of 153 exactly, but the euro sign's two
        # septets do not go apart: 152, then 2 + 151, then the last one.
        assert segments("a" * 152 + "€" + "a" * 152).parts == 3

    def test_never_split_a_pair_of_surrogates(self) -> None:
        # A part of 67 units holds 33 whole emoji: 67 of them take 33 + 33 + 1.
        assert segments("😀" * 67).parts == 3

    @pytest.mark.parametrize("character", "çêâîôûœ\u2019…\u00a0\t")
    def test_know_what_the_gsm_alphabet_lacks(self, character: str) -> None:
        assert segments(character).encoding == "ucs2"

    @given(any_text)
    def test_survive_any_text(self, text: str) -> None:
        found = segments(text)
        room = 160 if found.encoding == "gsm7" else 70
        assert (found.parts == 1) == (found.units <= room)


class TestRender:
    """A template with its values, in one message."""

    def test_puts_each_value_in_its_place(self) -> None:
        template = "{service} au {code}, {price}: {argument}. {publisher} {desk}"
        values = {
            "service": "Quiz",
            "code": "81014",
            "price": price_text(3_000_000, "EUR"),
            "argument": "42",
            "publisher": "Ludotel",
            "desk": "0900",
        }
        assert render(template, values) == "Quiz au 81014, 3.00 EUR: 42. Ludotel 0900"

    def test_leaves_out_what_has_no_value(self) -> None:
        assert render("Recu {argument}!", {}) == "Recu !"

    def test_does_not_read_placeholders_in_a_value(self) -> None:
        assert render("{argument} {code}", {"argument": "{code}", "code": "81014"}) == (
            "{code} 81014"
        )

    def test_shortens_the_argument_to_what_is_left(self) -> None:
        # 12 septets are the template's own, so 148 remain for the argument.
        assert render("Vote {argument} merci.", {"argument": "x" * 500}) == (
            f"Vote {'x' * 148} merci."
        )

    def test_shares_what_is_left_between_two_places(self) -> None:
        # 160 - 1 septets for two places: 79 each.
        assert render("{argument} {argument}", {"argument": "y" * 99}) == f"{'y' * 79} {'y' * 79}"

    def test_writes_the_argument_in_the_alphabet_of_the_rest(self) -> None:
        written = render("Bravo {argument}", {"argument": "Zoë, ça ira\u2019 œuf 😀 ê"})
        assert written == "Bravo Zoe, ca ira' oeuf  e"

    def test_keeps_the_argument_as_it_is_where_the_rest_is_ucs2(self) -> None:
        # 7 units are the template's, so 63 remain: 31 emoji of 2 units each.
        assert render("Fête : {argument}", {"argument": "😀" * 60}) == "Fête : " + "😀" * 31

    def test_makes_one_line_of_a_value(self) -> None:
        assert render("[{argument}]", {"argument": " a\r\nb\0c\u202ed\udcff "}) == "[a b cd]"

    def test_counts_an_escaped_character_twice(self) -> None:
        assert render("{argument}", {"argument": "€" * 200}) == "€" * 80

    def test_keeps_to_the_room_it_is_given(self) -> None:
        assert render("abc{argument}", {"argument": "defg"}, Room(gsm7=5, ucs2=2)) == "abcde"

    def test_cuts_the_end_off_where_the_rest_alone_is_too_long(self) -> None:
        assert render("a" * 200 + "{argument}", {"argument": "b"}) == "a" * 160

    @given(templates, values)
    def test_fits_one_message_whatever_comes(self, template: str, values: dict[str, str]) -> None:
        assert segments(render(template, values)).parts == 1

    @given(any_text)
    def test_keeps_gsm_alphabet_whatever_the_argument(self, argument: str) -> None:
        assert segments(render("Bravo {argument}", {"argument": argument})).encoding == "gsm7"


class TestTemplateProblems:
    """What the catalogue refuses of a template."""

    @pytest.mark.parametrize(
        "template", ["Merci", "{code} {argument} {price} {publisher} {desk} {service}", "a\nb"]
    )
    def test_are_none_for_a_good_template(self, template: str) -> None:
        assert template_problems(template, REPLY_PLACEHOLDERS) == []

    @pytest.mark.parametrize(
        ("template", "told"),
        [
            ("Merci {prix}", "{prix} is no placeholder"),
            ("Merci {}", "{} is no placeholder"),
            ("Merci {Code}", "{Code} is no placeholder"),
            ("Merci {code", "{ is no placeholder"),
            ("Merci code}", "} is no placeholder"),
            ("Merci {{code}}", "{ is no placeholder"),
            ("Merci\0", "control"),
            ("Mer\u200bci", "control"),
            ("{argument}", "shows nothing where"),
            (" {argument}\u3164{argument}", "shows nothing where"),
            ("\u2800", "must not be empty"),
            ("Mer\rci", "control"),
            (" ", "empty"),
        ],
    )
    def test_name_what_is_wrong(self, template: str, told: str) -> None:
        assert told in "; ".join(template_problems(template, REPLY_PLACEHOLDERS))

    def test_know_which_placeholders_a_code_has(self) -> None:
        assert template_problems("{argument} {price} {code}", CODE_PLACEHOLDERS) == [
            f"{stranger} is no placeholder that may stand here; these may: "
            f"{{code}}, {{desk}}, {{publisher}}"
            for stranger in ("{argument}", "{price}")
        ]


class TestIsSeen:
    """Whether a text shows anything."""

    @pytest.mark.parametrize("text", ["a", " 7 ", "!", "€", "😀", "\u200bç\u200b"])
    def test_is_so_for_whatever_leaves_ink(self, text: str) -> None:
        assert is_seen(text)

    @pytest.mark.parametrize(
        "text", ["", " \t\n", "\u00a0", "\u200b", "\u00ad", "\u3164", "\u2800", "\ufe0f", "\0"]
    )
    def test_is_not_so_for_spaces_and_what_only_joins(self, text: str) -> None:
        assert not is_seen(text)

    @given(templates)
    def test_is_so_for_each_right_template_without_an_argument(self, template: str) -> None:
        assume(template_problems(template, REPLY_PLACEHOLDERS) == [])
        assert is_seen(render(template, dict.fromkeys(REPLY_PLACEHOLDERS - {"argument"}, "x")))


class TestOverflow:
    """Why a text does not fit one message."""

    def test_is_none_where_it_fits(self) -> None:
        assert overflow("a" * 160) is None

    def test_gives_both_lengths(self) -> None:
        assert overflow("a" * 161) == "takes 161 characters, and one message holds 160"

    def test_names_the_characters_that_made_it_ucs2(self) -> None:
        assert overflow("ê" + "a" * 70 + "ç") == (
            "takes 72 characters, and one message holds 70 because of 'êç'"
        )

    def test_follows_the_room_it_is_given(self) -> None:
        assert overflow("abc", Room(gsm7=2, ucs2=1)) == (
            "takes 3 characters, and one message holds 2"
        )


@pytest.mark.parametrize(
    ("micros", "text"),
    [(3_000_000, "3.00 EUR"), (50_000, "0.05 EUR"), (0, "0.00 EUR"), (4_500_000, "4.50 EUR")],
)
def test_a_price_is_told_with_its_currency(micros: int, text: str) -> None:
    """A consumer is told the price with two decimals and the currency's code."""
    assert price_text(micros, "EUR") == text
