"""What goes on behind the API: projections kept up, and charges that nobody answered for.

A charge that has waited longer than its book's rules allow becomes unresolved. It is proposed
from the list of charges and decided from its own facts, so that it becomes so once, however
often and by however many workers it is proposed.
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta

import psycopg
from psycopg import AsyncConnection

from api.clock import Clock
from api.desks import keyless_desk
from ledger.commands.charges import age_charge
from ledger.commands.desk import Desk
from ledger.decisions.refusals import RulesOutdated
from ledger.facts.registry import Origin
from ledger.log.errors import LogError
from ledger.log.session import connect, connect_async
from ledger.rules.resolve import RuleBook
from projections import worker as projections_worker
from projections.charges.read import Waiting, waiting
from projections.engine import Engine
from projections.reading import NotProjected, answer_async

_log = logging.getLogger(__name__)

SWEEP_SECONDS = 10.0
"""How long at most an overdue charge waits before it is proposed, and a stop for this loop."""
RETRY_SECONDS = 1.0
PAGE = 200
"""Charges proposed at a time."""
AWAY = (psycopg.OperationalError, psycopg.InterfaceError, LogError)


async def work(
    app_url: str, rules: Mapping[str, RuleBook], clock: Clock, stop: asyncio.Event
) -> None:
    """Keep every book up until `stop` is set; a database that goes away is waited for."""
    halt = threading.Event()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=len(rules), thread_name_prefix="projections") as pool:
        try:
            async with asyncio.TaskGroup() as group:
                for book, rule_book in rules.items():
                    projecting = loop.run_in_executor(
                        pool, projections_worker.run, app_url, book, halt
                    )
                    group.create_task(_as_long_as(projecting))
                    group.create_task(_age_for_ever(app_url, book, rule_book, clock, stop))
                await stop.wait()
                halt.set()
        finally:
            halt.set()


async def _as_long_as(running: asyncio.Future[None]) -> None:
    await running


async def _age_for_ever(
    app_url: str, book: str, rules: RuleBook, clock: Clock, stop: asyncio.Event
) -> None:
    """Look for overdue charges now and then, until `stop` is set."""
    while not stop.is_set():
        pause = await _age_once(app_url, book, rules, clock)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _age_once(app_url: str, book: str, rules: RuleBook, clock: Clock) -> float:
    """Look for overdue charges; gives how many seconds to wait before the next time."""
    try:
        aged = await age(app_url, book, rules, clock())
        if aged:
            _log.info("%s: %s charges became unresolved", book, aged)
    except NotProjected:
        pass  # a book that is not open yet, or whose first facts are just being read
    except RulesOutdated as outdated:
        _log.error("%s: charges do not grow old here: %s", book, outdated)
    except AWAY as away:
        _log.warning("%s: the database is away, trying again: %s", book, away)
        return RETRY_SECONDS
    except Exception:  # noqa: BLE001 - whatever it is, it is this book's own
        _log.exception("%s: charges do not grow old here; trying again", book)
    return SWEEP_SECONDS


async def age(app_url: str, book: str, rules: RuleBook, now: datetime) -> int:
    """Let every charge that is overdue at `now` become unresolved; gives how many did.

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
        delay = timedelta(seconds=desk.known(now).rules.unresolved_after_seconds)
        aged, last = 0, None
        while page := await _waiting(connection, book, now - delay, last):
            aged += await _age_page(desk, page, now)
            last = page[-1]
        return aged


async def _waiting(
    connection: AsyncConnection, book: str, before: datetime, after: Waiting | None
) -> list[Waiting]:
    return (await answer_async(connection, book, waiting(before, PAGE, after))).value


async def _age_page(desk: Desk, page: list[Waiting], now: datetime) -> int:
    origin = Origin(desk.book, "worker")
    decided = await asyncio.gather(*(age_charge(desk, one.charge, origin, now) for one in page))
    return sum(1 for settled in decided if settled.appended)


def catch_up(app_url: str, book: str) -> int:
    """Take a book's projections to the head; gives how many facts were read."""
    with connect(app_url) as connection:
        return Engine(connection, book).catch_up()
