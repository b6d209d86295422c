"""Brings projections of an older version up to this code's, beside those that are read.

The old table is read, and stands with its watermark, until one transaction puts the new one in its
place. A newer one than this code's is left alone: older code may still be running.
"""

import logging
from collections.abc import Sequence
from threading import Event

from psycopg import Connection

from ledger.log.session import connect
from projections import positions
from projections.cores import rebuild_all
from projections.known import PROJECTIONS
from projections.rebuild import RebuildFailed
from projections.table import Projection

_log = logging.getLogger(__name__)


class Stopped(Exception):
    """Somebody asked for an end while a projection was being built; nothing of it is left."""


def outdated(
    connection: Connection, book: str, projections: Sequence[Projection] = PROJECTIONS
) -> list[Projection]:
    """Give the projections whose tables an older version of the code has made."""
    known = positions.standings(connection, book)
    return [
        one
        for one in projections
        if one.name in known and known[one.name].version < one.fold.version
    ]


def renew(
    conninfo: str,
    book: str,
    stop: Event,
    projections: Sequence[Projection] = PROJECTIONS,
) -> list[str]:
    """Build anew what is outdated, all of it together; gives the names of what was.

    In this process, so that the cores are left to those who take messages in.

    Raises:
        Stopped: `stop` was set meanwhile.
        RebuildFailed: a fact cannot be folded; that projection stays as it was.
        psycopg.OperationalError: the database is away.
    """
    with connect(conninfo) as connection:
        old = outdated(connection, book, projections)
        if not old:
            return []
        names = [one.name for one in old]
        _log.warning("%s: building %s anew, for a new version", book, ", ".join(names))

        def go_on(_reached: int, _to: int) -> None:
            if stop.is_set():
                raise Stopped(book)

        rebuild_all(connection, conninfo, book, 1, old, go_on)
        _log.warning("%s: %s: the new version is in use", book, ", ".join(names))
        return names


def renew_quietly(conninfo: str, book: str, stop: Event) -> None:
    """Do as `renew`; what goes wrong is told, and ends it."""
    try:
        renew(conninfo, book, stop)
    except Stopped:
        _log.info("%s: what was being built anew is given up", book)
    except RebuildFailed as failed:
        _log.error("%s: the older version stays in use: %s", book, failed)
    except Exception:  # noqa: BLE001 - whatever it is, the older versions stay
        _log.exception("%s: the older versions stay in use", book)
