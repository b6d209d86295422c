"""The texts of messages: templates and their values, and how many segments a text takes.

Source: 3GPP TS 23.038 (the alphabets) and TS 23.040 9.2.3.24 (concatenated messages).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple

from ledger.money import micros_text

Encoding = Literal["gsm7", "ucs2"]

REPLY_PLACEHOLDERS = frozenset({"code", "argument", "price", "publisher", "desk", "service"})
"""What the template of a service's answer may name."""
CODE_PLACEHOLDERS = frozenset({"code", "publisher", "desk"})
"""What the texts of a short code may name: its error, STOP and CONTACT."""
OFFER_PLACEHOLDERS = frozenset({"service", "price", "every", "confirm", "code"})
"""What the offer of a subscription may name; `{confirm}` is the word that agrees to it."""
NOTICE_PLACEHOLDERS = frozenset({"service", "price", "spent", "publisher", "desk", "code"})
"""What the notice of a price may name; `{spent}` is what the service has cost so far."""

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Written as an escape and a second septet. Source: 3GPP TS 23.038 6.2.1.1."""
_GSM = _BASIC | _EXTENSION
# A text is looked through for one such character much faster than taken apart into all of its own.
_of_two_septets = re.compile(f"[{re.escape(''.join(sorted(_EXTENSION)))}]").search
_foreign = re.compile(f"[^{re.escape(''.join(sorted(_GSM)))}]").search
_FILLED_IN = REPLY_PLACEHOLDERS | CODE_PLACEHOLDERS | OFFER_PLACEHOLDERS | NOTICE_PLACEHOLDERS
_PART = {"gsm7": 153, "ucs2": 67}
"""Units of one part of a concatenated message, its header of 6 octets taken off."""

_PLACEHOLDER = re.compile(r"\{([a-z]+)\}")
_BRACES = re.compile(r"\{[^{}]*\}|[{}]")
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are written as nothing: fillers of Hangul, and Braille without dots."""
_IN_GSM = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "«": '"', "»": '"'}
    | {"\u2013": "-", "\u2014": "-", "œ": "oe", "Œ": "OE"}
)
"""Characters that the GSM alphabet lacks, as telephones write them."""


class Room(NamedTuple):
    """How much one message holds: septets in GSM-7, or 16-bit units in UCS-2."""

    gsm7: int = 160
    ucs2: int = 70

    def units(self, encoding: Encoding) -> int:
        """Give the room in one encoding."""
        return self.gsm7 if encoding == "gsm7" else self.ucs2


class Segments(NamedTuple):
    """How a text is sent; `units` are septets in GSM-7 and 16-bit units in UCS-2."""

    encoding: Encoding
    parts: int
    units: int


ONE_SEGMENT = Room()


def segments(text: str) -> Segments:
    """Say in which alphabet a text is sent, and in how many parts.

    One character outside the GSM alphabet turns the whole text to UCS-2. No character is
    split between two parts.
    """
    encoding = _encoding(text)
    units = _units(text, encoding)
    if units <= ONE_SEGMENT.units(encoding):
        return Segments(encoding, 1, units)
    widths = [_width(character, encoding) for character in text]
    return Segments(encoding, _parts(widths, _PART[encoding]), units)


@lru_cache(maxsize=1_024)
def price_text(micros: int, currency: str) -> str:
    """Write a price as a consumer is told it: `3.00 EUR`."""
    return f"{micros_text(micros)} {currency}"


def render(template: str, values: Mapping[str, str], room: Room = ONE_SEGMENT) -> str:
    """Fill a template in, so that the text fits into `room`; never raises.

    Values come without line breaks and control characters. The argument gives way: it is
    written in the GSM alphabet if everything else is, and shortened to what is left. Should
    the rest alone be too long, which the catalogue refuses, its end is cut off. A
    placeholder without a value is left out.
    """
    others = tuple([one for one in values.items() if one[0] != "argument"])
    pieces, encoding = _but_the_argument(template, others)
    fixed, places = "".join(pieces), len(pieces) - 1
    argument = _tidy(values.get("argument", ""))
    if encoding == "gsm7" and _foreign(argument):
        argument = "".join(map(_gsm_form, argument))
    if places:
        left = max(0, room.units(encoding) - _units(fixed, encoding)) // places
        fixed = _cut(argument, encoding, left).rstrip().join(pieces)
    return _cut(fixed, encoding, room.units(encoding))


# What stands in a service's texts is the same for each of its messages; the argument is somebody's
# own words, and is not kept.
@lru_cache(maxsize=1_024)
def _but_the_argument(
    template: str, values: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, ...], Encoding]:
    """Fill in all but the argument: what stands around it, and the alphabet of all that."""
    tidy = {name: _tidy(value) for name, value in values}
    pieces = [_filled(piece, tidy) for piece in template.split("{argument}")]
    return tuple(pieces), _encoding("".join(pieces))


def _tidy(value: str) -> str:
    return " ".join(_without_controls(value).split())


def template_problems(template: str, allowed: Iterable[str]) -> list[str]:
    """Say what is wrong with a template by itself, where `allowed` names its placeholders."""
    known = {f"{{{name}}}" for name in allowed}
    strangers = [found for found in _BRACES.findall(template) if found not in known]
    problems = [
        f"{found} is no placeholder that may stand here; these may: {', '.join(sorted(known))}"
        for found in dict.fromkeys(strangers)
    ]
    if _without_controls(template) != template.replace("\n", " "):
        problems.append("holds a control or invisible character")
    if not is_seen(template):
        problems.append("must not be empty")
    elif not is_seen(template.replace("{argument}", "")):
        problems.append("shows nothing where a consumer sends no argument")
    return problems


def is_seen(text: str) -> bool:
    """Tell whether a text shows anything at all: a letter, digit, punctuation or symbol."""
    return any(unicodedata.category(c)[0] in "LNPS" and c not in _BLANK for c in text)


def overflow(text: str, room: Room = ONE_SEGMENT) -> str | None:
    """Say how a text is too long for `room`; None where it fits."""
    encoding = _encoding(text)
    units, most = _units(text, encoding), room.units(encoding)
    if units <= most:
        return None
    if encoding == "gsm7":
        return f"takes {units} characters, and one message holds {most}"
    foreign = "".join(dict.fromkeys(c for c in text if c not in _GSM))
    return f"takes {units} characters, and one message holds {most} because of {foreign!r}"


def _encoding(text: str) -> Encoding:
    return "ucs2" if _foreign(text) else "gsm7"


def _width(character: str, encoding: Encoding) -> int:
    if encoding == "gsm7":
        return 2 if character in _EXTENSION else 1
    return 2 if ord(character) > 0xFFFF else 1  # noqa: PLR2004 - the end of the basic plane


def _units(text: str, encoding: Encoding) -> int:
    # Nearly every text has no character of two units, and that is soon seen.
    if encoding == "gsm7" and not _of_two_septets(text):
        return len(text)
    return sum(_width(character, encoding) for character in text)


def _parts(widths: Iterable[int], room: int) -> int:
    parts, used = 1, 0
    for width in widths:
        if used + width > room:
            parts, used = parts + 1, 0
        used += width
    return parts


def _cut(text: str, encoding: Encoding, units: int) -> str:
    """Keep the beginning of a text that takes at most `units`."""
    if _units(text, encoding) <= units:
        return text
    used = 0
    for at, character in enumerate(text):
        used += _width(character, encoding)
        if used > units:
            return text[:at]
    return text


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Put values in, once: what looks like a placeholder within a value stays as it is."""

    def value(found: re.Match[str]) -> str:
        return values.get(found[1], "") if found[1] in _FILLED_IN else found[0]

    return _PLACEHOLDER.sub(value, template)


def _gsm_form(character: str) -> str:
    """Write a character in the GSM alphabet: itself, without its accent, or not at all."""
    if character in _GSM:
        return character
    plain = unicodedata.normalize("NFKD", character.translate(_IN_GSM))
    return "".join(c for c in plain if c in _GSM)


def _without_controls(text: str) -> str:
    """Put a space for each control character, and nothing for invisible or broken ones."""
    return text if text.isprintable() else "".join(map(_visible, text))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cc":
        return " "
    return "" if category in {"Cf", "Cs"} else character
