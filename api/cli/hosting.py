"""The API as a command runs it: alone, or with the database and a worker beside it."""

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from api.books import Books, load_master_key, load_rules
from api.cli.beside import READY, Command, keep
from api.cli.crew import Share, serve_together
from api.cli.desks import migrated_database
from api.cli.logs import log_to_stderr
from api.cli.reached import refuse_strangers
from api.cli.refused import CommandRefused
from api.cli.show import aside
from api.cli.told import telling, telling_of_several
from api.cli.welcome import welcome
from api.clock import system_clock
from api.database import Database
from api.gateways import load_gateways
from api.running import until_stopped
from api.serving import Ready, Setup, listen, loop_factory, open_once, serve
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook
from migrations.runner import migrate
from projections import positions

# A process of its own, so that folding never holds the API's interpreter.
WORKER = Command("the worker", ("work", "--with-parent"))


class Address(NamedTuple):
    """Where to listen, and how gateways reach us when that is not as each one asked."""

    host: str
    port: int
    public_url: str | None


class _Site(NamedTuple):
    """What is served: on which socket, by how many processes, with figures told at an address."""

    listener: socket.socket
    setup: Setup
    processes: int
    metrics: str | None

    @property
    def figures(self) -> tuple[str | None, str, Mapping[str, RuleBook]]:
        """What telling figures takes: where, of which database, of which books."""
        return self.metrics, self.setup.app_url, self.setup.rules


Main = Callable[[asyncio.Event], Awaitable[None]]


def host_api(address: Address, metrics: str | None = None, processes: int = 1) -> None:
    """Serve the API of all books until somebody wants an end."""
    log_to_stderr()
    rules = load_rules()
    with _listener(address) as listener, migrated_database(wait=True) as database:
        rules = _opened(database.app_url, rules)
        setup = _setup(database, rules, address.public_url)
        where = address_of(listener)

        def up() -> None:
            aside(f"serving {', '.join(rules)} at {where}; Ctrl-C ends it")

        _serve(_Site(listener, setup, processes, metrics), _as_it_is, up)
    aside("stopped serving")


def host_share(number: int, public_url: str | None) -> None:
    """Serve as one process of several, on the open socket of that number, until input ends."""
    log_to_stderr()
    rules = load_rules()
    with socket.socket(fileno=number) as listener, migrated_database(wait=True) as database:
        with connect(database.app_url) as connection:
            known = positions.books(connection)
        there = {book: one for book, one in rules.items() if book in known}
        with telling(None, database.app_url, there) as told:
            setup = _setup(database, there, public_url)._replace(told=told.batch)

            async def ready(_: Books) -> None:
                sys.stdout.write(f"{READY}\n")
                sys.stdout.flush()

            until_stopped(
                lambda stop: serve(setup, listener, stop, ready, told.wrap),
                with_parent=True,
                loop=loop_factory(),
            )


def host_all(
    address: Address,
    metrics: str | None = None,
    processes: int = 1,
    *,
    empty: bool,
    keys: bool,
) -> None:
    """Serve database, API and worker together until somebody wants an end."""
    log_to_stderr(logging.WARNING)
    rules = load_rules()
    gateways = load_gateways(rules)  # the worker's; what is wrong with it is told here, once
    with _listener(address) as listener, Database.open() as database:
        migrate(database.owner_url)
        refuse_strangers(gateways, database.app_url, rules)
        setup = _setup(database, rules, address.public_url)
        where = address_of(listener)

        async def ready(books: Books) -> None:
            await welcome(books, where, gateways, empty=empty, keys=keys)

        _serve(_Site(listener, setup, processes, metrics), ready, _silent, WORKER)
    aside("stopped: API, worker and database")


async def _as_it_is(_: Books) -> None:
    """Do nothing to books that are open."""


def _silent() -> None:
    """Say nothing."""


def _setup(database: Database, rules: Mapping[str, RuleBook], public_url: str | None) -> Setup:
    master = load_master_key(database.app_url)
    return Setup(database.app_url, rules, master, system_clock, public_url)


def _serve(site: _Site, ready: Ready, up: Callable[[], None], *beside: Command) -> None:
    """Serve, here or in several processes, until somebody wants an end.

    `ready` furnishes the books as soon as they are open; `up` is told once requests are answered.
    """
    with ExitStack() as stack:
        answering = (_here if site.processes == 1 else _several)(stack, site, ready, up)

        async def main(stop: asyncio.Event) -> None:
            async with asyncio.TaskGroup() as group:
                for command in beside:
                    group.create_task(keep(command, stop))
                await answering(stop)

        until_stopped(main, loop=loop_factory())


def _here(stack: ExitStack, site: _Site, ready: Ready, up: Callable[[], None]) -> Main:
    told = stack.enter_context(telling(*site.figures))
    setup = site.setup._replace(told=told.batch)

    async def both(books: Books) -> None:
        await ready(books)
        up()

    return lambda stop: serve(setup, site.listener, stop, both, told.wrap)


def _several(stack: ExitStack, site: _Site, ready: Ready, up: Callable[[], None]) -> Main:
    pids = {"main": os.getpid()}
    environ = stack.enter_context(telling_of_several(*site.figures, lambda: pids))
    share = Share(site.listener, site.setup.public_url, environ)

    async def several(stop: asyncio.Event) -> None:
        # New books are made, and furnished, before anybody else looks.
        await open_once(site.setup, stop, ready)
        await serve_together(site.processes, share, stop, up, pids)

    return several


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
