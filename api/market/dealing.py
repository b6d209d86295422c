"""What every turn of the trade is made of: facts counted, charges allowed, messages sent out."""

from collections import deque
from typing import NamedTuple

from api.market.calendars import Calendar
from api.market.goods import Code, Service, Shop
from api.market.people import Allowance, Charge, Consumer, Cycle, Message, Subscription
from api.market.reading import Reader
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


class Dealing:
    """One book's dealings: its consumers' state is theirs, what waits for time is here."""

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

    def authorize(self, charge: Charge, at: int) -> None:
        """Allow a charge, which then waits for an answer."""
        self.till.authorize(charge, at)
        self.unanswered.append((at, charge))

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
