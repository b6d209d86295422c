"""What is sent: each message and receipt one to five times, shuffled, some ids with other words."""

import random
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from urllib.parse import urlencode

from api.receipts import receipt_url
from ledger.commands.incoming import IncomingMo, IncomingReceipt
from ledger.decisions.story import mo_id, mt_id
from tests.torture.load import BOOK, GATEWAY

LINK = "orange-fr"
CODE = "81014"
TIMES = (1, 2, 3, 4, 5, 5, 5, 5)
"""How often each may come."""
CONFLICT = 0.04
"""How many ids come with other words too."""
RECEIPTS = 0.7
"""How many answers are delivered, so that their charge is captured."""
SENDER_BUYS = 4
"""How many messages one consumer sends."""


class Send(NamedTuple):
    """One of the things that are sent, again and again."""

    id: str
    """The gateway's own, of a message; a receipt has that of the message it is about."""
    text: str
    """Of a message; empty for a receipt."""
    sender: str
    at: datetime

    @property
    def is_receipt(self) -> bool:
        return not self.text

    @property
    def mo(self) -> str:
        """The message that it is, or is about."""
        return mo_id(BOOK, GATEWAY, self.id)

    @property
    def mt(self) -> str:
        """The answer that it is about; its id is derived, so it is known before it is sent."""
        return mt_id(BOOK, self.mo)

    def path(self, key: str) -> str:
        """Write it as Kannel would ask."""
        seconds = str(int(self.at.timestamp()))
        if self.is_receipt:
            url = receipt_url("", BOOK, GATEWAY, key, self.mt)
            for escape, value in {"d": "1", "T": seconds, "i": LINK}.items():
                url = url.replace(f"%{escape}", value)
            for escape in "FIAD":
                url = url.replace(f"%{escape}", "")
            return url
        asked = {
            "key": key,
            "id": self.id,
            "smsc": LINK,
            "from": self.sender,
            "to": CODE,
            "text": self.text,
            "ts": seconds,
        }
        return f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo?{urlencode(asked)}"

    def incoming(self) -> IncomingMo | IncomingReceipt:
        """Write it as the commands take it: the same, whichever way it comes."""
        if self.is_receipt:
            return IncomingReceipt(self.mt, GATEWAY, "delivered", "unknown", "1", self.at)
        return IncomingMo(GATEWAY, LINK, self.id, self.sender, CODE, self.text, self.at)


class Plan(NamedTuple):
    """All that is sent, in its order, and what must come of it."""

    sends: list[Send]
    ids: set[str]
    conflicting: set[str]
    delivered: set[str]
    """The ids whose answers have a receipt."""


def planned(seed: int, sends: int, at: datetime) -> Plan:
    """Draw at least so many sends, all stated at one time."""
    chance = random.Random(f"repeats {seed}")  # noqa: S311 - chance that can be repeated
    plan = Plan([], set(), set(), set())
    while len(plan.sends) < sends:
        number = len(plan.ids)
        name = f"r{seed}-{number}"
        sender = f"33001{number // SENDER_BUYS:07d}"
        message = Send(name, f"JEU {number}", sender, at.replace(microsecond=0))
        plan.ids.add(name)
        for one in _of(message, plan, chance):
            plan.sends.extend([one] * chance.choice(TIMES))
    chance.shuffle(plan.sends)
    return plan


def _of(message: Send, plan: Plan, chance: random.Random) -> Iterator[Send]:
    """Give the message, perhaps another under its id, and perhaps its receipt."""
    yield message
    if chance.random() < CONFLICT:
        plan.conflicting.add(message.id)
        yield message._replace(text=f"{message.text} bis")
    if chance.random() < RECEIPTS:
        plan.delivered.add(message.id)
        yield message._replace(text="")
