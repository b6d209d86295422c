"""The start of a subscription: its first cycle charged with the answer, or why none begins."""

from ledger.decisions import spending
from ledger.decisions.charging import charge
from ledger.decisions.crossed import Way, notices_due
from ledger.decisions.story import Exchange, mt_id
from ledger.decisions.subscribed import Cycle, content, purchase, room, service_of
from ledger.facts.catalogue import ShortCodeOpened
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.subscriptions import (
    Consent,
    SubscriptionRef,
    SubscriptionRefused,
    SubscriptionRenewed,
    SubscriptionRule,
    SubscriptionStarted,
)
from ledger.spans import due_at
from ledger.texts import render
from ledger.words import local_day


def start(
    exchange: Exchange,
    code: ShortCodeOpened,
    ref: SubscriptionRef,
    consent: tuple[Consent, ...],
    proof: str | None,
) -> None:
    """Begin a subscription with its first cycle, if that may be charged."""
    mo, known = exchange.mo, exchange.known
    service = service_of(ref, known.catalogue, mo.occurred_at)
    bought = purchase(known.book, ref, service, cycle_of(exchange))
    made = charge(bought, known.basis, spending.spent(exchange.facts))
    if isinstance(made, ChargeRefused):
        exchange.add(made)
        refuse(exchange, code, ref, "charge_refused")
        return
    exchange.add(SubscriptionStarted(ref=ref, consent=consent, occurred_at=mo.occurred_at), proof)
    exchange.add(_first_cycle(exchange, ref, made))
    exchange.add(made)
    exchange.emit("renewal", content(ref, service, known.rules), bought, made.ref.charge)
    way = Way(mo.gateway, mo.smsc)
    for notice in notices_due(known.book, known.rules, made, exchange.facts, way):
        exchange.beside(notice)


def cycle_of(exchange: Exchange) -> Cycle:
    """Give the cycle that would begin with a message."""
    mo, zone = exchange.mo, exchange.known.rules.zone
    return Cycle(local_day(mo.occurred_at, zone), mo.occurred_at, exchange.test, mo.mo)


def _first_cycle(
    exchange: Exchange, ref: SubscriptionRef, made: ChargeAuthorized
) -> SubscriptionRenewed:
    mo, zone = exchange.mo, exchange.known.rules.zone
    return SubscriptionRenewed(
        ref=ref,
        cycle=local_day(mo.occurred_at, zone),
        number=0,
        charge=made.ref.charge,
        mt=mt_id(exchange.known.book, mo.mo),
        next_due_at=due_at(mo.occurred_at, zone, ref.every, 1),
        occurred_at=mo.occurred_at,
    )


def refuse(
    exchange: Exchange, code: ShortCodeOpened, ref: SubscriptionRef, rule: SubscriptionRule
) -> None:
    """Record why none begins, and say so with the code's own error, free."""
    mo = exchange.mo
    exchange.add(
        SubscriptionRefused(
            mo=mo.mo,
            consumer=mo.consumer,
            short_code=mo.short_code,
            operator=mo.operator,
            merchant=ref.merchant,
            service=ref.service,
            subscription=None if rule == "not_allowed" else ref.subscription,
            rule=rule,
            occurred_at=mo.occurred_at,
        )
    )
    values = {"code": mo.short_code, "publisher": code.publisher, "desk": code.desk}
    text = render(code.error_text, values, room(exchange.known.rules))
    exchange.emit("error", text, None, None)
