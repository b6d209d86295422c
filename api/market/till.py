"""Charges as they move, in the model: what is counted, posted and spent with each step."""

from api.market.calendars import Calendar
from api.market.goods import Service, Share, Shop
from api.market.parts import Parts, divide
from api.market.people import Charge, Consumer, Message
from api.market.truth import Truth
from ledger.rules.inforce import Rules
from ledger.words import derived_id

_PER_CENT = 100


class Till:
    """Where charges are made and moved."""

    def __init__(self, shop: Shop, rules: Rules, calendar: Calendar, truth: Truth) -> None:
        self.shop, self.calendar, self.truth = shop, calendar, truth
        self._tax = {
            category: rate.numerator * _PER_CENT // rate.denominator
            for category, rate in rules.tax_rates.items()
        }
        monthly = [cap for cap in rules.caps if cap.window.kind == "calendar"]
        self._month_cap = next(cap.amount for cap in monthly if cap.counted_per == "consumer")
        self._gift_cap = next(
            (cap.amount for cap in monthly if cap.counted_per == "consumer_and_merchant"), 0
        )
        self._notice = rules.notices[0].every
        self._shares = {one.merchant: one.share for one in shop.merchants}
        self._operators = {one.operator: one.share for one in shop.operators}

    def parts(self, price: int, tariff: str, operator: str, service: Service | None) -> Parts:
        """Say how a price divides."""
        category = service.category if service else "content"
        share: Share = self.shop.particular.get((operator, tariff), self._operators[operator])
        theirs = self._shares[service.merchant] if service else None
        return divide(price, self._tax[category], share, theirs)

    def above_cap(
        self, who: Consumer, price: int, code: str, merchant: str | None, at: int
    ) -> bool:
        """Tell whether a charge would go beyond what the consumer may spend in a month."""
        month = self.calendar.month(at)
        if self._gift_cap and code.startswith("92"):
            given = who.given.get((month, merchant or ""), 0)
            if given + price > self._gift_cap:
                return True
        return who.spent.get(month, 0) + price > self._month_cap

    def authorize(self, charge: Charge, at: int) -> None:
        """Allow a charge, or allow it again after it failed."""
        self.truth.facts["charge_authorized"] += 1
        operator = charge.who.operator.operator
        if charge.state == "released" and charge.service is not None:
            month = charge.day[:8] + "01"
            moved = {"released": -1, "released_micros": -charge.parts.theirs}
            self.truth.count(charge.service, operator, month, moved)
        charge.state = "authorized"
        charge.first_at = charge.first_at or at
        charge.at, charge.day = at, self.calendar.day(at)
        self._count_spent(charge, 1)
        if charge.service is not None:
            moved = {"pending": 1, "pending_micros": charge.parts.theirs}
            self.truth.count(charge.service, operator, charge.day[:8] + "01", moved)

    def unresolve(self, charge: Charge, at: int) -> None:
        """Let a charge become unresolved."""
        self.truth.facts["charge_unresolved"] += 1
        charge.state = "unresolved"
        if charge.service is not None:
            moved = {"unresolved": 1, "unresolved_micros": charge.parts.theirs}
            operator = charge.who.operator.operator
            self.truth.count(charge.service, operator, charge.day[:8] + "01", moved)
        self._cycle(charge, at)
        self.stands(charge, at)

    def release(self, charge: Charge, at: int) -> None:
        """Let a charge go: its message failed, or was called back."""
        self.truth.facts["charge_released"] += 1
        self._leave(charge, released=1, released_micros=charge.parts.theirs)
        self._count_spent(charge, -1)
        charge.state = "released"
        self._cycle(charge, at)
        self.stands(charge, max(at, charge.at))

    def capture(self, charge: Charge, at: int, message: str = "") -> None:
        """Let a charge be earned; `message` is whose receipt says so."""
        self.truth.facts["charge_captured"] += 1
        at = max(at, charge.at)
        if charge.state == "released":
            self._count_spent(charge, 1)
        self._leave(charge)
        charge.state, charge.captured_by = "captured", message
        service, merchant = charge.service, None
        operator = charge.who.operator.operator
        if service is not None:
            merchant = service.merchant
            moved = {
                "earned": 1,
                "earned_micros": charge.parts.theirs,
                "price_micros": charge.parts.price,
                "tax_micros": charge.parts.tax,
            }
            self.truth.count(service, operator, self.calendar.month(at), moved)
            key = (service.merchant, charge.code, service.service)
            charge.who.paid[key] = max(charge.first_at, charge.who.paid.get(key, 0))
        else:
            charge.who.paid.setdefault(("", "", ""), 0)
        self.truth.post(charge.parts, operator, merchant, self.calendar.day(at))
        self._cycle(charge, at)
        self.stands(charge, at)

    def capture_again(self, charge: Charge, at: int, message: Message) -> None:
        """Record that a second message on a captured charge was billed: nobody earns that."""
        again = charge.again = charge.again or set()
        again.add(message.id)
        self.truth.facts["charge_captured"] += 1
        parts = charge.parts._replace(ours=charge.parts.owed, theirs=0)
        name = derived_id(self.shop.book, "charge", message.id, "billed again")
        other = Charge(name, charge.who, charge.code, None, parts)
        other.at = other.first_at = at = max(at, charge.at)
        other.state, other.day = "captured", self.calendar.day(at)
        self._count_spent(other, 1)
        operator = charge.who.operator.operator
        self.truth.post(parts, operator, None, other.day)
        charge.who.paid.setdefault(("", "", ""), 0)
        self.stands(other, at)
        self.find("billed_twice", message.id)

    def find(self, kind: str, subject: str) -> str:
        """Open a finding."""
        name = derived_id(self.shop.book, "finding", kind, subject)
        self.truth.facts["finding_opened"] += 1
        self.truth.counts[f"finding {kind}"] += 1
        self.truth.thing("finding", name, f"{kind}|open")
        return name

    def close(self, kind: str, subject: str) -> None:
        """Close a finding that is open."""
        name = derived_id(self.shop.book, "finding", kind, subject)
        self.truth.facts["finding_closed"] += 1
        self.truth.thing("finding", name, f"{kind}|closed")

    def due(self, charge: Charge) -> int:
        """Give the threshold at which a charge makes a notice due; 0 where it makes none."""
        service, who = charge.service, charge.who
        if service is None or charge.state == "released":
            return 0
        threshold = who.sums.get(service.service, 0) // self._notice * self._notice
        if threshold <= who.told.get(service.service, 0):
            return 0
        who.told[service.service] = threshold
        self.truth.facts["notice_due"] += 1
        return threshold

    def stands(self, charge: Charge, at: int) -> None:
        """Say how a charge stands since then."""
        service, parts = charge.service, charge.parts
        sold = (service.merchant, service.service) if service else ("", "")
        charge.since = self.calendar.day(at)
        told = (charge.state, *sold, charge.code, charge.who.operator.operator, *parts)
        days = (charge.day, charge.since)
        self.truth.thing("charge", charge.id, "|".join(map(str, (*told, *days))))

    def _leave(self, charge: Charge, **entered: int) -> None:
        """Take a charge out of the state that it is in; what it enters is of the same month."""
        if charge.service is None:
            return
        share = -charge.parts.theirs
        moved = entered
        if charge.state == "released":
            moved = {**entered, "released": -1, "released_micros": share}
        else:
            moved = {**entered, "pending": -1, "pending_micros": share}
            if charge.state == "unresolved":
                moved |= {"unresolved": -1, "unresolved_micros": share}
        operator = charge.who.operator.operator
        self.truth.count(charge.service, operator, charge.day[:8] + "01", moved)

    def _cycle(self, charge: Charge, at: int) -> None:
        if charge.subscription is not None:
            subscription, day = charge.subscription
            cycle = subscription.cycles[day]
            cycle.state, cycle.since = charge.state, max(at, charge.at)

    def _count_spent(self, charge: Charge, sign: int) -> None:
        who, price = charge.who, sign * charge.parts.price
        month = self.calendar.month(charge.at)
        who.spent[month] = who.spent.get(month, 0) + price
        if charge.service is None:
            return
        name = charge.service.service
        who.sums[name] = who.sums.get(name, 0) + price
        if self._gift_cap and charge.code.startswith("92"):
            key = (month, charge.service.merchant)
            who.given[key] = who.given.get(key, 0) + price
