"""What should become of subscriptions and of charges of both legs, told from the design alone.

It has no history and no facts, and shares no code with the decisions.
"""

from collections.abc import Iterator
from datetime import datetime

from tests.support.belgium import MO_ONLY, SUBSCRIBED
from tests.support.life_consent import Consents
from tests.support.life_cycles import (
    ANSWER,
    DAY,
    EVERY,
    MESSAGES,
    Cycle,
    Sent,
    Subscription,
    everywhere,
    of_nobody,
)
from tests.support.life_money import Asking, Charge, Money
from tests.support.life_sales import Who

CAP = 7_000_000
"""What a consumer may spend in a day and no more; what operators bill by themselves counts."""
OFFERED_FOR, RETRY_AFTER, UNRESOLVED_AFTER = DAY, DAY / 2, 2 * DAY
ATTEMPTS = 3
"""How often a cycle is tried; after two cycles without money a subscription is over."""
SERVICES = {"HORO": "horo", "MOP": "moppen", "JEU": "jeu"}
STOPS = {"STOP": None, "STOP HORO": "horo", "STOP JEU": "jeu"}
FAILED = frozenset({"released", "refused"})


class Subscribed:
    """Takes inputs in their order, and tells what each must lead to."""

    def __init__(self) -> None:
        self.charges: dict[str, Charge] = {}
        """By message and leg, `m-1 mo`; by subscription and day, `m-1 2026-07-10`."""
        self.money = Money("aggregator", "aggregator")
        self.findings: dict[tuple[str, str], str | None] = {}
        """By kind and charge or message: how each was closed, if it was."""
        self.sent: dict[str, Sent] = {}
        """By the name of what it answers, or `charge #attempt`."""
        self.subscriptions: list[Subscription] = []
        self._words: dict[str, object] = {}
        self._consents = Consents()
        self._captured_by: dict[str, str] = {}
        self._last_on: dict[str, str] = {}
        """The message that was sent last for each charge."""

    # --- Messages ---

    def send(self, name: str, who: Who, code: str, text: str, at: datetime) -> str:
        """Take a message in; gives how it is answered: `charged`, `free` or `silent`."""
        words = who, code, text
        if self._words.setdefault(name, words) != words:
            return "in conflict"
        if name in self.sent or f"{name} was silent" in self._words:
            return "repeated"
        how = self._answered(name, who, code, text, at)
        if how == "silent":
            self._words[f"{name} was silent"] = True
        elif how == "free":
            self.sent[name] = Sent()
        return how

    def _answered(self, name: str, who: Who, code: str, text: str, at: datetime) -> str:
        if text in STOPS:
            how = self._stop(who, code, STOPS[text], at)
            self._bill(name, who, code, at, sold=False)
            return how
        if text == "OK":
            return self._confirm(name, who, code, at)
        service = SERVICES.get(text)
        on_sale = (code == SUBSCRIBED) or service == "jeu"
        service = service if on_sale else None
        self._consents.open(everywhere(who), code, service, at)
        self._bill(name, who, code, at, sold=service is not None)
        if service in EVERY:
            return self._offer(name, who, service, at)
        if service is None or code == SUBSCRIBED:
            return "free"
        return self._sell(name, who, code, at)

    def _sell(self, name: str, who: Who, code: str, at: datetime) -> str:
        """Answer what was bought: charged where answers are."""
        if code == MO_ONLY:
            return "free"
        charge = f"{name} mt"
        if self._above_cap(who, ANSWER.price, at):
            self.findings["leg_failed", charge] = None
            return "free"
        self._authorize(charge, Charge(ANSWER, who, code, "delivered", at, "authorized"), name)
        return "charged"

    def _bill(self, name: str, who: Who, code: str, at: datetime, *, sold: bool) -> None:
        """Let the operator bill a message, where it does: whatever it says, and above any cap."""
        sale = MESSAGES.get(code)
        if sale is None:
            return
        charge = f"{name} mo"
        if not sold:
            self.findings["unattributed", charge] = None
        if self._above_cap(who, sale.price, at):
            self.findings["billed_above_cap", charge] = None
        terms = sale if sold else of_nobody(sale)
        self._earn(charge, Charge(terms, who, code, "mo", at, "captured", nobodys=not sold))

    def _stop(self, who: Who, code: str, service: str | None, at: datetime) -> str:
        """Stop: what waits is called back, what was offered or is live there ends."""
        came = self._consents.stop(everywhere(who), (code, service), at)
        if came != "nothing" and code == SUBSCRIBED:
            for one in self._of(who):
                if service in {None, one.service}:
                    self._call_back(one, at)
                    one.state = "ended"
        return "free" if came == "new" else "silent"

    def _call_back(self, one: Subscription, at: datetime) -> None:
        for mt in list(self.sent.values()):
            if mt.kept and mt.charge is not None and mt.charge.startswith(f"{one.name} "):
                mt.kept = False
                self._release(mt.charge, at)

    # --- Subscriptions ---

    def _of(self, who: Who) -> Iterator[Subscription]:
        return (one for one in self.subscriptions if one.who == who)

    def _offer(self, name: str, who: Who, service: str, at: datetime) -> str:
        """Offer it, free; another offer ends by that, and what is live is not offered."""
        mine = list(self._of(who))
        if any(one.service == service and one.state == "live" for one in mine):
            return "free"
        offers = [one for one in mine if one.state == "offered"]
        if any(one.service == service and at <= one.offered + OFFERED_FOR for one in offers):
            return "free"
        for one in offers:
            one.state = "ended"
        self.subscriptions.append(Subscription(name, who, service, at))
        return "free"

    def _confirm(self, name: str, who: Who, code: str, at: datetime) -> str:
        """Agree to the offer there is; where there is none, it is a word that nobody sells."""
        offers = [one for one in self._of(who) if one.state == "offered" and code == SUBSCRIBED]
        if not offers:
            self._bill(name, who, code, at, sold=False)
            stopped = self._consents.covering(everywhere(who), code, None)
            return "silent" if stopped else "free"
        (one,) = offers
        if at > one.offered + OFFERED_FOR:
            one.state = "ended"
            return "free"
        if self._above_cap(who, ANSWER.price, at):
            return "free"
        one.state, one.started, one.cycles = "live", at, {0: Cycle("authorized", at)}
        self._authorize(one.charge(0), one.priced(at), name)
        return "charged"

    def renew(self, number: int, at: datetime) -> bool:
        """Ask for the renewal of a subscription; gives whether anything comes of it."""
        one = self.subscriptions[number]
        if one.state != "live":
            return False
        running = one.now(at)
        before = one.cycles.get(running)
        if before is not None:
            early = at < before.since + RETRY_AFTER
            if before.state not in FAILED or before.attempts >= ATTEMPTS or early:
                return False
        elif self._brought_nothing(one):
            one.state = "ended"
            return True
        self._try(one, running, at)
        return True

    def _brought_nothing(self, one: Subscription) -> bool:
        last = [one.cycles[number].state for number in sorted(one.cycles)][-2:]
        return len(last) == 2 and FAILED.issuperset(last)

    def _try(self, one: Subscription, number: int, at: datetime) -> None:
        """Charge a cycle, in a message that waits for its gateway, if no cap forbids it."""
        cycle = one.cycles.setdefault(number, Cycle("", at, 0))
        above = self._above_cap(one.who, ANSWER.price, at)
        cycle.state, cycle.since = ("refused" if above else "authorized"), at
        cycle.attempts += 1
        if above:
            return
        charge = one.charge(number)
        attempts = sum(mt.charge == charge for mt in self.sent.values())
        self._authorize(charge, one.priced(at), f"{charge} #{attempts}", kept=True)

    def end(self, number: int) -> bool:
        """Let its merchant end a subscription that began; gives whether it was live."""
        one = self.subscriptions[number]
        live, one.state = one.state == "live", "ended"
        return live

    # --- Charges ---

    def _authorize(self, name: str, charge: Charge, mt: str, *, kept: bool = False) -> None:
        known = self.charges.setdefault(name, charge)
        known.state, known.at = "authorized", charge.at
        self.sent[mt] = Sent(name, kept=kept)
        self._last_on[name] = mt

    def _earn(self, name: str, charge: Charge) -> None:
        charge.state = "captured"
        self.charges[name] = charge
        self.money.earn(charge)

    def _above_cap(self, who: Who, price: int, at: datetime) -> bool:
        counted = sum(
            one.sale.price
            for one in self.charges.values()
            if one.who == who
            and one.state in {"authorized", "unresolved", "captured"}
            and one.at > at - DAY
        )
        return counted + price > CAP

    def _release(self, name: str, at: datetime) -> bool:
        charge = self.charges[name]
        if charge.state not in {"authorized", "unresolved"}:
            return False
        charge.state = "released"
        self._tell_cycle(name, "released", at)
        return True

    def _tell_cycle(self, charge: str, state: str, at: datetime) -> None:
        for one in self.subscriptions:
            for number, cycle in one.cycles.items():
                if one.charge(number) == charge:
                    cycle.state, cycle.since = state, at

    def report(self, mt: str, outcome: str, at: datetime) -> bool:
        """Take a receipt in, `delivered` or `failed`; gives whether it is news."""
        sent = self.sent[mt]
        sent.kept = False
        if outcome in sent.heard:
            return False
        sent.heard.add(outcome)
        if sent.charge is not None and outcome == "delivered":
            self._delivered(sent.charge, mt, at)
        elif sent.charge is not None and self._last_on[sent.charge] == mt:
            self._failed(sent.charge, at)
        return True

    def _delivered(self, name: str, mt: str, at: datetime) -> None:
        charge = self.charges[name]
        if charge.state != "captured":
            self._captured_by[name] = mt
            self._earn(name, charge)
            self._tell_cycle(name, "captured", at)
            self._close([("leg_failed", name)], "resolved")
        elif self._captured_by[name] != mt:
            # A second message on one charge was billed too: nobody earns that.
            again = Charge(
                of_nobody(charge.sale), charge.who, charge.code, "", at, "captured", nobodys=True
            )
            self._earn(f"{mt} again", again)
            self.findings["billed_twice", f"{mt} again"] = None

    def _failed(self, name: str, at: datetime) -> None:
        both = name.endswith(" mt") and name.removesuffix("mt") + "mo" in self.charges
        if self._release(name, at) and both:
            self.findings.setdefault(("leg_failed", name), None)

    def grow_old(self, name: str, now: datetime) -> None:
        """Let a charge that nobody answered for become unresolved once its time is over."""
        charge = self.charges[name]
        if charge.state == "authorized" and charge.at + UNRESOLVED_AFTER <= now:
            charge.state = "unresolved"
            self._tell_cycle(name, "unresolved", charge.at)

    # --- What a person looks at ---

    def ask(self, name: str, asking: Asking) -> str:
        """Ask for a refund or a write-off; gives what comes of it, and closes what it answers."""
        charge = self.charges[name]
        came = self.money.ask(charge, asking)
        answered = asking.is_write_off or charge.given_back >= charge.sale.price
        if came == "made" and answered:
            how = "written_off" if asking.is_write_off else "refunded"
            self._close([("unattributed", name), ("billed_twice", name)], how)
        return came

    def close(self, finding: tuple[str, str], how: str) -> str:
        """Let a person close a finding; gives `closed`, `repeated` or `FindingAlreadyClosed`."""
        before = self.findings[finding]
        if before is not None:
            return "repeated" if before == f"{how} by a person" else "FindingAlreadyClosed"
        self.findings[finding] = f"{how} by a person"
        return "closed"

    def _close(self, findings: list[tuple[str, str]], how: str) -> None:
        for one in findings:
            if self.findings.get(one, "") is None:
                self.findings[one] = how
