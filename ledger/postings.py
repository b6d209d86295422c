"""The books in double entry: the chart of accounts, and each fact's balanced lines.

Only what the operator owes us is posted, net of tax; the tax and the operator's own share
were never ours. Authorised amounts stand beside the books, in none of them. What an operator
billed and nobody sold stands unattributed, and so does what test numbers bought: nobody's
earnings, until it is refunded.
"""

from enum import StrEnum
from typing import NamedTuple

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    consent,
    findings,
    handover,
    imported,
    notices,
    solicitations,
    subscriptions,
    traffic,
)
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured, ChargeRef, ChargeRefunded, ChargeWrittenOff
from ledger.money import Currency, Waterfall
from ledger.words import LocalDay


class Account(StrEnum):
    """The chart of accounts, as far as today's facts post to it."""

    OPERATOR_RECEIVABLE_ACCRUED = "operator_receivable_accrued"
    MERCHANT_ACCRUED = "merchant_accrued"
    AGGREGATOR_REVENUE = "aggregator_revenue"
    MERCHANT_COST = "merchant_cost"
    UNATTRIBUTED = "unattributed"
    UNPAID_BY_OPERATOR = "unpaid_by_operator"
    REFUNDS_BORNE_BY_MERCHANT = "refunds_borne_by_merchant"
    REFUNDS_BORNE_BY_AGGREGATOR = "refunds_borne_by_aggregator"
    PAYOUTS_IN_TRANSIT = "payouts_in_transit"


class Line(NamedTuple):
    """One side of a posting, in micros; of `debit` and `credit` one is zero."""

    account: Account
    party: str
    """The operator or merchant whose account it is; empty for our own."""
    debit: int
    credit: int
    currency: Currency
    value_day: LocalDay


POSTING = frozenset[type[Fact]]({ChargeCaptured, ChargeRefunded, ChargeWrittenOff})
"""The facts that move money; a test holds every other fact against NOT_POSTING."""

NOT_POSTING = frozenset[type[Fact]](
    {
        *(book.BookOpened, book.RulesAdopted, book.GatewayDeclared),
        *(traffic.MoReceived, traffic.ConflictingDuplicateReceived, traffic.DuplicateSuspected),
        *(imported.ExchangeImported, traffic.KeywordMatched, traffic.KeywordUnmatched),
        *(traffic.MtEmitted, handover.MtHandoverUnknown, handover.MtHandedOver),
        *(handover.MtHandoverRefused, handover.MtCancelled, traffic.MtSubmitted),
        *(traffic.DeliveryReceived, traffic.DeliveryOrphaned),
        *(charges.ChargeAuthorized, charges.ChargeRefused, charges.ChargeUnresolved),
        *(charges.ChargeReleased, charges.RefundRefused),
        *(consent.OptedOut, consent.OptOutLifted),
        *(subscriptions.SubscriptionRequested, subscriptions.SubscriptionRefused),
        *(subscriptions.SubscriptionStarted, subscriptions.SubscriptionRenewed),
        *(subscriptions.RenewalRefused, subscriptions.SubscriptionStopped),
        *(solicitations.SolicitationAllowed, solicitations.SolicitationRefused),
        solicitations.SolicitationExpired,
        *(notices.NoticeDue, notices.NoticeSent, notices.NoticeDropped),
        *(findings.FindingOpened, findings.FindingClosed),
        *(catalogue.MerchantRegistered, catalogue.ContractAgreed),
        *(catalogue.ShortCodeOpened, catalogue.ShortCodeClosed),
        *(catalogue.ServiceDeclared, catalogue.ServiceSuspended, catalogue.ServiceResumed),
        *(catalogue.KeywordAssigned, catalogue.KeywordWithdrawn, catalogue.TariffSet),
        *(catalogue.TestNumberDeclared, catalogue.TestNumberWithdrawn),
        *(access.AccessGranted, access.AccessRevoked, access.EvidenceDisclosed),
        access.AuditExported,
    }
)
"""The facts that move none, each one named so that a new fact cannot be forgotten."""


class UnknownToTheBooks(LookupError):
    """A fact has no place in the books: neither posting nor known to post nothing."""


class _Page(NamedTuple):
    """Where lines are written: in one currency, on one day."""

    currency: Currency
    day: LocalDay

    def debit(self, account: Account, party: str | None, micros: int) -> Line:
        return Line(account, party or "", micros, 0, self.currency, self.day)

    def credit(self, account: Account, party: str | None, micros: int) -> Line:
        return Line(account, party or "", 0, micros, self.currency, self.day)


def postings(fact: Fact) -> tuple[Line, ...]:
    """Give the lines that a fact posts: balanced, or none for a fact that moves no money.

    Raises:
        UnknownToTheBooks: the fact is named neither as posting nor as not posting.
    """
    match fact:
        case ChargeCaptured():
            lines = _reversement(fact.ref, fact.amounts, _Page(fact.currency, fact.value_day))
        case ChargeRefunded():
            lines = _refund(fact, _Page(fact.currency, fact.value_day))
        case ChargeWrittenOff():
            lines = _write_off(fact, _Page(fact.currency, fact.value_day))
        case _:
            if type(fact) not in NOT_POSTING:
                raise UnknownToTheBooks(type(fact).__name__)
            lines = []
    return tuple(line for line in lines if line.debit or line.credit)


def _earned_by_nobody(ref: ChargeRef) -> bool:
    return ref.merchant is None or ref.test


def _reversement(ref: ChargeRef, amounts: Waterfall, page: _Page) -> list[Line]:
    """Post what the operator owes us of one captured charge, and what we owe of that.

    As agent our share alone is revenue; as principal the whole reversement is, and the
    merchant's share a cost.
    """
    whole, ours, theirs = amounts.reversement, amounts.aggregator, amounts.merchant
    lines = [page.debit(Account.OPERATOR_RECEIVABLE_ACCRUED, ref.operator, whole)]
    if _earned_by_nobody(ref):
        return [*lines, page.credit(Account.UNATTRIBUTED, ref.operator, whole)]
    if ref.acting == "principal":
        lines.append(page.credit(Account.AGGREGATOR_REVENUE, None, whole))
        lines.append(page.debit(Account.MERCHANT_COST, None, theirs))
    else:
        lines.append(page.credit(Account.AGGREGATOR_REVENUE, None, ours))
    return [*lines, page.credit(Account.MERCHANT_ACCRUED, ref.merchant, theirs)]


def _refund(fact: ChargeRefunded, page: _Page) -> list[Line]:
    """Post what a refund takes back: each part by the operator, or the price from who bears it."""
    if fact.taken_back is not None:
        lines = _reversement(fact.ref, fact.taken_back, page)
        return [line._replace(debit=line.credit, credit=line.debit) for line in lines]
    merchant = fact.ref.merchant
    if fact.borne_by == "merchant":
        # A merchant that paid the consumer itself, and bears it, leaves our books as they are: so
        # does all that it records by itself. Paid by us, 3.00 are its loss and go to the consumer.
        bearer = page.debit(Account.REFUNDS_BORNE_BY_MERCHANT, merchant, fact.price)
        return [] if fact.by == "merchant" else [bearer, _paid_out(page, fact.price)]
    # We bear it. Of 3.00 for what nobody sold 1.25 stand unattributed, and 1.75 are our loss. Of
    # 3.00 that a merchant gave, as we recorded for it, 3.00 are our loss and owed to the merchant.
    ours = fact.price - fact.unattributed
    lines = [
        page.debit(Account.UNATTRIBUTED, fact.ref.operator, fact.unattributed),
        page.debit(Account.REFUNDS_BORNE_BY_AGGREGATOR, None, ours),
    ]
    if fact.by == "merchant":
        return [*lines, page.credit(Account.MERCHANT_ACCRUED, merchant, fact.price)]
    return [*lines, _paid_out(page, fact.price)]


def _paid_out(page: _Page, micros: int) -> Line:
    return page.credit(Account.PAYOUTS_IN_TRANSIT, "consumers", micros)


def _write_off(fact: ChargeWrittenOff, page: _Page) -> list[Line]:
    """Post what the operator will not pay: our part a loss, the merchant's its own or ours too.

    Whoever bears the merchant's part, what was revenue stays so and the loss is shown.
    """
    ref, amounts = fact.ref, fact.amounts
    whole, theirs = amounts.reversement, amounts.merchant
    owed = page.credit(Account.OPERATOR_RECEIVABLE_ACCRUED, ref.operator, whole)
    if _earned_by_nobody(ref):
        spent = page.debit(Account.UNPAID_BY_OPERATOR, ref.operator, whole - fact.unattributed)
        return [page.debit(Account.UNATTRIBUTED, ref.operator, fact.unattributed), spent, owed]
    if fact.borne_by == "aggregator":
        return [page.debit(Account.UNPAID_BY_OPERATOR, ref.operator, whole), owed]
    lines = [page.debit(Account.MERCHANT_ACCRUED, ref.merchant, theirs), owed]
    if ref.acting == "principal":
        lines.append(page.credit(Account.MERCHANT_COST, None, theirs))
        return [page.debit(Account.UNPAID_BY_OPERATOR, ref.operator, whole), *lines]
    return [page.debit(Account.UNPAID_BY_OPERATOR, ref.operator, amounts.aggregator), *lines]
