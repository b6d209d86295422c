"""What a message says, read once more: its first words, and what they mean on a code."""

import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

from api.market.goods import Service, Shop

_GLUED = re.compile(r"([A-Z]+)[0-9]+")


class Said(NamedTuple):
    """A message as it is understood."""

    word: str | None
    """The kind of service word that it begins with."""
    named: Service | None
    """Whose keyword follows that word."""
    service: Service | None
    """Whose keyword it begins with."""
    stops: bool
    """Whether nothing but STOP follows that keyword."""


class Reader:
    """Reads the messages of one shop; the same words are read once."""

    def __init__(self, shop: Shop, words: Mapping[str, str]) -> None:
        self._words = words
        self._keywords: dict[str, dict[str, Service]] = {}
        for service in shop.services:
            here = self._keywords.setdefault(service.code.code, {})
            here.update((keyword, service) for keyword in service.keywords)
        self._read: dict[tuple[str, str], Said] = {}

    def read(self, code: str, text: str) -> Said:
        """Read a message to a code."""
        known = self._read.get((code, text))
        if known is None:
            known = self._read[code, text] = self._said(code, words(text))
        return known

    def _said(self, code: str, said: list[str]) -> Said:
        service, rest = self._service(code, said)
        first = said[0] if said else ""
        glued = _GLUED.fullmatch(first)
        if glued is not None and first not in self._words and glued[1] in self._words:
            first = glued[1]
        kind = self._words.get(first)
        if kind is not None:
            return Said(kind, self._service(code, said[1:])[0], service, stops=False)
        stops = service is not None and self._words.get(" ".join(rest)) == "stop"
        return Said(None, None, service, stops)

    def _service(self, code: str, said: list[str]) -> tuple[Service | None, list[str]]:
        """Find the longest keyword that the words begin with, and what comes after it."""
        here = self._keywords.get(code, {})
        for count in (2, 1):
            found = here.get(" ".join(said[:count])) if len(said) >= count else None
            if found is not None:
                return found, said[count:]
        return None, said


def words(text: str) -> list[str]:
    """Give the words of a text: letters and digits, in capitals, without accents."""
    plain = unicodedata.normalize("NFKD", text).upper()
    kept = (c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return "".join(kept).split()
