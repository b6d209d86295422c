"""Read what a consumer wrote: words in a normal form, keywords, service words.

A word is an unbroken run of letters and digits, without its accents, in capitals and in
plain width. Everything else separates words: spaces, punctuation, emoji, control and
invisible characters, and what is left of broken UTF-8. So `Jeu!`, `jeu:42` and
`«jéu»` all begin with the word JEU.

`VOTE1` is one word, and another word than `VOTE`: nobody is charged on a guess about where
a keyword ends. A service word is free and protects the consumer, so it is recognised also
with digits glued to it (`STOP81014`).
"""

import re
import unicodedata
from collections.abc import Container, Iterator, Mapping
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

KindT = TypeVar("KindT")

MAX_KEYWORD = 64
"""The most characters of a keyword, as the facts allow it."""
_MAX_WORDS = (MAX_KEYWORD + 1) // 2

_WORD = re.compile(r"[^ ]+")
_ASCII = "".join(map(chr, range(128)))
_PUNCTUATION = "".join([one for one in _ASCII if unicodedata.category(one)[0] == "P"])
_UNSEEN = "".join([one for one in _ASCII if unicodedata.category(one)[0] in "CZ"])
_GLUED = re.compile(r"([^\W\d_]+)[0-9]+(?= |$)")
_LONE_MARK = re.compile(r"[:;,.!?=>\-\u2013\u2014\u2026]+(?=\s|$)")
_WORD_CATEGORIES = frozenset({"Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No"})
_SPELT_OUT = str.maketrans(
    {"Æ": "AE", "Œ": "OE", "ẞ": "SS", "Ø": "O", "Đ": "D", "Ð": "D", "Ł": "L", "Þ": "TH"}
)
"""Capitals that Unicode does not take apart, although people write them as two or plain."""


class Match(NamedTuple):
    """A keyword at the beginning of a text, and what was written after it."""

    keyword: str
    argument: str


class ServiceWord(NamedTuple, Generic[KindT]):
    """A service word at the beginning of a text, and what was written after it."""

    kind: KindT
    word: str
    rest: str


def normalise(text: str) -> tuple[str, ...]:
    """Give the words of a text in their normal form; none for a text without any."""
    return tuple(text.translate(_FOLDING).split())


def candidates(text: str, keywords: Container[str]) -> Iterator[Match]:
    """Give each of `keywords` that the text begins with, the one of most words first.

    `keywords` are in normal form, one space between words. Time grows with the length of
    the text, not with the number of keywords.
    """
    return _candidates(text, text.translate(_FOLDING), keywords)


def _candidates(text: str, folded: str, keywords: Container[str]) -> Iterator[Match]:
    keyword = " ".join(folded.split()[:_MAX_WORDS])
    while keyword:
        if keyword in keywords:
            yield Match(keyword, _after(text, _end(folded, keyword)))
        keyword = keyword.rpartition(" ")[0]


def _end(folded: str, keyword: str) -> int:
    """Tell where the words of a keyword end, with which a folded text begins."""
    if folded.startswith(keyword):
        return len(keyword)
    *_, last = islice(_WORD.finditer(folded), keyword.count(" ") + 1)
    return last.end()


def match(text: str, keywords: Container[str]) -> Match | None:
    """Give the longest of `keywords` that the text begins with, with its argument."""
    return next(candidates(text, keywords), None)


def service_word(text: str, words: Mapping[str, KindT]) -> ServiceWord[KindT] | None:
    """Recognise a service word by its spellings, kind by spelling in normal form."""
    folded = text.translate(_FOLDING)
    if found := next(_candidates(text, folded, words), None):
        return ServiceWord(words[found.keyword], found.keyword, found.argument)
    first = len(folded) - len(folded.lstrip(" "))
    glued = _GLUED.match(folded, first)
    if glued is None or glued[1] not in words:
        return None
    return ServiceWord(words[glued[1]], glued[1], _after(text, glued.end(1)))


def _after(text: str, folded_end: int) -> str:
    """Give what was written after the first `folded_end` characters of the folded text.

    Left out are accents that belong to the last word, punctuation glued to it, and marks
    that stand alone after it (`JEU : 42`); a sign of the argument's own stays (`JEU -5`).
    """
    rest = _after_ascii(text, folded_end) if text.isascii() else _after_any(text, folded_end)
    lone = _LONE_MARK.match(rest)
    return _stripped(rest[lone.end() :]) if lone else rest


def _after_ascii(text: str, folded_end: int) -> str:
    # Each character takes one place of the folded text.
    return text[folded_end:].lstrip(_PUNCTUATION).strip(_UNSEEN)


def _after_any(text: str, folded_end: int) -> str:
    at = width = 0
    while at < len(text) and (width < folded_end or not _FOLDING[ord(text[at])]):
        width += len(_FOLDING[ord(text[at])])
        at += 1
    while at < len(text) and unicodedata.category(text[at])[0] in "PM":
        at += 1
    return _stripped(text[at:])


def _stripped(text: str) -> str:
    """Leave out spaces, controls and invisible characters at both ends."""
    first, last = 0, len(text)
    while first < last and unicodedata.category(text[first])[0] in "CZ":
        first += 1
    while first < last and unicodedata.category(text[last - 1])[0] in "CZ":
        last -= 1
    return text[first:last]


class _Folding(dict[int, str]):
    """For each character its part of a normal form: letters and digits, or a space.

    An accent gives nothing. Filled as characters are met, up to the end of the planes that
    people write in, so that no sender can make it grow without bound.
    """

    _KEPT_BELOW = 0x20000

    def __missing__(self, code: int) -> str:
        folded = _folded(chr(code))
        if code < self._KEPT_BELOW:
            self[code] = folded
        return folded


def _folded(character: str) -> str:
    plain = unicodedata.normalize("NFKD", character).upper().translate(_SPELT_OUT)
    folded = "".join(map(_kept, unicodedata.normalize("NFKD", plain)))
    # One that stands for several words, such as the fraction ¼, is left out: no keyword
    # may end in the middle of a character.
    return " " if len(folded.split()) > 1 else folded


def _kept(character: str) -> str:
    category = unicodedata.category(character)
    if category[0] == "M":
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return character if category in _WORD_CATEGORIES else " "


_FOLDING = _Folding()
