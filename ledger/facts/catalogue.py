"""Facts of the catalogue: who sells what, where, for how much and on which terms.

All are effective-dated: each counts from `effective_from` on, until a later one of the
same name.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ledger.facts.base import Consumer, Fact, Operator, ShortCode, ShortId
from ledger.money import Currency, Price, Share
from ledger.spans import Period
from ledger.words import Instant

Category = Annotated[str, Meta(pattern=r"^[a-z_]{1,32}\Z")]
"""The tax category of what is sold: content, donation, transport, press, as the pack names them."""

Keyword = Annotated[str, Meta(pattern=r"^[A-Z0-9]+( [A-Z0-9]+)*\Z", max_length=64)]
"""Words as matching normalises them."""


class MerchantRegistered(Fact, frozen=True, kw_only=True, tag="merchant_registered.v1"):
    """A publisher whose content is sold."""

    merchant: ShortId
    name: str
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The merchant."""
        return self.merchant


class ContractAgreed(Fact, frozen=True, kw_only=True, tag="contract_agreed.v1"):
    """How a price is shared with one operator or one merchant.

    With an operator, `share` is the reversement: what it owes us of each charge, net of tax.
    With a merchant, `share` is what we owe it.
    """

    contract: ShortId
    party: Literal["operator", "merchant"]
    operator: Operator | None = None
    """The operator that it is with; with a merchant: the only operator it is about, if one."""
    merchant: ShortId | None = None
    tariff: ShortId | None = None
    """The only tariff it is about; none named means all."""
    share: Share
    refunds_borne_by: Literal["merchant", "aggregator"] = "aggregator"
    """With a merchant: who bears a refund paid directly. Not agreed: we do, not they."""
    unpaid_borne_by: Literal["merchant", "aggregator"] = "aggregator"
    """With a merchant: who bears its share of what the operator does not pay."""
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The contract."""
        return self.contract


class ShortCodeOpened(Fact, frozen=True, kw_only=True, tag="short_code_opened.v1"):
    """Consumers of one operator can write to this code."""

    short_code: ShortCode
    operator: Operator
    alias_group: ShortId
    """Codes of one group see the same alias for a consumer."""
    dedicated_to: ShortId | None = None
    """The merchant that has it alone; none means that merchants share it."""
    publisher: str
    """Whom CONTACT names where no service is meant."""
    desk: str
    """The service desk that CONTACT names."""
    error_text: str
    stop_text: str
    contact_text: str
    notice_text: str = ""
    """Tells the price again: `{service}`, `{price}`, `{spent}`; empty: the text of CONTACT does."""
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The code at this operator."""
        return f"{self.short_code}@{self.operator}"


class ShortCodeClosed(Fact, frozen=True, kw_only=True, tag="short_code_closed.v1"):
    """The code no longer answers consumers of this operator."""

    short_code: ShortCode
    operator: Operator
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The code at this operator."""
        return f"{self.short_code}@{self.operator}"


class SubscriptionOffer(
    Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """That a service is charged again and again, and how it is offered."""

    every: Period
    offer_text: str
    """Asks for the confirmation: `{service}`, `{price}`, `{every}`, `{confirm}`, `{code}`."""


class ServiceDeclared(Fact, frozen=True, kw_only=True, tag="service_declared.v1"):
    """What a merchant sells behind its keywords."""

    service: ShortId
    merchant: ShortId
    name: str
    category: Category
    reply_text: str
    """The template of the charged answer: `{code}`, `{argument}`, `{price}`."""
    publisher: str
    """The publisher's identity, as CONTACT gives it."""
    desk: str
    """A telephone number without surcharge, or an address."""
    choices: tuple[str, ...] = ()
    """Arguments that are no personal content, such as the numbers of a vote."""
    duplicate_window_seconds: Annotated[int, Meta(ge=0)] = 0
    """Within which the same words of one consumer are one purchase; 0 where each one counts."""
    subscription: SubscriptionOffer | None = None
    """None where each message is bought by itself."""
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The service."""
        return self.service


class KeywordAssigned(Fact, frozen=True, kw_only=True, tag="keyword_assigned.v1"):
    """A keyword on a code leads to a service."""

    short_code: ShortCode
    keyword: Keyword
    service: ShortId
    merchant: ShortId
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The keyword on its code."""
        return f"{self.short_code}/{self.keyword}"


class KeywordWithdrawn(Fact, frozen=True, kw_only=True, tag="keyword_withdrawn.v1"):
    """A keyword on a code leads nowhere any more."""

    short_code: ShortCode
    keyword: Keyword
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The keyword on its code."""
        return f"{self.short_code}/{self.keyword}"


class TariffSet(Fact, frozen=True, kw_only=True, tag="tariff_set.v1"):
    """What a consumer pays, tax included, on a code, or on one keyword of it."""

    tariff: ShortId
    short_code: ShortCode
    keyword: Keyword | None = None
    price: Price
    """Of the answer, the MT."""
    mo_price: Price = 0
    """Of the consumer's own message, where the operator charges that."""
    currency: Currency
    billing_code: str
    """What tells the operators this price (Kannel's binfo)."""
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The tariff."""
        return self.tariff


class ServiceSuspended(Fact, frozen=True, kw_only=True, tag="service_suspended.v1"):
    """A service sells, renews and solicits nothing until it is resumed."""

    service: ShortId
    merchant: ShortId
    reason: str
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The service."""
        return self.service


class ServiceResumed(Fact, frozen=True, kw_only=True, tag="service_resumed.v1"):
    """A suspended service sells again."""

    service: ShortId
    merchant: ShortId
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The service."""
        return self.service


class TestNumberDeclared(Fact, frozen=True, kw_only=True, tag="test_number_declared.v1"):
    """A number is used to test: nobody earns what it buys, and no count includes it."""

    consumer: Consumer
    label: str
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The consumer."""
        return self.consumer


class TestNumberWithdrawn(Fact, frozen=True, kw_only=True, tag="test_number_withdrawn.v1"):
    """A number is an ordinary consumer's again."""

    consumer: Consumer
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The consumer."""
        return self.consumer
