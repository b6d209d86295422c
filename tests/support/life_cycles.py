"""One subscription and its cycles, as the design tells them; and what is sold beside, by hand.

Of 2.00, tax of 21 % is 0.347107; Proximus owes 60 % of the 1.652893 that are left, and of that
0.991736 Ludobel gets 0.40. Of the 1.00 of a message it owes 0.495868; of 0.50, 0.247934.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.support.belgium import BOTH, MO_ONLY, SUBSCRIBED
from tests.support.life_money import Charge
from tests.support.life_sales import Sale, Who

DAY = timedelta(days=1)
EVERY = {"horo": 7 * DAY, "moppen": DAY}
ZONE = ZoneInfo("Europe/Brussels")

ANSWER = Sale("jeu", "ludobel", 2_000_000, 347_107, 661_157, 591_736, 400_000)
MESSAGES = {
    BOTH: Sale("jeu", "ludobel", 1_000_000, 173_554, 330_578, 95_868, 400_000),
    MO_ONLY: Sale("jeu", "ludobel", 500_000, 86_777, 165_289, 47_934, 200_000),
}
"""What operators bill of the message itself, on the codes where they do."""


@dataclass
class Cycle:
    """A cycle of which a charge was tried: how it stands and since when, how often it was tried."""

    state: str
    since: datetime
    attempts: int = 1


@dataclass
class Subscription:
    """One subscription, from its offer to its end; named by the message that asked for it."""

    name: str
    who: Who
    service: str
    offered: datetime
    state: str = "offered"
    started: datetime | None = None
    cycles: dict[int, Cycle] = field(default_factory=dict)

    def due(self, number: int) -> datetime:
        """Give when a cycle begins: at the hour on the wall at which the first began."""
        assert self.started is not None
        wall = self.started.astimezone(ZONE).replace(tzinfo=None)
        return (wall + number * EVERY[self.service]).replace(tzinfo=ZONE)

    def now(self, at: datetime) -> int:
        """Give the number of the cycle that runs."""
        number = 0
        while self.due(number + 1) <= at:
            number += 1
        return number

    def charge(self, number: int) -> str:
        """Name the charge of a cycle."""
        return f"{self.name} {self.due(number):%Y-%m-%d}"

    def priced(self, at: datetime) -> Charge:
        """Give what a cycle costs, authorized."""
        sale = ANSWER._replace(service=self.service)
        return Charge(sale, self.who, SUBSCRIBED, "delivered", at, "authorized")


@dataclass
class Sent:
    """A message to a consumer: what it carries, and what was heard of it."""

    charge: str | None = None
    heard: set[str] = field(default_factory=set)
    kept: bool = False
    """It waits for its gateway, and may be called back."""


def of_nobody(sale: Sale) -> Sale:
    """Give the same price, earned by nobody."""
    return sale._replace(service=None, merchant=None, ours=sale.reversement, theirs=0)


def everywhere(who: Who) -> tuple[str, str]:
    """Name a consumer, who is the same on every code."""
    return who.sender, "everywhere"
