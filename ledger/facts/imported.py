"""The fact of an exchange that another platform decided, and what it says of its charges."""

from typing import Literal

from msgspec import Struct

from ledger.facts.base import Consumer, Fact, HexId, Leg, Operator, ShortCode, ShortId
from ledger.facts.charges import CaptureEvent, ChargeRef
from ledger.facts.traffic import UnmatchedReason
from ledger.money import Currency, Price, Waterfall
from ledger.words import Instant


class PendingTerms(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """How a charge that is pending elsewhere is booked, should it be billed without our leave."""

    ref: ChargeRef
    amounts: Waterfall
    captures_on: CaptureEvent


class ToldCharge(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """What another platform says that it charged, as it says so."""

    charge: HexId
    """The id that it has here, whether or not it could be booked."""
    leg: Leg
    price: Price
    currency: Currency
    tariff: ShortId | None = None
    state: Literal["authorized", "captured", "released", "refused"]
    terms: PendingTerms | None = None
    """Where it is authorized and can be booked, since a receipt may still say that it was billed.

    Whether our rules allowed it as well is told by its own `charge_authorized`, or by there being
    none.
    """


class ExchangeImported(Fact, frozen=True, kw_only=True, tag="exchange_imported.v1"):
    """Another platform decided this exchange; what it says of it stands here as it says it."""

    mo: HexId
    told: HexId
    """Names all that was told of it, so that the same again is known from something else."""
    gateway: ShortId
    consumer: Consumer
    short_code: ShortCode
    operator: Operator
    keyword: str | None = None
    merchant: ShortId | None = None
    service: ShortId | None = None
    unmatched: UnmatchedReason | None = None
    stopped: bool = False
    """Whether that platform took the message for a STOP."""
    charges: tuple[ToldCharge, ...] = ()
    test: bool = False
    occurred_at: Instant

    @property
    def subject(self) -> str:
        """The MO."""
        return self.mo
