"""What a consumer has subscribed to, and what a cycle of it costs and brings.

The terms are those that the consumer was told; tax and contracts are those of the day.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.catalogue import Catalogue, Tariff
from ledger.decisions import opt_out
from ledger.decisions.charging import Purchase
from ledger.facts.base import Fact
from ledger.facts.catalogue import ServiceDeclared, TariffSet
from ledger.facts.consent import OptedOut
from ledger.facts.subscriptions import (
    SubscriptionRef,
    SubscriptionRefused,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.rules.inforce import Rules
from ledger.spans import Period
from ledger.texts import Room, price_text, render
from ledger.words import LocalDay, derived_id


class Subscription(NamedTuple):
    """Where one subscription stands."""

    ref: SubscriptionRef
    requested: SubscriptionRequested | None = None
    started: SubscriptionStarted | None = None
    ended: bool = False
    """Stopped; or never begun, because another offer, STOP or a late confirmation closed it."""

    @property
    def live(self) -> bool:
        """Whether it is charged again and again."""
        return self.started is not None and not self.ended

    @property
    def open(self) -> bool:
        """Whether it was offered, and waits for a confirmation."""
        return self.started is None and not self.ended


def subscribed(facts: Iterable[Fact]) -> dict[str, Subscription]:
    """Fold one consumer's subscriptions, by their ids, in the order in which they began."""
    known: dict[str, Subscription] = {}
    for fact in facts:
        for name in _ended_by(known, fact):
            known[name] = known[name]._replace(ended=True)
        match fact:
            case SubscriptionRequested():
                known[fact.subject] = Subscription(fact.ref, requested=fact)
            case SubscriptionStarted():
                before = known.get(fact.subject, Subscription(fact.ref))
                known[fact.subject] = before._replace(ref=fact.ref, started=fact)
            case _:
                pass
    return known


def _ended_by(known: dict[str, Subscription], fact: Fact) -> list[str]:
    """Give what a fact ends: a subscription, or an offer that nobody can confirm any more."""
    match fact:
        case SubscriptionStopped():
            return [fact.subject] if fact.subject in known else []
        case SubscriptionRefused(rule="request_expired", subscription=late):
            return [late] if late in known else []
        case SubscriptionRequested(ref=ref):
            # A word that agrees, said twice, must not agree to what was offered before.
            return _offers(known, lambda one: one.short_code == ref.short_code)
        case OptedOut():
            # What is live ends by a fact of its own.
            scope = opt_out.scope_of(fact)
            return _offers(known, lambda one: opt_out.covers(scope, one.short_code, one.service))
        case _:
            return []


def _offers(known: dict[str, Subscription], wanted: Callable[[SubscriptionRef], bool]) -> list[str]:
    return [name for name, one in known.items() if one.open and wanted(one.ref)]


def service_of(ref: SubscriptionRef, catalogue: Catalogue, at: datetime) -> ServiceDeclared:
    """Give the service as it is declared at `at`; one that was declared once always is."""
    service = catalogue.service(ref.service, at)
    assert service is not None, ref.service
    return service


class Cycle(NamedTuple):
    """One cycle that is to be charged: the local day that it began, and the MO that began it."""

    day: LocalDay
    at: datetime
    test: bool
    """Whether the consumer's number is one for testing at that moment."""
    mo: str | None = None


def purchase(book: str, ref: SubscriptionRef, service: ServiceDeclared, cycle: Cycle) -> Purchase:
    """Give what a cycle costs: the price that the consumer was told, whatever it is today."""
    told = TariffSet(
        tariff=ref.tariff,
        short_code=ref.short_code,
        keyword=ref.keyword,
        price=ref.price,
        currency=ref.currency,
        billing_code=ref.billing_code,
        effective_from=cycle.at,
    )
    return Purchase(
        book=book,
        consumer=ref.consumer,
        short_code=ref.short_code,
        operator=ref.operator,
        service=service,
        keyword=ref.keyword,
        tariff=Tariff(ref.tariff_version, told),
        price=ref.price,
        occurred_at=cycle.at,
        mo=cycle.mo,
        subscription=ref.subscription,
        cycle=cycle.day,
        test=cycle.test,
    )


def cycle_id(book: str, subscription: str, day: LocalDay) -> str:
    """Give the id of a cycle: the exchange that its facts belong to."""
    return derived_id(book, "cycle", subscription, day.isoformat())


def content(ref: SubscriptionRef, service: ServiceDeclared, rules: Rules) -> str:
    """Write what a cycle brings."""
    values = {
        "code": ref.short_code,
        "price": price_text(ref.price, ref.currency),
        "publisher": service.publisher,
        "desk": service.desk,
        "service": service.name,
    }
    return render(service.reply_text, values, room(rules))


def offer(requested: SubscriptionRequested, catalogue: Catalogue, rules: Rules) -> str:
    """Write the offer that was sent on a request: the same text, whenever it is asked for."""
    ref = requested.ref
    service = service_of(ref, catalogue, requested.occurred_at)
    assert service.subscription is not None, ref.service
    values = {
        "service": service.name,
        "price": price_text(ref.price, ref.currency),
        "every": every_text(ref.every),
        "confirm": requested.confirm,
        "code": ref.short_code,
    }
    return render(service.subscription.offer_text, values, room(rules))


def every_text(every: Period) -> str:
    """Write how often it is charged: `1 week`, `2 months`."""
    return f"{every.n} {every.unit}" + ("s" if every.n > 1 else "")


def room(rules: Rules) -> Room:
    """Give how much one segment holds."""
    return Room(gsm7=rules.gsm7_characters, ucs2=rules.ucs2_characters)
