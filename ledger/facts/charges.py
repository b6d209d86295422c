"""Facts of a charge's life: authorized, then captured or released, unresolved in between.

Each carries all that it moves, where from and on whose terms, so that no fold ever joins or
looks a tariff up, and an old month replays to the same micro after prices have changed.
"""

from typing import Literal

from msgspec import Struct

from ledger.facts.base import Consumer, Fact, HexId, Leg, Operator, ShortCode, ShortId
from ledger.facts.catalogue import Category, Keyword
from ledger.money import Currency, Micros, Price, Waterfall
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
    "spending_cap",
    "leg_not_charged_here",
    "subscriptions_only",
    "refused_elsewhere",
]
"""Why a charge was not authorized. Refused elsewhere: another platform decided it so."""


class ChargeRef(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Whose charge it is, for what, and under which terms; the same on all its facts."""

    charge: HexId
    leg: Leg
    mo: HexId | None = None
    """The MO that is charged or answered; none where a subscription's cycle is the cause."""
    subscription: HexId | None = None
    cycle: LocalDay | None = None
    """The day that the subscription's cycle began."""
    consumer: Consumer
    merchant: ShortId | None = None
    """None where an operator charged for what nobody sells: such a charge is unattributed."""
    service: ShortId | None = None
    category: Category
    keyword: Keyword | None = None
    short_code: ShortCode
    operator: Operator
    tariff: ShortId
    tariff_version: HexId
    """The fact that set it."""
    operator_contract: HexId
    """The fact that agreed it."""
    merchant_contract: HexId | None = None
    """The fact that agreed it."""
    rules: HexId
    """The fact that adopted them."""
    acting: Acting
    test: bool = False
    """From a test number: nobody earns it, and it is no part of any count."""


class ChargeAuthorized(Fact, frozen=True, kw_only=True, tag="charge_authorized.v1"):
    """A consumer may be charged once for this; pending, and beside the books until captured.

    An MO leg is charged by the operator, whatever we think of it: there this says what we expect.
    """

    ref: ChargeRef
    amounts: Waterfall
    currency: Currency
    captures_on: CaptureEvent
    was: Literal["new", "released"] = "new"
    """Released: another attempt at a charge whose message had failed."""
    released_day: LocalDay | None = None
    """The `value_day` of the authorization before, where there was one."""
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
    mo: HexId | None = None
    subscription: HexId | None = None
    cycle: LocalDay | None = None
    consumer: Consumer
    merchant: ShortId | None = None
    service: ShortId | None = None
    category: Category
    keyword: Keyword | None = None
    short_code: ShortCode
    operator: Operator
    tariff: ShortId
    tariff_version: HexId
    rules: HexId
    rule: ChargeRule
    amount: Micros
    limit: Micros | None = None
    cap: str | None = None
    """The spending cap that was reached, as the pack or the settings name it."""
    spent: Micros | None = None
    """What already counted towards that cap."""
    test: bool = False
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
    was: Literal["authorized", "unresolved", "released", "unauthorized"]
    """The state that the charge left. Unauthorized: it was billed although we never allowed it."""
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
    reason: Literal["failed", "rejected", "not_billed", "cancelled"]
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


BorneBy = Literal["merchant", "aggregator", "each_its_part"]
"""Who bears what is given back. Each its part: the operator reverses the charge as it was split."""


class ChargeRefunded(Fact, frozen=True, kw_only=True, tag="charge_refunded.v1"):
    """A consumer got back what they paid, or part of it.

    By the operator, on the bill: the whole price, and the operator takes back what it owed us.
    Directly, by us or the merchant: any part of the price, tax included, borne as agreed; what a
    merchant recorded by itself is borne by it.
    """

    refund: HexId
    ref: ChargeRef
    by: Literal["operator", "aggregator", "merchant"]
    channel: Literal["bill", "transfer", "voucher"]
    price: Price
    """What the consumer got, tax included, in micros."""
    taken_back: Waterfall | None = None
    """By the operator only: the charge's parts, each taken back."""
    borne_by: BorneBy
    unattributed: Price = 0
    """How much of it is met from what stands unattributed: the reversement of such a charge."""
    finding: HexId | None = None
    """The finding that it answers."""
    reason: str
    currency: Currency
    captured_day: LocalDay
    value_day: LocalDay
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The refund."""
        return self.refund


RefundRule = Literal[
    "not_captured",
    "above_what_is_left",
    "operator_refunds_whole",
    "already_taken_back",
]
"""Why a refund or a write-off was not recorded."""


class RefundRefused(Fact, frozen=True, kw_only=True, tag="refund_refused.v1"):
    """A refund or write-off was asked for, and this rule forbids it."""

    refund: HexId
    ref: ChargeRef
    by: Literal["operator", "aggregator", "merchant"] | None = None
    """Who was to give it back; none where a write-off was asked for."""
    rule: RefundRule
    price: Price
    left: Price
    """What could still be given back."""
    currency: Currency
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The refund that was not made."""
        return self.refund


class ChargeWrittenOff(Fact, frozen=True, kw_only=True, tag="charge_written_off.v1"):
    """The operator does not pay us for a captured charge.

    Unpaid: its consumer never paid it. Clawback: it had paid us and takes it back.
    """

    write_off: HexId
    ref: ChargeRef
    reason: Literal["unpaid", "clawback"]
    amounts: Waterfall
    borne_by: Literal["merchant", "aggregator"]
    """Who bears the merchant's share of it."""
    unattributed: Price = 0
    """How much of a charge that nobody earns still stood unattributed; the rest was given back
    already, and is our loss."""
    note: str
    currency: Currency
    captured_day: LocalDay
    value_day: LocalDay
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The write-off."""
        return self.write_off
