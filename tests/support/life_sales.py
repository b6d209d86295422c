"""Who writes, what may be written, and what it sells there: told by hand, not from the catalogue.

Of 3.00, tax of 20 % is 0.50; Orange and SFR owe half of the 2.50 that are left, and of that 1.25
a merchant gets four fifths.
"""

from typing import Literal, NamedTuple

from tests.support.builders import (
    CHEAP,
    DONATION,
    ON_ACCEPTED,
    ON_DELIVERED,
    ON_FILE,
    ON_FLAG,
    UNKNOWN_CODE,
)


class Who(NamedTuple):
    """A sender and its link; `test` if it is a number that only tests."""

    sender: str
    smsc: str
    test: bool = False

    def consumer(self, code: str) -> tuple[str, str]:
        """Name the consumer: an alias holds for a group of codes, an unknown code being its own."""
        groups = {DONATION: "donations", UNKNOWN_CODE: UNKNOWN_CODE}
        return self.sender, groups.get(code, "others")


class Sale(NamedTuple):
    """What is sold, by whom, and how its price divides, in micros."""

    service: str | None
    merchant: str | None
    price: int
    tax: int
    operator: int
    ours: int
    theirs: int

    @property
    def reversement(self) -> int:
        """What the operator owes of it."""
        return self.ours + self.theirs


class Offer(NamedTuple):
    """What a text on a code asks for."""

    kind: Literal["stop", "contact", "unknown_code", "words"]
    service: str | None = None
    sale: Sale | None = None
    """None where nothing may be charged for it."""
    captures_on: str = "delivered"


OPERATORS = {
    "orange": "20801",
    "sfr": "20810",
    "free": "20815",
    "bouygues": "20820",
    "proximus": "20601",
}
PEOPLE = (
    Who("alias-1", "orange"),
    Who("alias-2", "orange"),
    Who("alias-3", "sfr"),
    Who("alias-4", "free"),
    Who("alias-5", "bouygues"),
    Who("alias-6", "orange", test=True),
)
"""Nothing is agreed with Free, and for Bouygues nothing says what captures."""
CODES = (ON_DELIVERED, ON_ACCEPTED, ON_FLAG, ON_FILE, CHEAP, DONATION, UNKNOWN_CODE)
TEXTS = (
    *(
        "JEU 42",
        "JEU 42",
        "JEU 42",
        "JEU 42",
        "JEU 42",
        "JEU PLUS ROUGE",
        "VOTE 1",
        "DON",
        "GRATUIT",
        "CHER",
        "AVIDE",
        "NEUF",
    ),
    *("PRESSE", "FUTUR", "ZUT", "", "STOP", "STOP JEU", "JEU STOP", "STOP VOTE", "CONTACT"),
)

_CAPTURES_ON = {ON_ACCEPTED: "smsc_accepted", ON_FLAG: "billed_flag", ON_FILE: "operator_file"}
_THREE = (3_000_000, 500_000, 1_250_000, 250_000, 1_000_000)
# Of 0.05, 0.008333 are tax and 0.020833 the operator's; the last two micros go to the larger
# remainders, which are ours and the merchant's.
_CHEAP = (50_000, 8_333, 20_833, 4_167, 16_667)
_GIFT = (5_000_000, 0, 0, 0, 5_000_000)
NOBODYS = Sale(None, None, 3_000_000, 500_000, 1_250_000, 1_250_000, 0)
"""3.00 that an operator billed although nobody sold anything."""
_SERVICES = {
    "JEU": ("quiz", "ludotel"),
    "JEU PLUS": ("tournoi", "ludotel"),
    "GRATUIT": ("quiz", "ludotel"),
    "CHER": ("quiz", "ludotel"),
    "VOTE": ("vote", "voxpop"),
    "AVIDE": ("avide", "glouton"),
    "NEUF": ("sansbail", "neuf"),
    "PRESSE": ("presse", "ludotel"),
}
_STOPS = {"STOP": None, "STOP JEU": "quiz", "JEU STOP": "quiz", "STOP VOTE": "vote"}
_NEVER_CHARGED = {"AVIDE", "NEUF", "PRESSE"}
"""It wants more than there is; nothing is agreed with it; no tax rate is known for it."""


def offered(who: Who, code: str, text: str) -> Offer:
    """Tell what a text asks for, on the code and from the operator that it comes by."""
    if code == UNKNOWN_CODE:
        return Offer("stop" if text.startswith("STOP") else "unknown_code")
    if text in _STOPS:
        return Offer("stop", _STOPS[text])
    if text == "CONTACT":
        return Offer("contact")
    words = "JEU PLUS" if text.startswith("JEU PLUS") else text.partition(" ")[0]
    if words == "DON" and code == DONATION:
        return Offer("words", "don", Sale("don", "croix", *_GIFT))
    service, merchant = _SERVICES.get(words, (None, None))
    parts = _parts(who, code, words)
    sale = Sale(service, merchant, *parts) if parts and service else None
    return Offer("words", service, sale, captures_on(code))


def captures_on(code: str) -> str:
    """Tell what captures a charge on a code."""
    return _CAPTURES_ON.get(code, "delivered")


def _parts(who: Who, code: str, words: str) -> tuple[int, int, int, int, int] | None:
    """Divide the price of a code, where it may be charged; a keyword may have its own price."""
    if who.smsc in {"free", "bouygues"} or words in _NEVER_CHARGED or code == DONATION:
        return None
    if code == ON_DELIVERED and words in {"GRATUIT", "CHER"}:
        return None  # It costs nothing; it costs more than 4.50.
    return _CHEAP if code == CHEAP else _THREE
