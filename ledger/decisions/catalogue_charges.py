"""Whether every leg of what is on sale can be captured, taxed and shared out."""

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ledger.catalogue import Contract
from ledger.decisions.catalogue_request import Blame, Problem, Prospect
from ledger.decisions.catalogue_services import untaxed
from ledger.decisions.catalogue_terms import ChargedLeg, charged_legs
from ledger.facts.base import Leg
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    ServiceDeclared,
    ShortCodeOpened,
    TariffSet,
)
from ledger.money import ImpossibleSplit, micros_text, split
from ledger.rules.inforce import CaptureNotSet, Rules


class Moment(NamedTuple):
    """One code at one instant."""

    prospect: Prospect
    rules: Rules
    short_code: str
    at: datetime
    openings: list[ShortCodeOpened]


class Sale(NamedTuple):
    """What a keyword sells there and for how much."""

    assigned: KeywordAssigned
    service: ServiceDeclared
    tariff: TariffSet

    @property
    def about(self) -> str:
        """The code and the keyword."""
        return f"{self.assigned.short_code} {self.assigned.keyword}"

    @property
    def blamed(self) -> tuple[Blame, ...]:
        """Who put it on sale."""
        return (
            (self.assigned, "keyword"),
            (self.tariff, "tariff"),
            (self.service, "service"),
        )


def charge_problems(sale: Sale, moment: Moment) -> Iterator[Problem]:
    """Check each leg that has a price, with each operator that has the code."""
    legs = charged_legs(sale.tariff)
    if not legs:
        return
    yield from _its_category(sale, moment)
    for opened in moment.openings:
        for leg in legs:
            blamed = (opened, "operator"), *sale.blamed
            yield from _uncaptured(opened, leg.leg, moment, blamed)
        yield from _its_contracts(sale, opened, moment)


def unmatched_problems(moment: Moment) -> Iterator[Problem]:
    """Check what operators charge for a message that no keyword matches, where they do.

    They charge by the code, so it must be known what such a message costs on it.
    """
    terms, found = moment.rules.mo_charge, moment.rules.range_of(moment.short_code)
    if terms is None or found is None or "unmatched" in terms.free or found.billing_point == "mt":
        return
    tariff = moment.prospect.then.code_tariff(moment.short_code, moment.at)
    if tariff is None:
        yield from _priced_by_keywords_alone(moment)
    elif tariff.fact.mo_price:
        yield from _nobodys(tariff.fact, found.tax_category or terms.taxed_as, moment)


def _priced_by_keywords_alone(moment: Moment) -> Iterator[Problem]:
    then = moment.prospect.then
    for keyword in sorted(then.keywords.get(moment.short_code, ())):
        tariff = then.tariff(moment.short_code, keyword, moment.at)
        if tariff is not None and tariff.fact.mo_price:
            text = f"{moment.short_code} itself has no price, which a message without keyword costs"
            yield from moment.prospect.problem(text, (tariff.fact, "keyword"))


def _nobodys(tariff: TariffSet, category: str, moment: Moment) -> Iterator[Problem]:
    for opened in moment.openings:
        blamed: tuple[Blame, ...] = ((tariff, "mo_price"), (opened, "operator"))
        yield from _uncaptured(opened, "mo", moment, blamed)
        if category not in moment.rules.tax_rates:
            text = f"the rules have no tax rate for {category}, as a message without keyword is"
            yield from moment.prospect.problem(text, *blamed)


def _uncaptured(
    opened: ShortCodeOpened, leg: Leg, moment: Moment, blamed: tuple[Blame, ...]
) -> Iterator[Problem]:
    try:
        moment.rules.captures(opened.operator, moment.short_code, leg)
    except CaptureNotSet as missing:
        yield from moment.prospect.problem(str(missing), *blamed)


def _its_category(sale: Sale, moment: Moment) -> Iterator[Problem]:
    """The service may be sold on this code, and somebody knows the tax on it."""
    service, allowed = sale.service, moment.rules.range_of(moment.short_code)
    only = allowed.tax_category if allowed else None
    if only not in {None, service.category}:
        text = f"{moment.short_code} is for {only} only, and {service.service} is"
        blamed = *sale.blamed, (service, "category")
        yield from moment.prospect.problem(f"{text} {service.category}", *blamed)
    if service.category not in moment.rules.tax_rates and id(service) not in moment.prospect.news:
        yield from moment.prospect.problem(untaxed(service, moment.rules), *sale.blamed)


def _its_contracts(sale: Sale, opened: ShortCodeOpened, moment: Moment) -> Iterator[Problem]:
    merchant, prospect = sale.service.merchant, moment.prospect
    terms = (opened.operator, sale.tariff.tariff, moment.at)
    with_operator = prospect.then.operator_contract(*terms)
    with_merchant = prospect.then.merchant_contract(merchant, *terms)
    if with_merchant is None:
        text = f"no contract with {merchant} covers {sale.about} at {opened.operator}"
        yield from prospect.problem(text, *sale.blamed, (opened, "operator"))
    elif with_operator is not None:
        for leg in charged_legs(sale.tariff):
            yield from _its_split(sale, leg, (with_operator, with_merchant), moment)


def _its_split(
    sale: Sale, leg: ChargedLeg, contracts: tuple[Contract, Contract], moment: Moment
) -> Iterator[Problem]:
    """The terms leave nobody less than nothing, and nobody a part of what is passed on whole."""
    (operator, merchant), service = (one.fact for one in contracts), sale.service
    terms = operator, merchant
    for part, text in _faults(leg.price, service.category, terms, moment.rules):
        first, second = terms if part == "operator" else (merchant, operator)
        shares: tuple[Blame, ...] = (first, "share"), (second, "share")
        blamed = *shares, (sale.tariff, leg.field), (service, "category"), *sale.blamed
        yield from moment.prospect.problem(f"at {operator.operator}, {text}", *blamed)


def _faults(
    price: int, category: str, terms: tuple[ContractAgreed, ContractAgreed], rules: Rules
) -> Iterator[tuple[str, str]]:
    """Give whose part of a price is wrong, and how."""
    operator, merchant = terms
    tax = rules.tax_rates.get(category)
    if tax is None:
        return
    try:
        amounts = split(price, tax, operator.share, merchant.share)
    except ImpossibleSplit as impossible:
        yield impossible.part, str(impossible)
        return
    for keeper, kept in rules.withheld(category, amounts).items():
        text = f"the {keeper} would keep {micros_text(kept)} of {micros_text(price)}"
        yield keeper, f"{text}, and {category} is passed on whole"
