"""What people and time do in one world: drawn beforehand from a seed, so that it can be shortened.

Acts name what they are about by numbers: the third message, the fifth charge. What is not there
is left, so that any part of a plan is a plan.
"""

import random
from functools import cache
from typing import NamedTuple

from ledger.log.rows import StoredRow
from ledger.rules.resolve import RuleBook
from tests.support.belgium import BELGIAN, BOTH, LINKS, MO_ONLY, SUBSCRIBED
from tests.support.book import in_memory, rule_book
from tests.support.builders import DONATION, ON_ACCEPTED, ON_DELIVERED, SETTINGS
from tests.support.subscribers import subscribers

ACTS = 45
CAP = (
    'spending_caps = [{ name = "a day", amount = "9", counted_per = "consumer_and_service",'
    ' window = { kind = "rolling", n = 1, unit = "day" } }]'
)
CAP_MICROS = 9_000_000
CAPPED = rule_book(SETTINGS.replace("spending_caps = []", CAP))


class Act(NamedTuple):
    """One thing that somebody does, some seconds after the world began, as often as they must."""

    at: int
    kind: str
    who: int
    what: str = ""
    where: str = ""
    times: int = 1
    n: int = 0
    """Its number in the whole plan, kept when the plan is shortened."""


class Land(NamedTuple):
    """A country: its rules, its opened book, and what is written and done there."""

    name: str
    rules: RuleBook
    rows: tuple[StoredRow, ...]
    smsc: str
    written: tuple[tuple[str, str], ...]
    kinds: tuple[tuple[str, int], ...]


@cache
def land(name: str) -> Land:
    """Give a country; its book is opened once and copied."""
    return _france() if name == "fr" else _belgium()


def _france() -> Land:
    game, gift = ("JEU", ON_DELIVERED), ("DON", DONATION)
    written = (game, game, game, gift, ("VOTE 1", ON_ACCEPTED), ("STOP", ON_DELIVERED))
    more = (("STOP JEU", ON_DELIVERED), ("CONTACT", ON_DELIVERED), ("BONJOUR", ON_DELIVERED))
    kinds = (
        *(("message", 26), ("receipt", 14), ("ask", 5), ("use", 4), ("expire", 2), ("age", 3)),
        *(("refund", 5), ("write_off", 1), ("notice", 3), ("suspend", 1), ("resume", 1)),
        *(("fold", 8), ("rebuild", 2)),
    )
    rows = in_memory(rules=CAPPED).rows
    return Land("fr", CAPPED, rows, "orange", (*written, *more), kinds)


def _belgium() -> Land:
    written = (("JEU", BOTH), ("JEU", MO_ONLY), ("HORO", SUBSCRIBED), ("OK", SUBSCRIBED))
    more = (("MOP", SUBSCRIBED), ("OK", SUBSCRIBED), ("STOP", SUBSCRIBED), ("STOP", BOTH))
    rest = (("BONJOUR", MO_ONLY), ("MOP", SUBSCRIBED), ("OK", SUBSCRIBED))
    kinds = (
        *(("message", 26), ("receipt", 14), ("renew", 8), ("end", 2), ("age", 3), ("refund", 4)),
        *(("write_off", 1), ("suspend", 1), ("resume", 1), ("fold", 8), ("rebuild", 2)),
    )
    assert "proximus" in LINKS
    return Land("be", BELGIAN, subscribers().rows, "proximus", (*written, *more, *rest), kinds)


def plan(chance: random.Random) -> tuple[Land, list[Act]]:
    """Draw a country and what is done there."""
    where = land(chance.choice(("fr", "fr", "be")))
    names = [name for name, _ in where.kinds]
    weights = [weight for _, weight in where.kinds]
    at = 0
    acts: list[Act] = []
    for n, kind in enumerate(chance.choices(names, weights, k=ACTS)):
        at += chance.choice((0, 0, 0, 1, 5, 60, 3_600, 30_000, 90_000 * chance.randint(0, 1)))
        text, code = chance.choice(where.written)
        if kind == "receipt":
            text = chance.choice(("submitted", "delivered", "delivered", "failed", "rejected"))
            code = chance.choice(("yes", "no", "unknown", "unknown"))
        times = chance.choice((1, 1, 2, 3))
        acts.append(Act(at, kind, chance.randrange(12), text, code, times, n))
    return where, acts
