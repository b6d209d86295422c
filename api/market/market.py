"""The market itself: who writes what and when.

All chance comes from one seeded generator, asked in one order, so the same seed gives the same
bytes. Every line is told to the model as it is written.
"""

from collections.abc import Callable
from functools import partial
from itertools import accumulate
from random import Random
from typing import NamedTuple

from api.market.agenda import Agenda
from api.market.calendars import HOUR
from api.market.crowd import Crowd, Person
from api.market.dealing import Mo
from api.market.goods import EURO, Service
from api.market.habits import PEAK, Mixed, busy, is_peak, text_for
from api.market.lines import Lines
from api.market.reports import Reports
from api.market.trade import Trade
from api.market.turns import Soliciting, Turns
from ledger.decisions.story import mt_id

_DEAR = 4 * EURO
_OVERTAKES = 60
"""Within so many seconds a message may overtake another."""
_SOLICITED = Mixed((6, True), (994, False))
_PAST_BUYER = Mixed((9, True), (1, False))
_SENDS = Mixed((7, True), (3, False))
_AGREES = Mixed((76, "soon"), (4, "late"), (20, "never"))
_TO_NOBODY = Mixed((3, True), (997, False))
_CLOCK = Mixed((988, "right"), (2, "wrong"), (10, "slow"))
_WRONG_BY = (-7_200, -301, 30, 7_200)
_TOO_EARLY = Mixed((4, True), (996, False))
_COMES_AGAIN = Mixed((983, "once"), (10, "same"), (2, "other"), (5, "same words"))


class Sent(NamedTuple):
    """A message as it is handed over, and the time that its link tells."""

    number: str
    code: str
    text: str
    stated: int


class Market:
    """Plays one market into lines, hour by hour."""

    def __init__(self, trade: Trade, lines: Lines, random: Random, messages: int) -> None:
        self._trade, self._lines, self._random = trade, lines, random
        self._messages, self._made = messages, 0
        self._agenda = Agenda()
        self._crowd = Crowd(trade, random, messages)
        self._reports = Reports(trade, lines, random, self._agenda, self._crowd)
        self._turns = Turns(trade, self._reports.of)
        self._soliciting = Soliciting(trade, self._reports.of)
        services = trade.shop.services
        self._sold = [one for one in services if one.service not in {"prize", "gift"}]
        self._popular = list(accumulate(1 / (rank + 2) for rank in range(len(self._sold))))
        self._dear = [one for one in services if one.code.price >= _DEAR]

    def play(self, days: int, show: Callable[[int], None], hours_a_turn: int) -> None:
        """Play the market's messages over so many days; the last hour ends with a turn."""
        calendar = self._trade.calendar
        hours = [*range(calendar.midnight(0), calendar.midnight(days), HOUR)]
        ends = [*hours[1:], calendar.midnight(days)]
        upto = list(accumulate(busy(number) for number in range(len(hours))))
        done = 0
        for number, (begins, end) in enumerate(zip(hours, ends, strict=True)):
            due = self._messages * upto[number] // upto[-1]
            at = sorted(int(self._random.random() * (end - begins)) for _ in range(due - done))
            for second in at:
                self._agenda.go_to(begins + second)
                self._message(peak=is_peak(number))
            self._agenda.go_to(end)
            if (len(hours) - number - 1) % hours_a_turn == 0:
                self._lines.turn(end)
                self._turns.take(end)
            done = due
            show(done)

    def end(self) -> None:
        """Say how everything stands that no event has said lately."""
        for _, charge in self._trade.unanswered:
            if charge.state == "authorized":
                self._trade.till.stands(charge, charge.at)
        for who in self._crowd.consumers.values():
            who.say(self._trade.truth)

    # What is written

    def _message(self, *, peak: bool) -> None:
        person = self._crowd.somebody()
        if _SOLICITED.pick(self._random):
            self._solicit(person)
        service = self._service(person, peak=peak)
        self._send(person, service.code.code, text_for(service, self._random))
        if service.every is not None:
            self._agree(person, service)

    def _service(self, person: Person, *, peak: bool) -> Service:
        """Choose what somebody wants; who spends so much subscribes to nothing."""
        random = self._random
        if self._crowd.is_fan(person):
            return random.choice(self._dear)
        if peak and random.randrange(PEAK):
            return self._sold[0]
        return random.choices(self._sold, cum_weights=self._popular)[0]

    def _name(self) -> str:
        self._made += 1
        return f"x{self._made}"

    def _send(self, person: Person, code: str, text: str) -> None:
        random, now = self._random, self._agenda.now
        if _TO_NOBODY.pick(random):
            code = self._trade.shop.unknown_code
        stated, counts = self._clock()
        sent = Sent(self._name(), code, text, stated)
        mo = Mo(sent.number, self._crowd.consumer(person, code), code, text, counts)
        if _TOO_EARLY.pick(random):
            name = mt_id(self._trade.shop.book, self._trade.mo(mo.number))
            self._reports.too_early(mo.who, name)
        self._write(person, sent)
        answer = self._trade.receive(mo)
        if answer is not None:
            self._reports.of(answer)
        self._again(person, sent, now)

    def _clock(self) -> tuple[int, int]:
        """Say what time a link tells, and what time the ledger takes."""
        random, now = self._random, self._agenda.now
        match _CLOCK.pick(random):
            case "wrong":
                return now + random.choice(_WRONG_BY), now
            case "slow":
                sent = now - random.randrange(1, _OVERTAKES)
                return sent, sent
            case _:
                return now, now

    def _write(self, person: Person, sent: Sent) -> None:
        told = (sent.number, person.operator.link, person.sender, sent.code, sent.text)
        self._lines.mo(person.number, told, sent.stated, self._agenda.now)

    def _again(self, person: Person, sent: Sent, now: int) -> None:
        """Let a gateway hand a message over again, or another one under its id."""
        at = now + self._random.randrange(1, 200)
        match _COMES_AGAIN.pick(self._random):
            case "same":
                self._agenda.at(at, partial(self._write, person, sent))
            case "other":
                self._agenda.at(at, partial(self._conflict, person, sent))
            case "same words":
                soon = now + self._random.randrange(1, 15)
                self._agenda.at(soon, partial(self._send, person, sent.code, sent.text))
            case _:
                pass

    def _conflict(self, person: Person, sent: Sent) -> None:
        other = sent._replace(text=sent.text + "2", stated=self._agenda.now)
        self._write(person, other)
        self._trade.conflict()

    def _agree(self, person: Person, service: Service) -> None:
        agrees = _AGREES.pick(self._random)
        if agrees != "never":
            wait = self._random.randrange(30, 2 * HOUR) + (25 * HOUR if agrees == "late" else 0)
            confirm = partial(self._send, person, service.code.code, self._trade.shop.confirms)
            self._agenda.at(self._agenda.now + wait, confirm)

    def _solicit(self, person: Person) -> None:
        random, now = self._random, self._agenda.now
        service = random.choices(self._sold, cum_weights=self._popular)[0]
        last = self._crowd.consumer(person, service.code.code).last.values()
        bought = [one for one in last if one in self._sold]
        if bought and _PAST_BUYER.pick(random):
            service = random.choice(bought)
        code, number, sends = service.code.code, self._name(), _SENDS.pick(random)
        asked = {
            "id": number,
            "smsc": person.operator.link,
            "sender": person.sender,
            "short_code": code,
            "service": service.service,
        }
        self._lines.solicitation(
            person.number, {**asked, "text": "Come back soon"} if sends else asked, now
        )
        who = self._crowd.consumer(person, code)
        allowed = self._soliciting.ask(who, service, number, now)
        if allowed is not None and sends:
            self._soliciting.use(who, service, allowed)
