"""What gateways report of messages, as lines and to the model: once, twice, late, or astray."""

from functools import partial
from random import Random

from api.market.agenda import Agenda
from api.market.calendars import HOUR
from api.market.catalogue import TOLERANCE_SECONDS
from api.market.crowd import Crowd
from api.market.dealing import Orphan
from api.market.habits import Mixed, plan
from api.market.lines import Lines
from api.market.people import Consumer, Message
from api.market.receipts import Receipts
from api.market.trade import Trade

_NOT_BILLED = Mixed((4, "no"), (996, "unknown"))
_FLAGGED = Mixed((96, "yes"), (4, "no"))
_BY_OTHER = Mixed((2, True), (998, False))
_CLOCKS: Mixed[int] = Mixed((1_997, 0), (2, -9_000), (1, 60))
"""By how much the time that a receipt tells is wrong."""
_AGAIN = Mixed((15, True), (985, False))
_ASTRAY = Mixed((1, True), (1_999, False))

Told = tuple[str, str, str, str]
"""Gateway, message, outcome and billing."""


class Reports:
    """Plans and writes the receipts of one market."""

    def __init__(
        self, trade: Trade, lines: Lines, random: Random, agenda: Agenda, crowd: Crowd
    ) -> None:
        self._trade, self._lines, self._random = trade, lines, random
        self._agenda, self._crowd = agenda, crowd
        self._receipts = Receipts(trade)

    def of(self, message: Message) -> None:
        """Plan what becomes of a message that goes out now."""
        random, now = self._random, self._agenda.now
        for wait, outcome in plan(random, charged=message.charge is not None):
            gateway = self._trade.shop.gateway
            if _BY_OTHER.pick(random):
                gateway = self._trade.shop.other_gateway
            told = (gateway, message.id, outcome, self._billed(outcome, message.who))
            write = partial(self._write, message.who.lane, told, message, _CLOCKS.pick(random))
            self._agenda.at(now + wait, write)
            if _AGAIN.pick(random):
                self._agenda.at(now + wait + random.randrange(1, HOUR), write)
        if _ASTRAY.pick(random):
            self._agenda.at(now + 5, self._astray)

    def too_early(self, who: Consumer, name: str) -> None:
        """Report now that a message was delivered which nobody has decided on yet."""
        told = (self._trade.shop.gateway, name, "delivered", self._billed("delivered", who))
        self._write(who.lane, told, None, 0)

    def _astray(self) -> None:
        """Report of a message that never was."""
        name = f"{self._random.getrandbits(128):032x}"
        self._write(0, (self._trade.shop.gateway, name, "delivered", "unknown"), None, 0)

    def _write(self, lane: int, told: Told, message: Message | None, wrong: int) -> None:
        now = self._agenda.now
        stated, (gateway, name, outcome, billed) = now + wrong, told
        self._lines.receipt(lane, told, stated, now)
        counts = stated if now - TOLERANCE_SECONDS <= stated <= now else now
        self._receipts.report(name, message, Orphan(gateway, outcome, billed, counts))

    def _billed(self, outcome: str, who: Consumer) -> str:
        flagged = self._trade.captures[who.operator.operator] == "billed_flag"
        if outcome == "delivered":
            return (_FLAGGED if flagged else _NOT_BILLED).pick(self._random)
        return "no" if flagged and outcome in {"failed", "rejected"} else "unknown"
