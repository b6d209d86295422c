"""Reading what a consumer wrote: words, keywords with their argument, service words."""

import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.decisions.keywords import Match, ServiceWord, candidates, match, normalise, service_word

SERVICE_WORDS = {"STOP": "stop", "STOP TOUT": "stop", "ARRET": "stop", "CONTACT": "contact"}

any_text = st.text(alphabet=st.characters(codec=None), max_size=300)
"""Surrogates included: that is what broken UTF-8 may become."""
words = st.lists(st.text("ABCEJNOSUVXYZ0123456789", min_size=1, max_size=8), min_size=1, max_size=4)
separators = st.text(" \t\r\n\0!?.,;:«»“”*_-/\u200b\ufeff\u202e\ufffd\U0001f600", min_size=1)
accents = st.sampled_from(["", "\u0301", "\u0327", "\ufe0f\u20e3"])


@st.composite
def dressed(draw: st.DrawFn, plain: str) -> str:
    """Write a keyword as somebody's telephone might: case, accents, widths, decoration."""

    def worn(character: str) -> str:
        if character == " ":
            return draw(separators)
        if draw(st.booleans()):
            return chr(ord(character) + 0xFEE0)
        return draw(st.sampled_from([character, character.lower()])) + draw(accents)

    body = "".join(map(worn, plain))
    return draw(st.just("") | separators) + body + draw(st.just("") | separators)


class TestNormalise:
    """What the words of a text are."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("jeu", ("JEU",)),
            ("JEU!", ("JEU",)),
            ("jeu:42", ("JEU", "42")),
            ("«\uff4a\uff45\uff55»", ("JEU",)),
            ("  Déjà\tvu \r\n", ("DEJA", "VU")),
            ("cœur Straße Łódź", ("COEUR", "STRASSE", "LODZ")),
            ("l'île", ("L", "ILE")),
            ("JEU\x0042", ("JEU", "42")),
            ("\ufeffJEU\u200b42", ("JEU", "42")),
            ("\u202eJEU\u202c", ("JEU",)),
            ("❤️JEU🎉", ("JEU",)),
            ("VOTE 2️⃣", ("VOTE", "2")),
            ("VOTE \u0662", ("VOTE", "2")),
            ("J\ufffdU", ("J", "U")),
            ("\udcc3JEU\udca9", ("JEU",)),
            ("VOTE ⑴", ("VOTE", "1")),
            ("VOTE ¼0", ("VOTE", "0")),
            ("VOTE1", ("VOTE1",)),
            ("ИГРА", ("ИГРА",)),
            ("", ()),
            (" \0!…🎉", ()),
        ],
    )
    def test_gives_the_words_in_capitals_without_dressing(
        self, text: str, expected: tuple[str, ...]
    ) -> None:
        assert normalise(text) == expected

    def test_of_every_character_is_its_own_normal_form(self) -> None:
        # A form that changed when read again would let one keyword be assigned twice.
        changed = [
            hex(code)
            for code in range(sys.maxunicode + 1)
            if normalise(" ".join(normalise(chr(code)))) != normalise(chr(code))
        ]
        assert changed == []

    @given(any_text)
    def test_again_changes_nothing(self, text: str) -> None:
        once = normalise(text)
        assert normalise(" ".join(once)) == once

    @given(any_text, any_text)
    def test_keeps_texts_apart_that_a_space_keeps_apart(self, one: str, other: str) -> None:
        assert normalise(f"{one} {other}") == normalise(one) + normalise(other)


class TestMatch:
    """Which keyword a text begins with, and its argument."""

    @pytest.mark.parametrize(
        ("text", "keyword", "argument"),
        [
            ("JEU", "JEU", ""),
            ("jeu 42", "JEU", "42"),
            ("JEU:42", "JEU", "42"),
            ("JEU : 42", "JEU", "42"),
            ("«Jeu» Là-bas, vite !", "JEU", "Là-bas, vite !"),
            ("JEU -5", "JEU", "-5"),
            ("JEU @marie", "JEU", "@marie"),
            ("JEU 😀", "JEU", "😀"),
            ("JEU ?", "JEU", ""),
            ("je\u0301u\u0301 oui", "JEU", "oui"),
            ("JEU\0\x1b 42 \0", "JEU", "42"),
            ("Vote  finale\n3", "VOTE FINALE", "3"),
            ("VOTE finales", "VOTE", "finales"),
            ("vote-finale-3", "VOTE FINALE", "3"),
        ],
    )
    def test_takes_the_longest_keyword_and_what_follows_as_written(
        self, text: str, keyword: str, argument: str
    ) -> None:
        assert match(text, {"JEU", "VOTE", "VOTE FINALE"}) == Match(keyword, argument)

    @pytest.mark.parametrize("text", ["", "\0", "🎉", "JEUX", "LE JEU", "JEU1", "J EU", "ЖJEU"])
    def test_finds_nothing_where_no_keyword_begins_the_text(self, text: str) -> None:
        assert match(text, {"JEU"}) is None

    def test_offers_the_shorter_keywords_after_the_longest(self) -> None:
        # The longest may have been withdrawn; whoever asks then takes the next.
        found = list(candidates("vote finale 3", {"VOTE", "VOTE FINALE"}))
        assert found == [Match("VOTE FINALE", "3"), Match("VOTE", "finale 3")]

    def test_reads_an_argument_of_2000_characters_whole(self) -> None:
        argument = "é😀 " * 665 + "fin"
        assert match(f"jeu {argument}", {"JEU"}) == Match("JEU", argument)

    @given(st.data(), words)
    def test_finds_a_keyword_however_it_is_dressed(
        self, data: st.DataObject, plain: list[str]
    ) -> None:
        keyword = " ".join(plain)
        found = match(data.draw(dressed(keyword)), {keyword})
        assert found is not None
        assert found.keyword == keyword

    @given(words, st.data())
    def test_prefers_more_words_to_fewer(self, written: list[str], data: st.DataObject) -> None:
        counts = data.draw(st.sets(st.integers(1, len(written)), min_size=1))
        known = {" ".join(written[:count]) for count in counts}
        found = match(" ".join(written), known)
        assert found is not None
        assert found.keyword == " ".join(written[: max(counts)])

    @given(any_text)
    @example("¼0")
    @example("JEU\u0301" * 200)
    def test_survives_any_text_and_never_invents_an_argument(self, text: str) -> None:
        for found in candidates(text, {"JEU", "1", *normalise(text)}):
            assert found.argument in text
            assert found.argument == found.argument.strip()
            left = normalise(found.argument)
            assert normalise(text)[len(normalise(text)) - len(left) :] == left

    @given(any_text, words)
    def test_leaves_every_word_after_the_keyword_in_the_argument(
        self, text: str, plain: list[str]
    ) -> None:
        keyword = " ".join(plain)
        found = match(f"{keyword} {text}", {keyword})
        assert found is not None
        assert normalise(found.argument) == normalise(text)


class TestServiceWord:
    """STOP, CONTACT and their spellings."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("STOP", ServiceWord("stop", "STOP", "")),
            ("stop.", ServiceWord("stop", "STOP", "")),
            ("Arrêt jeu", ServiceWord("stop", "ARRET", "jeu")),
            ("STOP tout de suite", ServiceWord("stop", "STOP TOUT", "de suite")),
            ("STOP81014", ServiceWord("stop", "STOP", "81014")),
            ("  stop2 jeu", ServiceWord("stop", "STOP", "2 jeu")),
            ("contact: Jeu", ServiceWord("contact", "CONTACT", "Jeu")),
        ],
    )
    def test_is_recognised_at_the_beginning(self, text: str, expected: ServiceWord[str]) -> None:
        assert service_word(text, SERVICE_WORDS) == expected

    @pytest.mark.parametrize("text", ["", "JEU STOP", "STOPPER", "STOPJEU", "STOP2JEU", "2STOP"])
    def test_is_not_seen_in_other_words(self, text: str) -> None:
        assert service_word(text, SERVICE_WORDS) is None

    @given(any_text)
    def test_survives_any_text(self, text: str) -> None:
        found = service_word(text, SERVICE_WORDS)
        assert found is None or found.rest in text

    @given(st.data(), st.sampled_from(sorted(SERVICE_WORDS)))
    def test_is_recognised_however_it_is_dressed(self, data: st.DataObject, word: str) -> None:
        found = service_word(data.draw(dressed(word)), SERVICE_WORDS)
        assert found is not None
        assert (found.kind, found.word) == (SERVICE_WORDS[word], word)


def test_the_separators_here_are_what_they_claim_to_be() -> None:
    # A control: none of the characters used as decoration above is a letter or a digit.
    for character in " \t\r\n\0!?.,;:«»“”*_-/\u200b\ufeff\u202e\ufffd\U0001f600":
        assert unicodedata.category(character)[0] not in "LNM"
