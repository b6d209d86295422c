"""The catalogue as it is shown: everything in force at an instant, in plain values."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from fractions import Fraction
from typing import Literal, TypeVar

from pydantic import BaseModel

from api.shapes import Money
from ledger.catalogue import Catalogue, Version
from ledger.facts.base import Fact
from ledger.facts.book import GatewayDeclared
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    MerchantRegistered,
    ServiceDeclared,
    ShortCodeOpened,
    TariffSet,
    TestNumberDeclared,
)
from ledger.money import MICROS_PER_UNIT, FixedAmount, Rate, micros_text

F = TypeVar("F", bound=Fact)
EntryT = TypeVar("EntryT", bound="Entry")


class Entry(BaseModel):
    """One thing in force."""

    fact: str
    """The id of the fact that says so."""
    effective_from: datetime


class Gateway(Entry):
    """A gateway, with the operator behind each of its links."""

    gateway: str
    operators: Mapping[str, str]
    recycles_ids: bool


class Merchant(Entry):
    """A publisher whose content is sold."""

    merchant: str
    name: str


class Code(Entry):
    """A short code as one operator's consumers find it."""

    short_code: str
    operator: str
    alias_group: str
    dedicated_to: str | None
    publisher: str
    desk: str


class Offer(BaseModel):
    """How often a subscription is charged, and how it is offered."""

    every: int
    unit: Literal["day", "week", "month"]
    offer_text: str


class Service(Entry):
    """What a merchant sells."""

    service: str
    merchant: str
    name: str
    category: str
    reply_text: str
    publisher: str
    desk: str
    subscription: Offer | None
    suspended: bool


class Keyword(Entry):
    """Where a keyword leads."""

    short_code: str
    keyword: str
    service: str
    merchant: str


class Tariff(Entry):
    """What a consumer pays, tax included, on a code or on one keyword of it."""

    tariff: str
    short_code: str
    keyword: str | None
    price: Money
    """Of the answer."""
    mo_price: Money
    """Of the consumer's own message."""
    billing_code: str


class Contract(Entry):
    """How a price is shared with an operator or a merchant: a percentage, or an amount."""

    contract: str
    party: Literal["operator", "merchant"]
    operator: str | None
    merchant: str | None
    tariff: str | None
    share: str | None
    of: Literal["price_with_tax", "price_net_of_tax", "reversement"] | None
    amount: Money | None
    refunds_borne_by: Literal["merchant", "aggregator"]
    unpaid_borne_by: Literal["merchant", "aggregator"]


class TestNumber(Entry):
    """A consumer who only tests."""

    consumer: str
    label: str


class Shown(BaseModel):
    """Everything in force at an instant."""

    at: datetime
    gateways: list[Gateway]
    merchants: list[Merchant]
    codes: list[Code]
    services: list[Service]
    keywords: list[Keyword]
    tariffs: list[Tariff]
    contracts: list[Contract] | None
    """Null where the reader may not see them."""
    test_numbers: list[TestNumber]


class Sold(BaseModel):
    """What one merchant sells at an instant, where and for how much."""

    merchant: str
    at: datetime
    services: list[Service]
    keywords: list[Keyword]
    tariffs: list[Tariff]
    """Those that any of its keywords is sold at."""


def shown(catalogue: Catalogue, at: datetime, *, contracts: bool) -> Shown:
    """Show the whole catalogue at an instant."""
    found = list(catalogue.in_force(at))
    return Shown(
        at=at,
        gateways=_entries(Gateway, GatewayDeclared, found),
        merchants=_entries(Merchant, MerchantRegistered, found),
        codes=_entries(Code, ShortCodeOpened, found),
        services=_services(found, catalogue, at),
        keywords=_entries(Keyword, KeywordAssigned, found),
        tariffs=[_tariff(one.id, one.fact) for one in found if isinstance(one.fact, TariffSet)],
        contracts=_contracts(found, catalogue) if contracts else None,
        test_numbers=_entries(TestNumber, TestNumberDeclared, found),
    )


def sold(catalogue: Catalogue, merchant: str, at: datetime) -> Sold:
    """Show what one merchant sells at an instant."""
    found = list(catalogue.in_force(at))
    keywords = [
        one for one in _entries(Keyword, KeywordAssigned, found) if one.merchant == merchant
    ]
    prices = (catalogue.tariff(one.short_code, one.keyword, at) for one in keywords)
    by_id = {price.id: price.fact for price in prices if price is not None}
    return Sold(
        merchant=merchant,
        at=at,
        services=[one for one in _services(found, catalogue, at) if one.merchant == merchant],
        keywords=keywords,
        tariffs=[_tariff(name, fact) for name, fact in by_id.items()],
    )


def _entries(entry: type[EntryT], kind: type[Fact], found: Iterable[Version]) -> list[EntryT]:
    """Show the facts of a kind by the fields that both have."""
    return [
        entry.model_validate(
            {
                "fact": one.id,
                **{name: getattr(one.fact, name) for name in entry.model_fields if name != "fact"},
            }
        )
        for one in found
        if isinstance(one.fact, kind)
    ]


def _services(found: Iterable[Version], catalogue: Catalogue, at: datetime) -> list[Service]:
    return [
        _service(one.id, one.fact, suspended=catalogue.suspended(one.fact.service, at))
        for one in found
        if isinstance(one.fact, ServiceDeclared)
    ]


def _service(name: str, fact: ServiceDeclared, *, suspended: bool) -> Service:
    offer = fact.subscription
    return Service(
        fact=name,
        effective_from=fact.effective_from,
        service=fact.service,
        merchant=fact.merchant,
        name=fact.name,
        category=fact.category,
        reply_text=fact.reply_text,
        publisher=fact.publisher,
        desk=fact.desk,
        subscription=offer
        and Offer(every=offer.every.n, unit=offer.every.unit, offer_text=offer.offer_text),
        suspended=suspended,
    )


def _tariff(name: str, fact: TariffSet) -> Tariff:
    return Tariff(
        fact=name,
        effective_from=fact.effective_from,
        tariff=fact.tariff,
        short_code=fact.short_code,
        keyword=fact.keyword,
        price=Money.of(fact.price, fact.currency),
        mo_price=Money.of(fact.mo_price, fact.currency),
        billing_code=fact.billing_code,
    )


def _contracts(found: Iterable[Version], catalogue: Catalogue) -> list[Contract]:
    assert catalogue.book is not None, "a contract is agreed in a book that is open"
    currency = catalogue.book.currency
    agreed = ((one.id, one.fact) for one in found if isinstance(one.fact, ContractAgreed))
    return [_contract(name, fact, currency) for name, fact in agreed]


def _contract(name: str, fact: ContractAgreed, currency: str) -> Contract:
    share = fact.share
    fixed = isinstance(share, FixedAmount)
    return Contract(
        fact=name,
        effective_from=fact.effective_from,
        contract=fact.contract,
        party=fact.party,
        operator=fact.operator,
        merchant=fact.merchant,
        tariff=fact.tariff,
        share=None if fixed else _percent(share.rate),
        of=None if fixed else share.base,
        amount=Money.of(share.amount, currency) if fixed else None,
        refunds_borne_by=fact.refunds_borne_by,
        unpaid_borne_by=fact.unpaid_borne_by,
    )


def _percent(rate: Rate) -> str:
    """Write a share as people do: `50.00 %`; as a fraction where decimals cannot hold it."""
    micros = Fraction(rate.numerator, rate.denominator) * 100 * MICROS_PER_UNIT
    if micros.denominator == 1:
        return f"{micros_text(micros.numerator)} %"
    return f"{rate.numerator}/{rate.denominator}"
