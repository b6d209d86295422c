"""What the simulated market sells: codes, merchants, services and contracts, all FICTIONAL.

Plain data that two readers share: the catalogue file which the ledger loads, and the model which
works out by itself what must come of it. Amounts are micros, shares hundredths of a percent.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

EURO = 1_000_000


class Share(NamedTuple):
    """A part of a charge: hundredths of a percent of a base, or micros net of tax a message."""

    of: Literal["net", "reversement", "fixed"]
    amount: int


class Operator(NamedTuple):
    """A network, the link to it, and what it owes us of a price net of tax."""

    operator: str
    link: str
    share: Share


class Code(NamedTuple):
    """Where consumers write, and what message and answer cost there."""

    code: str
    group: str
    """Whose aliases are the same, where consumers are named by aliases."""
    price: int
    mo_price: int
    dedicated_to: str | None = None
    bills_messages: bool = False
    """Whether operators charge the consumer's own message here, where it has a price."""

    @property
    def tariff(self) -> str:
        """What its price is called."""
        return f"tariff-{self.code}"


class Every(NamedTuple):
    """How far apart the cycles of a subscription are."""

    n: int
    unit: Literal["day", "week", "month"]


class Service(NamedTuple):
    """What a merchant sells on one code, the most popular of a shop first."""

    service: str
    merchant: str
    code: Code
    keywords: tuple[str, ...]
    category: Literal["content", "donation"] = "content"
    choices: tuple[str, ...] = ()
    window_seconds: int = 0
    every: Every | None = None


class Merchant(NamedTuple):
    """Who sells, and for which part of it."""

    merchant: str
    share: Share


class Shop(NamedTuple):
    """One book's whole offer."""

    book: str
    gateway: str
    other_gateway: str
    """Declared as well, and nobody's messages go out by it."""
    zone: str
    operators: tuple[Operator, ...]
    codes: tuple[Code, ...]
    merchants: tuple[Merchant, ...]
    services: tuple[Service, ...]
    particular: Mapping[tuple[str, str], Share]
    """By operator and tariff, what goes before the operator's own share."""
    unknown_code: str
    """Where nobody sells anything."""
    confirms: str
    """The word that agrees to an offer; empty where there are none."""

    def on(self, code: str) -> tuple[Service, ...]:
        """Give what is sold on a code."""
        return tuple(one for one in self.services if one.code.code == code)


SYLLABLES = ("BA", "DO", "FI", "GU", "KE", "LA", "MI", "NO", "PU", "RE", "SA", "TI", "VO", "ZE")


def word(number: int) -> str:
    """Make up a keyword: the same number, the same word, and another for each."""
    first, second = divmod(number, len(SYLLABLES))
    return SYLLABLES[second] + SYLLABLES[first % len(SYLLABLES)] + "XYZW"[number % 4]


def merchants(count: int) -> list[Merchant]:
    """Make up merchants, each with terms of its own."""
    return [Merchant(f"m{number:02}", _terms(number)) for number in range(1, count + 1)]


def _terms(number: int) -> Share:
    """Vary the base and the height of a share, always within what the least operator owes."""
    if number % 3:
        return Share("reversement", 7_000 + 137 * (number % 17))
    return Share("net", 3_000 + 111 * (number % 11))


def spread(names: list[Merchant], codes: tuple[Code, ...], count: int) -> list[Service]:
    """Spread services over merchants and shared codes, so that popular ones are on each."""
    return [
        Service(
            service=f"s{number:02}",
            merchant=names[number % len(names)].merchant,
            code=codes[number % len(codes)],
            keywords=(word(number),),
        )
        for number in range(count)
    ]


FRENCH_OPERATORS = (
    Operator("20801", "orange", Share("net", 5_000)),
    Operator("20810", "sfr", Share("net", 5_200)),
    Operator("20815", "free", Share("net", 5_125)),
    Operator("20820", "bouygues", Share("net", 4_833)),
)


def _french() -> Shop:
    vote = Code("41234", "tele", 50_000, 0, dedicated_to="tele")
    gift = Code("92777", "gift", 20 * EURO, 0, dedicated_to="gift")
    chat = Code("61035", "chat", 350_000, 0, dedicated_to="m01")
    shared = (
        Code("72050", "kiosk-0", 500_000, 0),
        Code("81100", "kiosk-3", 1 * EURO, 0),
        Code("81014", "kiosk-3", 3 * EURO, 0),
        Code("82020", "kiosk-2", 2 * EURO, 0),
        Code("84500", "kiosk-3", 4_500_000, 0),
    )
    sellers = merchants(48)
    services = [
        Service("vote", "tele", vote, ("VOTE",), choices=("1", "2", "3", "4")),
        Service("final", "tele", vote, ("VOTE FINALE",), choices=("1", "2")),
        Service("chat", "m01", chat, ("CHAT", "TCHAT")),
        *spread(sellers, shared, 65),
        Service("gift", "gift", gift, ("DON",), category="donation"),
    ]
    return Shop(
        book="fr",
        gateway="market-fr",
        other_gateway="market-fr-2",
        zone="Europe/Paris",
        operators=FRENCH_OPERATORS,
        codes=(vote, gift, chat, *shared),
        merchants=(
            Merchant("tele", Share("reversement", 8_000)),
            Merchant("gift", Share("reversement", 10_000)),
            *sellers,
        ),
        services=tuple(services),
        particular={
            ("20820", shared[2].tariff): Share("fixed", 1_150_000),
            **{(one.operator, gift.tariff): Share("net", 10_000) for one in FRENCH_OPERATORS},
        },
        unknown_code="80999",
        confirms="",
    )


def _belgian() -> Shop:
    quiz = Code("3030", "all", 2 * EURO, 1 * EURO, bills_messages=True)
    rings = Code("6070", "all", 1 * EURO, 500_000, bills_messages=True)
    votes = Code("2121", "all", 0, 500_000, bills_messages=True)
    dear = Code("4040", "all", 30 * EURO, 1 * EURO, bills_messages=True)
    weekly, daily = Code("9050", "all", 2 * EURO, 0), Code("9060", "all", 500_000, 0)
    free = Code("8123", "all", 0, 0)
    sellers = [one for one in merchants(24) if one.merchant != "m24"]
    services = [
        Service("poll", "m02", votes, ("STEM", "VOTE"), choices=("1", "2", "3")),
        Service("quiz", "m01", quiz, ("KWIS", "QUIZ"), window_seconds=10),
        *spread(sellers, (rings, quiz), 30),
        Service("stars", "m03", weekly, ("ASTRO",), every=Every(1, "week")),
        Service("tips", "m04", daily, ("TIP",), every=Every(1, "day")),
        Service("club", "m05", weekly, ("CLUB",), every=Every(1, "month")),
        Service("prize", "m24", dear, ("PRIJS",)),
        Service("info", "m01", free, ("INFO",)),
    ]
    return Shop(
        book="be",
        gateway="market-be",
        other_gateway="market-be-2",
        zone="Europe/Brussels",
        operators=(
            Operator("20601", "proximus", Share("net", 6_000)),
            Operator("20610", "orange", Share("net", 5_800)),
            Operator("20620", "base", Share("net", 5_517)),
        ),
        codes=(quiz, rings, votes, dear, weekly, daily, free),
        merchants=(*sellers, Merchant("m24", Share("fixed", 210_000))),
        services=tuple(services),
        particular={("20620", rings.tariff): Share("fixed", 360_000)},
        unknown_code="3999",
        confirms="OK",
    )


SHOPS: Mapping[str, Shop] = {"fr": _french(), "be": _belgian()}
"""By book."""
