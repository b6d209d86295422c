"""The trade as the rules have it, small: what must follow from a message, without any log.

This is the specification in other words. It shares with the ledger the derived ids and the rule
pack's numbers, and none of its decisions or folds.
"""

from collections import deque
from typing import NamedTuple

from api.market.calendars import Calendar
from api.market.goods import Code, Service, Shop
from api.market.people import (
    Allowance,
    Bought,
    Charge,
    Consumer,
    Cycle,
    Message,
    Scope,
    Stop,
    Subscription,
)
from api.market.reading import Reader, Said
from api.market.till import Till
from api.market.truth import Truth
from ledger.decisions.story import mo_id
from ledger.rules.inforce import Rules
from ledger.rules.resolve import RuleBook
from ledger.words import derived_id

ORPHAN_OF_NONE = "orphans whose message never came"
ORPHAN_OF_ONE = "orphans whose message is known"


class Mo(NamedTuple):
    """A consumer's message, as it counts: `at` is the instant that the ledger takes."""

    number: str
    """The gateway's own id."""
    who: Consumer
    code: str
    text: str
    at: int


class Notice(NamedTuple):
    """A notice that is due and was not sent yet."""

    name: str
    who: Consumer
    service: Service


class Orphan(NamedTuple):
    """A receipt whose message is not known, or not as that gateway's."""

    gateway: str
    outcome: str
    billed: str
    at: int


class Trade:
    """One book's trade: its consumers' state is theirs, what waits for time is here."""

    def __init__(self, shop: Shop, book: RuleBook, calendar: Calendar, truth: Truth) -> None:
        rules: Rules = book.on(calendar.first)
        self.shop, self.book, self.rules = shop, book, rules
        self.calendar, self.truth = calendar, truth
        self.till = Till(shop, rules, calendar, truth)
        self.reader = Reader(shop, rules.service_words)
        self.codes: dict[str, Code] = {one.code: one for one in shop.codes}
        self.captures = {
            one.operator: rules.captures(one.operator, "*", "mt") for one in shop.operators
        }
        self.unanswered: deque[tuple[int, Charge]] = deque()
        """When each charge was allowed, in that order."""
        self.notices: list[Notice] = []
        self.subscriptions: list[Subscription] = []
        """Those that began, in order."""
        self.allowed: deque[tuple[Allowance, Consumer, tuple[str, str]]] = deque()
        """Allowances by when they run out, and whose counter they are in."""
        self.orphans: dict[str, list[Orphan]] = {}
        self.on_orphan = self._keep
        """Told of a receipt that was kept and of the message that has come: takes it in."""

    def _keep(self, message: Message, orphan: Orphan) -> None:
        raise AssertionError((message, orphan))

    def mo(self, number: str) -> str:
        """Give a message's id."""
        return mo_id(self.shop.book, self.shop.gateway, number)

    def fact(self, name: str) -> None:
        """Count a fact."""
        self.truth.facts[name] += 1

    # A message in

    def receive(self, mo: Mo) -> Message | None:
        """Take in a new message; gives the answer to it, if there is one."""
        said, code = self.reader.read(mo.code, mo.text), self.codes.get(mo.code)
        self.fact("mo_received")
        mo.who.wrote = True
        if said.word == "stop" or said.stops:
            return self._stop(mo, code, said.named or said.service)
        if code is None:
            return self._unmatched(mo, code, answers=False)
        if said.word == "contact":
            return self._contact(mo, code, said)
        if said.word == "confirm":
            answer = self._confirm(mo, code)
            if answer is not None:
                return answer
        return self._answer(mo, code, said)

    def conflict(self) -> None:
        """Take in another message under an id that came before."""
        self.fact("conflicting_duplicate_received")

    def _answer(self, mo: Mo, code: Code, said: Said) -> Message | None:
        service = said.service
        if any(mo.at < mo.who.scopes[one] for one in self._covering(mo, service)):
            return self._unmatched(mo, code, answers=False)
        if said.word is not None and service is None:
            self.fact("subscription_refused")
            silent = bool(self._covering(mo, None))
            return self._unmatched(mo, code, answers=not silent)
        self._lift(mo, service)
        if service is None:
            return self._unmatched(mo, code, answers=True)
        self._matched(mo, service)
        answer, charge = self._sell(mo, code, service)
        if charge is not None:
            self.tell_again(charge)
        return answer

    def _unmatched(self, mo: Mo, code: Code | None, *, answers: bool) -> Message | None:
        self.fact("keyword_unmatched")
        self._charge_message(mo, code, None)
        return self._emit(mo, None, None) if answers else None

    def _matched(self, mo: Mo, service: Service) -> None:
        self.fact("keyword_matched")
        who, key = mo.who, (mo.code, service.merchant)
        who.last[mo.code] = service
        who.asked[key] = max(mo.at, who.asked.get(key, 0))
        standing = who.allowances.get(key)
        if standing:
            since = who.asked[key] * 1_000_000
            who.allowances[key] = [one for one in standing if one.at > since]

    def _sell(self, mo: Mo, code: Code, service: Service) -> tuple[Message | None, Charge | None]:
        """Sell what is asked for; gives the answer, and the charge that notices go by."""
        if service.window_seconds and self._repeats(mo, service):
            self.fact("duplicate_suspected")
            leg = self._charge_message(mo, code, service)
            return self._emit(mo, service, None), leg
        leg = self._charge_message(mo, code, service)
        if service.every is not None:
            return self._ask(mo, service), None
        if not code.price:
            self._remember(mo, service, None)
            return self._emit(mo, service, None), leg
        parts = self.till.parts(code.price, code.tariff, mo.who.operator.operator, service)
        name = derived_id(self.shop.book, "charge", self.mo(mo.number), "mt")
        if self.till.above_cap(mo.who, code.price, code.code, service.merchant, mo.at):
            self.fact("charge_refused")
            if leg is not None:
                self.till.find("leg_failed", name)
            return self._emit(mo, None, None), leg
        charge = Charge(name, mo.who, code.code, service, parts)
        charge.other_leg = leg is not None
        self.authorize(charge, mo.at)
        self._remember(mo, service, charge)
        return self._emit(mo, service, charge), charge

    def authorize(self, charge: Charge, at: int) -> None:
        """Allow a charge, which then waits for an answer."""
        self.till.authorize(charge, at)
        self.unanswered.append((at, charge))

    def _repeats(self, mo: Mo, service: Service) -> bool:
        """Tell whether the same words bought the same a moment ago, by a charge that stands."""
        recent = mo.who.recent = [
            one for one in mo.who.recent if mo.at - one.at <= service.window_seconds
        ]
        return any(
            one.service == service
            and one.text == mo.text
            and (one.charge is None or one.charge.state != "released")
            for one in recent
        )

    def _remember(self, mo: Mo, service: Service, charge: Charge | None) -> None:
        if service.window_seconds:
            mo.who.recent.append(Bought(mo.at, service, mo.text, charge))

    def _charge_message(self, mo: Mo, code: Code | None, service: Service | None) -> Charge | None:
        """Record what operators charge for the message itself, where they do."""
        name = derived_id(self.shop.book, "charge", self.mo(mo.number), "mo")
        if code is None:
            if any(one.bills_messages for one in self.shop.codes):
                self.till.find("leg_not_booked", name)
            return None
        if not code.bills_messages or not code.mo_price:
            return None
        parts = self.till.parts(code.mo_price, code.tariff, mo.who.operator.operator, service)
        merchant = service.merchant if service else None
        above = self.till.above_cap(mo.who, code.mo_price, code.code, merchant, mo.at)
        charge = Charge(name, mo.who, code.code, service, parts)
        self.till.authorize(charge, mo.at)
        self.till.capture(charge, mo.at)
        if service is None:
            self.till.find("unattributed", name)
        if above:
            self.till.find("billed_above_cap", name)
        return charge

    def tell_again(self, charge: Charge) -> None:
        """Let a notice fall due, if a charge takes what was spent over a threshold."""
        threshold = self.till.due(charge)
        if threshold and charge.service is not None:
            name = f"{charge.service.service}/{threshold}"
            self.notices.append(Notice(name, charge.who, charge.service))

    # A message out

    def _emit(self, mo: Mo, service: Service | None, charge: Charge | None) -> Message:
        name = derived_id(self.shop.book, "mt", self.mo(mo.number), "answer", 0)
        return self.emit(Message(name, mo.who, mo.code, service, charge))

    def emit(self, message: Message) -> Message:
        """Let a message go out; receipts that came before it take effect."""
        self.fact("mt_emitted")
        if message.charge is not None:
            message.charge.carried_by = message.id
        if message.pushed:
            message.who.pushed.append(message)
        for orphan in self.orphans.get(message.id, ()):
            self.truth.counts[ORPHAN_OF_NONE] -= 1
            self.truth.counts[ORPHAN_OF_ONE] += 1
            if orphan.gateway == self.shop.gateway:
                self.on_orphan(message, orphan)
        return message

    # STOP and CONTACT

    def _covering(self, mo: Mo, service: Service | None) -> list[Scope]:
        return covering(mo.who, mo.code, service)

    def _stop(self, mo: Mo, code: Code | None, meant: Service | None) -> Message | None:
        who, scope = mo.who, (mo.code, meant.service if meant else None)
        since = who.scopes.get(scope)
        if since is not None and mo.at <= since:
            self._charge_message(mo, code, None)
            return None
        silent = bool(self._covering(mo, meant))
        self.fact("opted_out")
        stop = Stop(self.mo(mo.number), scope, mo.at)
        who.stops.append(stop)
        if mo.at < who.lifted.get(scope, mo.at):
            stop.stands = False
            self._charge_message(mo, code, None)
            return None
        who.scopes[scope] = mo.at
        self._call_back(mo, scope)
        for one in who.subscriptions:
            reached = one.service.code.code == mo.code and scope[1] in {None, one.service.service}
            if reached and one.live:
                self.fact("subscription_stopped")
                one.by = "consumer"
            if reached:
                one.open = False
        self._charge_message(mo, code, None)
        return None if code is None or silent else self._emit(mo, None, None)

    def _call_back(self, mo: Mo, scope: Scope) -> None:
        """Cancel what was on its way and no gateway has taken."""
        kept: list[Message] = []
        for message in mo.who.pushed:
            service = message.service.service if message.service else None
            if message.code != scope[0] or scope[1] not in {None, service}:
                kept.append(message)
                continue
            self.fact("mt_cancelled")
            charge = message.charge
            if charge is not None and charge.state in {"authorized", "unresolved"}:
                self.till.release(charge, mo.at)
        mo.who.pushed = kept

    def _lift(self, mo: Mo, service: Service | None) -> None:
        for scope in self._covering(mo, service):
            self.fact("opt_out_lifted")
            del mo.who.scopes[scope]
            mo.who.lifted[scope] = max(mo.at, mo.who.lifted.get(scope, 0))
            for stop in mo.who.stops:
                if stop.scope == scope:
                    stop.stands = False

    def _contact(self, mo: Mo, code: Code, said: Said) -> Message | None:
        self._charge_message(mo, code, None)
        meant = said.named or mo.who.last.get(mo.code)
        return None if self._covering(mo, meant) else self._emit(mo, None, None)

    # Subscriptions, as they are asked for and agreed to

    def _ask(self, mo: Mo, service: Service) -> Message:
        who = mo.who
        if any(one.live and one.service == service for one in who.subscriptions):
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        again = any(
            one.open and one.service == service and mo.at <= one.expires
            for one in who.subscriptions
        )
        if not again:
            for one in who.subscriptions:
                if one.service.code.code == mo.code:
                    one.open = False
            self.fact("subscription_requested")
            terms = self.rules.subscriptions
            assert terms is not None
            name = derived_id(self.shop.book, "subscription", self.mo(mo.number))
            expires = mo.at + terms.confirm_within_seconds
            who.subscriptions.append(Subscription(name, who, service, expires))
        return self._emit(mo, service, None)

    def _confirm(self, mo: Mo, code: Code) -> Message | None:
        """Start what was offered on a code; none if nothing was."""
        offers = [
            one for one in mo.who.subscriptions if one.open and one.service.code.code == mo.code
        ]
        if not offers:
            return None
        offer = offers[-1]
        if mo.at > offer.expires:
            offer.open = False
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        if any(one.live and one.service == offer.service for one in mo.who.subscriptions):
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        return self._start(mo, code, offer)

    def _start(self, mo: Mo, code: Code, offer: Subscription) -> Message:
        who, service = mo.who, offer.service
        if self.till.above_cap(who, code.price, code.code, service.merchant, mo.at):
            self.fact("charge_refused")
            self.fact("subscription_refused")
            return self._emit(mo, None, None)
        self.fact("subscription_started")
        offer.open, offer.started = False, mo.at
        charge = self.begin_cycle(offer, self.calendar.day(mo.at), 0, mo.at)
        message = self._emit(mo, service, charge)
        self.tell_again(charge)
        self.subscriptions.append(offer)
        return message

    def begin_cycle(self, one: Subscription, day: str, number: int, at: int) -> Charge:
        """Charge a cycle for the first time, or again; gives the charge."""
        cycle = one.cycles.setdefault(day, Cycle())
        cycle.attempts += 1
        charge = cycle.charge
        if charge is None:
            self.fact("subscription_renewed")
            one.number = number
            every = one.service.every
            assert every is not None
            one.next_due = self.calendar.later(one.started, every.n * (number + 1), every.unit)
            code = one.service.code
            operator = one.who.operator.operator
            parts = self.till.parts(code.price, code.tariff, operator, one.service)
            name = derived_id(self.shop.book, "charge", f"{one.id}/{day}", "mt")
            charge = cycle.charge = Charge(name, one.who, code.code, one.service, parts)
            charge.subscription = (one, day)
        self.authorize(charge, at)
        cycle.sent += 1
        cycle.state, cycle.since = "authorized", at
        return charge


def covering(who: Consumer, code: str, service: Service | None) -> list[Scope]:
    """Give what keeps a service silent, or with none the code as a whole."""
    wanted = {(code, None), (code, service.service if service else None)}
    return [scope for scope in who.scopes if scope in wanted]
