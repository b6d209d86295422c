"""Where one charge stands, told from its facts alone."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)

Status = Literal["authorized", "unresolved", "released", "captured"]


class Charge(NamedTuple):
    """Where a charge stands, by its latest authorization and what came of it."""

    authorized: ChargeAuthorized
    status: Status
    captured_by: str | None = None
    """The message whose receipt captured it."""


def charge_of(facts: Iterable[Fact], charge: str | None = None) -> Charge | None:
    """Fold where a charge stands; without a name, the only one among `facts`."""
    known = None
    for fact in facts:
        known = _moved(known, fact, charge)
    return known


def _moved(known: Charge | None, fact: Fact, charge: str | None) -> Charge | None:
    match fact:
        case ChargeAuthorized() if charge in {None, fact.ref.charge}:
            return Charge(fact, "authorized")
        case ChargeCaptured() | ChargeReleased() | ChargeUnresolved() if known is not None:
            return _ended(known, fact)
        case _:
            return known


def _ended(known: Charge, fact: ChargeCaptured | ChargeReleased | ChargeUnresolved) -> Charge:
    if fact.ref.charge != known.authorized.ref.charge:
        return known
    match fact:
        case ChargeCaptured():
            return known._replace(status="captured", captured_by=fact.mt)
        case ChargeReleased():
            return known._replace(status="released")
        case ChargeUnresolved():
            return known._replace(status="unresolved")
