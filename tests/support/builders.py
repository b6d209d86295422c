"""Messages, receipts and a catalogue, with defaults: a test names only what it is about."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from ledger.commands.traffic import IncomingMo, IncomingReceipt
from ledger.facts.base import Fact
from ledger.facts.book import GatewayDeclared
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    MerchantRegistered,
    ServiceDeclared,
    ShortCodeOpened,
    TariffSet,
)
from ledger.money import FixedAmount, Percentage, Rate

BOOK = "fr"
NOON = datetime(2026, 7, 10, 10, tzinfo=UTC)
"""Noon in Paris, on a day in summer."""
OPENING = datetime(2026, 1, 1, tzinfo=UTC)
"""When the whole catalogue below comes into force."""

ORANGE, SFR, FREE, BOUYGUES = "20801", "20810", "20815", "20820"
LINKS = {"orange": ORANGE, "sfr": SFR, "free": FREE, "bouygues": BOUYGUES}

ON_DELIVERED, ON_ACCEPTED, ON_FLAG, ON_FILE = "81014", "82014", "83014", "84014"
"""Codes of 3.00 that the settings below capture differently."""
CHEAP, DONATION, UNKNOWN_CODE = "40014", "92014", "89999"
CODES = (ON_DELIVERED, ON_ACCEPTED, ON_FLAG, ON_FILE, CHEAP, DONATION)

SETTINGS = """\
pack = "fr"
legal_entity = "Example SAS"
log_origin = "log.example/fr"
acting = "agent"
free_billing_code = "FREE"
unresolved_after_hours = 72
keyword_rest_days = 90
clock_tolerance_seconds = 600
solicitation_limit_without_return = 2
solicitation_reservation_minutes = 60
spending_caps = []
capture = [
    { operator = "20801", code = "*", leg = "mt", on = "delivered" },
    { operator = "20801", code = "82014", leg = "mt", on = "smsc_accepted" },
    { operator = "20801", code = "83014", leg = "mt", on = "billed_flag" },
    { operator = "20801", code = "84014", leg = "mt", on = "operator_file" },
    { operator = "20810", code = "*", leg = "mt", on = "delivered" },
    { operator = "20815", code = "*", leg = "mt", on = "delivered" },
]
"""
"""Nothing is set for 20820."""


def paris(text: str) -> datetime:
    """Read a local time such as `2026-07-31T23:59:50`; a final `+` means the second of two such."""
    local = datetime.fromisoformat(text.rstrip("+"))
    aware = local.replace(tzinfo=ZoneInfo("Europe/Paris"), fold=int(text.endswith("+")))
    return aware.astimezone(UTC)


def mo(text: str = "JEU 42", **fields: Any) -> IncomingMo:  # noqa: ANN401 - fields of every type
    """Make a message of a consumer at Orange to the code that is captured on delivery."""
    defaults = {
        "gateway": "kannel",
        "smsc": "orange",
        "gateway_message_id": "m-1",
        "sender": "alias-1",
        "short_code": ON_DELIVERED,
        "stated_at": None,
    }
    return IncomingMo(**{**defaults, "text": text, **fields})


def dlr(mt: str, outcome: str = "delivered", **fields: Any) -> IncomingReceipt:  # noqa: ANN401 - as above
    """Make a receipt that says nothing about billing."""
    defaults = {"gateway": "kannel", "billed": "unknown", "raw_status": "raw", "stated_at": None}
    return IncomingReceipt(**{**defaults, "mt": mt, "outcome": outcome, **fields})


def gateway(name: str, **fields: Any) -> GatewayDeclared:  # noqa: ANN401 - as above
    """Declare a gateway with a link to each operator."""
    defaults = {
        "operators": LINKS,
        "recycles_ids": False,
        "repeat_horizon_days": 7,
        "clock_tolerance_seconds": 600,
        "effective_from": OPENING,
    }
    return GatewayDeclared(gateway=name, **{**defaults, **fields})


def code(short_code: str, operator: str = ORANGE, **fields: Any) -> ShortCodeOpened:  # noqa: ANN401 - as above
    """Open a short code at an operator."""
    defaults = {
        "alias_group": "group-92" if short_code == DONATION else "group-a",
        "publisher": "Obole",
        "desk": "0800 000 000",
        "error_text": "Inconnu sur {code}",
        "stop_text": "Arret sur {code}",
        "contact_text": "Edite par {publisher}, {desk}",
        "effective_from": OPENING,
    }
    return ShortCodeOpened(short_code=short_code, operator=operator, **{**defaults, **fields})


def service(name: str, merchant: str = "ludotel", **fields: Any) -> ServiceDeclared:  # noqa: ANN401 - as above
    """Declare a service."""
    defaults = {
        "name": name.title(),
        "category": "content",
        "reply_text": "Merci pour {argument}, {price}",
        "publisher": merchant.title(),
        "desk": f"0800 {merchant}",
        "effective_from": OPENING,
    }
    return ServiceDeclared(service=name, merchant=merchant, **{**defaults, **fields})


def keyword(words: str, to: str, merchant: str = "ludotel", on: str = "") -> list[Fact]:
    """Assign a keyword, by default on every code."""
    return [
        KeywordAssigned(
            short_code=short_code,
            keyword=words,
            service=to,
            merchant=merchant,
            effective_from=OPENING,
        )
        for short_code in ([on] if on else CODES)
    ]


def tariff(short_code: str, price: int, words: str | None = None, **fields: Any) -> TariffSet:  # noqa: ANN401 - as above
    """Set the price of a code, or of one keyword on it."""
    name = f"t-{short_code}" + (f"-{words}" if words else "")
    defaults = {"currency": "EUR", "billing_code": f"P{price}", "effective_from": OPENING}
    return TariffSet(
        tariff=name, short_code=short_code, keyword=words, price=price, **{**defaults, **fields}
    )


def percent(rate: int, base: str) -> Percentage:
    """Take so many hundredths of a base."""
    return Percentage(Rate(rate, 100), base)


def with_operator(operator: str, share: Percentage | FixedAmount, **fields: Any) -> ContractAgreed:  # noqa: ANN401 - as above
    """Agree what an operator owes us."""
    return ContractAgreed(
        contract=f"c-{operator}-{fields.get('tariff', 'all')}",
        party="operator",
        operator=operator,
        share=share,
        **{"effective_from": OPENING, **fields},
    )


def with_merchant(merchant: str, share: Percentage | FixedAmount, **fields: Any) -> ContractAgreed:  # noqa: ANN401 - as above
    """Agree what we owe a merchant."""
    return ContractAgreed(
        party="merchant",
        merchant=merchant,
        share=share,
        **{"contract": f"c-{merchant}", "effective_from": OPENING, **fields},
    )


def catalogue() -> list[Fact]:
    """Give a catalogue in which each thing that may go wrong has a keyword of its own.

    Orange owes half the net price and Ludotel gets four fifths of that; Free has no contract,
    and for Bouygues nothing says what captures a charge.
    """
    half, most = percent(50, "price_net_of_tax"), percent(80, "reversement")
    merchants = ("ludotel", "voxpop", "croix", "glouton", "neuf")
    services = [
        service("quiz"),
        service("tournoi", choices=("ROUGE", "BLEU")),
        service("vote", "voxpop", choices=("1", "2", "PEUT ETRE"), reply_text="Vote {argument}"),
        service("don", "croix", category="donation", reply_text="Merci"),
        service("presse", category="press"),
        service("avide", "glouton"),
        service("sansbail", "neuf"),
        service("futur", effective_from=OPENING + timedelta(days=3650)),
    ]
    return [
        gateway("kannel"),
        gateway("recycler", recycles_ids=True),
        *(MerchantRegistered(merchant=m, name=m, effective_from=OPENING) for m in merchants),
        *(with_operator(operator, half) for operator in (ORANGE, SFR, BOUYGUES)),
        with_merchant("ludotel", most),
        with_merchant("voxpop", most),
        with_merchant("croix", percent(100, "reversement")),
        with_merchant("glouton", FixedAmount(9_000_000)),
        with_operator(ORANGE, percent(100, "price_with_tax"), tariff=f"t-{DONATION}"),
        *(code(short_code) for short_code in CODES),
        *(code(ON_DELIVERED, operator) for operator in (SFR, FREE, BOUYGUES)),
        *services,
        *keyword("JEU", "quiz"),
        *keyword("JEU PLUS", "tournoi"),
        *keyword("VOTE", "vote", "voxpop"),
        *keyword("DON", "don", "croix", on=DONATION),
        *keyword("PRESSE", "presse"),
        *keyword("AVIDE", "avide", "glouton"),
        *keyword("NEUF", "sansbail", "neuf"),
        *keyword("FUTUR", "futur"),
        *keyword("GRATUIT", "quiz"),
        *keyword("CHER", "quiz"),
        *(tariff(short_code, 3_000_000) for short_code in CODES[:4]),
        tariff(CHEAP, 50_000),
        tariff(DONATION, 5_000_000),
        tariff(ON_DELIVERED, 0, "GRATUIT"),
        tariff(ON_DELIVERED, 4_500_001, "CHER"),
    ]
