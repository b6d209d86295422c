"""When lines say that something happened: nobody tells of the future, a gateway only of now."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from api.importing.lines import (
    Exchange,
    Line,
    Mo,
    Receipt,
    Solicitation,
    StopSubscription,
    Turn,
)
from ledger.commands.desk import Desk

AHEAD = timedelta(minutes=1)
"""How far the clock of whoever wrote a line may be ahead of ours."""
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing that is billed by messages is older."""

Instants = Iterator[tuple[str, datetime]]
"""Instants that a line tells, each by its field."""


def clock_tolerance(desk: Desk, gateway: str, now: datetime) -> timedelta:
    """Give how far a gateway's clock may be from ours: its own figure, or the book's."""
    declared = desk.catalogue.gateway(gateway, now)
    own = declared.clock_tolerance_seconds if declared else None
    return timedelta(seconds=desk.rules.at(now).clock_tolerance_seconds if own is None else own)


def untimely(line: Line, now: datetime, tolerance: timedelta | None = None) -> str | None:
    """Tell which instant of a line cannot be, and why; None if all can.

    `tolerance` is how far from now a gateway's own key may tell of; none: of all the past.
    """
    counted = {field for field, _ in _counted(line, own=tolerance is not None)}
    for field, at in _told(line):
        wrong = _beyond_telling(at) or (field in counted and _beyond(at, now, tolerance))
        if wrong:
            return f"{field}: {wrong}"
    return None


def _beyond_telling(at: datetime) -> str | None:
    try:
        at.astimezone(UTC)
    except OverflowError:
        return "this is no instant of our calendar"
    return None


def _beyond(at: datetime, now: datetime, tolerance: timedelta | None) -> str | None:
    if at > now + AHEAD:
        return "this lies in the future"
    if at < EARLIEST:
        return f"this lies before {EARLIEST.year}"
    if tolerance is not None and at < now - tolerance:
        return "only an admin tells of what was not now"
    return None


def _counted(line: Line, *, own: bool) -> Instants:
    """Give the instants that the ledger takes as they are told.

    What a gateway's own clock says of a message is judged when it arrives, as where it comes by
    itself: one that is wrong gives way to ours, and nothing is lost by it.
    """
    match line:
        case Mo() | Receipt():
            if not own:
                yield from islice(_told(line), 1)
        case _:
            yield from _told(line)


def _told(line: Line) -> Instants:
    """Give every instant of a line, by which it is decided first."""
    match line:
        case Mo():
            yield from _given(arrived_at=line.arrived_at, sent_at=line.sent_at)
        case Receipt():
            yield from _given(arrived_at=line.arrived_at, occurred_at=line.occurred_at)
        case Exchange():
            yield from _of_exchange(line)
        case Turn():
            yield "at", line.at
        case Solicitation() | StopSubscription():
            yield "arrived_at", line.arrived_at


def _of_exchange(line: Exchange) -> Instants:
    yield "sent_at", line.sent_at
    if line.mt is not None and line.mt.sent_at is not None:
        yield "mt.sent_at", line.mt.sent_at
    for charge in line.charges:
        if charge.ended_at is not None:
            yield "charges[].ended_at", charge.ended_at
    for receipt in line.receipts:
        if receipt.occurred_at is not None:
            yield "receipts[].occurred_at", receipt.occurred_at


def _given(**fields: datetime | None) -> Instants:
    return ((name, at) for name, at in fields.items() if at is not None)
