"""Folds the facts of a charge's life into one row: its terms, its state, what was given back.

Where it stands goes by its latest fact; what was given back adds up.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple, TypeVar

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    consent,
    findings,
    handover,
    imported,
    notices,
    solicitations,
    subscriptions,
    traffic,
)
from ledger.facts.base import Recorded
from ledger.facts.charges import (
    CaptureEvent,
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRef,
    ChargeRefunded,
    ChargeReleased,
    ChargeUnresolved,
    ChargeWrittenOff,
)
from ledger.money import Waterfall
from projections.fold import Context, Fold, facts_of

Life = ChargeAuthorized | ChargeUnresolved | ChargeReleased | ChargeCaptured


class Authorization(NamedTuple):
    """What the latest authorizing fact alone knows, or the capture of what was never allowed."""

    position: int
    at: datetime | None
    """None where it was billed without an authorization."""
    captures_on: CaptureEvent | None


class Standing(NamedTuple):
    """Where a charge stands, and on which terms."""

    position: int
    """Of the fact that brought it there."""
    state: str
    since: datetime
    """When it entered this state."""
    state_day: date
    """The local day of that."""
    ref: ChargeRef
    amounts: Waterfall
    currency: str
    authorized_day: date
    late: bool = False
    """Captured after it had been released."""
    mt: str | None = None
    """The message whose receipt brought it into this state."""
    reason: str | None = None
    """Why it was released, while it is."""


class Charge(NamedTuple):
    """What a range of facts says of one charge; what it does not say is None, or adds nothing."""

    position: int
    """Of the latest fact."""
    standing: Standing | None = None
    authorized: Authorization | None = None
    refunded: int = 0
    """What the consumer got back, in micros, tax included."""
    written_off: str | None = None
    """Why the operator does not pay it."""


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[str, Charge]]:
    fact, position = recorded.fact, recorded.position
    match fact:
        case ChargeRefunded():
            change = Charge(position, refunded=fact.price)
        case ChargeWrittenOff():
            change = Charge(position, written_off=fact.reason)
        case ChargeAuthorized() | ChargeUnresolved() | ChargeReleased() | ChargeCaptured():
            change = Charge(position, _standing(position, fact), _authorization(position, fact))
        case _:
            raise AssertionError(type(fact).__name__)
    yield fact.ref.charge, change


def _standing(position: int, fact: Life) -> Standing:
    state, mt, reason, late = "authorized", None, None, False
    authorized_day = fact.value_day if isinstance(fact, ChargeAuthorized) else fact.authorized_day
    match fact:
        case ChargeCaptured():
            state, mt, late = "captured", fact.mt, fact.late
        case ChargeReleased():
            state, mt, reason = "released", fact.mt, fact.reason
        case ChargeUnresolved():
            state = "unresolved"
        case ChargeAuthorized():
            pass
    at, day, ref = fact.occurred_at, fact.value_day, fact.ref
    # By place, as one of ten thousand a batch: naming each field takes twice the time.
    told = (position, state, at, day, ref, fact.amounts, fact.currency, authorized_day)
    return Standing(*told, late, mt, reason)


def _authorization(position: int, fact: Life) -> Authorization | None:
    if isinstance(fact, ChargeAuthorized):
        return Authorization(position, fact.occurred_at, fact.captures_on)
    if isinstance(fact, ChargeCaptured) and fact.was == "unauthorized":
        return Authorization(position, None, None)
    return None


def _merge(earlier: Charge, later: Charge) -> Charge:
    """Keep the later standing and authorization, each by its position, and add the rest up."""
    return Charge(
        position=max(earlier.position, later.position),
        standing=_latest(earlier.standing, later.standing),
        authorized=_latest(earlier.authorized, later.authorized),
        refunded=earlier.refunded + later.refunded,
        written_off=earlier.written_off or later.written_off,
    )


P = TypeVar("P", Standing, Authorization)


def _latest(one: P | None, other: P | None) -> P | None:
    if one is None or other is None:
        return one or other
    return one if one.position > other.position else other


CHARGES = Fold(
    name="charges",
    version=2,
    reads=frozenset(
        {
            charges.ChargeAuthorized,
            charges.ChargeUnresolved,
            charges.ChargeReleased,
            charges.ChargeCaptured,
            charges.ChargeRefunded,
            charges.ChargeWrittenOff,
        }
    ),
    ignores=facts_of(
        *(book, traffic, handover, consent, subscriptions, solicitations, notices, findings),
        *(imported, catalogue, access),
    )
    | {charges.ChargeRefused, charges.RefundRefused},
    changes=_changes,
    merge=_merge,
)
