"""How fast messages are taken in without HTTP: their Python alone, each by itself, in batches."""

import asyncio
from collections.abc import Iterator
from datetime import datetime
from time import perf_counter, process_time

from api.bench.book import BOOK, GATEWAY, LINK, ORIGIN
from api.bench.measure import Figure, rate, waits
from api.bench.stage import Stage
from api.clock import system_clock
from api.importing.collecting import collected_seldom
from api.importing.doors import TOGETHER
from ledger.commands.desk import Deciding, Desk
from ledger.commands.messages import Message, asked_of, keys_of
from ledger.commands.received import Arrived, receive_all
from ledger.commands.traffic import IncomingMo, receive_mo
from ledger.vault import new_data_key

AT_ONCE = 64
"""Messages under way at a time."""
_MICROS = 1_000_000


def in_process(stage: Stage) -> list[Figure]:
    """Time messages on a desk of this process."""

    async def run() -> list[Figure]:
        count = stage.scale.received
        async with stage.books() as books:
            desk = books.by_name[BOOK].desk
            figures = [decided(desk, count), await one_by_one(desk, count)]
            with collected_seldom():
                figures.append(await in_batches(desk, count))
            return figures

    return asyncio.run(run())


def decided(desk: Desk, count: int) -> Figure:
    """Time the part of a message that is Python alone, in time of the processor."""
    at, start = system_clock(), process_time()
    for incoming in messages("decided", range(count), at):
        asked = asked_of(desk, incoming, at)
        message = Message(asked, {key: new_data_key() for key in keys_of(asked)})
        deciding = Deciding(desk, message.decide, ORIGIN, message.keys)
        deciding.rows(())
    seconds = process_time() - start
    note = f"{_MICROS * seconds / count:.0f} us each"
    return rate("a message read, decided and encoded", "messages", count, seconds, note)


async def one_by_one(desk: Desk, count: int) -> Figure:
    """Time messages decided, sealed, committed and answered, whose senders wait for each."""
    each: list[float] = []
    numbers = iter(range(count))

    async def play() -> None:
        for number in numbers:
            now = system_clock()
            (message,) = messages("intake", range(number, number + 1), now)
            before = perf_counter()
            await receive_mo(desk, message, ORIGIN, now)
            each.append(perf_counter() - before)

    start = perf_counter()
    await asyncio.gather(*(play() for _ in range(AT_ONCE)))
    seconds = perf_counter() - start
    return waits(f"intake without HTTP, {AT_ONCE} at once", "messages", count, seconds, each)


async def in_batches(desk: Desk, count: int) -> Figure:
    """Time the same of messages taken in many to a transaction, as an import takes a file."""
    each: list[float] = []
    start = perf_counter()
    for first in range(0, count, TOGETHER):
        now, before = system_clock(), perf_counter()
        numbers = range(first, min(count, first + TOGETHER))
        arrived = [Arrived(one, now) for one in messages("batch", numbers, now)]
        for result in await receive_all(desk, arrived, ORIGIN):
            if isinstance(result, Exception):
                raise result
        each.append(perf_counter() - before)
    seconds = perf_counter() - start
    return waits(f"intake without HTTP, {TOGETHER} a batch", "messages", count, seconds, each)


def messages(run: str, numbers: range, at: datetime) -> Iterator[IncomingMo]:
    """Give messages of as many consumers."""
    for number in numbers:
        name = f"{run}-{number}"
        yield IncomingMo(GATEWAY, LINK, name, f"33{name}", "81014", "JEU bonjour", at)
