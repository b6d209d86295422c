"""A small model of the ledger: what may follow what, told from the facts in their order alone.

It shares no code with the decisions. It knows no history of its own: each fact is held against
what the facts before it allow, so that the first that is wrong is named.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefunded,
    ChargeReleased,
    ChargeUnresolved,
    ChargeWrittenOff,
)
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.notices import NoticeDue, NoticeSent
from ledger.facts.solicitations import SolicitationAllowed, SolicitationExpired
from ledger.facts.subscriptions import (
    SubscriptionRenewed,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    KeywordMatched,
    MoReceived,
    MtEmitted,
)

DAY = timedelta(days=1)
MAY_COME_FROM = {
    "captured": {"authorized", "unresolved", "released"},
    "released": {"authorized", "unresolved"},
    "unresolved": {"authorized"},
}
"""Into which state a charge may go from which."""
Scope = tuple[str, str | None]
Key = tuple[str, str, str]


class Model:
    """Takes facts one after another and says what must not have happened."""

    def __init__(self, cap: int | None) -> None:
        self.wrong: list[str] = []
        self.states: dict[str, str] = {}
        self.earned: dict[str, int] = {}
        """What operators owe for each captured charge, less what they took back, in micros."""
        self.refunded: Counter[str] = Counter()
        self.prices: dict[str, int] = {}
        self.written_off: set[str] = set()
        self._cap = cap
        self._received: set[str] = set()
        self._conflicts: defaultdict[str, set[str]] = defaultdict(set)
        self._matched: dict[str, KeywordMatched] = {}
        self._causes: set[tuple[str, str]] = set()
        self._stopped: defaultdict[str, dict[Scope, datetime]] = defaultdict(dict)
        self._lifted: defaultdict[str, dict[Scope, datetime]] = defaultdict(dict)
        self._confirmed: Counter[str] = Counter()
        self._spent: defaultdict[tuple[str, str | None], dict[str, tuple[datetime, int]]]
        self._spent = defaultdict(dict)
        self._returned: dict[Key, datetime] = {}
        self._allowed: defaultdict[Key, dict[str, SolicitationAllowed]] = defaultdict(dict)
        self._used: set[str] = set()
        self._live: dict[tuple[str, str], str] = {}
        self._cycles: set[str] = set()
        self._notices: Counter[object] = Counter()

    def take(self, one: Recorded) -> None:
        """Hold a fact against those before it."""
        rule = self._RULES.get(type(one.fact))
        if rule is not None:
            rule(self, one.fact)

    def _no(self, fact: Fact, why: str) -> None:
        self.wrong.append(f"{type(fact).__name__} of {fact.subject[:12]}: {why}")

    # --- Messages ---

    def _receive(self, fact: MoReceived) -> None:
        if fact.mo in self._received:
            self._no(fact, "the message was received before")
        self._received.add(fact.mo)

    def _conflict(self, fact: ConflictingDuplicateReceived) -> None:
        if fact.mo not in self._received or fact.fingerprint in self._conflicts[fact.mo]:
            self._no(fact, "there is nothing that it conflicts with, or it is known")
        self._conflicts[fact.mo].add(fact.fingerprint)

    def _match(self, fact: KeywordMatched) -> None:
        if fact.mo in self._matched:
            self._no(fact, "the message was matched before")
        self._matched[fact.mo] = fact
        if not fact.test:
            key = (fact.consumer, fact.short_code, fact.merchant)
            self._returned[key] = max(fact.occurred_at, self._returned.get(key, fact.occurred_at))

    # --- Consent ---

    def _stop(self, fact: OptedOut) -> None:
        scope = ("*", None) if fact.everywhere else (fact.short_code, fact.service)
        lifted = self._lifted[fact.consumer].get(scope)
        if lifted is None or fact.occurred_at >= lifted:
            self._stopped[fact.consumer][scope] = fact.occurred_at
            self._confirmed[fact.mo] = 0

    def _lift(self, fact: OptOutLifted) -> None:
        scope = ("*", None) if fact.everywhere else (fact.short_code, fact.service)
        self._stopped[fact.consumer].pop(scope, None)
        self._lifted[fact.consumer][scope] = fact.occurred_at

    def _silent(self, consumer: str, code: str, service: str | None) -> bool:
        scopes = self._stopped[consumer]
        return any(one in scopes for one in (("*", None), (code, None), (code, service)))

    def _emit(self, fact: MtEmitted) -> None:
        ref = fact.ref
        if ref.solicitation is not None:
            self._used.add(ref.solicitation)
        if fact.kind == "opt_out_confirmation":
            if ref.charge is not None or ref.mo is None or self._confirmed.get(ref.mo, 1):
                self._no(fact, "a STOP is confirmed once, and free")
            self._confirmed[ref.mo or ""] += 1
        elif self._silent(ref.consumer, ref.short_code, ref.service):
            self._no(fact, f"{fact.kind} is sent after STOP")

    # --- Charges ---

    def _authorize(self, fact: ChargeAuthorized) -> None:
        ref = fact.ref
        before = self.states.get(ref.charge, "new")
        if before != fact.was:
            self._no(fact, f"it was {before}, not {fact.was}")
        self._whole(fact)
        if ref.leg == "mt":
            self._has_cause(fact)
            if self._silent(ref.consumer, ref.short_code, ref.service):
                self._no(fact, "a charge after STOP")
            self._within_cap(fact)
        cause = ref.mo or f"{ref.subscription} {ref.cycle}"
        if fact.was == "new" and (cause, ref.leg) in self._causes:
            self._no(fact, "a second charge for one cause")
        self._causes.add((cause, ref.leg))
        self.states[ref.charge] = "authorized"
        self.prices[ref.charge] = fact.amounts.price
        at = (fact.occurred_at, fact.amounts.price)
        self._spent[ref.consumer, ref.service][ref.charge] = at

    def _has_cause(self, fact: ChargeAuthorized) -> None:
        ref = fact.ref
        if ref.subscription is not None:
            if self._live.get((ref.consumer, ref.service or "")) != ref.subscription:
                self._no(fact, "its subscription is not live")
            return
        match = self._matched.get(ref.mo or "")
        if match is None or match.price != fact.amounts.price or match.consumer != ref.consumer:
            self._no(fact, "no message asked for it at this price")

    def _within_cap(self, fact: ChargeAuthorized) -> None:
        if self._cap is None:
            return
        spent = self._spent[fact.ref.consumer, fact.ref.service]
        counted = sum(
            price
            for charge, (at, price) in spent.items()
            if at > fact.occurred_at - DAY
            and self.states[charge] != "released"
            and charge != fact.ref.charge
        )
        if counted + fact.amounts.price > self._cap:
            self._no(fact, f"{counted} were spent already, the cap is {self._cap}")

    def _whole(self, fact: ChargeAuthorized | ChargeCaptured) -> None:
        parts = fact.amounts
        if parts.tax + parts.operator + parts.aggregator + parts.merchant != parts.price:
            self._no(fact, "its parts are not its price")

    def _move(self, fact: ChargeCaptured | ChargeReleased | ChargeUnresolved, to: str) -> None:
        before = self.states.get(fact.ref.charge, "unauthorized")
        unheard = to == "captured" and before == fact.was == "unauthorized"
        if before != fact.was or not (unheard or before in MAY_COME_FROM[to]):
            self._no(fact, f"it was {before}, said to be {fact.was}, and is {to}")
        self.states[fact.ref.charge] = to

    def _capture(self, fact: ChargeCaptured) -> None:
        self._move(fact, "captured")
        self._whole(fact)
        self.prices[fact.ref.charge] = fact.amounts.price
        self.earned[fact.ref.charge] = fact.amounts.aggregator + fact.amounts.merchant

    def _release(self, fact: ChargeReleased) -> None:
        self._move(fact, "released")

    def _grow_old(self, fact: ChargeUnresolved) -> None:
        self._move(fact, "unresolved")

    def _refund(self, fact: ChargeRefunded) -> None:
        charge = fact.ref.charge
        self.refunded[charge] += fact.price
        if self.states.get(charge) != "captured":
            self._no(fact, "what was never captured is given back")
        elif self.refunded[charge] > self.prices[charge]:
            self._no(fact, "more is given back than was paid")
        if fact.taken_back is not None:
            self.earned[charge] -= fact.taken_back.aggregator + fact.taken_back.merchant

    def _write_off(self, fact: ChargeWrittenOff) -> None:
        charge = fact.ref.charge
        if self.states.get(charge) != "captured" or charge in self.written_off:
            self._no(fact, "it was not captured, or is written off already")
        self.written_off.add(charge)
        self.earned[charge] -= fact.amounts.aggregator + fact.amounts.merchant

    # --- Solicitations, notices, subscriptions ---

    def _allow(self, fact: SolicitationAllowed) -> None:
        ref = fact.ref
        key = (ref.consumer, ref.short_code, ref.merchant)
        returned = self._returned.get(key)
        counted = sum(
            1
            for name, one in self._allowed[key].items()
            if (returned is None or one.occurred_at > returned)
            and (name in self._used or fact.occurred_at < one.expires_at)
        )
        if fact.count != counted + 1 or fact.count > fact.limit:
            self._no(fact, f"it counts as {fact.count} of {fact.limit}, after {counted}")
        self._allowed[key][fact.subject] = fact

    def _expire(self, fact: SolicitationExpired) -> None:
        ref = fact.ref
        allowed = self._allowed[ref.consumer, ref.short_code, ref.merchant]
        if fact.subject not in allowed or fact.subject in self._used:
            self._no(fact, "it was used, or never allowed")
        allowed.pop(fact.subject, None)

    def _fall_due(self, fact: NoticeDue) -> None:
        key = (fact.ref.consumer, fact.ref.service, fact.ref.name, fact.threshold)
        if key in self._notices:
            self._no(fact, "this threshold was told before")
        self._notices[key] += 1

    def _tell(self, fact: NoticeSent) -> None:
        if fact.ref.notice in self._notices:
            self._no(fact, "this notice was sent before")
        self._notices[fact.ref.notice] += 1

    def _start(self, fact: SubscriptionStarted) -> None:
        key = (fact.ref.consumer, fact.ref.service)
        if key in self._live:
            self._no(fact, "another one is live")
        self._live[key] = fact.ref.subscription

    def _end(self, fact: SubscriptionStopped) -> None:
        key = (fact.ref.consumer, fact.ref.service)
        if self._live.pop(key, None) != fact.ref.subscription:
            self._no(fact, "it was not live")

    def _renew(self, fact: SubscriptionRenewed) -> None:
        key = (fact.ref.consumer, fact.ref.service)
        if self._live.get(key) != fact.ref.subscription or fact.subject in self._cycles:
            self._no(fact, "it is not live, or this cycle began before")
        self._cycles.add(fact.subject)

    _RULES: ClassVar[dict[type[Fact], Callable[[Any, Any], None]]] = {
        MoReceived: _receive,
        ConflictingDuplicateReceived: _conflict,
        KeywordMatched: _match,
        OptedOut: _stop,
        OptOutLifted: _lift,
        MtEmitted: _emit,
        ChargeAuthorized: _authorize,
        ChargeCaptured: _capture,
        ChargeReleased: _release,
        ChargeUnresolved: _grow_old,
        ChargeRefunded: _refund,
        ChargeWrittenOff: _write_off,
        SolicitationAllowed: _allow,
        SolicitationExpired: _expire,
        NoticeDue: _fall_due,
        NoticeSent: _tell,
        SubscriptionStarted: _start,
        SubscriptionStopped: _end,
        SubscriptionRenewed: _renew,
    }


def modelled(facts: Iterable[Recorded], cap: int | None) -> Model:
    """Take facts in their order."""
    model = Model(cap)
    for one in facts:
        model.take(one)
    return model
