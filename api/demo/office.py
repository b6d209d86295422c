"""What people at their desks do in the plot: ask before they solicit, and give money back."""

from datetime import datetime, timedelta
from typing import NamedTuple

from api.demo.books import BELGIAN, FRENCH
from api.demo.stage import Stage
from ledger.commands.desk import Desk
from ledger.commands.refunds import refund_charge
from ledger.commands.solicitations import Asker, GatewayAsks, ask_solicitation, use_solicitation
from ledger.decisions.refund import By, Channel, RefundRequest
from ledger.facts.registry import Origin
from ledger.facts.solicitations import SolicitationAllowed
from ledger.rules.resolve import RuleBook

_WHILE = timedelta(minutes=2)
"""Longer than the askings take."""
ASKINGS = 3
"""One more than the settings of the French book allow without a return."""
_INVITED = ("sfr-fr", "33000200003", "81014", "quiz")
_INVITATION = "Le Quiz continue : répondez JEU au 81014 (3.00 EUR + prix d'un SMS). STOP au 81014."


class Back(NamedTuple):
    """Money that somebody gives back."""

    charge: str
    by: By
    channel: Channel
    reason: str


def give_back(stage: Stage, book: str, back: Back) -> None:
    """Record a refund as finance does."""
    request = RefundRequest(id="demo", **back._asdict())

    async def refund(desk: Desk) -> None:
        await refund_charge(desk, request, Origin(desk.book, "finance"), stage.clock())

    stage.api.do(refund, book)


def solicit(stage: Stage) -> None:
    """Ask for one past buyer again and again, at a permitted hour, and write once."""
    stage.clock.go_to(permitted(stage.rules[FRENCH.book], stage.clock()))
    stage.api.do(lambda desk: _solicit(desk, stage), FRENCH.book)


def permitted(rules: RuleBook, now: datetime) -> datetime:
    """Give `now` where soliciting is permitted for a while yet, otherwise when it next is."""
    for at in (now, now + _WHILE):
        opens = rules.next_opening(at)
        assert opens is not None, "the French pack names a charter"
        if opens > at:
            return opens
    return now


async def _solicit(desk: Desk, stage: Stage) -> None:
    origin = Origin(desk.book, "gateway")
    for number in range(ASKINGS):
        asks = GatewayAsks(f"demo-{number + 1}", FRENCH.gateway, *_INVITED)
        told = await ask_solicitation(desk, asks, origin, stage.clock())
        if number == 0:
            assert isinstance(told.fact, SolicitationAllowed)
            asker = Asker(gateway=FRENCH.gateway)
            name, now = told.fact.subject, stage.clock()
            await use_solicitation(desk, name, _INVITATION, asker, origin=origin, now=now)


TRANSFER = "given back by transfer, out of goodwill"
UNSOLD = "billed for a word that nobody sells"
REFUNDED = {FRENCH.book: "horoscope-orange", BELGIAN.book: "unmatched"}
"""By book, the message whose charge is given back."""
