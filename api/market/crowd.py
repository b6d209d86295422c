"""Who is in the market: people with telephones, a few of whom buy far more than the others."""

from random import Random
from typing import NamedTuple

from api.market.goods import Operator
from api.market.people import Consumer
from api.market.trade import Trade

PER_PERSON = 8
"""Messages of a person in a market, on average."""
PER_FAN = 400
"""People for each one that buys all the time, and dear things."""
OF_FANS = 0.03
"""The part of all messages that fans send."""


class Person(NamedTuple):
    """Somebody with a telephone: their number in the market is their lane, too."""

    number: int
    operator: Operator
    sender: str


class Crowd:
    """Everybody, and the consumers that a ledger takes them for."""

    def __init__(self, trade: Trade, random: Random, messages: int) -> None:
        self._trade, self._random = trade, random
        self._people = max(20, messages // PER_PERSON)
        self._fans = max(2, self._people // PER_FAN)
        self.consumers: dict[tuple[int, str], Consumer] = {}

    def somebody(self) -> Person:
        """Pick who writes next."""
        fan = self._random.random() < OF_FANS
        return self.person(int(self._random.random() * (self._fans if fan else self._people)))

    def is_fan(self, person: Person) -> bool:
        """Tell whether somebody buys all the time."""
        return person.number < self._fans

    def person(self, number: int) -> Person:
        """Give somebody by their number."""
        operators = self._trade.shop.operators
        prefix = "32400" if self._trade.shop.confirms else "33000"
        return Person(number, operators[number % len(operators)], f"{prefix}{number:08}")

    def consumer(self, person: Person, code: str) -> Consumer:
        """Give who somebody is on a code: where aliases name people, another one in each group."""
        known = self._trade.codes.get(code)
        group = known.group if known else f"code {code}"
        if self._trade.rules.consumer_scope == "book":
            group = ""
        found = self.consumers.get((person.number, group))
        if found is None:
            found = Consumer(person.operator, person.number)
            self.consumers[person.number, group] = found
        return found
