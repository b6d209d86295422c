"""The API as a command runs it: alone, or with the database and a worker beside it."""

import asyncio
import logging
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from api.books import Books, load_master_key, load_rules
from api.cli.desks import migrated_database
from api.cli.logs import log_to_stderr
from api.cli.reached import refuse_strangers
from api.cli.refused import CommandRefused
from api.cli.show import aside
from api.cli.told import telling
from api.cli.welcome import welcome
from api.clock import system_clock
from api.database import Database
from api.gateways import load_gateways
from api.running import until_stopped
from api.serving import Setup, listen, loop_factory, serve
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook
from migrations.runner import migrate
from projections import positions

_log = logging.getLogger(__name__)

RESTART_SECONDS = 1.0
STOP_SECONDS = 15.0


class Address(NamedTuple):
    """Where to listen, and how gateways reach us when that is not as each one asked."""

    host: str
    port: int
    public_url: str | None


def host_api(address: Address, metrics: str | None = None) -> None:
    """Serve the API of all books until somebody wants an end."""
    log_to_stderr()
    rules = load_rules()
    with _listener(address) as listener, migrated_database(wait=True) as database:
        rules = _opened(database.app_url, rules)
        master = load_master_key(database.app_url)

        async def ready(books: Books) -> None:
            names = ", ".join(books.by_name)
            aside(f"serving {names} at {address_of(listener)}; Ctrl-C ends it")

        with telling(metrics, database.app_url, rules) as told:
            setup = Setup(
                *(database.app_url, rules, master, system_clock, address.public_url), told.batch
            )
            until_stopped(
                lambda stop: serve(setup, listener, stop, ready, told.wrap), loop=loop_factory()
            )
    aside("stopped serving")


def _opened(url: str, rules: Mapping[str, RuleBook]) -> Mapping[str, RuleBook]:
    """Give the books that somebody opened; where nobody opened any, all of them, to be opened."""
    with connect(url) as connection:
        known = positions.books(connection)
    if never := [book for book in rules if known and book not in known]:
        told = ", ".join(f"`obole book open {book}`" for book in never)
        aside(
            f"not served, for they were never opened: {', '.join(never)}. {told} and a restart do"
        )
    return {book: one for book, one in rules.items() if book not in never}


def host_all(address: Address, metrics: str | None = None, *, empty: bool, keys: bool) -> None:
    """Serve database, API and worker together until somebody wants an end."""
    log_to_stderr(logging.WARNING)
    rules = load_rules()
    gateways = load_gateways(rules)  # the worker's; what is wrong with it is told here, once
    with _listener(address) as listener, Database.open() as database:
        migrate(database.owner_url)
        refuse_strangers(gateways, database.app_url, rules)
        master = load_master_key(database.app_url)

        async def ready(books: Books) -> None:
            await welcome(books, address_of(listener), empty=empty, keys=keys)

        with telling(metrics, database.app_url, rules) as told:
            setup = Setup(
                *(database.app_url, rules, master, system_clock, address.public_url), told.batch
            )

            async def main(stop: asyncio.Event) -> None:
                async with asyncio.TaskGroup() as group:
                    group.create_task(_keep_working(stop))
                    await serve(setup, listener, stop, ready, told.wrap)

            until_stopped(main, loop=loop_factory())
    aside("stopped: API, worker and database")


async def _keep_working(stop: asyncio.Event) -> None:
    """Run `obole work` beside the API, again if it ends, until `stop` is set.

    It is a process of its own, so that folding never holds the API's interpreter; it ends with us
    however we end, because its standard input does.
    """
    while not stop.is_set():
        command = (sys.executable, "-m", "api.cli.main", "work", "--with-parent")
        worker = await asyncio.create_subprocess_exec(*command, stdin=PIPE, start_new_session=True)
        waiting = [asyncio.create_task(worker.wait()), asyncio.create_task(stop.wait())]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if stop.is_set():
            await _end(worker)
            return
        _log.error("the worker has ended with status %s; starting it again", worker.returncode)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), RESTART_SECONDS)


async def _end(worker: Process) -> None:
    assert worker.stdin is not None
    worker.stdin.close()
    try:
        await asyncio.wait_for(worker.wait(), STOP_SECONDS)
    except TimeoutError:
        worker.kill()
        await worker.wait()


def _listener(address: Address) -> socket.socket:
    try:
        return listen(address.host, address.port)
    except OSError as error:
        raise CommandRefused(
            f"{address.host}:{address.port} cannot be had ({error}): choose another --port"
        ) from error


def address_of(listener: socket.socket) -> str:
    """Give where a listener is found, as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
