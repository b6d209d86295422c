"""What must not go out any more, and what is called back because the consumer said STOP."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from ledger.catalogue import Catalogue
from ledger.decisions import opt_out
from ledger.decisions.outbound import Pushed, all_pushed
from ledger.decisions.standing import Charge, charge_of
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import (
    ChargeReleased,
)
from ledger.facts.consent import OptedOut
from ledger.facts.handover import MtCancelled, MtCancelReason
from ledger.facts.solicitations import SolicitationAllowed, SolicitationExpired
from ledger.facts.subscriptions import SubscriptionRenewed, SubscriptionStopped
from ledger.facts.traffic import MtKind
from ledger.rules.inforce import Rules, Stopped
from ledger.words import local_day

_ENDED_BY_STOP: dict[MtKind, Stopped] = {
    "renewal": "subscriptions",
    "solicitation": "solicitations",
    "tariff_notice": "replies",
}
"""As what the country's rule on STOP knows a message that nobody had just asked for."""


def cancel(
    pushed: Pushed, facts: Sequence[Fact], reason: MtCancelReason, at: datetime, zone: str
) -> list[Draft]:
    """Keep a message from going out; the charge that it carries is released if it is pending.

    `facts` have all of its charge. Whoever calls names the chain and the cause.
    """
    at = max(at, pushed.since)
    cancelled = MtCancelled(ref=pushed.emitted.ref, reason=reason, occurred_at=at)
    drafts = [Draft(cancelled)]
    charge = charge_on(pushed, facts)
    if charge is not None and (charge.status in {"authorized", "unresolved"}):
        drafts.append(_released(charge, pushed.mt, facts, at, zone))
    return drafts


def recall(facts: Sequence[Fact], scope: opt_out.Scope, rules: Rules, at: datetime) -> list[Draft]:
    """Cancel what a consumer's STOP reaches and no gateway has taken.

    `facts` are the consumer's: every pushed message with its steps, and their charges. Whoever
    calls names the chain and the cause.
    """
    drafts: list[Draft] = []
    for pushed in all_pushed(facts).values():
        if pushed.can_be_kept and _is_ended(pushed, scope, rules):
            drafts += cancel(pushed, facts, "opted_out", at, rules.zone)
    return drafts


def forbidden(
    pushed: Pushed, facts: Sequence[Fact], known: Known, now: datetime
) -> MtCancelReason | None:
    """Say why a message must not go out any more."""
    if any(_is_ended(pushed, scope, known.rules) for scope in _stopped_since(pushed, facts)):
        return "opted_out"
    if _subscription_stopped(pushed, facts):
        return "subscription_stopped"
    if _withdrawn(pushed, known.catalogue, now):
        return "withdrawn"
    return "expired" if _too_late(pushed, facts, known.rules, now) else None


def _stopped_since(pushed: Pushed, facts: Sequence[Fact]) -> list[opt_out.Scope]:
    """Give what the consumer stopped after the message was decided, lifted or not.

    A later message lifts a STOP for replies to itself, not for what was on its way before.
    """
    since = facts.index(pushed.emitted)
    return [opt_out.scope_of(fact) for fact in facts[since:] if isinstance(fact, OptedOut)]


def _is_ended(pushed: Pushed, scope: opt_out.Scope, rules: Rules) -> bool:
    ref, kind = pushed.emitted.ref, pushed.emitted.kind
    reached = opt_out.covers(scope, ref.short_code, ref.service)
    return reached and _ENDED_BY_STOP.get(kind, "replies") in rules.stop.ends


def _subscription_stopped(pushed: Pushed, facts: Iterable[Fact]) -> bool:
    subscription = pushed.emitted.ref.subscription
    return pushed.emitted.kind == "renewal" and any(
        isinstance(fact, SubscriptionStopped) and fact.ref.subscription == subscription
        for fact in facts
    )


def _withdrawn(pushed: Pushed, catalogue: Catalogue, now: datetime) -> bool:
    """Tell whether what it sells or advertises is not sold now; a notice sells nothing."""
    ref = pushed.emitted.ref
    if not pushed.charged and pushed.emitted.kind != "solicitation":
        return False
    if catalogue.code(ref.short_code, ref.operator, now) is None:
        return True
    return ref.service is not None and catalogue.suspended(ref.service, now)


def _too_late(pushed: Pushed, facts: Sequence[Fact], rules: Rules, now: datetime) -> bool:
    """Tell whether its charge was given up or its cycle is over, or an invitation's hour is."""
    charge = charge_on(pushed, facts)
    if charge is not None and (charge.status != "authorized" or _cycle_over(charge, facts, now)):
        return True
    return _allowance_gone(pushed, facts, rules, now)


def _cycle_over(charge: Charge, facts: Sequence[Fact], now: datetime) -> bool:
    """Tell whether the cycle that a charge is for has ended, or, by a clock set back, did.

    Only the cycle that runs is ever charged: what nobody handed over in time is left out.
    """
    cycles = [fact for fact in facts if isinstance(fact, SubscriptionRenewed)]
    return any(
        now >= own.next_due_at or any(other.cycle > own.cycle for other in cycles)
        for own in cycles
        if own.charge == charge.authorized.ref.charge
    )


def _allowance_gone(pushed: Pushed, facts: Iterable[Fact], rules: Rules, now: datetime) -> bool:
    """Tell whether an invitation's hour has passed: its own, or the last permitted today."""
    if pushed.emitted.kind != "solicitation":
        return False
    hours, local = rules.solicitations, now.astimezone(ZoneInfo(rules.zone)).time()
    if hours is None or not hours.open_today or not hours.opens <= local < hours.closes:
        return True
    return any(
        isinstance(fact, SolicitationExpired)
        or (isinstance(fact, SolicitationAllowed) and fact.expires_at <= now)
        for fact in facts
    )


def charge_on(pushed: Pushed, facts: Iterable[Fact]) -> Charge | None:
    """Give where the charge stands that rides on a message."""
    charge = pushed.emitted.ref.charge
    return charge_of(facts, charge) if charge is not None else None


def _released(charge: Charge, mt: str, facts: Sequence[Fact], at: datetime, zone: str) -> Draft:
    authorized, was = charge.authorized, charge.status
    assert was in {"authorized", "unresolved"}
    fact = ChargeReleased(
        ref=authorized.ref,
        amounts=authorized.amounts,
        currency=authorized.currency,
        mt=mt,
        reason="cancelled",
        authorized_day=authorized.value_day,
        was="authorized" if was == "authorized" else "unresolved",
        value_day=local_day(at, zone),
        occurred_at=at,
    )
    same = (one for one in facts if isinstance(one, ChargeReleased))
    return Draft(fact, n=sum(one.subject == fact.subject for one in same))
