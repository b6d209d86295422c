"""What time itself does to charges, proposed from a list and decided from facts."""

from datetime import datetime

from ledger.commands.desk import Desk, Settled
from ledger.decisions import unresolved
from ledger.facts.base import Draft, Recorded
from ledger.facts.registry import Origin
from ledger.facts.tags import tag
from ledger.log.rows import Interest


async def age_charge(desk: Desk, charge: str, origin: Origin, now: datetime) -> Settled:
    """Let a charge become unresolved if its delay has run out at `now`; else nothing happens."""
    rules = desk.known(now).rules

    def decide(history: list[Recorded]) -> list[Draft]:
        return unresolved.age(history, rules.unresolved_after_seconds, rules.zone, now)

    return await desk.settle((Interest((tag("charge", charge),)),), decide, origin)
