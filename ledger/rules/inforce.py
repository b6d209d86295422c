"""The rules in force at an instant, resolved for decisions: plain data, no country's name.

Decisions import this module and nothing else of the package: what they are given here
depends on no file.
"""

from collections.abc import Mapping
from datetime import time
from typing import Literal

from msgspec import Struct

from ledger.facts.base import Leg
from ledger.facts.charges import Acting, CaptureEvent
from ledger.facts.subscriptions import ConsentStep
from ledger.money import Rate, Waterfall
from ledger.rules.codes import covers
from ledger.spans import Window

ANY_CODE = "*"
"""In a capture rule: every code of the operator that has no rule of its own."""

Attachment = Literal["short_code", "short_code_and_keyword"]
BillingPoint = Literal["mo", "mt", "both"]
ConsumerKind = Literal["alias", "msisdn"]
ConsumerScope = Literal["operator_and_alias_group", "book"]
ServiceWord = Literal["stop", "contact", "confirm"]
Keeper = Literal["operator", "aggregator"]
StopScope = Literal["service", "code", "consumer"]
Stopped = Literal["replies", "solicitations", "subscriptions"]
CeilingOn = Literal["each_leg", "legs_together"]
"""Whether a ceiling bounds each message by itself, or a message and its answer together."""
Subscribing = Literal["allowed", "only", "none"]
"""Whether subscriptions may be sold on a code, may alone be sold there, or may not."""
FreeCase = Literal["unmatched", "repeated", "stop", "service_word"]
"""A consumer's message that the country's operators do not charge, where they charge others."""
CountedPer = Literal["consumer", "consumer_and_merchant", "consumer_and_service"]
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
    ceiling_on: CeilingOn
    billing_point: BillingPoint
    """Both: each leg may have a price of its own, and none has to."""
    subscriptions: Subscribing
    price_attaches_to: Attachment
    tax_category: str | None
    """The only category that may be sold there; none named allows any."""


class StopEffect(Struct, frozen=True, kw_only=True):
    """What STOP ends, alone and with a keyword, and how many free messages confirm it."""

    bare: StopScope
    with_keyword: StopScope
    ends: tuple[Stopped, ...]
    confirmations: int


class MoCharge(Struct, frozen=True, kw_only=True):
    """How a consumer's own message is charged where the operator charges it."""

    taxed_as: str
    """The tax category of a message that nobody sold."""
    free: frozenset[FreeCase]


class Cap(Struct, frozen=True, kw_only=True):
    """The most that may be charged within a window, in micros, as far as this ledger knows."""

    name: str
    amount: int
    window: Window
    counted_per: CountedPer
    codes: str | None = None
    """The only range where it counts; none named means every code."""


class Notice(Struct, frozen=True, kw_only=True):
    """The spending on one service, in micros, at each multiple of which the price is told again."""

    name: str
    every: int


class Solicitations(Struct, frozen=True, kw_only=True):
    """When a past buyer may be invited to buy again, on this local day."""

    charter: str
    open_today: bool
    opens: time
    """The first permitted local time of the day."""
    closes: time
    """The first one that is no longer permitted."""
    after_purchase: bool
    """Whether only somebody who paid this merchant before may be invited."""
    limit_without_return: int
    reserved_seconds: int
    """For how long an allowance lasts that is not used."""


class Subscriptions(Struct, frozen=True, kw_only=True):
    """How subscriptions are confirmed, tried again and given up."""

    steps: tuple[ConsentStep, ...]
    """What a consumer must have done, in order."""
    confirm_within_seconds: int
    retry_after_seconds: int
    """How long after a failed attempt the same cycle is tried again."""
    attempts: int
    """How often at most within one cycle."""
    unpaid_cycles: int
    """After how many cycles in a row without money the subscription ends."""


class Rules(Struct, frozen=True, kw_only=True):
    """Everything that a decision of this book needs to know of pack and settings."""

    pack_sha256: str
    settings_sha256: str
    currency: str
    zone: str
    consumer_kind: ConsumerKind
    consumer_scope: ConsumerScope
    code_ranges: tuple[CodeRange, ...]
    """The narrower of two nested ranges comes first."""
    mo_charge: MoCharge | None
    """None where no operator charges a consumer's own message."""
    caps: tuple[Cap, ...]
    notices: tuple[Notice, ...]
    subscriptions: Subscriptions | None
    """None where the country has none."""
    solicitations: Solicitations | None
    """None where the pack names no charter: then nobody may be solicited."""
    alias_window_days: int | None
    """How long after a paid transaction an alias can still be reached; none where always."""
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
        for one in self.code_ranges:
            if covers(one.codes, code):
                return one
        return None

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
