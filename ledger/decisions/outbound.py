"""How far a pushed message has come, and when it may be offered to its gateway next."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, assert_never

from ledger.facts.base import Fact
from ledger.facts.charges import ChargeUnresolved
from ledger.facts.handover import (
    MtCancelled,
    MtHandedOver,
    MtHandoverRefused,
    MtHandoverUnknown,
)
from ledger.facts.registry import stored_name
from ledger.facts.traffic import DeliveryReceived, MtEmitted, MtSubmitted

State = Literal["waiting", "unknown", "refused", "handed_over", "cancelled"]

ATTEMPTS = 5
"""How often at most a message is offered."""
REFUSED_PAUSE = timedelta(minutes=1)
"""After the first refusal; four times as long after each further one."""
IN_DOUBT = timedelta(minutes=10)
"""How long the handover of a charged message may stay unknown before somebody has to look."""


Step = (
    MtHandoverUnknown
    | MtHandedOver
    | MtHandoverRefused
    | MtCancelled
    | MtSubmitted
    | DeliveryReceived
)
"""What happens to a message on its way."""


class Pushed(NamedTuple):
    """How far a pushed message has come; `since` is when its last step was."""

    emitted: MtEmitted
    since: datetime
    state: State = "waiting"
    attempts: int = 0

    @property
    def mt(self) -> str:
        """The message's id."""
        return self.emitted.ref.mt

    @property
    def charged(self) -> bool:
        """Whether a charge rides on it."""
        return self.emitted.ref.charge is not None

    @property
    def can_be_kept(self) -> bool:
        """Whether it has certainly not gone out, so that it may still be kept from it."""
        return self.state in {"waiting", "refused"}

    def after(self, fact: Step) -> "Pushed":
        """Take in what happened to the message next."""
        match fact:
            case MtHandoverUnknown():
                return self._replace(state="unknown", attempts=fact.attempt, since=fact.occurred_at)
            case MtHandedOver() | MtSubmitted() | DeliveryReceived():
                return self._replace(state="handed_over", since=fact.occurred_at)
            case MtHandoverRefused():
                return self._replace(state="refused", since=fact.occurred_at)
            case MtCancelled():
                return self._replace(state="cancelled", since=fact.occurred_at)
            case _:
                assert_never(fact)


TYPES = frozenset(stored_name(kind) for kind in (MtEmitted, ChargeUnresolved, *Step.__args__))
"""The facts that tell what of a consumer's messages is on its way; beside those of spending."""


def all_pushed(facts: Iterable[Fact]) -> dict[str, Pushed]:
    """Fold the pushed messages among `facts`, by their ids."""
    found: dict[str, Pushed] = {}
    for fact in facts:
        if isinstance(fact, MtEmitted):
            if fact.pushed:
                found[fact.ref.mt] = Pushed(fact, fact.occurred_at)
        elif isinstance(fact, Step) and fact.ref.mt in found:
            found[fact.ref.mt] = found[fact.ref.mt].after(fact)
    return found


def due_at(state: State, attempts: int, since: datetime) -> datetime | None:
    """Give when a message may be offered next; None where it never is by itself.

    Only what was certainly refused is offered again: no consumer may be billed, or bothered, twice.
    """
    match state:
        case "waiting":
            return since
        case "refused" if attempts < ATTEMPTS:
            return since + REFUSED_PAUSE * 4 ** (attempts - 1)
        case _:
            return None
