"""What should become of charges, as the design tells it: a life each, and the money of all.

It has no history and no facts, and shares no code with the decisions.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from tests.support.builders import UNKNOWN_CODE
from tests.support.life_consent import Consents, Consumer, Scope
from tests.support.life_money import Asking, Charge, Money
from tests.support.life_sales import NOBODYS, Offer, Who, captures_on, offered

UNRESOLVED_AFTER = timedelta(hours=72)
CAP = 7_000_000
"""What a consumer may spend in a day and no more."""
DAY = timedelta(days=1)
GATEWAY = "kannel"


class Report(NamedTuple):
    """What a receipt says; its gateway, and the part of a message where it names one."""

    gateway: str
    outcome: str
    billed: str
    part: int | None


class Told(NamedTuple):
    """What another platform says of a message: what it did with the charge of its answer."""

    code: str
    text: str
    state: str
    parts: int


@dataclass
class Answer:
    """A message that was sent, what it carries, and what was heard of it."""

    parts: int
    charge: Charge | None
    heard: set[tuple[str, str, int | None]] = field(default_factory=set)


class Model:
    """Takes inputs in their order, and tells what each must lead to."""

    def __init__(self, refunds: str = "aggregator", unpaid: str = "aggregator") -> None:
        self.charges: dict[str, Charge] = {}
        """By the name of the message that was, or was not, answered for them."""
        self.money = Money(refunds, unpaid)
        self._words: dict[str, object] = {}
        self._answers: dict[str, Answer] = {}
        self._orphans: defaultdict[str, dict[Report, datetime]] = defaultdict(dict)
        self._consents = Consents()
        self._bought: dict[tuple[Consumer, str], str] = {}

    # --- Messages ---

    def send(self, name: str, who: Who, code: str, text: str, at: datetime) -> str:
        """Take a message in; gives how it is answered: `charged`, `free` or `silent`."""
        known = self._known(name, (who.sender, code, text))
        if known is not None:
            return known
        asks, consumer = offered(who, code, text), who.consumer(code)
        if asks.kind == "stop":
            how = self._stop(consumer, (code, asks.service), at)
        elif asks.kind == "unknown_code":
            how = "silent"
        elif asks.kind == "contact":
            silent = self._consents.covering(consumer, code, self._bought.get((consumer, code)))
            how = "silent" if silent else "free"
        else:
            how = self._buy(name, who, code, asks, at)
        if how != "silent":
            self._sent(name, 1)
        return how

    def _known(self, name: str, words: object) -> str | None:
        if name not in self._words:
            self._words[name] = words
            return None
        return "repeated" if self._words[name] == words else "in conflict"

    def _buy(self, name: str, who: Who, code: str, asks: Offer, at: datetime) -> str:
        consumer = who.consumer(code)
        if not self._open(consumer, code, asks.service, at):
            return "silent"
        sale = asks.sale
        if sale is None or self._above_cap(consumer, sale.price, at):
            return "free"
        self.charges[name] = Charge(
            sale, who, code, asks.captures_on, at, "authorized", nobodys=who.test
        )
        return "charged"

    def tell(self, name: str, who: Who, told: Told, at: datetime) -> str:
        """Take over what another platform decided."""
        # What tells one telling from another does not include how the answer was worded.
        known = self._known(name, (who.sender, told._replace(parts=0), at))
        if known is not None:
            return known
        asks = offered(who, told.code, told.text)
        opened = self._open(who.consumer(told.code), told.code, asks.service, at)
        if asks.service is not None:
            self._bought[who.consumer(told.code), told.code] = asks.service
        charge = self._as_told(who, told, at, nobodys=not opened)
        if charge is not None:
            self.charges[name] = charge
        if charge is not None and charge.state == "captured":
            self.money.earn(charge)
        self._sent(name, told.parts)
        return "told"

    def _as_told(self, who: Who, told: Told, at: datetime, *, nobodys: bool) -> Charge | None:
        """Book a charge as it was told; without leave only if it was billed, or may yet be."""
        asks = offered(who, told.code, told.text)
        nobodys = nobodys or asks.sale is None
        sale = NOBODYS if nobodys or asks.sale is None else asks.sale
        allowed = not nobodys and not self._above_cap(who.consumer(told.code), sale.price, at)
        if told.state == "refused" or (told.state == "released" and not allowed):
            return None
        state = "told" if told.state == "authorized" and not allowed else told.state
        nobodys = nobodys or who.test
        return Charge(sale, who, told.code, captures_on(told.code), at, state, nobodys=nobodys)

    def _sent(self, name: str, parts: int) -> None:
        self._answers[name] = answer = Answer(parts, self.charges.get(name))
        for report, at in self._orphans[name].items():
            if report.gateway == GATEWAY:
                self._hear(answer, report, at)

    # --- STOP, and caps ---

    def _stop(self, consumer: Consumer, scope: Scope, at: datetime) -> str:
        """Stop; confirmed once, where there is a text for it and something that was open."""
        new = self._consents.stop(consumer, scope, at) == "new"
        return "free" if new and scope[0] != UNKNOWN_CODE else "silent"

    def _open(self, consumer: Consumer, code: str, service: str | None, at: datetime) -> bool:
        """Let a message open again what was stopped before it; False if it was sent before that."""
        opened = self._consents.open(consumer, code, service, at)
        if opened and service is not None:
            self._bought[consumer, code] = service
        return opened

    def _above_cap(self, consumer: Consumer, price: int, at: datetime) -> bool:
        counted = sum(
            one.sale.price
            for one in self.charges.values()
            if one.who.consumer(one.code) == consumer
            and one.state in {"authorized", "unresolved", "captured"}
            and one.at > at - DAY
        )
        return counted + price > CAP

    # --- Receipts and time ---

    def report(self, name: str, report: Report, at: datetime) -> bool:
        """Take a receipt in; gives whether it is news."""
        answer = self._answers.get(name)
        if answer is None or report.gateway != GATEWAY:
            news = report not in self._orphans[name]
            self._orphans[name].setdefault(report, at)
            return news
        return self._hear(answer, report, at)

    def _hear(self, answer: Answer, report: Report, at: datetime) -> bool:
        if report[1:] in answer.heard:
            return False
        answer.heard.add(report[1:])
        charge = answer.charge
        if charge is not None:
            self._settle(charge, _meaning(charge.captures_on, self._whole(answer, report)), at)
        return True

    def _whole(self, answer: Answer, report: Report) -> Report:
        """Take a part of several for delivered only once all of them are."""
        if report.part is None or answer.parts == 1 or report.outcome != "delivered":
            return report
        there = {part for outcome, _, part in answer.heard if outcome == "delivered"}
        whole = {*range(1, answer.parts + 1)} <= there
        return report if whole else report._replace(outcome="buffered")

    def _settle(self, charge: Charge, meaning: str, at: datetime) -> None:
        if meaning == "billed" and charge.state != "captured":
            if charge.state == "told":
                charge.at = max(charge.at, at)
            charge.state = "captured"
            self.money.earn(charge)
        elif meaning == "not billed" and charge.state in {"authorized", "unresolved"}:
            charge.state = "released"

    def grow_old(self, name: str, now: datetime) -> None:
        """Let a charge that nobody answered for become unresolved once its time is over."""
        charge = self.charges.get(name)
        if charge and charge.state == "authorized" and charge.at + UNRESOLVED_AFTER <= now:
            charge.state = "unresolved"

    # --- Money that goes back ---

    def ask(self, name: str, asking: Asking) -> str:
        """Ask for a refund or a write-off; gives what comes of it."""
        charge = self.charges.get(name)
        if charge is None or charge.state == "told":
            return "UnknownCharge"
        return self.money.ask(charge, asking)


def _meaning(captures_on: str, report: Report) -> str:
    """Tell what a receipt says of the money, by what captures: submitted is not delivered."""
    outcome, billed = report.outcome, report.billed
    if captures_on == "operator_file":
        return "nothing"
    if captures_on == "billed_flag" and billed != "unknown":
        return "billed" if billed == "yes" else "not billed"
    if outcome == "rejected":
        return "not billed"  # Nobody got it.
    if captures_on == "smsc_accepted":
        return "nothing" if outcome == "failed" else "billed"
    if captures_on == "billed_flag":
        return "nothing"
    return _by_delivery(outcome, billed)


def _by_delivery(outcome: str, billed: str) -> str:
    if outcome == "failed":
        return "not billed"
    return "billed" if outcome == "delivered" and billed != "no" else "nothing"
