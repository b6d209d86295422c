"""Facts of a subscription's life: asked for, started on proof of consent, renewed, stopped."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.facts.base import Consumer, Fact, HexId, Operator, Sealed, ShortCode, ShortId
from ledger.facts.catalogue import Category, Keyword
from ledger.money import Currency, Price
from ledger.spans import Period
from ledger.words import Instant, LocalDay


class SubscriptionRef(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """Who subscribed to what, on which terms, as told to the consumer; the same from its start on.

    The price is frozen here: a tariff that changes later is another offer. Operator and way are
    those of the message that started it, which may differ from those of the request.
    """

    subscription: HexId
    consumer: Consumer
    gateway: ShortId
    smsc: str
    """The gateway, and the link there, that its messages go out by."""
    merchant: ShortId
    service: ShortId
    category: Category
    keyword: Keyword
    short_code: ShortCode
    operator: Operator
    tariff: ShortId
    tariff_version: HexId
    """The fact that set it."""
    billing_code: str
    price: Price
    """Of each cycle, tax included."""
    currency: Currency
    every: Period
    test: bool = False
    """Whether the number was one for testing when this was asked for, or started. What a later
    cycle is, its own charge tells."""


ConsentStep = Literal["mo", "confirming_mo"]


class Consent(Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """One step by which a consumer agreed, and the message that took it."""

    step: ConsentStep
    mo: HexId
    at: Instant


class SubscriptionRequested(Fact, frozen=True, kw_only=True, tag="subscription_requested.v1"):
    """A consumer asked for a subscription and was told its price; nothing starts yet."""

    ref: SubscriptionRef
    mo: HexId
    confirm: Keyword
    """The word that the offer asked for."""
    expires_at: Instant
    """Until when a confirmation counts."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The subscription."""
        return self.ref.subscription


SubscriptionRule = Literal[
    "not_allowed",
    "already_subscribed",
    "nothing_to_confirm",
    "request_expired",
    "suspended",
    "not_on_sale",
    "charge_refused",
]
"""Why no subscription began. Not allowed: the country has none, or not on this code. Not on sale:
what was offered is not had by that keyword any more. Charge refused: its first cycle may not be
charged, and the charge's own fact says why."""


class SubscriptionRefused(Fact, frozen=True, kw_only=True, tag="subscription_refused.v1"):
    """A consumer asked for a subscription, or confirmed one, and none began."""

    mo: HexId
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    merchant: ShortId | None = None
    service: ShortId | None = None
    subscription: HexId | None = None
    """The one that is live already, or whose confirmation came too late."""
    rule: SubscriptionRule
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO."""
        return self.mo


class SubscriptionStarted(Fact, frozen=True, kw_only=True, tag="subscription_started.v1"):
    """A consumer agreed to be charged again and again, and this is the proof.

    The sealed text is the offer that was agreed to, under a key of its own kind: it is kept for
    as long as a charge can be contested, which is longer than messages are.
    """

    ref: SubscriptionRef
    consent: tuple[Consent, ...]
    """The steps, in order."""
    text: Sealed | None = None
    occurred_at: Instant
    """Its renewals come at this local time, on the day of the month or week that this is."""

    @property
    def mo(self) -> str:
        """The message that started it: the last step."""
        return self.consent[-1].mo

    @property
    def subject(self) -> str:
        """The subscription."""
        return self.ref.subscription


class SubscriptionRenewed(Fact, frozen=True, kw_only=True, tag="subscription_renewed.v1"):
    """A cycle began, the first one with the start; its charge is a fact of its own."""

    ref: SubscriptionRef
    cycle: LocalDay
    number: Annotated[int, Meta(ge=0)]
    """Of the cycle, counted from the start; cycles that nobody renewed in time are left out."""
    charge: HexId
    mt: HexId
    next_due_at: Instant
    """When the cycle after it is due."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The subscription and its cycle."""
        return f"{self.ref.subscription}/{self.cycle.isoformat()}"


RenewalRule = Literal["not_due", "stopped", "no_such_subscription", "suspended", "renewed_already"]


class RenewalRefused(Fact, frozen=True, kw_only=True, tag="renewal_refused.v1"):
    """Somebody asked for a renewal that was not due."""

    ref: SubscriptionRef
    rule: RenewalRule
    due_at: Instant | None = None
    request: str
    """The asker's own name for it."""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The subscription and the request."""
        return f"{self.ref.subscription}/{self.request}"


Stopper = Literal["consumer", "merchant", "regulator", "unpaid"]


class SubscriptionStopped(Fact, frozen=True, kw_only=True, tag="subscription_stopped.v1"):
    """A subscription ended; nothing of it is charged or sent from here on."""

    ref: SubscriptionRef
    by: Stopper
    """Unpaid: as many cycles in a row as the settings allow brought no money."""
    mo: HexId | None = None
    """The consumer's STOP."""
    reason: str = ""
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The subscription."""
        return self.ref.subscription
