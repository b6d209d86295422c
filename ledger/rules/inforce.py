"""The rules in force at an instant, resolved for decisions: plain data, no country's name.

Decisions import this module and nothing else of the package: what they are given here
depends on no file.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from ledger.facts.base import Leg
from ledger.facts.charges import Acting, CaptureEvent
from ledger.money import Rate, Waterfall
from ledger.rules.codes import covers

ANY_CODE = "*"
"""In a capture rule: every code of the operator that has no rule of its own."""

Attachment = Literal["short_code", "short_code_and_keyword"]
BillingPoint = Literal["mo", "mt", "both"]
ConsumerKind = Literal["alias", "msisdn"]
ConsumerScope = Literal["operator_and_alias_group", "book"]
ServiceWord = Literal["stop", "contact"]
Keeper = Literal["operator", "aggregator"]
StopScope = Literal["service", "code", "consumer"]
Stopped = Literal["replies", "solicitations", "subscriptions"]
CaptureKey = tuple[str, str, Leg]
"""Operator, short code or `ANY_CODE`, and leg."""


class CaptureNotSet(LookupError):
    """The book's settings do not say what captures a charge here."""

    def __init__(self, operator: str, code: str, leg: Leg) -> None:
        super().__init__(f"nothing is set that captures the {leg} of {code} with {operator}")
        self.operator = operator
        self.code = code
        self.leg = leg


class TaxRateUnknown(LookupError):
    """The rule pack knows no rate for this category of service on this day."""

    def __init__(self, category: str) -> None:
        super().__init__(f"no tax rate is known for {category}")
        self.category = category


class CodeRange(Struct, frozen=True, kw_only=True):
    """What a range of codes may cost: micros, tax included, both ends allowed."""

    codes: str
    floor: int
    ceiling: int
    price_attaches_to: Attachment
    tax_category: str | None
    """The only category that may be sold there; none named allows any."""


class StopEffect(Struct, frozen=True, kw_only=True):
    """What STOP ends, alone and with a keyword, and how many free messages confirm it."""

    bare: StopScope
    with_keyword: StopScope
    ends: tuple[Stopped, ...]
    confirmations: int


class Rules(Struct, frozen=True, kw_only=True):
    """Everything that a decision of this book needs to know of pack and settings."""

    pack_sha256: str
    settings_sha256: str
    currency: str
    zone: str
    consumer_kind: ConsumerKind
    consumer_scope: ConsumerScope
    billing_point: BillingPoint
    code_ranges: tuple[CodeRange, ...]
    """The narrower of two nested ranges comes first."""
    subscriptions_allowed: bool
    service_words: Mapping[str, ServiceWord]
    """By spelling, as normalising leaves it: capitals, single spaces."""
    stop: StopEffect
    tax_rates: Mapping[str, Rate]
    passed_on_whole: frozenset[str]
    """The categories of which all but the tax goes to the merchant."""
    gsm7_characters: int
    ucs2_characters: int
    charged_segments: int
    acting: Acting
    free_billing_code: str
    capture_rules: Mapping[CaptureKey, CaptureEvent]
    unresolved_after_seconds: int
    keyword_rest_days: int
    clock_tolerance_seconds: int

    def range_of(self, code: str) -> CodeRange | None:
        """Give the narrowest range that a code lies in; none, and it can sell nothing."""
        return next((one for one in self.code_ranges if covers(one.codes, code)), None)

    def captures(self, operator: str, code: str, leg: Leg) -> CaptureEvent:
        """Say what captures a charge: the code's own rule, or else the operator's.

        Raises:
            CaptureNotSet: neither is set.
        """
        own = self.capture_rules.get((operator, code, leg))
        found = own or self.capture_rules.get((operator, ANY_CODE, leg))
        if found is None:
            raise CaptureNotSet(operator, code, leg)
        return found

    def withheld(self, category: str, amounts: Waterfall) -> dict[Keeper, int]:
        """Say who keeps how many micros of what should go to the merchant whole; empty if none."""
        if category not in self.passed_on_whole:
            return {}
        kept: dict[Keeper, int] = {"operator": amounts.operator, "aggregator": amounts.aggregator}
        return {keeper: micros for keeper, micros in kept.items() if micros}

    def tax_rate(self, category: str) -> Rate:
        """Give the tax on a category of service, as a fraction of the price net of it.

        Raises:
            TaxRateUnknown: no source gave one, so nothing of it may be sold.
        """
        rate = self.tax_rates.get(category)
        if rate is None:
            raise TaxRateUnknown(category)
        return rate
