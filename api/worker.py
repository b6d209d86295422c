"""What goes on behind the API: projections kept up, and what time itself brings about.

Each book has its own thread that projects and its own loop that works its lists; what is wrong
with one book stops no other. Several workers share the books: whoever holds the lease of one works
on it, and it is taken over within seconds from one that is dead or not heard of any more.
"""

import asyncio
import logging
import os
import secrets
import socket
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import NamedTuple

from psycopg import AsyncConnection

from api.clock import Clock
from api.desks import keyed_desk, keyless_desk
from api.gateways import Gateways
from api.push import through_kannel
from api.scheduler import AWAY, Turn, take_turn, unresolved
from ledger.decisions.refusals import RulesOutdated
from ledger.keyring import NoPseudonymKey
from ledger.log.session import connect_async
from ledger.rules.resolve import RuleBook
from ledger.vault import MasterKey, MasterKeyMissing, WrongKey
from projections import worker as projections_worker
from projections.lease import RENEW_SECONDS, Lease
from projections.renewing import renew_quietly

_log = logging.getLogger(__name__)

SWEEP_SECONDS = 10.0
"""How long at most something due waits before it is proposed, and a stop for this loop."""
AGAIN_SECONDS = 1.0
"""How soon to look again after something was done, for more may have followed from it."""
RETRY_SECONDS = 1.0
SPARED = 0.2
"""The part of a lease in which what is under way ends, once the database has fallen silent."""


class Setup(NamedTuple):
    """What the worker works with."""

    app_url: str
    rules: Mapping[str, RuleBook]
    master: Callable[[], MasterKey | None]
    """Reads the master key; None while no book was opened in this database."""
    clock: Clock
    gateways: Gateways = {}  # noqa: RUF012 - never written to


async def work(setup: Setup, stop: asyncio.Event) -> None:
    """Keep every book up until `stop` is set; a database that goes away is waited for.

    Each book is worked on by whoever holds its lease; of several workers the others wait for it.
    """
    holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    # A book's projections, and beside them those of a new version.
    with ThreadPoolExecutor(2 * len(setup.rules), thread_name_prefix="projections") as pool:
        async with asyncio.TaskGroup() as group:
            for book in setup.rules:
                share = Share(setup, Lease(book, holder), pool)
                group.create_task(_share(share, stop))


class Share(NamedTuple):
    """What one worker needs to share a book with others."""

    setup: Setup
    lease: Lease
    pool: ThreadPoolExecutor


async def _share(share: Share, stop: asyncio.Event) -> None:
    """Work on one book whenever its lease is ours, until `stop` is set."""
    book, away = share.lease.book, False
    while not stop.is_set():
        try:
            async with await connect_async(share.setup.app_url) as connection:
                if away:
                    _log.warning("%s: the database is back", book)
                    away = False
                await _take_turns(share, connection, stop)
        except AWAY as error:
            if not away:
                _log.warning("%s: the database is away, trying again: %s", book, error)
                away = True
            await _rest(stop, RETRY_SECONDS)


async def _take_turns(share: Share, connection: AsyncConnection, stop: asyncio.Event) -> None:
    """Work whenever the lease is ours, over one connection, for as long as that lives."""
    waiting = False
    while not stop.is_set():
        if await share.lease.take(connection):
            waiting = False
            await _held(share, connection, stop)
        elif not waiting:
            waiting = True
            _log.info("%s: another worker works on it", share.lease.book)
        await _rest(stop, RENEW_SECONDS)


async def _held(share: Share, connection: AsyncConnection, stop: asyncio.Event) -> None:
    """Work on a book for as long as its lease is ours, and give it back at the end."""
    setup, book = share.setup, share.lease.book
    halt, end = threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    running = [
        loop.run_in_executor(share.pool, projections_worker.run, setup.app_url, book, halt),
        loop.run_in_executor(share.pool, renew_quietly, setup.app_url, book, halt),
        asyncio.ensure_future(_follow(setup, book, end)),
    ]
    try:
        await keep(share.lease, connection, stop)
    finally:
        halt.set()
        end.set()
        await asyncio.gather(*running)
    if not connection.closed:
        await share.lease.leave(connection)


async def keep(lease: Lease, connection: AsyncConnection, stop: asyncio.Event) -> None:
    """Renew a lease until `stop` is set, it is lost, or a silent database lets it run out."""
    while not stop.is_set():
        try:
            async with asyncio.timeout(lease.left - SPARED * lease.seconds):
                if not await lease.take(connection):
                    break
        except (*AWAY, TimeoutError) as error:
            if isinstance(error, TimeoutError):
                _log.warning("%s: not renewed in time: another may have taken it over", lease.book)
            # The connection is of no more use: what is held is given up, and asked for again.
            await connection.close()
            return
        await _rest(stop, RENEW_SECONDS)
    if not stop.is_set():
        _log.warning("%s: another worker has taken it over", lease.book)


async def _follow(setup: Setup, book: str, stop: asyncio.Event) -> None:
    """Work one book's lists again and again, until `stop` is set."""
    while not stop.is_set():
        pause = SWEEP_SECONDS
        try:
            async with opened(setup, book, stop) as turn:
                await _turns(turn, stop)
        except NoPseudonymKey:
            pause = AGAIN_SECONDS  # nobody has opened the book yet
        except (RulesOutdated, MasterKeyMissing, WrongKey) as refused:
            _log.error("%s: nothing falls due here: %s", book, refused)
        except AWAY as away:
            _log.warning("%s: the database is away, trying again: %s", book, away)
            pause = RETRY_SECONDS
        except Exception:  # noqa: BLE001 - whatever it is, it is this book's own
            _log.exception("%s: nothing falls due here; trying again", book)
        await _rest(stop, pause)


async def _turns(turn: Turn, stop: asyncio.Event) -> None:
    while not stop.is_set():
        done = {name: number for name, number in (await take_turn(turn)).items() if number}
        if done:
            told = ", ".join(f"{name} {number}" for name, number in done.items())
            _log.info("%s: %s", turn.desk.book, told)
        await _rest(stop, AGAIN_SECONDS if done else SWEEP_SECONDS)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@asynccontextmanager
async def opened(
    setup: Setup, book: str, stop: asyncio.Event | None = None
) -> AsyncGenerator[Turn]:
    """Give what the turns of one book are made with, for as long as the block runs.

    Raises:
        NoPseudonymKey: the book was never opened.
        MasterKeyMissing, WrongKey: its texts cannot be read.
        LogError, psycopg.OperationalError: the database is away.
    """
    master = await asyncio.to_thread(setup.master)
    if master is None:
        raise NoPseudonymKey(book)
    gateways = {
        name: through_kannel(book, name, settings)
        for name, settings in setup.gateways.get(book, {}).items()
    }
    async with (
        await connect_async(setup.app_url) as connection,
        keyed_desk(setup.app_url, book, setup.rules[book], master) as desk,
    ):
        yield Turn(connection, desk, setup.clock, gateways, stop)


async def age(app_url: str, book: str, rules: RuleBook, now: datetime) -> int:
    """Let every charge that is overdue at `now` become unresolved; gives how many did.

    It needs no master key.

    Raises:
        NotProjected: the list of charges has never been made in this book.
        RulesOutdated: the book follows other rules than these.
        LogUnavailable, psycopg.OperationalError: the database is away.
    """
    async with (
        await connect_async(app_url) as connection,
        keyless_desk(app_url, book, rules) as desk,
    ):
        await desk.refresh()
        return await unresolved(Turn(connection, desk, lambda: now))
