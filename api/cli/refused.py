"""What a command says no to, how it is told, and with which exit status.

0   done
1   refused: the request was understood, and the answer is no; or the database is away
2   wrong usage: an option or argument that cannot be

Nothing of this shows a traceback. What is none of these is a bug, and does.
"""

import sys
from collections.abc import Callable
from typing import NoReturn, cast

import psycopg

from api.books import NoBooks, RulesDiffer
from api.cli.show import aside
from api.database import AddressRefused
from api.demo.messages import GatewayFailed
from api.postgres import PostgresFailed
from api.reach import Unreachable
from ledger.decisions.refusals import Refusal, RulesOutdated
from ledger.keyring import NoPseudonymKey
from ledger.log.errors import LogError
from ledger.rules.day import RuleNotInForce
from ledger.rules.pack import UnknownCountry
from ledger.rules.resolve import SettingsForAnotherPack, SubscriptionSettingsMissing
from ledger.rules.toml_file import FileInvalid
from ledger.vault import MasterKeyMissing, WrongKey
from migrations.runner import MigrationError
from projections.reading import ReadError
from projections.rebuild import RebuildFailed
from projections.source import NotABook

REFUSED = 1


class CommandRefused(Exception):
    """A command cannot do what it is asked; the message says why, and what would help."""


_TOLD = (
    *(CommandRefused, Refusal, FileInvalid, NoBooks, RulesDiffer, UnknownCountry),
    *(RuleNotInForce, SettingsForAnotherPack, SubscriptionSettingsMissing),
    *(MasterKeyMissing, WrongKey, NoPseudonymKey),
    *(PostgresFailed, Unreachable, MigrationError, LogError, ReadError, RebuildFailed, NotABook),
    *(GatewayFailed, AddressRefused, psycopg.OperationalError),
)


def told(command: Callable[[], None]) -> None:
    """Run a command; what it refuses is told on standard error, and ends with status 1."""
    try:
        command()
    except _TOLD as refusal:
        _end(refusal)
    except ExceptionGroup as several:  # of tasks that ran together
        refused, bugs = several.split(_TOLD)
        if refused is None or bugs is not None:
            raise
        _end(_first(refused))


def _first(group: ExceptionGroup[Exception]) -> Exception:
    first = group.exceptions[0]
    if isinstance(first, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", first))
    return first


def _end(refusal: Exception) -> NoReturn:
    aside(f"obole: {_text(refusal)}")
    sys.exit(REFUSED)


def _text(refusal: Exception) -> str:
    match refusal:
        case RulesOutdated():
            return (
                "the book follows other rules than settings and pack give now. "
                "`obole book open` adopts them; an API or worker started before must start again."
            )
        case WrongKey():
            return f"{refusal}: this is not the master key that the book was opened with"
        case psycopg.OperationalError():
            return f"the database is away: {str(refusal).strip()}"
        case _:
            return str(refusal) or type(refusal).__name__
