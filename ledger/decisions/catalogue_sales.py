"""Whether everything that a catalogue puts on sale may be sold there, and can be charged.

What is on sale changes only where a fact begins to count, so it is enough to look at those
moments. A moment's fault is told at the new fact that has the first part in it.
"""

from collections.abc import Iterator
from datetime import datetime
from itertools import product

from ledger.decisions.catalogue_charges import Moment, Sale, charge_problems, unmatched_problems
from ledger.decisions.catalogue_keywords import shared_beginnings, strangers
from ledger.decisions.catalogue_request import Blame, Problem, Prospect
from ledger.decisions.catalogue_services import BOUNDLESS, reply, room_of
from ledger.decisions.catalogue_terms import charged_legs
from ledger.decisions.subscribed import every_text
from ledger.facts.catalogue import KeywordAssigned, ShortCodeOpened
from ledger.rules.inforce import Rules
from ledger.texts import overflow, price_text, render

MOST_SPENT = 9_999_990_000
"""The most that a notice has room to tell, in micros: nobody spends that much on one service."""


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
        yield from _code_problems(Moment(prospect, rules, short_code, at, openings))


def _code_problems(moment: Moment) -> Iterator[Problem]:
    prospect = moment.prospect
    assigned = _assigned(moment)
    yield from _openings_differ(moment)
    yield from shared_beginnings(assigned, prospect)
    for opened in moment.openings:
        yield from strangers(assigned, opened, prospect)
    yield from _tariff_without_operator(moment)
    yield from unmatched_problems(moment)
    for one in assigned:
        service = prospect.then.service(one.service, moment.at)
        tariff = prospect.then.tariff(moment.short_code, one.keyword, moment.at)
        if tariff is None:
            text = f"{moment.short_code} {one.keyword} has no price"
            yield from prospect.problem(text, (one, "keyword"))
        elif service is not None:
            sale = Sale(one, service, tariff.fact)
            yield from _its_texts(sale, moment)
            yield from _its_kind(sale, moment)
            yield from charge_problems(sale, moment)


def _assigned(moment: Moment) -> list[KeywordAssigned]:
    then, short_code = moment.prospect.then, moment.short_code
    keywords = sorted(then.keywords.get(short_code, ()))
    found = (then.assignment(short_code, keyword, moment.at) for keyword in keywords)
    return [one for one in found if one is not None]


def _openings_differ(moment: Moment) -> Iterator[Problem]:
    """A code is one merchant's with every operator, or shared with every operator."""
    for one, other in zip(moment.openings, moment.openings[1:], strict=False):
        if one.dedicated_to != other.dedicated_to:
            text = f"{one.operator} and {other.operator} have {one.short_code} for different"
            blamed = (other, "dedicated_to"), (one, "dedicated_to")
            yield from moment.prospect.problem(f"{text} merchants", *blamed)


def _tariff_without_operator(moment: Moment) -> Iterator[Problem]:
    """A price asks for a contract with each operator that has the code."""
    then, at = moment.prospect.then, moment.at
    keywords = sorted(then.keywords.get(moment.short_code, ()))
    found = (then.tariff(moment.short_code, keyword, at) for keyword in ("", *keywords))
    priced = {one.fact.tariff: one.fact for one in found if one and charged_legs(one.fact)}
    for tariff, opened in product(priced.values(), moment.openings):
        if then.operator_contract(opened.operator, tariff.tariff, at) is None:
            text = f"no contract with {opened.operator} covers {tariff.tariff}"
            blamed = (tariff, "tariff"), (opened, "operator")
            yield from moment.prospect.problem(f"{text} of {moment.short_code}", *blamed)


def _its_texts(sale: Sale, moment: Moment) -> Iterator[Problem]:
    """The answer, the offer, and CONTACT's with this publisher fit one message each."""
    room, service = room_of(moment.rules), sale.service
    price = price_text(sale.tariff.price, sale.tariff.currency)
    if long := overflow(reply(service, moment.short_code, price), room):
        blamed: tuple[Blame, ...] = ((service, "reply_text"), *sale.blamed)
        yield from moment.prospect.problem(f"the answer of {sale.about} {long}", *blamed)
    if long := overflow(_offer(sale, price, moment.rules), room):
        blamed = (service, "subscription"), *sale.blamed
        yield from moment.prospect.problem(f"the offer of {sale.about} {long}", *blamed)
    for opened in moment.openings:
        for field, text, about in _of_the_code(opened, sale, price):
            if long := overflow(text, room):
                blamed = (opened, field), (service, "publisher"), *sale.blamed
                yield from moment.prospect.problem(f"{about} for {service.service} {long}", *blamed)


def _of_the_code(opened: ShortCodeOpened, sale: Sale, price: str) -> Iterator[tuple[str, str, str]]:
    """Give the free texts that name a service: the field, the whole text, and what it is."""
    service = sale.service
    values = {"code": opened.short_code, "publisher": service.publisher, "desk": service.desk}
    yield "contact_text", render(opened.contact_text, values, BOUNDLESS), "CONTACT"
    if opened.notice_text:
        spent = price_text(MOST_SPENT, sale.tariff.currency)
        more = {"service": service.name, "price": price, "spent": spent}
        yield "notice_text", render(opened.notice_text, values | more, BOUNDLESS), "the notice"


def _offer(sale: Sale, price: str, rules: Rules) -> str:
    """Give the whole offer of a subscription; nothing where there is none."""
    offer = sale.service.subscription
    if offer is None:
        return ""
    words = (word for word, kind in rules.service_words.items() if kind == "confirm")
    values = {
        "service": sale.service.name,
        "code": sale.assigned.short_code,
        "price": price,
        "every": every_text(offer.every),
        "confirm": next(words, ""),
    }
    return render(offer.offer_text, values, BOUNDLESS)


def _its_kind(sale: Sale, moment: Moment) -> Iterator[Problem]:
    """Subscriptions are sold where they may be, and nothing else where they alone may be."""
    allowed = moment.rules.range_of(moment.short_code)
    if allowed is None:
        return
    subscribed = sale.service.subscription is not None
    if subscribed and allowed.subscriptions == "none":
        text = f"no subscription may be sold on {allowed.codes}, and {sale.service.service} is one"
    elif not subscribed and allowed.subscriptions == "only":
        text = f"only subscriptions may be sold on {allowed.codes}, and {sale.service.service}"
        text = f"{text} is none"
    else:
        return
    blamed: tuple[Blame, ...] = *sale.blamed, (sale.service, "subscription")
    yield from moment.prospect.problem(text, *blamed)
