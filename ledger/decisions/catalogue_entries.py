"""What each fact of a catalogue must hold by itself, at the moment it counts from."""

from collections.abc import Iterator
from typing import assert_never

from ledger.decisions.catalogue_request import Problem, Prospect, Requested
from ledger.decisions.catalogue_services import (
    BOUNDLESS,
    follows,
    room_of,
    service_problems,
    suspended_problems,
    test_number_problems,
    unseen,
)
from ledger.decisions.catalogue_terms import contract_problems, tariff_problems
from ledger.decisions.keywords import normalise, service_word
from ledger.facts.book import GatewayDeclared
from ledger.facts.catalogue import (
    ContractAgreed,
    KeywordAssigned,
    KeywordWithdrawn,
    MerchantRegistered,
    ServiceDeclared,
    ServiceResumed,
    ServiceSuspended,
    ShortCodeClosed,
    ShortCodeOpened,
    TariffSet,
    TestNumberDeclared,
    TestNumberWithdrawn,
)
from ledger.rules.inforce import Rules
from ledger.texts import (
    CODE_PLACEHOLDERS,
    NOTICE_PLACEHOLDERS,
    overflow,
    render,
    template_problems,
)


def entry_problems(prospect: Prospect) -> Iterator[Problem]:
    """Check everything new by itself."""
    for asked in prospect.news.values():
        at = asked.fact.effective_from
        rules = prospect.rules(at)
        if rules is None:
            place = asked.where("effective_from")
            yield Problem(place, f"the rules do not reach {prospect.day(at)}")
        else:
            yield from _problems(asked, prospect, rules)


def _problems(  # noqa: C901 - one case for each kind of fact
    asked: Requested, prospect: Prospect, rules: Rules
) -> Iterator[Problem]:
    fact = asked.fact
    match fact:
        case MerchantRegistered() | KeywordWithdrawn():
            return
        case GatewayDeclared():
            yield from _gateway(fact, prospect)
        case ShortCodeOpened():
            yield from _opened(fact, prospect, rules)
        case ShortCodeClosed():
            yield from _closed(fact, prospect)
        case ServiceDeclared():
            yield from service_problems(fact, prospect, rules)
        case TariffSet():
            yield from tariff_problems(fact, prospect, rules)
        case ContractAgreed():
            yield from contract_problems(fact, prospect)
        case KeywordAssigned():
            yield from _keyword(fact, prospect, rules)
            yield from _its_service(fact, prospect)
        case ServiceSuspended() | ServiceResumed():
            yield from suspended_problems(fact, prospect)
        case TestNumberDeclared() | TestNumberWithdrawn():
            yield from test_number_problems(fact, prospect)
        case _:
            assert_never(fact)


def _gateway(fact: GatewayDeclared, prospect: Prospect) -> Iterator[Problem]:
    """How ids are read never changes, or a message that comes again would be another one."""
    first = min(prospect.timeline(fact), key=lambda version: version.position).fact
    assert isinstance(first, GatewayDeclared)
    if fact.recycles_ids != first.recycles_ids:
        declared = f"{fact.gateway} was declared with {str(first.recycles_ids).lower()}"
        text = "and a message that comes again would get another id; declare another gateway"
        yield from prospect.problem(f"{declared}, {text} instead", (fact, "recycles_ids"))


def _opened(fact: ShortCodeOpened, prospect: Prospect, rules: Rules) -> Iterator[Problem]:
    if rules.range_of(fact.short_code) is None:
        text = f"{fact.short_code} lies in no range of codes that the rules know"
        yield from prospect.problem(text, (fact, "short_code"))
    if fact.dedicated_to is not None:
        yield from prospect.unregistered(fact, fact.dedicated_to, "dedicated_to")
    yield from unseen(fact, ("publisher", "desk"), prospect)
    values = {"code": fact.short_code, "publisher": fact.publisher, "desk": fact.desk}
    for field in ("error_text", "stop_text", "contact_text", "notice_text"):
        template: str = getattr(fact, field)
        if field == "notice_text" and not template:
            continue
        placeholders = NOTICE_PLACEHOLDERS if field == "notice_text" else CODE_PLACEHOLDERS
        wrong = template_problems(template, placeholders)
        long = overflow(render(template, values, BOUNDLESS), room_of(rules))
        for text in wrong or filter(None, [long]):
            yield from prospect.problem(text, (fact, field))


def _closed(fact: ShortCodeClosed, prospect: Prospect) -> Iterator[Problem]:
    if not follows(fact, ShortCodeOpened, prospect):
        text = f"{fact.short_code} is not open with {fact.operator} then"
        yield from prospect.problem(text, (fact, "short_code"))


def _keyword(fact: KeywordAssigned, prospect: Prospect, rules: Rules) -> Iterator[Problem]:
    if (read := " ".join(normalise(fact.keyword))) != fact.keyword:
        text = f"{fact.keyword!r} is never matched, for matching reads it as {read!r}"
        yield from prospect.problem(text, (fact, "keyword"))
    if word := service_word(fact.keyword, rules.service_words):
        text = f"{word.word} is a service word, which no merchant can have"
        yield from prospect.problem(text, (fact, "keyword"))
    if not prospect.openings(fact.short_code, fact.effective_from):
        text = f"no operator has opened {fact.short_code} by then"
        yield from prospect.problem(text, (fact, "short_code"))


def _its_service(fact: KeywordAssigned, prospect: Prospect) -> Iterator[Problem]:
    service = prospect.then.service(fact.service, fact.effective_from)
    if service is None:
        text = f"no service {fact.service} is declared by then"
        yield from prospect.problem(text, (fact, "service"))
    elif service.merchant != fact.merchant:
        text = f"{fact.service} is a service of {service.merchant}, not of {fact.merchant}"
        yield from prospect.problem(text, (fact, "merchant"))
    yield from prospect.unregistered(fact, fact.merchant, "merchant")
