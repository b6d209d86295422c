"""Close a finding, by a person who has looked at it."""

from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk
from ledger.decisions import finding
from ledger.decisions.finding import ByPerson
from ledger.facts.base import Draft, Recorded
from ledger.facts.findings import FindingClosed
from ledger.facts.registry import Origin
from ledger.facts.tags import tag
from ledger.log.rows import Interest


class Closed(NamedTuple):
    """A finding as it was closed."""

    fact: FindingClosed
    repeated: bool
    position: int


async def close_finding(
    desk: Desk, wanted: str, said: tuple[ByPerson, str], origin: Origin, now: datetime
) -> Closed:
    """Record that a finding needs nobody any more; `said` is how it was closed, and a note.

    Raises:
        UnknownFinding: no such finding was opened in this book.
        FindingAlreadyClosed: it was closed before, otherwise.
    """

    def decide(history: list[Recorded]) -> list[Draft]:
        return finding.close(wanted, *said, history, now)

    settled = await desk.settle((Interest((tag("finding", wanted),)),), decide, origin)
    for one in settled.facts:
        if isinstance(one.fact, FindingClosed):
            return Closed(one.fact, not settled.appended, one.position)
    raise AssertionError("a finding is closed, or refused")
