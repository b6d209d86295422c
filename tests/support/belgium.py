"""A Belgian book for tests: numbers, both legs, and messages that cost something unmatched."""

from typing import Any

from ledger.commands.traffic import IncomingMo
from ledger.facts.base import Fact
from ledger.facts.book import GatewayDeclared
from ledger.facts.catalogue import MerchantRegistered
from ledger.money import FixedAmount
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from tests.support.book import Book, closed
from tests.support.builders import (
    OPENING,
    code,
    gateway,
    keyword,
    percent,
    service,
    tariff,
    with_merchant,
    with_operator,
)
from tests.support.packs import BELGIAN_SETTINGS

PROXIMUS, ORANGE_BE, BASE = "20601", "20610", "20620"
LINKS = {"proximus": PROXIMUS, "orange": ORANGE_BE, "base": BASE}
BOTH, MO_ONLY, SUBSCRIBED = "3014", "2014", "9014"
"""1.00 for the message and 2.00 for its answer; 0.50 for the message alone; subscriptions."""

BELGIAN = RuleBook(load_pack("be"), load_settings(BELGIAN_SETTINGS))


def be_mo(text: str = "JEU", **fields: Any) -> IncomingMo:  # noqa: ANN401 - fields of every type
    """Make a message of a consumer at Proximus to the code that charges both legs."""
    defaults = {
        "gateway": "kannel",
        "smsc": "proximus",
        "gateway_message_id": "m-1",
        "sender": "32470000001",
        "short_code": BOTH,
        "stated_at": None,
    }
    return IncomingMo(**{**defaults, "text": text, **fields})


def catalogue_be() -> list[Fact]:
    """Give a catalogue: Proximus owes 60 % of the net price, and Ludobel gets 0.40 of each."""
    codes = (BOTH, MO_ONLY, SUBSCRIBED)
    declared: GatewayDeclared = gateway("kannel", operators=LINKS)
    return [
        declared,
        MerchantRegistered(merchant="ludobel", name="Ludobel", effective_from=OPENING),
        *(with_operator(operator, percent(60, "price_net_of_tax")) for operator in LINKS.values()),
        with_merchant("ludobel", FixedAmount(400_000)),
        with_merchant(
            "ludobel", FixedAmount(200_000), contract="c-ludobel-mo", tariff=f"t-{MO_ONLY}"
        ),
        *(code(short, operator) for short in codes for operator in LINKS.values()),
        service("jeu", "ludobel"),
        *keyword("JEU", "jeu", "ludobel", on=BOTH),
        *keyword("JEU", "jeu", "ludobel", on=MO_ONLY),
        tariff(BOTH, 2_000_000, mo_price=1_000_000),
        tariff(MO_ONLY, 0, mo_price=500_000),
    ]


def belgian(*more: Fact, rules: RuleBook = BELGIAN) -> Book:
    """Open a Belgian book in memory."""
    book = closed(rules)
    book.open([*catalogue_be(), *more])
    return book
