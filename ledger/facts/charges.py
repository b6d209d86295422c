"""Facts of a charge's life: authorized, then captured or released, unresolved in between.

Each carries all that it moves, where from and on whose terms, so that no fold ever joins or
looks a tariff up, and an old month replays to the same micro after prices have changed.
"""

from typing import Literal

from msgspec import Struct

from ledger.facts.base import Consumer, Fact, HexId, Leg, Operator, ShortCode, ShortId
from ledger.facts.catalogue import Category, Keyword
from ledger.money import Currency, Micros, Waterfall
from ledger.words import Instant, LocalDay

CaptureEvent = Literal["mo_received", "smsc_accepted", "delivered", "billed_flag", "operator_file"]
"""What makes a charge captured, set for each operator, code and leg."""

Acting = Literal["agent", "principal"]
"""Whether the aggregator sells in the merchant's name or in its own."""


ChargeRule = Literal[
    "price_above_ceiling",
    "no_operator_contract",
    "no_merchant_contract",
    "no_tax_rate",
    "no_capture_setting",
    "impossible_split",
    "not_passed_on_whole",
]
"""Why a charge was not authorized."""


class ChargeRef(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Whose charge it is, for what, and under which terms; the same on all its facts."""

    charge: HexId
    leg: Leg
    mo: HexId
    """The MO that was answered."""
    consumer: Consumer
    merchant: ShortId
    service: ShortId
    category: Category
    keyword: Keyword
    short_code: ShortCode
    operator: Operator
    tariff: ShortId
    tariff_version: HexId
    """The fact that set it."""
    operator_contract: HexId
    """The fact that agreed it."""
    merchant_contract: HexId
    """The fact that agreed it."""
    rules: HexId
    """The fact that adopted them."""
    acting: Acting


class ChargeAuthorized(Fact, frozen=True, kw_only=True, tag="charge_authorized.v1"):
    """A consumer may be charged once for this; pending, and beside the books until captured."""

    ref: ChargeRef
    amounts: Waterfall
    currency: Currency
    captures_on: CaptureEvent
    value_day: LocalDay
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The charge."""
        return self.ref.charge


class ChargeRefused(Fact, frozen=True, kw_only=True, tag="charge_refused.v1"):
    """A charge was not authorized, and this rule is why."""

    charge: HexId
    leg: Leg
    mo: HexId
    consumer: Consumer
    merchant: ShortId
    service: ShortId
    category: Category
    keyword: Keyword
    short_code: ShortCode
    operator: Operator
    tariff: ShortId
    tariff_version: HexId
    rules: HexId
    rule: ChargeRule
    amount: Micros
    limit: Micros | None = None
    currency: Currency
    value_day: LocalDay
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The charge that was not made."""
        return self.charge


class ChargeCaptured(Fact, frozen=True, kw_only=True, tag="charge_captured.v1"):
    """The consumer was billed, so the operator owes us and the merchant has earned."""

    ref: ChargeRef
    amounts: Waterfall
    currency: Currency
    mt: HexId | None = None
    """The message whose receipt captured it, where one did."""
    authorized_day: LocalDay
    """The authorization's `value_day`, so that a fold can take it out of where it stood."""
    was: Literal["authorized", "unresolved", "released"]
    """The state that the charge left."""
    value_day: LocalDay
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The charge."""
        return self.ref.charge

    @property
    def late(self) -> bool:
        """Whether it had been released before."""
        return self.was == "released"


class ChargeUnresolved(Fact, frozen=True, kw_only=True, tag="charge_unresolved.v1"):
    """Nobody said in time what became of it: still pending, never earned, until known."""

    ref: ChargeRef
    amounts: Waterfall
    currency: Currency
    authorized_day: LocalDay
    """The authorization's `value_day`."""
    was: Literal["authorized"] = "authorized"
    """The state that the charge left: nothing else grows old without an answer."""
    value_day: LocalDay
    occurred_at: Instant
    """When the delay for an answer ran out."""

    @property
    def subject(self) -> str:
        """The charge."""
        return self.ref.charge


class ChargeReleased(Fact, frozen=True, kw_only=True, tag="charge_released.v1"):
    """The consumer was not billed; a later receipt may still say otherwise."""

    ref: ChargeRef
    amounts: Waterfall
    currency: Currency
    mt: HexId | None = None
    reason: Literal["failed", "rejected", "not_billed"]
    authorized_day: LocalDay
    """The authorization's `value_day`, so that a fold can take it out of where it stood."""
    was: Literal["authorized", "unresolved"]
    """The state that the charge left."""
    value_day: LocalDay
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The charge."""
        return self.ref.charge
