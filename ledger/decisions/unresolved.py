"""When a charge that nobody spoke of becomes unresolved: still pending, never earned."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from ledger.decisions.standing import Charge, charge_of
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import ChargeAuthorized, ChargeUnresolved
from ledger.facts.registry import fact_id
from ledger.words import local_day


def age(
    facts: Iterable[Fact], after_seconds: int, place: tuple[str, str], now: datetime
) -> list[Draft]:
    """Decide whether a charge has waited too long; its facts are all of `facts`.

    It becomes unresolved at the instant its delay ran out, whenever that is noticed, and once.
    `place` is the book and its zone.
    """
    charge = charge_of(facts)
    if charge is None or charge.status != "authorized":
        return []
    due = charge.authorized.occurred_at + timedelta(seconds=after_seconds)
    return [_unresolved(charge, due, place)] if due <= now else []


def _unresolved(charge: Charge, due: datetime, place: tuple[str, str]) -> Draft:
    book, zone = place
    authorized = charge.authorized
    fact = ChargeUnresolved(
        ref=authorized.ref,
        amounts=authorized.amounts,
        currency=authorized.currency,
        authorized_day=authorized.value_day,
        value_day=local_day(due, zone),
        occurred_at=due,
    )
    cause = fact_id(book, ChargeAuthorized, authorized.ref.charge)
    return Draft(fact, exchange=authorized.ref.mo, caused_by=cause)
