"""The Belgian traffic: few messages, for what is otherwise there than in France.

On 3030 a message costs 1.00 and its answer 2.00, each a charge of its own; on 2121 the message
alone is charged; 9050 sells subscriptions, which begin by a second message.
"""

from typing import Unpack

from api.demo.books import BELGIAN
from api.demo.messages import ACCEPTED, FAILED, DemoMessage
from api.demo.traffic import Extras

OPERATORS_BE = {"proximus-be": "20601", "orange-be": "20610", "base-be": "20620"}

# In Belgium a consumer is known by the number itself.
_CONSUMERS = {
    "anke": ("proximus-be", "32400100001"),
    "bart": ("base-be", "32400300001"),
    "chloë": ("orange-be", "32400200001"),
}
_KIOSK, _GAMES, _VOTES, _SUBSCRIPTIONS = "3030", "6070", "2121", "9050"


def _sms(name: str, consumer: str, code: str, text: str, **extras: Unpack[Extras]) -> DemoMessage:
    smsc, number = _CONSUMERS[consumer]
    where = {"smsc": smsc, "sender": number, "book": BELGIAN.book}
    return DemoMessage(name=name, code=code, text=text, **where, **extras)


TRAFFIC_BE: tuple[DemoMessage, ...] = (
    _sms("kwis", "anke", _KIOSK, "KWIS Jupiter", expect="both", note="both messages are charged"),
    _sms(
        "astro",
        "chloë",
        _KIOSK,
        "ASTRO Lion",
        expect="both",
        note="whether its answer was billed, receipts are to say, and none does",
    ),
    _sms(
        "unmatched",
        "bart",
        _KIOSK,
        "KWISS",
        expect="mo",
        note="billed by the operator all the same",
    ),
    _sms(
        "leg-failed",
        "bart",
        _GAMES,
        "RING 7",
        expect="both",
        receipts=(ACCEPTED, FAILED),
        note="the message is charged, its answer never arrived",
    ),
    _sms(
        "stem",
        "anke",
        _VOTES,
        "STEM 2",
        expect="mo",
        note="only what the consumer sends is charged",
    ),
    _sms(
        "subscribe",
        "anke",
        _SUBSCRIPTIONS,
        "KWIS",
        expect="free",
        note="told the price, not charged",
    ),
    _sms(
        "confirm",
        "anke",
        _SUBSCRIPTIONS,
        "OK",
        expect="paid",
        note="starts, and pays the first cycle",
    ),
)

STOP_BE = _sms(
    "stop-be", "anke", _SUBSCRIPTIONS, "STOP", expect="free", note="ends the subscription"
)
"""What is played once the subscription was renewed."""
