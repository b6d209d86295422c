"""Numbers to test with: a sender, which no fact may hold, becomes a pseudonym."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.catalogue import Catalogue
from ledger.commands.desk import Desk
from ledger.commands.incoming import consumer_of
from ledger.decisions.catalogue import (
    CatalogueRefused,
    Problem,
    Requested,
    as_recorded,
)
from ledger.decisions.national import NATIONAL
from ledger.facts.catalogue import TestNumberDeclared
from ledger.rules.inforce import Rules
from ledger.vault import is_national, sender_form
from ledger.words import NUMBER_TOLD, tells_number

_END = 6
"""Digits at the end of a number by which its owner is known."""


class NumberWanted(NamedTuple):
    """A number that shall be one for testing, and where it was asked for.

    With an alias, operator and code say whose it is: the same person has others elsewhere.
    """

    operator: str
    short_code: str
    sender: str
    label: str
    effective_from: datetime
    place: str
    fields: Mapping[str, str] = {}


def named(
    desk: Desk, wanted: Sequence[NumberWanted], beside: Sequence[Requested], now: datetime
) -> list[Requested]:
    """Ask for each number by its pseudonym; `beside` is what the same change asks for.

    Raises:
        CatalogueRefused: a number cannot be named, or its label would tell it.
    """
    if not wanted:
        return []
    known = desk.known(now)
    then = known.catalogue.advance(as_recorded(beside, known.catalogue))
    problems = [problem for one in wanted for problem in _faults(one, then, known.rules)]
    if problems:
        raise CatalogueRefused(problems)
    return [
        Requested(
            TestNumberDeclared(
                consumer=consumer_of(
                    desk,
                    known._replace(catalogue=then),
                    (one.operator, one.short_code, _sender(one, known.rules)),
                    one.effective_from,
                ),
                label=one.label,
                effective_from=one.effective_from,
            ),
            one.place,
            one.fields,
        )
        for one in wanted
    ]


def _faults(one: NumberWanted, then: Catalogue, rules: Rules) -> Iterator[Problem]:
    at = one.effective_from
    if then.alias_group(one.short_code, one.operator, at) is None:
        text = f"{one.short_code} is not open with {one.operator} by then"
        yield Problem(one.fields.get("short_code", one.place), text)
    if not one.sender.strip():
        yield Problem(one.fields.get("sender", one.place), "names nobody")
    elif is_national(rules.consumer_kind, one.sender):
        yield Problem(one.fields.get("sender", one.place), NATIONAL)
    elif _told(one):
        text = "tells the number itself, which no fact may hold"
        yield Problem(one.fields.get("label", one.place), text)
    elif tells_number(one.label):
        yield Problem(one.fields.get("label", one.place), NUMBER_TOLD)


def _told(one: NumberWanted) -> bool:
    """Tell whether a label says whose the number is by its end: all that a country's form shares.

    The national form has a nought where the international one has the country's code.
    """
    end = _digits(one.sender)[-_END:]
    return one.sender.strip() in one.label or bool(end and end in _digits(one.label))


def _digits(text: Iterable[str]) -> str:
    return "".join(letter for letter in text if letter.isdecimal())


def _sender(one: NumberWanted, rules: Rules) -> str:
    return sender_form(rules.consumer_kind, one.sender)
