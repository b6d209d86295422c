"""Facts of the catalogue: who sells what, where, for how much and on which terms.

All are effective-dated: each counts from `effective_from` on, until a later one of the
same name.
"""

from typing import Annotated, Literal

from msgspec import Meta

from ledger.facts.base import Fact, Operator, ShortCode, ShortId
from ledger.money import Currency, Price, Share
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
    currency: Currency
    billing_code: str
    """What tells the operators this price (Kannel's binfo)."""
    effective_from: Instant

    @property
    def subject(self) -> str:
        """The tariff."""
        return self.tariff
