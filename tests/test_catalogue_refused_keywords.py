"""Which keywords a catalogue is refused for, each by its text and the place it came from."""

import pytest

from tests.support.catalogues import HEAD, SMALL, after, keyword, told, wanted, withdrawal
from tests.support.packs import edited

PRICE = 'tariff = "t-300"\ncode = "81014"\nprice = "3.00"'
JEU = 'code = "81014"\nkeyword = "JEU"\nservice = "quiz"\nmerchant = "ludo"\n'


class TestKeywords:
    """Who may have which keyword."""

    @pytest.mark.parametrize(
        ("word", "meant"),
        [("STOP", "STOP"), ("stop jeu", "STOP"), ("Contact", "CONTACT"), ("STOP2", "STOP")],
    )
    def test_are_no_service_words(self, word: str, meant: str) -> None:
        assert told(HEAD + keyword(word, "ludo"), after(SMALL)) == [
            ("keywords[1].keyword", f"{meant} is a service word, which no merchant can have")
        ]

    def test_that_another_has_are_refused(self) -> None:
        assert told(HEAD + keyword("JEU", "astro"), after(SMALL)) == [
            (
                "keywords[1].keyword",
                "JEU belongs to quiz of ludo since 2026-03-01 and was not withdrawn",
            )
        ]

    def test_that_one_file_gives_twice_are_refused(self) -> None:
        text = HEAD + keyword("NEUF", "astro") + keyword("NEUF", "ludo", "2026-08-01")
        assert told(text, after(SMALL)) == [
            (
                "keywords[2].keyword",
                "NEUF belongs to stars of astro since 2026-07-01 and was not withdrawn",
            )
        ]

    def test_that_one_file_gives_twice_at_once_are_refused(self) -> None:
        text = HEAD + keyword("NEUF", "astro") + keyword("neuf!", "ludo")
        assert told(text, after(SMALL)) == [
            ("keywords[2]", "says otherwise than line 3: keywords[1]")
        ]

    def test_that_another_will_have_are_refused(self) -> None:
        known = after(SMALL, HEAD + keyword("NEUF", "astro", "2026-12-01"))
        assert told(HEAD + keyword("NEUF", "ludo", "2026-07-01"), known) == [
            (
                "keywords[1].keyword",
                "NEUF will belong to stars of astro on 2026-12-01, so withdraw it before",
            )
        ]

    def test_rest_before_another_merchant_has_them(self) -> None:
        # 90 days after 1 July is 29 September, in the book's zone.
        known = after(SMALL, HEAD + withdrawal("JEU", "2026-07-01"))
        assert told(HEAD + keyword("JEU", "astro", "2026-09-28"), known) == [
            ("keywords[1].keyword", "JEU was ludo's and rests until 2026-09-29")
        ]

    def test_rest_also_where_one_file_hands_them_over(self) -> None:
        text = HEAD + withdrawal("JEU", "2026-07-01") + keyword("JEU", "astro", "2026-07-01")
        assert told(text, after(SMALL)) == [
            ("keywords[1].keyword", "JEU was ludo's and rests until 2026-09-29")
        ]

    @pytest.mark.parametrize(
        ("word", "merchant", "text"),
        [
            ("JEU ASTRAL", "astro", "JEU ASTRAL of astro begins with JEU of ludo"),
            ("JEU ASTRAL DU JOUR", "astro", "JEU ASTRAL DU JOUR of astro begins with JEU of ludo"),
        ],
    )
    def test_do_not_begin_with_anothers(self, word: str, merchant: str, text: str) -> None:
        assert told(HEAD + keyword(word, merchant), after(SMALL)) == [
            ("keywords[1].keyword", f"{text}, from 2026-07-01 on")
        ]

    def test_are_not_the_beginning_of_anothers(self) -> None:
        known = after(SMALL, HEAD + keyword("NEUF ASTRAL", "astro"))
        assert told(HEAD + keyword("NEUF", "ludo", "2026-08-01"), known) == [
            (
                "keywords[1].keyword",
                "NEUF ASTRAL of astro begins with NEUF of ludo, from 2026-08-01 on",
            )
        ]

    def test_may_begin_alike_once_the_other_is_withdrawn(self) -> None:
        # The same two keywords, but never at one time.
        known = after(SMALL, HEAD + withdrawal("JEU", "2026-07-01"))
        after_it = HEAD + keyword("JEU ASTRAL", "astro", "2026-07-01")
        before_it = HEAD + keyword("JEU ASTRAL", "astro", "2026-06-30")
        assert told(before_it, known)[0][1].endswith("from 2026-06-30 on")
        assert wanted(after_it, known)

    def test_of_a_dedicated_code_are_its_merchants(self) -> None:
        assert told(HEAD + keyword("ASTRO", "astro", code="72100"), after(SMALL)) == [
            (
                "keywords[1].code",
                "72100 is dedicated to ludo, not to astro, from 2026-07-01 on",
            )
        ]

    def test_want_a_code_a_service_and_the_services_own_merchant(self) -> None:
        text = edited(
            SMALL,
            (JEU, JEU.replace("81014", "81999").replace("quiz", "quizz").replace("ludo", "ludi")),
            (
                'keyword = "ASTRO"\nservice = "stars"\nmerchant = "astro"',
                'keyword = "ASTRO"\nservice = "stars"\nmerchant = "ludo"',
            ),
        )
        assert told(text) == [
            ("keywords[1].code", "no operator has opened 81999 by then"),
            ("keywords[1].service", "no service quizz is declared by then"),
            ("keywords[1].merchant", "no merchant ludi is registered by then"),
            ("keywords[2].merchant", "stars is a service of astro, not of ludo"),
        ]

    def test_want_a_service_that_is_declared(self) -> None:
        text = HEAD + keyword("NEUF", "ludo").replace("quiz", "quizz")
        assert told(text, after(SMALL)) == [
            ("keywords[1].service", "no service quizz is declared by then")
        ]

    def test_want_a_price(self) -> None:
        text = edited(SMALL, (PRICE, PRICE + "\neffective_from = 2026-05-01"))
        assert told(text) == [
            ("keywords[1].keyword", "81014 JEU has no price, from 2026-03-01 on"),
            ("keywords[2].keyword", "81014 ASTRO has no price, from 2026-03-01 on"),
        ]

    def test_that_nobody_has_are_not_withdrawn(self) -> None:
        assert told(HEAD + withdrawal("NEUF", "2026-07-01"), after(SMALL)) == [
            ("withdrawn_keywords[1].keyword", "NEUF is assigned to nobody on 81014 then")
        ]
