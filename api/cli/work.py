"""`obole work`: the projections of all books kept up, and what falls due brought about."""

import asyncio
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import typer

from api.books import find_master_key, load_rules
from api.cli.desks import connection_to, migrated_database
from api.cli.logs import log_to_stderr
from api.cli.reached import refuse_strangers
from api.cli.refused import CommandRefused
from api.cli.show import AsJson, Metrics, aside, count, print_json, progress_bar, say
from api.cli.told import telling
from api.clock import Clock, system_clock
from api.database import Database
from api.gateways import NOT_PUSHED, Gateways, load_gateways
from api.running import until_stopped
from api.scheduler import AWAY, take_turn
from api.worker import Setup, opened, work
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook
from projections import positions
from projections.engine import Engine
from projections.positions import Status
from projections.renewing import renew_quietly

REPORT_SECONDS = 5.0
MOST_TURNS = 10
"""With --once: what falls due may bring about a message, that a handover, and so on."""


def run_worker(
    *,
    once: Annotated[bool, typer.Option("--once", help="Do what there is to do, then end.")] = False,
    now: Annotated[
        str | None,
        typer.Option(help="With --once: what is overdue then, such as 2026-11-22T09:30:00Z."),
    ] = None,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", hidden=True, help="End when standard input does.")
    ] = False,
    metrics: Metrics = None,
    as_json: AsJson = False,
) -> None:
    """Keep projections up, and bring about what falls due.

    Renewals, notices, messages to be pushed, charges that nobody answers
    for, allowances that run out. Messages are pushed to the gateways that
    gateways.toml names. Several may run: they share the books.
    """
    if once:
        _once(_clock(now), as_json=as_json)
        return
    if now or as_json:
        raise typer.BadParameter("--now and --json go with --once")
    log_to_stderr()
    gateways = load_gateways(rules := load_rules())
    with migrated_database(wait=True) as database:
        url = database.app_url
        setup = _setup(url, rules, gateways, system_clock)
        find_master_key(url)  # one that is missing or wrong is told at once
        if not with_parent:
            _announce(rules, gateways)

        async def main(stop: asyncio.Event) -> None:
            await asyncio.gather(work(setup, stop), _report(url, set(rules), stop))

        with telling(metrics, url, rules):
            until_stopped(main, with_parent=with_parent)
    if not with_parent:
        aside("stopped working")


def _setup(url: str, rules: Mapping[str, RuleBook], gateways: Gateways, clock: Clock) -> Setup:
    """Give what is worked with.

    Raises:
        GatewaysInvalid: the file of gateways names one that its book has not declared.
    """
    refuse_strangers(gateways, url, rules)
    return Setup(url, rules, lambda: find_master_key(url), clock, gateways)


def _announce(rules: Iterable[str], gateways: Gateways) -> None:
    aside(f"working on {', '.join(rules)}; Ctrl-C ends it")
    if not gateways:
        aside(NOT_PUSHED)


def _clock(now: str | None) -> Clock:
    if now is None:
        return system_clock
    try:
        at = datetime.fromisoformat(now)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        text = f"{now!r} is no instant with its zone, such as 2026-11-22T09:30:00Z"
        raise typer.BadParameter(text, param_hint="--now")
    return lambda: at


def _once(clock: Clock, *, as_json: bool) -> None:
    rules = load_rules()
    gateways = load_gateways(rules)
    with migrated_database() as database:
        url = database.app_url
        setup = _setup(url, rules, gateways, clock)
        with connect(url) as connection:
            known = positions.books(connection)
        done = [_work_once(database, setup, book) for book in rules if book in known]
    if not done:
        raise CommandRefused(f"none of the books is open yet: {', '.join(rules)}")
    if as_json:
        print_json(done)
        return
    for one in done:
        say(f"{one['book']}: {_told(one)}")
        for told in one["parked"]:
            say(f"{one['book']}: {told}")


def _told(one: dict[str, Any]) -> str:
    """Say what was done; beside the first two, only what there was."""
    told = [f"{count(one['projected'], 'fact')} projected"]
    told.append(f"{count(one['unresolved'], 'charge')} became unresolved")
    told += [f"{count(one[name], thing)} {verb}" for name, thing, verb in _DONE if one[name]]
    return ", ".join(told)


_DONE = (
    ("renewals", "subscription", "renewed"),
    ("expired", "allowance", "ran out"),
    ("notices", "notice", "decided"),
    ("pushed", "message", "offered to a gateway"),
    ("in_doubt", "handover", "in doubt"),
)


def _work_once(database: Database, setup: Setup, book: str) -> dict[str, Any]:
    renew_quietly(database.app_url, book, threading.Event())
    with connection_to(database, book) as connection:
        engine = Engine(connection, book)
        projected, done = asyncio.run(_turns(engine, setup))
        parked = [parked_text(one) for one in engine.status() if one.parked_at]
    return {"book": book, "projected": projected, **done, "parked": parked}


async def _turns(engine: Engine, setup: Setup) -> tuple[int, dict[str, int]]:
    """Project, work the lists, and again while more follows; gives facts read and what was done."""
    read, done = _catch_up(engine), Counter[str]()
    async with opened(setup, engine.book) as turn:
        for _ in range(MOST_TURNS):
            now_done = await take_turn(turn)
            read += _catch_up(engine)
            done.update(now_done)
            if not any(now_done.values()):
                break
    return read, dict(done)


def _catch_up(engine: Engine) -> int:
    """Go to the head, showing how far it is; gives how many facts were read."""
    total = 0
    with progress_bar() as progress:
        task = progress.add_task(f"{engine.book}: projecting", total=None)
        while read := engine.run_once():
            total += read
            pending = max(one.pending for one in engine.status())
            progress.update(task, completed=total, total=total + pending)
    return total


async def _report(url: str, books: set[str], stop: asyncio.Event) -> None:
    """Say how far the projections are, whenever they have moved."""
    told: dict[str, str] = {}
    while not stop.is_set():
        with suppress(*AWAY):
            for book, text in (await asyncio.to_thread(_standing, url, books)).items():
                if told.get(book) != text:
                    told[book] = text
                    aside(text)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), REPORT_SECONDS)


def _standing(url: str, books: set[str]) -> dict[str, str]:
    with connect(url) as connection:
        return {
            book: _standing_text(book, found)
            for book in books
            if (found := positions.status(connection, book))
        }


def _standing_text(book: str, found: list[Status]) -> str:
    reached = min(one.projected for one in found)
    parked = "".join(f"; {parked_text(one)}" for one in found if one.parked_at)
    return f"{book}: projected to position {reached:,} of {found[0].accepted:,}{parked}"


def parked_text(one: Status) -> str:
    """Say at which fact a projection stands still, and why."""
    fact = one.parked_fact or "that cannot be read"
    return f"{one.projection} is parked at {one.parked_position} (fact {fact}): {one.parked_error}"
