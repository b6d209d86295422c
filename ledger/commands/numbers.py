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
from ledger.facts.catalogue import TestNumberDeclared
from ledger.rules.inforce import Rules
from ledger.vault import sender_form


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
    problems = [problem for one in wanted for problem in _faults(one, then)]
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


def _faults(one: NumberWanted, then: Catalogue) -> Iterator[Problem]:
    at = one.effective_from
    if then.alias_group(one.short_code, one.operator, at) is None:
        text = f"{one.short_code} is not open with {one.operator} by then"
        yield Problem(one.fields.get("short_code", one.place), text)
    digits = _digits(one.sender)
    if not one.sender.strip():
        yield Problem(one.fields.get("sender", one.place), "names nobody")
    elif one.sender.strip() in one.label or (digits and digits in _digits(one.label)):
        text = "tells the number itself, which no fact may hold"
        yield Problem(one.fields.get("label", one.place), text)


def _digits(text: Iterable[str]) -> str:
    return "".join(letter for letter in text if letter.isdecimal())


def _sender(one: NumberWanted, rules: Rules) -> str:
    return sender_form(rules.consumer_kind, one.sender)
