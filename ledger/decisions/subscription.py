"""Subscriptions as consumers ask for, confirm and stop them; renewals are decided elsewhere.

Where a country wants two messages, the first one is answered by an offer, free, and only the
second starts it. What is charged first is the cycle that begins with the start, and the answer
carries it. Where that may not be charged nothing starts.
"""

from datetime import timedelta

import msgspec

from ledger.decisions import spending
from ledger.decisions.asked import Asked, Wanted, stop_word_after
from ledger.decisions.starting import cycle_of, refuse, start
from ledger.decisions.story import Exchange
from ledger.decisions.subscribed import (
    Subscription,
    offer,
    purchase,
    service_of,
    subscribed,
)
from ledger.facts.base import Fact
from ledger.facts.catalogue import ServiceDeclared, ShortCodeOpened
from ledger.facts.charges import ChargeRefused
from ledger.facts.consent import OptedOut
from ledger.facts.registry import stored_name
from ledger.facts.subscriptions import (
    Consent,
    SubscriptionRef,
    SubscriptionRefused,
    SubscriptionRequested,
    SubscriptionRule,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.tags import tag
from ledger.log.rows import Interest
from ledger.rules.inforce import Rules, Subscriptions
from ledger.words import derived_id

_KINDS: tuple[type[Fact], ...] = (
    SubscriptionRequested,
    SubscriptionRefused,
    SubscriptionStarted,
    SubscriptionStopped,
    OptedOut,
    ChargeRefused,
)
TYPES = frozenset(stored_name(kind) for kind in _KINDS)
"""The facts that tell where a consumer's subscriptions stand, and which start was refused when:
one that is refused again is another fact."""


def interests(asked: Asked) -> tuple[Interest, ...]:
    """Ask for the consumer's subscriptions, where a message may begin, confirm or stop one."""
    kind = asked.word.kind if asked.word else None
    offered = asked.service is not None and asked.service.subscription is not None
    if kind in {"stop", "confirm"} or offered or stop_word_after(asked):
        # What is confirmed is charged at once, so caps have to be judged.
        types = TYPES | spending.TYPES if kind == "confirm" else TYPES
        return (Interest((tag("consumer", asked.mo.consumer),), types),)
    return ()


def may_start(asked: Asked) -> bool:
    """Tell whether a message may start a subscription, whose proof needs a key of its own."""
    return asked.word is not None and asked.word.kind == "confirm"


def ask(exchange: Exchange, code: ShortCodeOpened, wanted: Wanted) -> None:
    """Answer a message that asks for a service which is sold as a subscription."""
    known = subscribed(exchange.facts)
    terms = _terms(exchange.known.rules, exchange.mo.short_code)
    ref = _ref(exchange, wanted)
    if terms is None:
        refuse(exchange, code, ref, "not_allowed")
    elif live := _live(known, ref.service):
        refuse(exchange, code, live.ref, "already_subscribed")
    elif "confirming_mo" in terms.steps:
        _offer(exchange, ref, wanted.service, _asked_already(exchange, known, ref), terms)
    else:
        first = Consent("mo", exchange.mo.mo, exchange.mo.occurred_at)
        start(exchange, code, ref, (first,), None)


def confirm(exchange: Exchange, code: ShortCodeOpened) -> bool:
    """Take a message for the confirmation of the latest offer on its code.

    False where none waits for one: then the word is a word like any other.
    """
    known = subscribed(exchange.facts)
    here = exchange.mo.short_code
    waiting = [one for one in known.values() if one.open and one.ref.short_code == here]
    requested = waiting[-1].requested if waiting else None
    if requested is None:
        return False
    if rule := _forbids_confirming(exchange, known, requested):
        refuse(exchange, code, requested.ref, rule)
        return True
    mo = exchange.mo
    steps = (
        Consent("mo", requested.mo, requested.occurred_at),
        Consent("confirming_mo", mo.mo, mo.occurred_at),
    )
    text = offer(requested, exchange.known.catalogue, exchange.known.rules)
    start(exchange, code, _confirmed(exchange, requested), steps, text)
    return True


def _confirmed(exchange: Exchange, requested: SubscriptionRequested) -> SubscriptionRef:
    """Give what was offered, as it begins: at the operator that the confirmation came by.

    That the code is open there was seen before: elsewhere, a word confirms nothing.
    """
    mo = exchange.mo
    return msgspec.structs.replace(
        requested.ref, gateway=mo.gateway, smsc=mo.smsc, operator=mo.operator, test=exchange.test
    )


def nothing_to_confirm(exchange: Exchange) -> None:
    """Record that a word which confirms found no offer, and no keyword either."""
    mo = exchange.mo
    exchange.beside(
        SubscriptionRefused(
            mo=mo.mo,
            consumer=mo.consumer,
            short_code=mo.short_code,
            operator=mo.operator,
            rule="nothing_to_confirm",
            occurred_at=mo.occurred_at,
        )
    )


def stopped(exchange: Exchange, service: str | None, *, everywhere: bool) -> None:
    """End the live subscriptions that a STOP covers: of one service, a code, or everywhere."""
    mo = exchange.mo
    if "subscriptions" not in exchange.known.rules.stop.ends:
        return
    for one in subscribed(exchange.facts).values():
        here = one.ref.short_code == mo.short_code and service in {None, one.ref.service}
        if one.live and (everywhere or here):
            exchange.beside(
                SubscriptionStopped(
                    ref=one.ref, by="consumer", mo=mo.mo, occurred_at=mo.occurred_at
                )
            )


def _terms(rules: Rules, short_code: str) -> Subscriptions | None:
    """Give how subscriptions go on a code; none where it may have none, or none can be agreed."""
    found, terms = rules.range_of(short_code), rules.subscriptions
    if terms is None or found is None or found.subscriptions == "none":
        return None
    unsaid = "confirming_mo" in terms.steps and "confirm" not in rules.service_words.values()
    return None if unsaid else terms


def _live(known: dict[str, Subscription], service: str) -> Subscription | None:
    return next((one for one in known.values() if one.live and one.ref.service == service), None)


def _asked_already(
    exchange: Exchange, known: dict[str, Subscription], ref: SubscriptionRef
) -> SubscriptionRequested | None:
    """Find the same request, still open: it is offered again, at the price that was told."""
    at, same = exchange.mo.occurred_at, (ref.service, ref.short_code)
    for one in known.values():
        asked = one.requested if one.open else None
        if asked and (one.ref.service, one.ref.short_code) == same and at <= asked.expires_at:
            return asked
    return None


def _forbids_confirming(
    exchange: Exchange, known: dict[str, Subscription], requested: SubscriptionRequested
) -> SubscriptionRule | None:
    at, ref = exchange.mo.occurred_at, requested.ref
    if at > requested.expires_at:
        return "request_expired"
    if _terms(exchange.known.rules, ref.short_code) is None:
        return "not_allowed"
    if _live(known, ref.service):
        return "already_subscribed"
    if exchange.known.catalogue.suspended(ref.service, at):
        return "suspended"
    return None if _on_sale(exchange, ref) else "not_on_sale"


def _on_sale(exchange: Exchange, ref: SubscriptionRef) -> bool:
    """Tell whether the keyword still leads to the service, and that is still subscribed to."""
    catalogue, at = exchange.known.catalogue, exchange.mo.occurred_at
    assigned = catalogue.assignment(ref.short_code, ref.keyword, at)
    if assigned is None or assigned.service != ref.service:
        return False
    return service_of(ref, catalogue, at).subscription is not None


def _ref(exchange: Exchange, wanted: Wanted) -> SubscriptionRef:
    mo, service, tariff = exchange.mo, wanted.service, wanted.tariff
    assert service.subscription is not None, service.service
    return SubscriptionRef(
        subscription=derived_id(exchange.known.book, "subscription", mo.mo),
        consumer=mo.consumer,
        gateway=mo.gateway,
        smsc=mo.smsc,
        merchant=service.merchant,
        service=service.service,
        category=service.category,
        keyword=wanted.assignment.keyword,
        short_code=mo.short_code,
        operator=mo.operator,
        tariff=tariff.fact.tariff,
        tariff_version=tariff.id,
        billing_code=tariff.fact.billing_code,
        price=tariff.fact.price,
        currency=tariff.fact.currency,
        every=service.subscription.every,
        test=exchange.test,
    )


def _offer(
    exchange: Exchange,
    ref: SubscriptionRef,
    service: ServiceDeclared,
    before: SubscriptionRequested | None,
    terms: Subscriptions,
) -> None:
    """Tell the price, free, and wait for the confirmation."""
    mo, known = exchange.mo, exchange.known
    requested = before or SubscriptionRequested(
        ref=ref,
        mo=mo.mo,
        confirm=_confirming(known.rules),
        expires_at=mo.occurred_at + timedelta(seconds=terms.confirm_within_seconds),
        occurred_at=mo.occurred_at,
    )
    if before is None:
        exchange.add(requested)
    text = offer(requested, known.catalogue, known.rules)
    told = purchase(known.book, requested.ref, service, cycle_of(exchange))
    exchange.emit("subscription_offer", text, told, None)


def _confirming(rules: Rules) -> str:
    """Give the word that offers ask for: the first of the pack that confirms."""
    return next(word for word, kind in rules.service_words.items() if kind == "confirm")
