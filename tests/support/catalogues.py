"""A small catalogue as text, and short ways to change it, to record it and to be refused."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from api.catalogue_file import CatalogueFileInvalid, read_catalogue
from ledger.catalogue import Catalogue
from ledger.decisions.catalogue import (
    CatalogueRefused,
    Circumstances,
    Requested,
    RulesAt,
    change,
)
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.book import BookOpened
from ledger.facts.registry import REGISTRY, Origin
from ledger.log.rows import StoredRow
from ledger.rules.inforce import Rules
from ledger.rules.inforce import Subscriptions as SubscriptionTerms
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import parse_settings
from tests.support.packs import SETTINGS

HEAD = """\
book = "fr"
effective_from = 2026-03-01
"""

# A code that merchants share, at two operators, and one that is dedicated.
SMALL = (
    HEAD
    + """\
[[gateways]]
gateway = "kannel"
smscs = { one = "20801", two = "20810" }
recycles_ids = false
repeat_horizon_days = 7
clock_tolerance_seconds = 300

[[merchants]]
merchant = "ludo"
name = "Ludo SAS"

[[merchants]]
merchant = "astro"
name = "Astro SARL"

[[codes]]
code = "81014"
operators = ["20801", "20810"]
alias_group = "shared"
publisher = "Kiosque"
desk = "0199001014"
error_text = "Inconnu au {code}. Gratuit."
stop_text = "STOP au {code}."
contact_text = "Service du {code} edite par {publisher}, {desk}."

[[codes]]
code = "72100"
operators = ["20801"]
alias_group = "ludo"
dedicated_to = "ludo"
publisher = "Ludo"
desk = "0199002100"
error_text = "Inconnu au {code}. Gratuit."
stop_text = "STOP au {code}."
contact_text = "Service du {code} edite par {publisher}, {desk}."

[[services]]
service = "quiz"
merchant = "ludo"
name = "Quiz"
category = "content"
reply_text = "Quiz : {argument} ({price})"
publisher = "Ludo"
desk = "0199002100"

[[services]]
service = "stars"
merchant = "astro"
name = "Stars"
category = "content"
reply_text = "Astro : {argument} ({price})"
publisher = "Astro"
desk = "0199008181"

[[keywords]]
code = "81014"
keyword = "JEU"
service = "quiz"
merchant = "ludo"

[[keywords]]
code = "81014"
keyword = "ASTRO"
service = "stars"
merchant = "astro"

[[keywords]]
code = "72100"
keyword = "LOGO"
service = "quiz"
merchant = "ludo"

[[tariffs]]
tariff = "t-300"
code = "81014"
price = "3.00"
currency = "EUR"
billing_code = "P300"

[[tariffs]]
tariff = "t-050"
code = "72100"
price = "0.50"
currency = "EUR"
billing_code = "P050"

[[operator_contracts]]
contract = "one"
operator = "20801"
share = "50 %"
of = "price_net_of_tax"

[[operator_contracts]]
contract = "two"
operator = "20810"
share = "52 %"
of = "price_net_of_tax"

[[merchant_contracts]]
contract = "ludo"
merchant = "ludo"
share = "80 %"
of = "reversement"

[[merchant_contracts]]
contract = "astro"
merchant = "astro"
share = "80 %"
of = "reversement"
"""
)

OPENED = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 15, 10, tzinfo=UTC)
_CAPTURE_TWO = '    { operator = "20810", code = "*", leg = "mt", on = "delivered" },\n'
RULES = RuleBook(
    load_pack("fr"),
    parse_settings(SETTINGS.replace("capture = [\n", "capture = [\n" + _CAPTURE_TWO).encode(), "s"),
)


def empty_book(currency: str = "EUR") -> Catalogue:
    """Give the catalogue of a book that was opened, and nothing more."""
    fact = BookOpened(
        book="fr",
        jurisdiction="FR",
        legal_entity="Example SAS",
        currency=currency,
        zone="Europe/Paris",
        log_origin="log.example/fr",
        pseudonym_scheme="hmac-sha256",
        occurred_at=OPENED,
    )
    return Catalogue().advance([Recorded("fr", 1, OPENED, "0" * 32, None, None, "t", None, fact)])


def requests(text: str | bytes) -> list[Requested]:
    """Read a catalogue's text."""
    raw = text if isinstance(text, bytes) else text.encode()
    return read_catalogue(raw, "catalogue.toml", "fr", "Europe/Paris")


def wanted(
    text: str,
    known: Catalogue,
    *,
    has_traffic: bool = False,
    now: datetime = NOW,
    rules_at: RulesAt = RULES.at,
) -> list[Draft]:
    """Decide on a text against what is known."""
    return change(requests(text), known, Circumstances(rules_at, has_traffic, now))


def rules_with(codes: str = "8xxxx", **changed: object) -> RulesAt:
    """Give rules in which a range of codes is another one, where messages are captured too.

    A subscription is confirmed by OK.

    Each of `changed` is a field of the range; `mo_charge` and `tax_rates` are the rules' own.
    """
    own = {name: changed.pop(name) for name in ("mo_charge", "tax_rates") if name in changed}

    def at(moment: datetime) -> Rules:
        rules = RULES.at(moment)
        ranges = tuple(
            replace(one, **changed) if one.codes == codes else one for one in rules.code_ranges
        )
        terms = SubscriptionTerms(
            steps=("mo", "confirming_mo"),
            confirm_within_seconds=3600,
            retry_after_seconds=3600,
            attempts=2,
            unpaid_cycles=2,
        )
        both = {(operator, "*", "mo"): "mo_received" for operator in ("20801", "20810")}
        captures = {**rules.capture_rules, **both}
        words = {**rules.service_words, "OK": "confirm"}
        found = replace(rules, code_ranges=ranges, subscriptions=terms, capture_rules=captures)
        return replace(found, service_words=words, **own)

    return at


def recorded(drafts: list[Draft], known: Catalogue) -> Catalogue:
    """Write drafts into rows and read them back as the next facts of the book."""
    rows = [REGISTRY.encode(draft, Origin("fr", "test")) for draft in drafts]
    facts = [
        REGISTRY.decode(row)._replace(position=known.position + 1 + at)
        for at, row in enumerate(rows)
    ]
    return known.advance(facts)


def after(*texts: str, rules_at: RulesAt = RULES.at) -> Catalogue:
    """Give the catalogue after texts were recorded one by one."""
    known = empty_book()
    for text in texts:
        known = recorded(wanted(text, known, rules_at=rules_at), known)
    return known


def told(text: str, known: Catalogue | None = None, **how: object) -> list[tuple[str, str]]:
    """Give the problems of a text that is refused: place without its line, and text."""
    with pytest.raises(CatalogueRefused) as raised:
        wanted(text, known or empty_book(), **how)  # pyright: ignore[reportArgumentType]
    return [(place.rpartition(": ")[2], what) for place, what in raised.value.problems]


def misread(text: str | bytes) -> list[tuple[int, str, str]]:
    """Give the problems of a file that cannot be read: line, place, text."""
    with pytest.raises(CatalogueFileInvalid) as raised:
        requests(text)
    return [tuple(problem) for problem in raised.value.problems]


def keyword(word: str, merchant: str, since: str = "2026-07-01", code: str = "81014") -> str:
    """Write an assignment of a keyword to the merchant's only service."""
    service = {"ludo": "quiz", "astro": "stars"}[merchant]
    return (
        f'[[keywords]]\ncode = "{code}"\nkeyword = "{word}"\nservice = "{service}"\n'
        f'merchant = "{merchant}"\neffective_from = {since}\n'
    )


def withdrawal(word: str, since: str) -> str:
    """Write a withdrawal of a keyword on the shared code."""
    return f'[[withdrawn_keywords]]\ncode = "81014"\nkeyword = "{word}"\neffective_from = {since}\n'


def contract(kind: str, fields: str, since: str = "2026-07-01") -> str:
    """Write a contract of 80 % of the reversement, unless `fields` end otherwise."""
    share = "" if "share" in fields or "amount" in fields else 'share = "80 %"\nof = "reversement"'
    return f"[[{kind}_contracts]]\n{fields}\n{share}\neffective_from = {since}\n"


def as_stored(facts: Iterable[Fact], first: int = 1) -> list[Recorded]:
    """Put facts into a book in order, from a position on."""
    found = []
    for place, fact in enumerate(facts, first):
        row = REGISTRY.encode(Draft(fact, n=place), Origin("fr", "test"))
        found.append(REGISTRY.decode(StoredRow("fr", place, NOW, *row)))
    return found


def folded(*facts: Fact) -> Catalogue:
    """Fold facts into a catalogue."""
    return Catalogue().advance(as_stored(facts))
