"""Whether everything that a catalogue puts on sale can be charged and shared out.

What is on sale changes only where a fact begins to count, so it is enough to look at those
moments. A moment's fault is told at the new fact that has the first part in it.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import product
from typing import NamedTuple

from ledger.catalogue import Contract
from ledger.decisions.catalogue_entries import BOUNDLESS, reply, room_of, untaxed
from ledger.decisions.catalogue_keywords import shared_beginnings, strangers
from ledger.decisions.catalogue_request import Blame, Problem, Prospect
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    ServiceDeclared,
    ShortCodeOpened,
    TariffSet,
)
from ledger.money import ImpossibleSplit, micros_text, split
from ledger.rules.inforce import CaptureNotSet, Rules
from ledger.texts import overflow, price_text, render


class _Moment(NamedTuple):
    """One code at one instant."""

    prospect: Prospect
    rules: Rules
    short_code: str
    at: datetime
    openings: list[ShortCodeOpened]


class _Sale(NamedTuple):
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


def sale_problems(prospect: Prospect) -> Iterator[Problem]:
    """Look at every code at each moment from the first that a change is about.

    What stays wrong is told once, with the day from which it is wrong.
    """
    first = min(asked.fact.effective_from for asked in prospect.news.values())
    known = prospect.then.versions.values()
    moments = {version.since for versions in known for version in versions}
    seen: set[Problem] = set()
    for at in sorted(moment for moment in moments if moment >= first):
        for problem in _problems_at(prospect, at):
            if problem not in seen:
                seen.add(problem)
                text = f"{problem.text}, from {prospect.day(at)} on"
                yield problem._replace(text=text)


def _problems_at(prospect: Prospect, at: datetime) -> Iterator[Problem]:
    rules = prospect.rules(at)
    if rules is None:
        return
    for short_code in prospect.operators:
        openings = prospect.openings(short_code, at)
        yield from _code_problems(_Moment(prospect, rules, short_code, at, openings))


def _code_problems(moment: _Moment) -> Iterator[Problem]:
    prospect = moment.prospect
    assigned = _assigned(moment)
    yield from _openings_differ(moment)
    yield from shared_beginnings(assigned, prospect)
    for opened in moment.openings:
        yield from strangers(assigned, opened, prospect)
    yield from _tariff_without_operator(moment)
    for one in assigned:
        service = prospect.then.service(one.service, moment.at)
        tariff = prospect.then.tariff(moment.short_code, one.keyword, moment.at)
        if tariff is None:
            text = f"{moment.short_code} {one.keyword} has no price"
            yield from prospect.problem(text, (one, "keyword"))
        elif service is not None:
            sale = _Sale(one, service, tariff.fact)
            yield from _its_texts(sale, moment)
            yield from _its_charges(sale, moment)


def _assigned(moment: _Moment) -> list[KeywordAssigned]:
    then, short_code = moment.prospect.then, moment.short_code
    keywords = sorted(then.keywords.get(short_code, ()))
    found = (then.assignment(short_code, keyword, moment.at) for keyword in keywords)
    return [one for one in found if one is not None]


def _openings_differ(moment: _Moment) -> Iterator[Problem]:
    """A code is one merchant's with every operator, or shared with every operator."""
    for one, other in zip(moment.openings, moment.openings[1:], strict=False):
        if one.dedicated_to != other.dedicated_to:
            text = f"{one.operator} and {other.operator} have {one.short_code} for different"
            blamed = (other, "dedicated_to"), (one, "dedicated_to")
            yield from moment.prospect.problem(f"{text} merchants", *blamed)


def _tariff_without_operator(moment: _Moment) -> Iterator[Problem]:
    """A price asks for a contract with each operator that has the code."""
    then, at = moment.prospect.then, moment.at
    keywords = sorted(then.keywords.get(moment.short_code, ()))
    found = (then.tariff(moment.short_code, keyword, at) for keyword in ("", *keywords))
    priced = {one.fact.tariff: one.fact for one in found if one and one.fact.price}
    for tariff, opened in product(priced.values(), moment.openings):
        if then.operator_contract(opened.operator, tariff.tariff, at) is None:
            text = f"no contract with {opened.operator} covers {tariff.tariff}"
            blamed = (tariff, "tariff"), (opened, "operator")
            yield from moment.prospect.problem(f"{text} of {moment.short_code}", *blamed)


def _its_texts(sale: _Sale, moment: _Moment) -> Iterator[Problem]:
    """The answer, and CONTACT's with this service's publisher, fit one message each."""
    room, service = room_of(moment.rules), sale.service
    price = price_text(sale.tariff.price, sale.tariff.currency)
    if long := overflow(reply(service, moment.short_code, price), room):
        blamed: tuple[Blame, ...] = ((service, "reply_text"), *sale.blamed)
        yield from moment.prospect.problem(f"the answer of {sale.about} {long}", *blamed)
    values = {"code": moment.short_code, "publisher": service.publisher, "desk": service.desk}
    for opened in moment.openings:
        if long := overflow(render(opened.contact_text, values, BOUNDLESS), room):
            blamed = (opened, "contact_text"), (service, "publisher"), *sale.blamed
            yield from moment.prospect.problem(f"CONTACT for {service.service} {long}", *blamed)


def _its_charges(sale: _Sale, moment: _Moment) -> Iterator[Problem]:
    """The price can be captured, taxed and shared with each operator that has the code."""
    if not sale.tariff.price:
        return
    yield from _its_category(sale, moment)
    for opened in moment.openings:
        try:
            moment.rules.captures(opened.operator, moment.short_code, "mt")
        except CaptureNotSet as missing:
            blamed = (opened, "operator"), *sale.blamed
            yield from moment.prospect.problem(str(missing), *blamed)
        yield from _its_contracts(sale, opened, moment)


def _its_category(sale: _Sale, moment: _Moment) -> Iterator[Problem]:
    """The service may be sold on this code, and somebody knows the tax on it."""
    service, allowed = sale.service, moment.rules.range_of(moment.short_code)
    only = allowed.tax_category if allowed else None
    if only not in {None, service.category}:
        text = f"{moment.short_code} is for {only} only, and {service.service} is"
        blamed = *sale.blamed, (service, "category")
        yield from moment.prospect.problem(f"{text} {service.category}", *blamed)
    if service.category not in moment.rules.tax_rates and id(service) not in moment.prospect.news:
        yield from moment.prospect.problem(untaxed(service, moment.rules), *sale.blamed)


def _its_contracts(sale: _Sale, opened: ShortCodeOpened, moment: _Moment) -> Iterator[Problem]:
    merchant, prospect = sale.service.merchant, moment.prospect
    terms = (opened.operator, sale.tariff.tariff, moment.at)
    with_operator = prospect.then.operator_contract(*terms)
    with_merchant = prospect.then.merchant_contract(merchant, *terms)
    if with_merchant is None:
        text = f"no contract with {merchant} covers {sale.about} at {opened.operator}"
        yield from prospect.problem(text, *sale.blamed, (opened, "operator"))
    elif with_operator is not None:
        yield from _its_split(sale, with_operator, with_merchant, moment)


def _its_split(
    sale: _Sale, with_operator: Contract, with_merchant: Contract, moment: _Moment
) -> Iterator[Problem]:
    """The terms leave nobody less than nothing, and nobody a part of what is passed on whole."""
    operator, merchant, service = with_operator.fact, with_merchant.fact, sale.service
    for part, text in _faults(sale, operator, merchant, moment.rules):
        first, second = (operator, merchant) if part == "operator" else (merchant, operator)
        shares: tuple[Blame, ...] = (first, "share"), (second, "share")
        blamed = *shares, (sale.tariff, "price"), (service, "category"), *sale.blamed
        yield from moment.prospect.problem(f"at {operator.operator}, {text}", *blamed)


def _faults(
    sale: _Sale, operator: ContractAgreed, merchant: ContractAgreed, rules: Rules
) -> Iterator[tuple[str, str]]:
    """Give whose part of a price is wrong, and how."""
    category, price = sale.service.category, sale.tariff.price
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
