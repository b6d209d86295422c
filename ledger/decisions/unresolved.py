"""When a charge that nobody spoke of becomes unresolved: still pending, never earned."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from ledger.decisions.standing import charge_of
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeUnresolved
from ledger.words import local_day


def age(history: Sequence[Recorded], after_seconds: int, zone: str, now: datetime) -> list[Draft]:
    """Decide whether a charge has waited too long; its facts are all of `history`.

    It becomes unresolved at the instant its delay ran out, whenever that is noticed, and once
    for each time that it was authorized.
    """
    charge = charge_of(one.fact for one in history)
    if charge is None or charge.status != "authorized":
        return []
    authorized = charge.authorized
    due = authorized.occurred_at + timedelta(seconds=after_seconds)
    if due > now:
        return []
    fact = ChargeUnresolved(
        ref=authorized.ref,
        amounts=authorized.amounts,
        currency=authorized.currency,
        authorized_day=authorized.value_day,
        value_day=local_day(due, zone),
        occurred_at=due,
    )
    *_, cause = (one for one in history if isinstance(one.fact, ChargeAuthorized))
    n = sum(isinstance(one.fact, ChargeUnresolved) for one in history)
    return [Draft(fact, n, exchange=cause.exchange, caused_by=cause.id)]
