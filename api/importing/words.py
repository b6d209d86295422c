"""What is wrong with a line, in words for people: the field, what it must be, an example.

msgspec tells what it expected by types and patterns; nothing of those is shown. Values are not
repeated, for one may be a number that somebody put in a wrong place.
"""

import re
from collections.abc import Callable
from typing import Annotated, Literal, get_args

from msgspec import Meta

from ledger.decisions.effect import ReceiptOutcome
from ledger.facts.base import HexId, Leg, ShortCode, ShortId
from ledger.facts.catalogue import Keyword
from ledger.facts.traffic import Billed, MtKind, UnmatchedReason

Status = Annotated[str, Meta(pattern=r"^[A-Za-z0-9 :=._-]{0,64}\Z")]
OperatorMessageId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z")]
Reason = Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
Amount = Annotated[str, Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?\Z")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]

_ID = "0123456789abcdef0123456789abcdef"
_FORMS: dict[object, str] = {
    ShortCode: '3 to 8 digits, such as "81014"',
    ShortId: 'a name of 1 to 64 letters, digits, ".", "_" and "-", such as "kannel-fr"',
    HexId: f'an id of 32 digits and letters a to f, such as "{_ID}"',
    Keyword: 'words of capital letters and digits, one space between, such as "JEU"',
    Status: 'up to 64 letters, digits, spaces and : = . _ -, such as "stat:DELIVRD"',
    OperatorMessageId: 'up to 64 letters, digits and . _ : -, such as "7f-12"',
    Reason: 'one line of text, such as "asked for by post"',
    Amount: 'a decimal number in quotes, six places at most, such as "3.00"',
    Currency: 'three capital letters, such as "EUR"',
}
_PATTERNS = {repr(get_args(kind)[1].pattern): told for kind, told in _FORMS.items()}

State = Literal["authorized", "captured", "released", "refused"]
Pushed = Literal["kept", "taken"]
By = Literal["merchant", "regulator"]
KINDS = ("mo", "receipt", "exchange", "turn", "solicitation", "stop_subscription")
_CHOICES: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "outcome": get_args(ReceiptOutcome),
    "receipts[].outcome": get_args(ReceiptOutcome),
    "billed": get_args(Billed),
    "receipts[].billed": get_args(Billed),
    "unmatched": get_args(UnmatchedReason),
    "mt.kind": get_args(MtKind),
    "charges[].leg": get_args(Leg),
    "charges[].state": get_args(State),
    "pushed": get_args(Pushed),
    "by": get_args(By),
}
"""By the place of a field, what it may be."""

_INSTANT = 'must be an instant with its zone, such as "2026-08-03T08:00:00Z"'
_TYPES = {
    "str": "text in quotes",
    "int": "a whole number",
    "bool": "true or false",
    "object": "an object, in { }",
    "array": "a list, in [ ]",
}
_FOUND = {
    "str": "text",
    "int": "a number",
    "float": "a decimal number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}

_EXAMPLES = {
    "gateway": '"kannel-fr"',
    "smsc": '"orange-fr"',
    "id": '"m-1"',
    "sender": '"33612345678"',
    "short_code": '"81014"',
    "text": '"JEU 42"',
    "mt": f'"{_ID}"',
    "subscription": f'"{_ID}"',
    "keyword": '"JEU"',
    "merchant": '"ludotel"',
    "service": '"quiz"',
    "price": '{"amount": "3.00", "currency": "EUR"}',
    "amount": '"3.00"',
    "currency": '"EUR"',
    "reason": '"asked for by post"',
    **dict.fromkeys(("at", "sent_at", "arrived_at"), '"2026-08-03T08:00:00Z"'),
}
"""What a field that has to be there looks like, by its name."""
_MOST_OF_A_NAME = 40

_AT = re.compile(r"(.*) - at `\$\.?(.*)`", re.DOTALL)
_INDEX = re.compile(r"\[(?:\d+|\.\.\.)\]")


def in_words(told: str) -> str:
    """Put what msgspec found wrong with a line into words: `field: what it must be`."""
    found = _AT.fullmatch(told)
    text, place = (found[1], found[2]) if found else (told, "")
    for form, say in _SAID:
        if match := form.fullmatch(text):
            return say(match, place)
    return f"{place}: {text}" if place else text


def _at(place: str, text: str) -> str:
    return f"{place or 'the line'}: {text}"


def _within(place: str, field: str) -> str:
    return f"{place}.{field}" if place else field


def _missing(found: re.Match[str], place: str) -> str:
    field = _within(place, found[1])
    if choices := _choices(field):
        return _at(field, f"is missing, one of {choices}")
    return _at(field, f"is missing{_example(field)}")


def _unknown(found: re.Match[str], place: str) -> str:
    return _at(_within(place, found[1][:_MOST_OF_A_NAME]), "is no field that belongs here")


def _form(found: re.Match[str], place: str) -> str:
    return _at(place, f"must be {_PATTERNS.get(found[1], 'written otherwise')}")


def _choice(_: re.Match[str], place: str) -> str:
    return _at(place, f"must be one of {_choices(place)}")


def _choices(place: str) -> str:
    return ", ".join(_CHOICES.get(_INDEX.sub("[]", place), ()))


def _example(place: str) -> str:
    known = _EXAMPLES.get(place.rpartition(".")[2])
    return f", such as {known}" if known else ""


def _instant(_: re.Match[str], place: str) -> str:
    return _at(place, _INSTANT)


def _type(found: re.Match[str], place: str) -> str:
    wanted = [one for one in found[1].split(" | ") if one != "null"]
    if "datetime" in wanted:
        return _at(place, _INSTANT)
    told = " or ".join(_TYPES.get(one, one) for one in wanted)
    is_now = f"but is {_FOUND.get(found[2], found[2])}"
    return _at(place, f"must be {told}{_example(place) if wanted == ['str'] else ''}, {is_now}")


def _length(found: re.Match[str], place: str) -> str:
    kind, sign, number = found[1], found[2], int(found[3])
    if sign == ">=":
        return _at(place, "must not be empty")
    return _at(place, f"has more than {number:,} {'letters' if kind == 'str' else 'entries'}")


def _range(found: re.Match[str], place: str) -> str:
    return _at(place, f"must be at {'least' if found[1] == '>=' else 'most'} {found[2]}")


_SAID: tuple[tuple[re.Pattern[str], Callable[[re.Match[str], str], str]], ...] = (
    (re.compile(r"Object missing required field `(.*)`", re.DOTALL), _missing),
    (re.compile(r"Object contains unknown field `(.*)`", re.DOTALL), _unknown),
    (re.compile(r"Expected `str` matching regex (.*)", re.DOTALL), _form),
    (re.compile(r"Invalid (?:enum )?value .*", re.DOTALL), _choice),
    (re.compile(r"Invalid RFC3339 encoded datetime"), _instant),
    (re.compile(r"Expected `datetime` with a timezone component"), _instant),
    (re.compile(r"Expected `(.*)`, got `(.*)`"), _type),
    (re.compile(r"Expected `(\w+)` of length (>=|<=) (\d+)"), _length),
    (re.compile(r"Expected `int` (>=|<=) (\d+)"), _range),
    (re.compile(r"Expected `str`"), _choice),
)
"""How msgspec tells a fault, and how it is said."""
