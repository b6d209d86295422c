"""Folds the facts of a charge's life into one row: its terms, and the state it is in."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from ledger.facts import (
    access,
    book,
    catalogue,
    charges,
    consent,
    findings,
    handover,
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
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.money import Waterfall
from projections.fold import Context, Fold, facts_of


class Authorization(NamedTuple):
    """What the authorizing fact alone knows."""

    position: int
    at: datetime
    captures_on: CaptureEvent


class Charge(NamedTuple):
    """A charge as its latest fact leaves it; without `authorized` where that fact was not read."""

    position: int
    """Of the latest fact."""
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
    authorized: Authorization | None = None


def _changes(recorded: Recorded, _: Context) -> Iterator[tuple[str, Charge]]:
    fact = recorded.fact
    position = recorded.position
    match fact:
        case ChargeAuthorized():
            found = Authorization(position, fact.occurred_at, fact.captures_on)
            charge = _charge(position, "authorized", fact)._replace(authorized=found)
        case ChargeUnresolved():
            charge = _charge(position, "unresolved", fact)
        case ChargeReleased():
            charge = _charge(position, "released", fact)._replace(mt=fact.mt, reason=fact.reason)
        case ChargeCaptured():
            charge = _charge(position, "captured", fact)._replace(mt=fact.mt, late=fact.late)
        case _:
            raise AssertionError(type(fact).__name__)
    yield charge.ref.charge, charge


def _charge(
    position: int,
    state: str,
    fact: ChargeAuthorized | ChargeUnresolved | ChargeReleased | ChargeCaptured,
) -> Charge:
    authorized_day = fact.value_day if isinstance(fact, ChargeAuthorized) else fact.authorized_day
    return Charge(
        position=position,
        state=state,
        since=fact.occurred_at,
        state_day=fact.value_day,
        ref=fact.ref,
        amounts=fact.amounts,
        currency=fact.currency,
        authorized_day=authorized_day,
    )


def _merge(earlier: Charge, later: Charge) -> Charge:
    """Keep the later by position, and the authorization of whichever knows it."""
    latest = later if later.position >= earlier.position else earlier
    authorized = earlier.authorized or later.authorized
    return latest if latest.authorized is authorized else latest._replace(authorized=authorized)


CHARGES = Fold(
    name="charges",
    version=1,
    reads=frozenset(
        {
            charges.ChargeAuthorized,
            charges.ChargeUnresolved,
            charges.ChargeReleased,
            charges.ChargeCaptured,
        }
    ),
    ignores=facts_of(
        *(book, traffic, handover, consent, subscriptions, solicitations, notices, findings),
        *(catalogue, access),
    )
    | {
        *(charges.ChargeRefused, charges.RefundRefused),
        *(charges.ChargeRefunded, charges.ChargeWrittenOff),
    },
    changes=_changes,
    merge=_merge,
)
