"""What a message asks for: the code, the service word or keyword, and what is on sale there.

Read from the message and the catalogue alone, before any history.
"""

from typing import NamedTuple

from ledger.catalogue import Tariff
from ledger.decisions.keywords import (
    ServiceWord as SpelledWord,
)
from ledger.decisions.keywords import candidates, normalise, service_word
from ledger.decisions.story import Known, Mo
from ledger.facts.catalogue import KeywordAssigned, ServiceDeclared, ShortCodeOpened
from ledger.facts.traffic import UnmatchedReason
from ledger.rules.inforce import ServiceWord

Word = SpelledWord[ServiceWord]


class Wanted(NamedTuple):
    """A service that a message asks for, all of it in force at that moment."""

    assignment: KeywordAssigned
    argument: str
    service: ServiceDeclared
    tariff: Tariff


class Asked(NamedTuple):
    """A message, and what it says in the catalogue's and the country's own words."""

    mo: Mo
    known: Known
    code: ShortCodeOpened | None
    """None where the code is closed, or nobody opened it at that operator."""
    word: Word | None
    """The service word that it begins with."""
    wanted: Wanted | UnmatchedReason
    """What its keyword leads to, or why to nothing; a service word counts first."""

    stopping: str | None = None
    """STOP as it was written, where nothing but that follows the keyword."""

    @property
    def service(self) -> ServiceDeclared | None:
        """The service that its keyword leads to."""
        return self.wanted.service if isinstance(self.wanted, Wanted) else None


def read(mo: Mo, known: Known) -> Asked:
    """Read a message by the catalogue and the rules of its moment."""
    code = known.catalogue.code(mo.short_code, mo.operator, mo.occurred_at)
    word = service_word(mo.text, known.rules.service_words)
    asks = "unknown_code" if code is None else wanted(mo, known)
    return Asked(mo, known, code, word, asks, _stop_after(asks, known))


def wanted(mo: Mo, known: Known) -> Wanted | UnmatchedReason:
    """Find what the longest keyword in force asks for."""
    catalogue, at = known.catalogue, mo.occurred_at
    for found in candidates(mo.text, catalogue.keywords.get(mo.short_code, frozenset())):
        assignment = catalogue.assignment(mo.short_code, found.keyword, at)
        if assignment is None:
            continue
        service = catalogue.service(assignment.service, at)
        tariff = catalogue.tariff(mo.short_code, found.keyword, at)
        if service is None or tariff is None:
            return "not_on_sale"
        if catalogue.suspended(service.service, at):
            return "suspended"
        return Wanted(assignment, found.argument, service, tariff)
    return "unknown_keyword" if normalise(mo.text) else "no_words"


def _stop_after(asks: Wanted | UnmatchedReason, known: Known) -> str | None:
    """Recognise `JEU STOP`: nothing but STOP after a keyword, unless the service sells that."""
    if not isinstance(asks, Wanted) or not asks.argument:
        return None
    argument = normalise(asks.argument)
    word = " ".join(argument)
    if known.rules.service_words.get(word) != "stop":
        return None
    return None if argument in map(normalise, asks.service.choices) else word


def stop_word_after(asked: Asked) -> str | None:
    """Give the STOP that follows a keyword, such as `JEU STOP`."""
    return asked.stopping


def says_stop(asked: Asked) -> bool:
    """Tell whether a message is a STOP, alone or after a keyword."""
    if asked.word is not None:
        return asked.word.kind == "stop"
    return stop_word_after(asked) is not None


def service_named(asked: Asked, words: str) -> ServiceDeclared | None:
    """Give the service whose keyword follows a service word, such as `STOP JEU`."""
    mo, catalogue = asked.mo, asked.known.catalogue
    for found in candidates(words, catalogue.keywords.get(mo.short_code, frozenset())):
        assignment = catalogue.assignment(mo.short_code, found.keyword, mo.occurred_at)
        if assignment is not None:
            return catalogue.service(assignment.service, mo.occurred_at)
    return None
