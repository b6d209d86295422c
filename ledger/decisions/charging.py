"""Whether the answer to a matched message may be charged, and how the price divides."""

from datetime import datetime
from typing import NamedTuple

from ledger.catalogue import Catalogue, Contract, Tariff
from ledger.facts.catalogue import ServiceDeclared
from ledger.facts.charges import (
    Acting,
    CaptureEvent,
    ChargeAuthorized,
    ChargeRef,
    ChargeRefused,
    ChargeRule,
)
from ledger.money import ImpossibleSplit, Rate, split
from ledger.rules.inforce import CaptureNotSet, Rules, TaxRateUnknown
from ledger.words import derived_id, local_day


class Purchase(NamedTuple):
    """What a consumer asked for, with merchant and price as frozen at the message."""

    book: str
    mo: str
    consumer: str
    short_code: str
    operator: str
    keyword: str
    service: ServiceDeclared
    tariff: Tariff
    occurred_at: datetime

    @property
    def charge(self) -> str:
        """The id of the charge on the answer."""
        return derived_id(self.book, "charge", self.mo, "mt")


class Terms(NamedTuple):
    """On what terms a price divides, all of them found."""

    operator: Contract
    merchant: Contract
    tax: Rate
    captures_on: CaptureEvent


class Refusal(NamedTuple):
    """The rule that forbids a charge, with its limit in micros where it has one."""

    rule: ChargeRule
    limit: int | None = None


def charge(
    purchase: Purchase, catalogue: Catalogue, rules: Rules, rules_fact: str
) -> ChargeAuthorized | ChargeRefused:
    """Decide whether the answer may be charged; `rules_fact` is the id of the rules' adoption."""
    terms = _above_ceiling(purchase, rules) or _terms(purchase, catalogue, rules)
    if isinstance(terms, Refusal):
        return _refused(purchase, terms, rules, rules_fact)
    shares = terms.operator.fact.share, terms.merchant.fact.share
    try:
        amounts = split(purchase.tariff.fact.price, terms.tax, *shares)
    except ImpossibleSplit:
        return _refused(purchase, Refusal("impossible_split"), rules, rules_fact)
    if rules.withheld(purchase.service.category, amounts):
        return _refused(purchase, Refusal("not_passed_on_whole"), rules, rules_fact)
    return ChargeAuthorized(
        ref=_ref(purchase, terms, rules.acting, rules_fact),
        amounts=amounts,
        currency=purchase.tariff.fact.currency,
        captures_on=terms.captures_on,
        value_day=local_day(purchase.occurred_at, rules.zone),
        occurred_at=purchase.occurred_at,
    )


def _above_ceiling(purchase: Purchase, rules: Rules) -> Refusal | None:
    """Hold the price against its code's range as the rules of that day have it."""
    found = rules.range_of(purchase.short_code)
    ceiling = found.ceiling if found else 0
    above = purchase.tariff.fact.price > ceiling
    return Refusal("price_above_ceiling", ceiling) if above else None


def _terms(purchase: Purchase, catalogue: Catalogue, rules: Rules) -> Terms | Refusal:
    at, tariff, operator = purchase.occurred_at, purchase.tariff.fact.tariff, purchase.operator
    with_operator = catalogue.operator_contract(operator, tariff, at)
    if with_operator is None:
        return Refusal("no_operator_contract")
    with_merchant = catalogue.merchant_contract(purchase.service.merchant, operator, tariff, at)
    if with_merchant is None:
        return Refusal("no_merchant_contract")
    try:
        tax = rules.tax_rate(purchase.service.category)
        captures_on = rules.captures(operator, purchase.short_code, "mt")
    except TaxRateUnknown:
        return Refusal("no_tax_rate")
    except CaptureNotSet:
        return Refusal("no_capture_setting")
    return Terms(with_operator, with_merchant, tax, captures_on)


def _ref(purchase: Purchase, terms: Terms, acting: Acting, rules_fact: str) -> ChargeRef:
    return ChargeRef(
        charge=purchase.charge,
        leg="mt",
        mo=purchase.mo,
        consumer=purchase.consumer,
        merchant=purchase.service.merchant,
        service=purchase.service.service,
        category=purchase.service.category,
        keyword=purchase.keyword,
        short_code=purchase.short_code,
        operator=purchase.operator,
        tariff=purchase.tariff.fact.tariff,
        tariff_version=purchase.tariff.id,
        operator_contract=terms.operator.id,
        merchant_contract=terms.merchant.id,
        rules=rules_fact,
        acting=acting,
    )


def _refused(purchase: Purchase, why: Refusal, rules: Rules, rules_fact: str) -> ChargeRefused:
    return ChargeRefused(
        charge=purchase.charge,
        leg="mt",
        mo=purchase.mo,
        consumer=purchase.consumer,
        merchant=purchase.service.merchant,
        service=purchase.service.service,
        category=purchase.service.category,
        keyword=purchase.keyword,
        short_code=purchase.short_code,
        operator=purchase.operator,
        tariff=purchase.tariff.fact.tariff,
        tariff_version=purchase.tariff.id,
        rules=rules_fact,
        rule=why.rule,
        amount=purchase.tariff.fact.price,
        limit=why.limit,
        currency=purchase.tariff.fact.currency,
        value_day=local_day(purchase.occurred_at, rules.zone),
        occurred_at=purchase.occurred_at,
    )
