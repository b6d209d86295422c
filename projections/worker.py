"""Keeps a book's projections up for as long as it runs: woken by the log, or by the clock.

A notification only shortens the wait. What it might miss, polling finds.
"""

import logging
from threading import Event

import psycopg

from ledger.log import statements
from ledger.log.errors import LogUnavailable
from ledger.log.session import connect
from projections.engine import Engine
from projections.prepared import ahead

_log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
"""How long at most a fact waits unseen when no notification comes, and a stop unheeded."""

RETRY_SECONDS = 0.5
"""How long to wait before asking again for a database that is away."""

FAULT_SECONDS = 10.0
"""How long to leave a book alone whose log, or whose tables, cannot be worked with."""


def run(conninfo: str, book: str, stop: Event, poll_seconds: float = POLL_SECONDS) -> None:
    """Follow one book until `stop` is set; a database that goes away is waited for.

    What is wrong with this book alone is told loudly and tried again: the others must go on.
    """
    away = False
    while not stop.is_set():
        try:
            with connect(conninfo) as connection, ahead(conninfo) as beside:
                connection.execute(statements.LISTEN)
                if away:
                    _log.warning("%s: the database is back", book)
                    away = False
                _follow(Engine(connection, book, ahead=beside), connection, stop, poll_seconds)
        except (psycopg.OperationalError, psycopg.InterfaceError, LogUnavailable) as error:
            if not away:
                _log.warning("%s: the database is away, trying again: %s", book, error)
                away = True
            stop.wait(RETRY_SECONDS)
        except Exception:  # noqa: BLE001 - whatever it is, it is this book's own
            text = "%s: nothing of this book is projected; trying again in %s seconds"
            _log.exception(text, book, FAULT_SECONDS)
            stop.wait(FAULT_SECONDS)


def _follow(
    engine: Engine, connection: psycopg.Connection, stop: Event, poll_seconds: float
) -> None:
    while not stop.is_set():
        if engine.run_once() == 0:
            for _ in connection.notifies(timeout=poll_seconds, stop_after=1):
                pass
