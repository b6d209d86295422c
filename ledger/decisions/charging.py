"""Whether one leg may be charged, and how its price divides.

The MT leg is ours to allow. The MO leg is charged by the operator whatever we think of it, so
there a cap forbids nothing; what it went beyond becomes a finding.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from ledger.catalogue import Catalogue, Contract, Tariff
from ledger.decisions.spending import Reached, Spent, reached
from ledger.facts.base import Leg
from ledger.facts.catalogue import ServiceDeclared
from ledger.facts.charges import (
    Acting,
    CaptureEvent,
    ChargeAuthorized,
    ChargeRef,
    ChargeRefused,
    ChargeRule,
)
from ledger.money import FixedAmount, ImpossibleSplit, Rate, Waterfall, split
from ledger.rules.inforce import CaptureNotSet, CodeRange, Rules, TaxRateUnknown
from ledger.words import LocalDay, derived_among, framed_often, local_day

_NOT_SAID = "unknown"
"""No category of any pack, so that what a pack does not say has no rate and is refused."""
NOBODYS = FixedAmount(0)
"""The merchant's share of what nobody sold."""


class Purchase(NamedTuple):
    """What a consumer is to be charged for, with merchant and price as frozen at its cause.

    The cause is an MO, or a cycle of a subscription. Without a service it is what an operator
    charges although nobody sold anything.
    """

    book: str
    consumer: str
    short_code: str
    operator: str
    service: ServiceDeclared | None
    keyword: str | None
    tariff: Tariff
    price: int
    """Of this leg, tax included, in micros."""
    occurred_at: datetime
    leg: Leg = "mt"
    mo: str | None = None
    subscription: str | None = None
    cycle: LocalDay | None = None
    test: bool = False

    @property
    def charge(self) -> str:
        """The id of the charge: it follows from its cause and leg."""
        cycle = self.cycle and f"{self.subscription}/{self.cycle.isoformat()}"
        return charge_id(self.book, cycle or self.mo or "", self.leg)

    @property
    def wanted(self) -> Spent:
        """The charge as caps and notices see it."""
        service = self.service
        merchant, name = (service.merchant, service.service) if service else (None, None)
        return Spent(self.charge, merchant, name, self.short_code, self.price, self.occurred_at)


@lru_cache(maxsize=4_096)
def charge_id(book: str, cause: str, leg: Leg) -> str:
    """Give the id of what a message, or a cycle of a subscription, is charged on one leg."""
    return derived_among(framed_often(book, "charge"), cause, framed_often(leg))


class Terms(NamedTuple):
    """On what terms a price divides, all of them found; no merchant's where nobody sold it."""

    operator: Contract
    merchant: Contract | None
    category: str
    tax: Rate
    captures_on: CaptureEvent


class Refusal(NamedTuple):
    """The rule that forbids a charge, with its limit in micros where it has one."""

    rule: ChargeRule
    limit: int | None = None
    cap: str | None = None
    spent: int | None = None


class Basis(NamedTuple):
    """What every charge is judged by: the catalogue, the rules, and the fact that adopted them."""

    catalogue: Catalogue
    rules: Rules
    rules_fact: str


def charge(
    purchase: Purchase, basis: Basis, before: Sequence[Spent] = ()
) -> ChargeAuthorized | ChargeRefused:
    """Decide whether a leg may be charged; `before` is what the consumer has spent already."""
    rules = basis.rules
    terms = _forbidden(purchase, rules) or _terms(purchase, basis.catalogue, rules)
    if isinstance(terms, Refusal):
        return _refused(purchase, terms, basis)
    try:
        amounts = _divided(purchase.price, terms)
    except ImpossibleSplit:
        return _refused(purchase, Refusal("impossible_split"), basis)
    if purchase.service and rules.withheld(purchase.service.category, amounts):
        return _refused(purchase, Refusal("not_passed_on_whole"), basis)
    if found := _capped(purchase, rules, before):
        why = Refusal("spending_cap", found.cap.amount, found.cap.name, found.spent)
        return _refused(purchase, why, basis)
    return _authorized(purchase, terms, amounts, basis)


def booked(
    purchase: Purchase, basis: Basis, category: str | None = None, *, nobodys: bool = False
) -> ChargeAuthorized | None:
    """Divide what another platform charged by our terms, whatever would forbid it here.

    `category` is the tax category as that platform had it, where nothing here says so. What is
    `nobodys` goes to no merchant. None where no terms are known, so that it cannot be booked.
    """
    terms = _terms_of(purchase, basis, category, nobodys=nobodys)
    if terms is None:
        return None
    try:
        amounts = _divided(purchase.price, terms)
    except ImpossibleSplit:
        return None
    whose = purchase._replace(service=None, keyword=None) if nobodys else purchase
    return _authorized(whose, terms, amounts, basis)


def _divided(price: int, terms: Terms) -> Waterfall:
    theirs = terms.merchant.fact.share if terms.merchant else NOBODYS
    return split(price, terms.tax, terms.operator.fact.share, theirs)


def _authorized(
    purchase: Purchase, terms: Terms, amounts: Waterfall, basis: Basis
) -> ChargeAuthorized:
    return ChargeAuthorized(
        ref=_ref(purchase, terms, basis.rules.acting, basis.rules_fact),
        amounts=amounts,
        currency=purchase.tariff.fact.currency,
        captures_on=terms.captures_on,
        value_day=local_day(purchase.occurred_at, basis.rules.zone),
        occurred_at=purchase.occurred_at,
    )


def _terms_of(
    purchase: Purchase, basis: Basis, category: str | None, *, nobodys: bool
) -> Terms | None:
    if nobodys and purchase.service is not None:
        category = purchase.service.category
    asked = purchase._replace(service=None) if nobodys else purchase
    found = _terms(asked, basis.catalogue, basis.rules, category)
    return found if isinstance(found, Terms) else None


def _capped(purchase: Purchase, rules: Rules, before: Sequence[Spent]) -> Reached | None:
    return reached(rules.caps, purchase.wanted, before) if purchase.leg == "mt" else None


def _forbidden(purchase: Purchase, rules: Rules) -> Refusal | None:
    """Hold a leg and its price against its code's range as the rules of that day have it."""
    found = rules.range_of(purchase.short_code)
    if found is None:
        return Refusal("price_above_ceiling", 0)
    if found.billing_point not in {purchase.leg, "both"}:
        return Refusal("leg_not_charged_here")
    if found.subscriptions == "only" and purchase.service and purchase.subscription is None:
        return Refusal("subscriptions_only")
    above = _held_against(purchase, found) > found.ceiling
    return Refusal("price_above_ceiling", found.ceiling) if above else None


def _held_against(purchase: Purchase, found: CodeRange) -> int:
    """Give what a ceiling bounds: this leg's price, or a message's and its answer's together."""
    if found.ceiling_on == "each_leg" or purchase.subscription is not None:
        return purchase.price
    return purchase.tariff.fact.price + purchase.tariff.fact.mo_price


def _terms(
    purchase: Purchase, catalogue: Catalogue, rules: Rules, told: str | None = None
) -> Terms | Refusal:
    at, tariff, operator = purchase.occurred_at, purchase.tariff.fact.tariff, purchase.operator
    with_operator = catalogue.operator_contract(operator, tariff, at)
    if with_operator is None:
        return Refusal("no_operator_contract")
    service, with_merchant = purchase.service, None
    if service is not None:
        with_merchant = catalogue.merchant_contract(service.merchant, operator, tariff, at)
        if with_merchant is None:
            return Refusal("no_merchant_contract")
    category = told or _category(purchase, rules)
    try:
        tax = rules.tax_rate(category)
        captures_on = rules.captures(operator, purchase.short_code, purchase.leg)
    except TaxRateUnknown:
        return Refusal("no_tax_rate")
    except CaptureNotSet:
        return Refusal("no_capture_setting")
    return Terms(with_operator, with_merchant, category, tax, captures_on)


def _category(purchase: Purchase, rules: Rules) -> str:
    """Give the tax category: the service's, the range's only one, or what the pack says."""
    if purchase.service is not None:
        return purchase.service.category
    found = rules.range_of(purchase.short_code)
    if found is not None and found.tax_category is not None:
        return found.tax_category
    return rules.mo_charge.taxed_as if rules.mo_charge else _NOT_SAID


def _ref(purchase: Purchase, terms: Terms, acting: Acting, rules_fact: str) -> ChargeRef:
    service = purchase.service
    return ChargeRef(
        charge=purchase.charge,
        leg=purchase.leg,
        mo=purchase.mo,
        subscription=purchase.subscription,
        cycle=purchase.cycle,
        consumer=purchase.consumer,
        merchant=service.merchant if service else None,
        service=service.service if service else None,
        category=terms.category,
        keyword=purchase.keyword,
        short_code=purchase.short_code,
        operator=purchase.operator,
        tariff=purchase.tariff.fact.tariff,
        tariff_version=purchase.tariff.id,
        operator_contract=terms.operator.id,
        merchant_contract=terms.merchant.id if terms.merchant else None,
        rules=rules_fact,
        acting=acting,
        test=purchase.test,
    )


def _refused(purchase: Purchase, why: Refusal, basis: Basis) -> ChargeRefused:
    service = purchase.service
    return ChargeRefused(
        charge=purchase.charge,
        leg=purchase.leg,
        mo=purchase.mo,
        subscription=purchase.subscription,
        cycle=purchase.cycle,
        consumer=purchase.consumer,
        merchant=service.merchant if service else None,
        service=service.service if service else None,
        category=_category(purchase, basis.rules),
        keyword=purchase.keyword,
        short_code=purchase.short_code,
        operator=purchase.operator,
        tariff=purchase.tariff.fact.tariff,
        tariff_version=purchase.tariff.id,
        rules=basis.rules_fact,
        rule=why.rule,
        amount=purchase.price,
        limit=why.limit,
        cap=why.cap,
        spent=why.spent,
        currency=purchase.tariff.fact.currency,
        value_day=local_day(purchase.occurred_at, basis.rules.zone),
        test=purchase.test,
        occurred_at=purchase.occurred_at,
    )
