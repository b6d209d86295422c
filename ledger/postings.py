"""The books in double entry: the chart of accounts, and each fact's balanced lines.

Only what the operator owes us is posted, net of tax; the tax and the operator's own share
were never ours. Authorised amounts stand beside the books, in none of them.
"""

from enum import StrEnum
from typing import NamedTuple

from ledger.facts.access import AccessGranted, AccessRevoked, EvidenceDisclosed
from ledger.facts.base import Fact
from ledger.facts.book import BookOpened, GatewayDeclared, RulesAdopted
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    KeywordWithdrawn,
    MerchantRegistered,
    ServiceDeclared,
    ShortCodeClosed,
    ShortCodeOpened,
    TariffSet,
)
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeRefused,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from ledger.money import Currency, Waterfall
from ledger.words import LocalDay


class Account(StrEnum):
    """The chart of accounts, as far as today's facts post to it."""

    OPERATOR_RECEIVABLE_ACCRUED = "operator_receivable_accrued"
    MERCHANT_ACCRUED = "merchant_accrued"
    AGGREGATOR_REVENUE = "aggregator_revenue"
    MERCHANT_COST = "merchant_cost"


class Line(NamedTuple):
    """One side of a posting, in micros; of `debit` and `credit` one is zero."""

    account: Account
    party: str
    """The operator or merchant whose account it is; empty for our own."""
    debit: int
    credit: int
    currency: Currency
    value_day: LocalDay


POSTING = frozenset[type[Fact]]({ChargeCaptured})
"""The facts that move money; a test holds every other fact against NOT_POSTING."""

NOT_POSTING = frozenset[type[Fact]](
    {
        *(BookOpened, RulesAdopted, GatewayDeclared),
        *(MoReceived, ConflictingDuplicateReceived, KeywordMatched, KeywordUnmatched),
        *(MtEmitted, MtSubmitted, DeliveryReceived, DeliveryOrphaned),
        *(ChargeAuthorized, ChargeRefused, ChargeUnresolved, ChargeReleased),
        *(OptedOut, OptOutLifted),
        *(MerchantRegistered, ContractAgreed, ShortCodeOpened, ShortCodeClosed),
        *(ServiceDeclared, KeywordAssigned, KeywordWithdrawn, TariffSet),
        *(AccessGranted, AccessRevoked, EvidenceDisclosed),
    }
)
"""The facts that move none, each one named so that a new fact cannot be forgotten."""


class UnknownToTheBooks(LookupError):
    """A fact has no place in the books: neither posting nor known to post nothing."""


def postings(fact: Fact) -> tuple[Line, ...]:
    """Give the lines that a fact posts: balanced, or none for a fact that moves no money.

    Raises:
        UnknownToTheBooks: the fact is named neither as posting nor as not posting.
    """
    if isinstance(fact, ChargeCaptured):
        return _reversement(fact.ref, fact.amounts, fact.currency, fact.value_day)
    if type(fact) not in NOT_POSTING:
        raise UnknownToTheBooks(type(fact).__name__)
    return ()


def _reversement(
    ref: ChargeRef, amounts: Waterfall, currency: Currency, day: LocalDay
) -> tuple[Line, ...]:
    """Post what the operator owes us of one captured charge, and what we owe of that.

    As agent our share alone is revenue; as principal the whole reversement is, and the
    merchant's share a cost.
    """
    whole, ours, theirs = amounts.reversement, amounts.aggregator, amounts.merchant
    lines = [Line(Account.OPERATOR_RECEIVABLE_ACCRUED, ref.operator, whole, 0, currency, day)]
    if ref.acting == "principal":
        lines.append(Line(Account.AGGREGATOR_REVENUE, "", 0, whole, currency, day))
        lines.append(Line(Account.MERCHANT_COST, "", theirs, 0, currency, day))
    else:
        lines.append(Line(Account.AGGREGATOR_REVENUE, "", 0, ours, currency, day))
    lines.append(Line(Account.MERCHANT_ACCRUED, ref.merchant, 0, theirs, currency, day))
    return tuple(line for line in lines if line.debit or line.credit)
