"""Texts of rule packs and settings for tests, and short ways to load, edit and refuse them."""

from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

from ledger.rules.inforce import Rules
from ledger.rules.pack import RulePackInvalid, load_pack, parse_pack
from ledger.rules.resolve import RuleBook, resolve
from ledger.rules.settings import Settings, load_settings, parse_settings

FR = resources.files("ledger.rules").joinpath("fr.toml").read_text(encoding="utf-8")
BELGIAN_SETTINGS = Path(__file__).parents[2] / "settings" / "be.toml"
"""The settings of the demonstration's Belgian book."""

# Another country, unlike France on nearly every line, whose rules change on 1 July 2026.
OTHER = """\
country = "be"
name = "Elsewhere"
currency = "EUR"
zone = "Europe/Brussels"

[[consumer]]
named_by = "msisdn"
scope = "book"
from = "unknown"
source = "a text"
confidence = "primary"

[[billing]]
point = "mt"
from = 2020-01-01
until = 2026-07-01
source = "an old text"
confidence = "primary"

[[billing]]
point = "both"
from = 2026-07-01
source = "a new text"
confidence = "secondary"

[[price]]
codes = "*"
attaches_to = "short_code_and_keyword"
from = "unknown"
source = "a text"
confidence = "primary"

[[code_range]]
codes = "3xxx"
meaning = "general"
floor = "0"
ceiling = "4.00"
from = "unknown"
until = 2026-07-01
source = "a text"
confidence = "primary"

[[code_range]]
codes = "3xxx"
meaning = "general"
floor = "0"
ceiling = "5.00"
from = 2026-07-01
source = "a newer text"
confidence = "primary"

[[subscription]]
allowed = true
from = "unknown"
source = "a text"
confidence = "primary"

[[service_word]]
kind = "stop"
spellings = ["STOP", "TSOP"]
mandatory = true
from = "unknown"
source = "a text"
confidence = "primary"

[[stop]]
bare = "code"
with_keyword = "service"
from = "unknown"
source = "a text"
confidence = "primary"

[[silence]]
ends = ["subscriptions"]
confirmations = 1
from = "unknown"
source = "a text"
confidence = "primary"

[[retention]]
data = "accounts"
n = 10
unit = "year"
counted_from = "the entry"
from = "unknown"
source = "a text"
confidence = "primary"

[[tax]]
category = "content"
percent = "5.5"
from = "unknown"
source = "a text"
confidence = "memory"

[[segment]]
gsm7_characters = 160
ucs2_characters = 70
charged_segments = 1
from = "unknown"
source = "a text"
confidence = "primary"
"""

SETTINGS = """\
pack = "fr"
legal_entity = "Example SAS"
log_origin = "log.example/fr"
acting = "agent"
free_billing_code = "FREE"
unresolved_after_hours = 72
keyword_rest_days = 90
clock_tolerance_seconds = 900
solicitation_limit_without_return = 2
solicitation_reservation_minutes = 60
spending_caps = []
capture = [
    { operator = "20801", code = "*", leg = "mt", on = "delivered" },
    { operator = "20801", code = "81212", leg = "mt", on = "billed_flag" },
    { operator = "20810", code = "81212", leg = "mt", on = "operator_file" },
]

[subscriptions]
confirm_within_hours = 24
retry_after_hours = 12
attempts = 3
unpaid_cycles = 3
"""

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""An instant like any other."""


def settings_for(pack: str) -> Settings:
    """Give settings that follow a pack."""
    return parse_settings(SETTINGS.replace('"fr"', f'"{pack}"').encode(), "settings")


def french(at: datetime = NOON) -> Rules:
    """Give the French rules in force."""
    return resolve(load_pack("fr"), settings_for("fr"), at)


def belgian(at: datetime = NOON) -> Rules:
    """Give the Belgian rules in force."""
    return resolve(load_pack("be"), load_settings(BELGIAN_SETTINGS), at)


def british(at: datetime = NOON) -> Rules:
    """Give the rules in force in the United Kingdom."""
    return resolve(load_pack("gb"), settings_for("gb"), at)


def book_of(country: str) -> RuleBook:
    """Give a country's pack with settings that follow it."""
    return RuleBook(load_pack(country), settings_for(country))


def other(at: datetime) -> Rules:
    """Give the other country's rules in force."""
    return resolve(parse_pack(OTHER.encode(), "be.toml"), settings_for("be"), at)


def edited(text: str, *edits: tuple[str, str]) -> str:
    """Replace the first place where each `old` stands, which must be there."""
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def line_of(text: str, wanted: str) -> int:
    """Count lines up to the first that reads `wanted`."""
    return text.splitlines().index(wanted) + 1


def refusal(text: str) -> RulePackInvalid:
    """Give what a wrong pack is refused with."""
    with pytest.raises(RulePackInvalid) as raised:
        parse_pack(text.encode(), "x.toml")
    return raised.value


def told(text: str) -> list[tuple[int, str, str]]:
    """Give the problems of a wrong pack: line, place, text."""
    return [tuple(problem) for problem in refusal(text).problems]
