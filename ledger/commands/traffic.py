"""Take in what gateways report: messages and receipts.

The answer to a message is told from its stored facts, after the commit, the same for the
first time and for a repeat.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from ledger.commands.desk import Desk, Held, KeyWanted, Settled
from ledger.commands.incoming import IncomingMo, IncomingReceipt
from ledger.commands.messages import Answer, Message, asked_of, keys_of
from ledger.commands.receipts import ChargeUnread, Report, find_messages
from ledger.decisions.past import needed
from ledger.facts.registry import Origin

__all__ = [
    "Answer",
    "ChargeUnread",
    "IncomingMo",
    "IncomingReceipt",
    "receive_mo",
    "receive_receipt",
]

T = TypeVar("T")


async def receive_mo(
    desk: Desk, incoming: IncomingMo, origin: Origin, arrived_at: datetime
) -> Answer:
    """Take in a message and give the answer to it, the first answer again for a repeat.

    Raises:
        UnknownGateway: the gateway was not declared in this book.
        UnknownLink: it was not declared with the link that it names.
        StatedTimeMissing: its ids come again, and it does not say when this was sent.
        ConflictingDuplicate: another message came under this id; both are kept.
        RulesOutdated: this process decides by other rules than the book.
    """
    held: Held = {}

    async def once() -> Answer:
        asked = asked_of(desk, incoming, arrived_at)
        for key in keys_of(asked):
            held[key] = await desk.keys.ensure(key, incoming.sender)
        consumer, wanted = asked.mo.consumer, partial(needed, asked)
        await desk.pasts.learn(desk.log, [(consumer, wanted)])
        message = Message(asked, held, desk.pasts.of(consumer, wanted))
        while True:
            try:
                settled = await desk.settle(message.query, message.decide, origin, held)
                break
            except KeyWanted as missing:
                await find_key(desk, held, missing)
        desk.pasts.saw(consumer, message.past, settled.history)
        return await told_with(desk, held, lambda: message.answer(settled))

    return await desk.attempt(once)


async def told_with(desk: Desk, held: Held, tell: Callable[[], T]) -> T:
    """Tell what is stored, with whatever key that takes."""
    while True:
        try:
            return tell()
        except KeyWanted as wanted:
            await find_key(desk, held, wanted)


async def find_key(desk: Desk, held: Held, wanted: KeyWanted) -> None:
    """Put a key beside those at hand, or that it is nowhere."""
    held[wanted.key] = (await desk.keys.find([wanted.key])).get(wanted.key)


async def receive_receipt(
    desk: Desk, incoming: IncomingReceipt, origin: Origin, arrived_at: datetime
) -> Settled:
    """Take in a receipt: joined to its message, or kept as an orphan until that appears.

    Raises:
        UnknownGateway: the gateway was not declared in this book.
        RulesOutdated: this process decides by other rules than the book.
    """

    async def once() -> Settled:
        about = (await find_messages(desk, [incoming.mt])).get(incoming.mt)
        report = Report(desk, incoming, arrived_at, about)
        return await desk.settle(report.query, report.decide, origin)

    return await desk.attempt(once)
