"""What a service, its offer, its suspension and a test number must hold by themselves."""

from collections.abc import Iterable, Iterator
from itertools import takewhile

from ledger.decisions.catalogue_request import Problem, Prospect
from ledger.decisions.keywords import normalise
from ledger.facts.base import Fact
from ledger.facts.catalogue import (
    ServiceDeclared,
    ServiceResumed,
    ServiceSuspended,
    ShortCodeOpened,
    SubscriptionOffer,
    TestNumberDeclared,
    TestNumberWithdrawn,
)
from ledger.rules.inforce import Rules
from ledger.texts import (
    OFFER_PLACEHOLDERS,
    REPLY_PLACEHOLDERS,
    Room,
    is_seen,
    overflow,
    render,
    template_problems,
)

BOUNDLESS = Room(gsm7=1_000_000, ucs2=1_000_000)
"""Room in which nothing is cut, to see how long a text really is."""


def room_of(rules: Rules) -> Room:
    """Give the room of one message, as the rules have it."""
    return Room(gsm7=rules.gsm7_characters, ucs2=rules.ucs2_characters)


def reply(service: ServiceDeclared, short_code: str, price: str) -> str:
    """Give the whole answer of a service, however long, with the shortest argument."""
    values = {"code": short_code, "price": price, "service": service.name}
    named = {"publisher": service.publisher, "desk": service.desk}
    return render(service.reply_text, values | named, BOUNDLESS)


def untaxed(service: ServiceDeclared, rules: Rules) -> str:
    """Say that nobody knows the tax on a service."""
    known = ", ".join(sorted(rules.tax_rates))
    return f"the rules have no tax rate for {service.category}; they have one for {known}"


def unseen(
    fact: ShortCodeOpened | ServiceDeclared, fields: Iterable[str], prospect: Prospect
) -> Iterator[Problem]:
    """What a text may name has something to be seen, so that the text has, too."""
    for field in fields:
        if not is_seen(getattr(fact, field)):
            yield from prospect.problem("shows nothing", (fact, field))


def service_problems(fact: ServiceDeclared, prospect: Prospect, rules: Rules) -> Iterator[Problem]:
    """Check a service: its owner, its tax, its texts and choices, and its offer."""
    yield from _owner(fact, prospect)
    if fact.category not in rules.tax_rates:
        yield from prospect.problem(untaxed(fact, rules), (fact, "category"))
    yield from unseen(fact, ("name", "publisher", "desk"), prospect)
    faults = {
        "choices": _choice_faults(fact.choices),
        "reply_text": _reply_faults(fact, room_of(rules)),
        "subscription": _offer_faults(fact.subscription, rules),
    }
    for field, found in faults.items():
        for text in found:
            yield from prospect.problem(text, (fact, field))


def _owner(fact: ServiceDeclared, prospect: Prospect) -> Iterator[Problem]:
    yield from prospect.unregistered(fact, fact.merchant, "merchant")
    owners = {other.merchant for other in prospect.namesakes(fact)} - {fact.merchant}
    for owner in sorted(owners):
        text = f"{fact.service} is a service of {owner}, and none changes hands"
        yield from prospect.problem(text, (fact, "merchant"))


def _choice_faults(choices: Iterable[str]) -> Iterator[str]:
    for choice in choices:
        if (read := " ".join(normalise(choice))) != choice:
            yield f"{choice!r} is never matched, for matching reads it as {read!r}"


def _reply_faults(fact: ServiceDeclared, room: Room) -> Iterable[str]:
    wrong = template_problems(fact.reply_text, REPLY_PLACEHOLDERS)
    return wrong or filter(None, [overflow(reply(fact, "", ""), room)])


def _offer_faults(offer: SubscriptionOffer | None, rules: Rules) -> Iterator[str]:
    """Say why a subscription cannot be offered like this, or not in this country at all."""
    if offer is None:
        return
    terms = rules.subscriptions
    if terms is None or all(one.subscriptions == "none" for one in rules.code_ranges):
        yield "the rules allow no subscription on any code"
        return
    confirming = "confirming_mo" in terms.steps
    if confirming and "confirm" not in rules.service_words.values():
        yield "the rules know no word that confirms a subscription"
    wanted = ("{price}", "{confirm}") if confirming else ("{price}",)
    missing = [name for name in wanted if name not in offer.offer_text]
    if missing:
        yield f"the offer must tell {' and '.join(missing)}"
    yield from template_problems(offer.offer_text, OFFER_PLACEHOLDERS)


def suspended_problems(
    fact: ServiceSuspended | ServiceResumed, prospect: Prospect
) -> Iterator[Problem]:
    """Check that there is such a service, and that what is resumed was suspended."""
    service = prospect.then.service(fact.service, fact.effective_from)
    if service is None:
        text = f"no service {fact.service} is declared by then"
        yield from prospect.problem(text, (fact, "service"))
    elif service.merchant != fact.merchant:
        text = f"{fact.service} is a service of {service.merchant}, not of {fact.merchant}"
        yield from prospect.problem(text, (fact, "merchant"))
    if isinstance(fact, ServiceResumed) and not follows(fact, ServiceSuspended, prospect):
        text = f"{fact.service} is not suspended then"
        yield from prospect.problem(text, (fact, "service"))


def test_number_problems(
    fact: TestNumberDeclared | TestNumberWithdrawn, prospect: Prospect
) -> Iterator[Problem]:
    """Check that only what was declared is withdrawn."""
    if isinstance(fact, TestNumberWithdrawn) and not follows(fact, TestNumberDeclared, prospect):
        text = f"{fact.consumer} is not declared for testing then"
        yield from prospect.problem(text, (fact, "consumer"))


def follows(fact: Fact, kind: type[Fact], prospect: Prospect) -> bool:
    """Tell whether what was in force before a fact, under its key, is of a kind."""
    earlier = list(takewhile(lambda one: one.fact is not fact, prospect.timeline(fact)))
    return bool(earlier) and isinstance(earlier[-1].fact, kind)
