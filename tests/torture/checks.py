"""What must hold of a book after any fault, held against what its clients were told."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from psycopg import Connection, OperationalError
from psycopg_pool import AsyncConnectionPool

from ledger.commands.desk import data_key_of
from ledger.facts.base import Recorded
from ledger.facts.registry import REGISTRY
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from ledger.keyring import Keyring
from ledger.log.postgres import PostgresLog
from ledger.log.session import SNAPSHOT, connect
from ledger.vault import DataKeyId, MasterKey, WrongKey, unseal
from projections import positions, rebuild
from projections.known import PROJECTIONS
from tests.torture.load import BOOK, Told
from tests.torture.processes import Ledger, Urls

PAGE = 10_000
LOOKS = 3
SHOWN = 3
"""How many examples a failure names."""


@dataclass
class Seen:
    """What stands in the log."""

    facts: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    """How often each gateway's id was received."""
    exchanges: Counter[str] = field(default_factory=Counter)
    answers: dict[str, str] = field(default_factory=dict)
    """The MT that answers each of them, by the gateway's id."""
    receipts: set[str] = field(default_factory=set)
    """The MTs that some receipt speaks of."""
    ids: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def examined(ledger: Ledger, urls: Urls, told: Told) -> tuple[dict[str, int], list[str]]:
    """Let the ledger come to rest by itself, then hold all of it against what was told.

    A fault may still show while we look, such as a server that has yet to notice that one of its
    processes was killed: then it is looked at again.
    """
    for left in reversed(range(LOOKS)):
        ledger.until(lambda: ledger.ready() and _reached(urls.app), "ready again")
        try:
            return _examined(ledger, urls, told)
        except OperationalError:
            if not left:
                raise
    raise AssertionError


def _reached(url: str) -> bool:
    with suppress(OperationalError), connect(url):
        return True
    return False


def _examined(ledger: Ledger, urls: Urls, told: Told) -> tuple[dict[str, int], list[str]]:
    with connect(urls.app) as connection:
        ledger.until(lambda: is_projected(connection), "projected")
        with connection.transaction():
            # What was asked before its client gave it up may still be recorded meanwhile.
            connection.execute(SNAPSHOT, prepare=False)
            seen, found = log_failures(connection, told)
        found += projection_failures(connection)
        found += sealed_failures(connection, urls, ledger.master)
    counted = {
        "acknowledged": told.acknowledged,
        "facts": seen.facts,
        "lost": len(told.messages.keys() - seen.messages.keys()),
    }
    return counted, [*told.failures, *ledger.failures, *found]


def log_failures(connection: Connection, told: Told) -> tuple[Seen, list[str]]:
    """Read the whole log, and say what of it is wrong."""
    seen = read_log(connection)
    found = list(seen.failures)
    lost = [one for one in told.messages if one not in seen.messages]
    found += _some("messages were acknowledged and are lost", lost)
    found += _some("receipts were acknowledged and are lost", told.receipts - seen.receipts)
    found += _some("messages were recorded twice", _repeated(seen.messages))
    found += _some("exchanges began twice", _repeated(seen.exchanges))
    found += _some("facts have an id twice", _repeated(seen.ids))
    found += _some("messages were recorded that nobody sent", seen.messages - told_counter(told))
    answers = told.messages.items()
    other = [one for one, mt in answers if one in seen.messages and seen.answers.get(one, "") != mt]
    found += _some("messages were answered by another MT than the log's", other)
    return seen, found


def told_counter(told: Told) -> Counter[str]:
    """Give what was attempted, each once."""
    return Counter(dict.fromkeys(told.attempted, 1))


def read_log(connection: Connection) -> Seen:
    """Read the whole log: its places are counted, its times go forward, its ids are taken down."""
    seen = Seen()
    names: dict[str, str] = {}
    latest: datetime | None = None
    for one in _facts(connection):
        seen.facts += 1
        seen.ids[one.id] += 1
        assert one.recorded_at is not None
        if one.position != seen.facts:
            seen.failures.append(f"position {seen.facts} is missing: {one.position} follows")
            seen.facts = one.position
        if latest is not None and one.recorded_at < latest:
            seen.failures.append(f"recorded_at runs backwards at position {one.position}")
        latest = one.recorded_at
        _note(seen, names, one)
    head, recorded_at = PostgresLog(connection, BOOK).head()
    if (head, recorded_at) != (seen.facts, latest or recorded_at):
        seen.failures.append(f"the head says {head}, and the last fact is {seen.facts}")
    return seen


def _facts(connection: Connection) -> Iterator[Recorded]:
    log, after = PostgresLog(connection, BOOK), 0
    while rows := log.follow(after, PAGE):
        yield from (REGISTRY.decode(row) for row in rows)
        after = rows[-1].position


def sealed_failures(connection: Connection, urls: Urls, master: MasterKey) -> list[str]:
    """Say what nobody can open any more: no key was destroyed, so every text and number opens."""
    sealed = [one for one in _facts(connection) if getattr(one.fact, "text", None) is not None]
    wanted = {data_key_of(one.fact) for one in sealed}
    keys, strangers = asyncio.run(_opened(urls.app, master, wanted))
    lost = [one for one in sealed if not _opens(one, keys.get(data_key_of(one.fact)))]
    found = _some("texts cannot be opened any more", [f"of {one.id}" for one in lost])
    return found + _some("consumers have no address any more", strangers)


async def _opened(
    url: str, master: MasterKey, wanted: Collection[DataKeyId]
) -> tuple[Mapping[DataKeyId, bytes], list[str]]:
    """Give the data keys that are there, and the consumers whose number is not."""
    async with AsyncConnectionPool(url, min_size=1, open=False) as pool:
        ring = Keyring(pool, BOOK, master)
        consumers = {one.consumer for one in wanted}
        return await ring.find(wanted), [
            one for one in consumers if await ring.address(one) is None
        ]


def _opens(one: Recorded, key: bytes | None) -> bool:
    try:
        return key is not None and bool(unseal(key, one.id, one.fact.text))
    except WrongKey:
        return False


def _note(seen: Seen, names: dict[str, str], one: Recorded) -> None:
    match one.fact:
        case MoReceived(mo=mo, gateway_message_id=name):
            seen.messages[name] += 1
            seen.exchanges[mo] += 1
            names[mo] = name
        case MtEmitted(ref=ref) if ref.mo in names and not one.fact.pushed:
            seen.answers[names[ref.mo]] = ref.mt
        case MtSubmitted(ref=ref) | DeliveryReceived(ref=ref):
            seen.receipts.add(ref.mt)
        case DeliveryOrphaned(mt=mt):
            seen.failures.append(f"a receipt of {mt}, which was answered, found no message")
            seen.receipts.add(mt)
        case ConflictingDuplicateReceived(gateway_message_id=name):
            seen.failures.append(f"the repeat of {name} was taken for another message")
        case _:
            pass


def projection_failures(connection: Connection) -> list[str]:
    """Say what is wrong with what is derived; the worker has come to the head before."""
    found: list[str] = []
    standings = positions.status(connection, BOOK)
    if len(standings) != len(PROJECTIONS):
        found.append(f"{len(standings)} projections of {len(PROJECTIONS)} have run")
    for one in standings:
        if one.parked_at:
            found.append(f"{one.projection} is parked: {one.parked_error}")
        if one.accepted != one.projected + one.parked + one.pending:
            found.append(f"{one.projection}: accepted is not projected + parked + pending")
    for projection in PROJECTIONS:
        found += [
            f"{projection.name} differs from a replay: {difference}"
            for difference in rebuild.compare(connection, BOOK, projection)[:SHOWN]
        ]
    return found + unbalanced(connection)


def unbalanced(connection: Connection) -> list[str]:
    """Name each currency in which debit and credit differ."""
    rows = connection.execute(
        "SELECT currency, sum(debit) - sum(credit) FROM balances WHERE book = %s"
        " GROUP BY currency HAVING sum(debit) <> sum(credit)",
        (BOOK,),
    )
    return [f"the books do not balance: {amount} micros of {currency}" for currency, amount in rows]


def is_projected(connection: Connection) -> bool:
    """Tell whether every projection has come to the head, or stands still."""
    found = positions.status(connection, BOOK)
    return len(found) == len(PROJECTIONS) and all(not one.pending for one in found)


def _repeated(counted: Counter[str]) -> list[str]:
    return [one for one, times in counted.items() if times > 1]


def _some(what: str, which: Collection[str]) -> list[str]:
    if not which:
        return []
    examples = ", ".join(sorted(which)[:SHOWN])
    return [f"{len(which):,} {what}, such as {examples}"]
