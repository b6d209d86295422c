"""What became of a line, as whoever imports it is told."""

import logging
from typing import Literal, NamedTuple

from api.importing.lines import LineRefused
from api.problems import kind_of
from ledger.commands.desk import Settled
from ledger.commands.imported import TakenOver
from ledger.commands.messages import Answer
from ledger.decisions.refusals import ConflictingDuplicate, RulesOutdated
from ledger.log.errors import OUT_OF_REACH, LogOverloaded, LogUnavailable

_log = logging.getLogger(__name__)
_FAULT = 500

ENDING = (RulesOutdated, LogOverloaded, LogUnavailable, *OUT_OF_REACH)
"""What ends an import: it says nothing of the line, and the same line may be taken later."""

Status = Literal["recorded", "repeated", "without_effect", "rejected", "conflict"]
"""Without effect: a turn at which nothing was due."""


class Result(NamedTuple):
    """What became of one line."""

    number: int
    status: Status
    position: int | None = None
    """The position up to which its effect is in the book."""
    why: str | None = None
    """The reason in few words, the same for all lines of the same fault."""
    reason: str | None = None
    """The reason in full."""


def rejected(number: int, why: str, reason: str | None = None) -> Result:
    """Tell of a line that was refused, in few words and in full."""
    return Result(number, "rejected", None, why, reason or why)


def told_of(number: int, became: Answer | Settled | TakenOver | Exception) -> Result:
    """Tell what a line came to by what its command gave or raised.

    Raises: what is in `ENDING`.
    """
    match became:
        case Answer() | TakenOver():
            return Result(number, "repeated" if became.repeated else "recorded", became.position)
        case Settled():
            return Result(number, "recorded" if became.appended else "repeated", became.head)
        case ConflictingDuplicate():
            kind = kind_of(became)
            why = kind.title if kind else "in conflict"
            return Result(number, "conflict", None, why, str(became))
        case LineRefused():
            return rejected(number, became.why, str(became))
        case Exception():
            return _failed(number, became)


def _failed(number: int, failure: Exception) -> Result:
    if isinstance(failure, ENDING):
        raise failure
    kind = kind_of(failure)
    if kind is None or kind.status >= _FAULT:
        _log.error("line %s cannot be taken", number, exc_info=failure)
        return rejected(number, "a fault of the ledger's", type(failure).__name__)
    return rejected(number, kind.title, f"{kind.title}: {failure}")
