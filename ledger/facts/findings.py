"""Facts of findings: something that a person has to look at, until it is closed."""

from typing import Literal

from ledger.facts.base import Consumer, Fact, HexId, Leg, Operator, ShortCode, ShortId
from ledger.money import Currency, Micros
from ledger.words import Instant

FindingKind = Literal[
    "unattributed",
    "billed_twice",
    "leg_failed",
    "leg_not_booked",
    "billed_above_cap",
    "handover_unknown",
    "charged_unmatched",
    "charged_after_stop",
    "stop_ignored",
    "sold_unknown",
    "price_not_in_force",
    "against_code_rules",
    "captured_without_receipt",
    "released_though_billed",
    "told_otherwise",
]
"""Unattributed: an operator billed what nobody sold, to be refunded. Billed twice: two messages
on one charge were billed, the second is to be refunded. Leg failed: of two legs one is charged
and the other came to nothing. Leg not booked: an operator bills a leg for which no price, terms
or tax are known here. Billed above cap: an operator billed an MO beyond a spending cap. Handover
unknown: a charged message may or may not have reached its gateway.

The rest is what another platform decided, whose traffic was imported. Charged unmatched, charged
after STOP: a charge that nobody asked for. STOP ignored: it took a STOP for something else. Sold
unknown: its merchant, service or tariff is none of this catalogue. Price not in force: another one
was. Against code rules: what this code may not charge at all. Captured without receipt, released
though billed: its receipts mean something else here. Told otherwise: a message that is known was
told again with another end."""


class FindingOpened(Fact, frozen=True, kw_only=True, tag="finding_opened.v1"):
    """Something was billed or left undone that should not have been."""

    finding: HexId
    kind: FindingKind
    mo: HexId | None = None
    mt: HexId | None = None
    charge: HexId | None = None
    leg: Leg | None = None
    consumer: Consumer
    merchant: ShortId | None = None
    short_code: ShortCode
    operator: Operator
    amount: Micros | None = None
    """What a refund would come to, tax included."""
    currency: Currency | None = None
    test: bool = False
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The finding."""
        return self.finding


class FindingClosed(Fact, frozen=True, kw_only=True, tag="finding_closed.v1"):
    """A finding needs nobody any more."""

    finding: HexId
    kind: FindingKind
    how: Literal["refunded", "written_off", "resolved", "no_fault"]
    note: str
    refund: HexId | None = None
    charge: HexId | None = None
    consumer: Consumer
    merchant: ShortId | None = None
    short_code: ShortCode
    operator: Operator
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The finding."""
        return self.finding
