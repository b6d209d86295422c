"""The market itself: who writes what and when, and what gateways report of the answers.

All chance comes from one seeded generator, asked in one order, so the same seed gives the same
bytes. Every line is told to the model as it is written.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import accumulate
from random import Random
from typing import NamedTuple

from api.market.calendars import HOUR, Calendar
from api.market.catalogue import TOLERANCE_SECONDS
from api.market.goods import Operator, Service, Shop
from api.market.lines import Lines
from api.market.people import Consumer, Message
from api.market.receipts import Receipts
from api.market.trade import Mo, Orphan, Trade
from api.market.turns import Soliciting, Turns
from ledger.decisions.story import mt_id

_WEIGHTS = (2, 1, 1, 1, 1, 2, 4, 7, 9, 10, 11, 12, 13, 12, 11, 11, 12, 14, 16, 17, 16, 13, 9, 5)
"""How busy each hour of a day is."""
PEAK_EVERY_DAYS, PEAK_HOUR, PEAK = 7, 20, 6
"""Once a week, for an hour, votes multiply."""
PER_PERSON = 8
"""Messages of a person in a market, on average."""
_STRANGE = ("??", "", "BONJOUR", "JE VEUX GAGNER", "STOOOP", "12345", "!")


class Person(NamedTuple):
    """Somebody with a telephone: their number in the market is their lane, too."""

    number: int
    operator: Operator
    sender: str


class Market:
    """Plays one market into lines, hour by hour."""

    def __init__(self, trade: Trade, lines: Lines, random: Random, messages: int) -> None:
        self._trade, self._lines, self._random = trade, lines, random
        self._shop: Shop = trade.shop
        self._people = max(20, messages // PER_PERSON)
        self._fans = max(2, self._people // 400)
        self._consumers: dict[tuple[int, str], Consumer] = {}
        self._events: list[tuple[int, int, Callable[[int], None]]] = []
        self._made = 0
        self._receipts = Receipts(trade)
        self._turns = Turns(trade, self._reported)
        self._soliciting = Soliciting(trade, self._reported)
        sold = [one for one in self._shop.services if one.service not in {"prize", "gift"}]
        self._sold, self._dear = (
            sold,
            [one for one in self._shop.services if one.code.price >= 4_000_000],
        )
        self._popular = list(accumulate(1 / (rank + 2) for rank in range(len(sold))))
        self._now = 0

    def play(self, messages: int, days: int, show: Callable[[int], None]) -> None:
        """Play that many new messages over that many days."""
        calendar = self._trade.calendar
        hours = _hours(calendar, days)
        busy = list(accumulate(_busy(number) for number in range(len(hours) - 1)))
        done = 0
        for number, begins in enumerate(hours[:-1]):
            upto = messages * busy[number] // busy[-1]
            lasts = hours[number + 1] - begins
            at = sorted(int(self._random.random() * lasts) for _ in range(upto - done))
            peak = _is_peak(number)
            for second in at:
                self._until(begins + second)
                self._message(begins + second, peak=peak)
            done = upto
            self._until(hours[number + 1])
            self._lines.turn(hours[number + 1])
            self._turns.take(hours[number + 1])
            show(done)

    def end(self) -> None:
        """Say how everything stands that no event has said lately."""
        truth, till = self._trade.truth, self._trade.till
        for _, charge in self._trade.unanswered:
            if charge.state == "authorized":
                till.stands(charge, charge.at)
        for who in self._consumers.values():
            for stop in who.stops:
                truth.thing("stop", stop.mo, "stands" if stop.stands else "lifted")
            for one in who.subscriptions:
                truth.thing("subscription", one.id, one.written)
            for standing in who.allowances.values():
                for allowance in standing:
                    truth.thing("allowance", allowance.id, "used" if allowance.used else "open")

    # What happens later

    def _until(self, at: int) -> None:
        while self._events and self._events[0][0] <= at:
            now, _, event = heappop(self._events)
            event(now)
        self._now = at

    def _later(self, at: int, event: Callable[[int], None]) -> None:
        self._made += 1
        heappush(self._events, (at, self._made, event))

    # Messages

    def _message(self, at: int, *, peak: bool) -> None:
        chance = self._random.random()
        person = self._somebody()
        if chance < 0.02:
            self._solicit(person, at)
        if person.number < self._fans:
            service = self._random.choice(self._dear)
        elif peak and self._random.random() < (PEAK - 1) / PEAK:
            service = self._shop.services[0]
        else:
            service = self._random.choices(self._sold, cum_weights=self._popular)[0]
        if service.every is not None and person.number < self._fans:
            service = self._sold[0]
        code, text = service.code.code, self._text(service)
        self._send(person, code, text, at)
        if service.every is not None and self._random.random() < 0.8:
            self._agree(person, code, at)

    def _somebody(self) -> Person:
        fan = self._random.random() < 0.03
        return self._person(int(self._random.random() * (self._fans if fan else self._people)))

    def _person(self, number: int) -> Person:
        operator = self._shop.operators[number % len(self._shop.operators)]
        prefix = "33000" if self._shop.book == "fr" else "32400"
        return Person(number, operator, f"{prefix}{number:08}")

    def _consumer(self, person: Person, code: str) -> Consumer:
        known = self._trade.codes.get(code)
        group = known.group if known else f"code {code}"
        if self._shop.book != "fr":
            group = "all"
        key = (person.number, group)
        found = self._consumers.get(key)
        if found is None:
            found = self._consumers[key] = Consumer(person.operator, person.number)
        return found

    def _text(self, service: Service) -> str:
        """Write what asks for a service, or what somebody writes who wants something else."""
        random = self._random
        keyword = random.choice(service.keywords)
        chance = random.random()
        if service.choices and chance < 0.9:
            return f"{keyword} {random.choice(service.choices)}"
        if chance < 0.80:
            return keyword
        if chance < 0.92:
            return random.choice(_WRITTEN)(keyword)
        if chance < 0.955:
            return _mistaken(keyword, random)
        return self._service_word(keyword)

    def _service_word(self, keyword: str) -> str:
        random = self._random
        confirms = self._shop.confirms or "?"
        return random.choice(
            (
                *("STOP", "stop", "Stop.", "ARRET", "TSOP", "STOP81"),
                *(f"STOP {keyword}", f"stop {keyword.lower()}", f"{keyword} STOP"),
                *("CONTACT", f"CONTACT {keyword}", confirms),
                random.choice(_STRANGE),
            )
        )

    def _send(self, person: Person, code: str, text: str, at: int) -> None:
        random = self._random
        chance = random.random()
        if chance < 0.003:
            code = self._shop.unknown_code
        self._made += 1
        number = f"m{self._made}"
        sent = (number, person.operator.link, person.sender, code, text)
        counts, wait = at, 0
        stated = at
        if chance > 0.99:
            # It was on its way for a while, and what was sent meanwhile overtook it.
            wait = random.randrange(1, 60)
            stated = counts = at - wait
        elif chance > 0.986:
            # A clock that is wrong: the time of arrival counts.
            stated = at + random.choice((-7_200, -TOLERANCE_SECONDS - 1, 30, 7_200))
        mo = Mo(number, self._consumer(person, code), code, text, counts)
        early = random.random() < 0.004
        if early:
            self._before(person, mo, at)
        self._lines.mo(person.number, sent, stated, at)
        answer = self._trade.receive(mo)
        if answer is not None:
            self._reported(answer, person=person, at=at)
        self._repeat(person, sent, stated, at)

    def _repeat(
        self, person: Person, sent: tuple[str, str, str, str, str], stated: int, at: int
    ) -> None:
        """Let a gateway hand a message over again, or another one under its id."""
        chance = self._random.random()
        if chance < 0.01:

            def again(now: int) -> None:
                self._lines.mo(person.number, sent, stated, now)

            self._later(at + self._random.randrange(1, 200), again)
        elif chance < 0.012:

            def other(now: int) -> None:
                number, link, sender, code, text = sent
                self._lines.mo(person.number, (number, link, sender, code, text + "2"), now, now)
                self._trade.conflict()

            self._later(at + self._random.randrange(1, 200), other)
        elif chance < 0.017:

            def same_words(now: int) -> None:
                self._send(person, sent[3], sent[4], now)

            self._later(at + self._random.randrange(1, 15), same_words)

    def _agree(self, person: Person, code: str, at: int) -> None:
        def agree(now: int) -> None:
            self._send(person, code, self._shop.confirms, now)

        late = self._random.random() < 0.04
        wait = self._random.randrange(30, 2 * HOUR)
        self._later(at + wait + (25 * HOUR if late else 0), agree)

    def _solicit(self, person: Person, at: int) -> None:
        service = self._random.choices(self._sold, cum_weights=self._popular)[0]
        who = self._consumer(person, service.code.code)
        if who.last and self._random.random() < 0.9:
            services = [one for one in who.last.values() if one in self._sold]
            service = self._random.choice(services) if services else service
        self._made += 1
        asked = {
            "id": f"s{self._made}",
            "smsc": person.operator.link,
            "sender": person.sender,
            "short_code": service.code.code,
            "service": service.service,
        }
        who = self._consumer(person, service.code.code)
        sends = self._random.random() < 0.7
        if sends:
            asked["text"] = "Come back soon"
        self._lines.solicitation(person.number, asked, at)
        allowed = self._soliciting.ask(who, service, asked["id"], at)
        if allowed is not None and sends:
            self._soliciting.use(who, service, allowed)

    # Receipts

    def _before(self, person: Person, mo: Mo, at: int) -> None:
        """Let the receipt of an answer come before the message that is answered."""
        name = mt_id(self._shop.book, self._trade.mo(mo.number))
        told = (self._shop.gateway, name, "delivered", self._billed("delivered", person))
        self._told(person.number, told, None, at, at)

    def _billed(self, outcome: str, person: Person) -> str:
        if self._trade.captures[person.operator.operator] != "billed_flag":
            return "no" if outcome == "delivered" and self._random.random() < 0.004 else "unknown"
        if outcome == "delivered":
            return "yes" if self._random.random() < 0.96 else "no"
        return "no" if outcome in {"failed", "rejected"} else "unknown"

    def _told(
        self,
        lane: int,
        told: tuple[str, str, str, str],
        message: Message | None,
        at: int,
        came: int,
    ) -> None:
        self._lines.receipt(lane, told, at, came)
        gateway, name, outcome, billed = told
        counts = at if came - TOLERANCE_SECONDS <= at <= came else came
        self._receipts.report(name, message, Orphan(gateway, outcome, billed, counts))

    def _reported(
        self, message: Message, person: Person | None = None, at: int | None = None
    ) -> None:
        """Plan what becomes of a message that goes out."""
        random = self._random
        lane = person.number if person else message.who.lane
        who = person or self._person(lane)
        at = self._now if at is None else at
        plan = _plan(random, charged=message.charge is not None)
        for wait, outcome in plan:
            told = (self._shop.gateway, message.id, outcome, self._billed(outcome, who))
            if random.random() < 0.002:
                told = (self._shop.other_gateway, *told[1:])
            off = random.choice((-9_000, 60)) if random.random() < 0.003 else 0

            def report(now: int, told: tuple[str, str, str, str] = told, off: int = off) -> None:
                self._told(lane, told, message, now + off, now)

            self._later(at + wait, report)
            if random.random() < 0.015:
                self._later(at + wait + random.randrange(1, 4_000), report)
        if random.random() < 0.0005:
            self._later(at + 5, self._stray)

    def _stray(self, now: int) -> None:
        """Report of a message that never was."""
        name = f"{self._random.getrandbits(128):032x}"
        told = (self._shop.gateway, name, "delivered", "unknown")
        self._told(0, told, None, now, now)


_WRITTEN: tuple[Callable[[str], str], ...] = (
    str.lower,
    str.title,
    lambda word: f"  {word}!",
    lambda word: f"{word}, merci",
    lambda word: f"«{word.lower()}»",
    lambda word: word.replace("A", "Á").replace("O", "ô"),
    lambda word: f"{word} 42",
)


def _mistaken(word: str, random: Random) -> str:
    """Write a word as nobody can be sure what was meant."""
    place = random.randrange(1, len(word))
    return random.choice((word[:place] + "Q" + word[place:], word + "1", word[:place] + "W" * 3))


def _plan(random: Random, *, charged: bool) -> list[tuple[int, str]]:
    """Say which receipts a message will have, and how long after it."""
    soon = random.randrange(2, 120)
    chance = random.random()
    plan = [(1, "submitted")] if random.random() < 0.1 else []
    if not charged and chance > 0.4:
        return plan
    if chance < 0.90:
        return [*plan, (soon, "delivered")]
    if chance < 0.935:
        return [*plan, (random.randrange(60, HOUR), "failed")]
    if chance < 0.94:
        return [*plan, (soon, "rejected")]
    if chance < 0.965:
        return plan  # Nobody ever says.
    if chance < 0.975:
        return [*plan, (random.randrange(73, 120) * HOUR, "delivered")]
    if chance < 0.985:
        return [*plan, (soon, "failed"), (random.randrange(1, 30) * HOUR, "delivered")]
    if chance < 0.99:
        return [*plan, (soon, "delivered"), (random.randrange(1, 30) * HOUR, "failed")]
    return [*plan, (soon, "buffered"), (random.randrange(1, 5) * HOUR, "delivered")]


def _hours(calendar: Calendar, days: int) -> list[int]:
    """Give when each hour begins, and at last when the market ends."""
    first, end = calendar.midnight(0), calendar.midnight(days)
    return [*range(first, end, HOUR), end]


def _is_peak(number: int) -> bool:
    day, hour = divmod(number, 24)
    return day % PEAK_EVERY_DAYS == PEAK_EVERY_DAYS - 2 and hour == PEAK_HOUR


def _busy(number: int) -> int:
    return _WEIGHTS[number % 24] * (PEAK if _is_peak(number) else 1)
