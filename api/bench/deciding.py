"""What a message costs before anything is written: read, decided, sealed and encoded, in Python."""

from collections.abc import Iterator
from datetime import datetime
from time import perf_counter, process_time

from api.bench.book import GATEWAY, LINK, ORIGIN
from api.bench.measure import Figure, rate, waits
from api.clock import system_clock
from ledger.commands.desk import Deciding, Desk
from ledger.commands.messages import Message, asked_of, keys_of
from ledger.commands.received import Arrived, receive_all
from ledger.commands.traffic import IncomingMo
from ledger.vault import new_data_key

_MICROS = 1_000_000


def messages(run: str, numbers: range, at: datetime) -> Iterator[IncomingMo]:
    """Give messages of as many consumers."""
    for number in numbers:
        name = f"{run}-{number}"
        yield IncomingMo(GATEWAY, LINK, name, f"33{name}", "81014", "JEU bonjour", at)


def decided(desk: Desk, count: int, at: datetime) -> Figure:
    """Time the part of a message that is Python alone, in time of the processor."""
    start = process_time()
    for incoming in messages("decided", range(count), at):
        asked = asked_of(desk, incoming, at)
        message = Message(asked, {key: new_data_key() for key in keys_of(asked)})
        deciding = Deciding(desk, message.decide, ORIGIN, message.keys)
        deciding.rows(())
    seconds = process_time() - start
    note = f"{_MICROS * seconds / count:.0f} us each"
    return rate("a message read, decided and encoded", "messages", count, seconds, note)


async def batched(desk: Desk, count: int, batch: int, run: str) -> Figure:
    """Time messages taken in many at a time, as an import does."""
    each: list[float] = []
    start = perf_counter()
    for first in range(0, count, batch):
        now, before = system_clock(), perf_counter()
        numbers = range(first, min(count, first + batch))
        arrived = [Arrived(one, now) for one in messages(run, numbers, now)]
        for result in await receive_all(desk, arrived, ORIGIN):
            if isinstance(result, Exception):
                raise result
        each.append(perf_counter() - before)
    seconds = perf_counter() - start
    return waits(f"intake without HTTP, {batch} a batch", "messages", count, seconds, each)
