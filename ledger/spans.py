"""Spans of a local calendar: the windows of caps, the cycles of subscriptions.

Pure arithmetic on the instants it is given. What a clock change does is decided here, once.
"""

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from ledger.words import LocalDay, local_day

Unit = Literal["minute", "hour", "day", "week", "month"]

_LENGTH = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}
_DAYS = {"day": 1, "week": 7}


class Window(Struct, frozen=True, kw_only=True):
    """What a cap looks at together with a charge: nothing else, a calendar stretch, or a time back.

    `calendar` needs `n` (1 or more), `unit` and `zone` (an IANA name); `rolling` needs `n` and
    `unit`, and knows no zone: its lengths are those of UTC. `each_charge` needs none of them.
    """

    kind: Literal["each_charge", "calendar", "rolling"]
    n: int = 0
    unit: Unit | None = None
    zone: str | None = None


class Period(Struct, frozen=True, forbid_unknown_fields=True):
    """How far apart a subscription's due days are. Stored in facts."""

    n: Annotated[int, Meta(ge=1, le=366)]
    unit: Literal["day", "week", "month"]


def begins(window: Window, at: datetime) -> datetime:
    """Give the instant, in UTC, at which the window of a charge at `at` begins.

    A calendar stretch includes its beginning; a rolling window does not. The window of
    `each_charge` begins with the charge.
    """
    if window.kind == "each_charge":
        return at.astimezone(UTC)
    assert window.n > 0
    assert window.unit is not None
    if window.kind == "rolling":
        return _back(at.astimezone(UTC), window.n, window.unit)
    assert window.zone is not None
    return _stretch(at.astimezone(UTC), window.n, window.unit, window.zone)


def holds(window: Window, at: datetime, moment: datetime) -> bool:
    """Tell whether another charge, at `moment`, counts in the window of a charge at `at`.

    Charges need not arrive in the order in which they happened, and a cap must not be escaped
    by that. So all of a calendar stretch counts, also what is later than `at`; and a rolling
    window, open at its beginning, holds every later moment, however far.
    """
    if window.kind == "each_charge":
        return False
    begin = begins(window, at)
    if window.kind == "calendar":
        return begins(window, moment) == begin
    return moment.astimezone(UTC) > begin


def local_time(at: datetime, zone: str) -> time:
    """Give what a clock on the wall in `zone` (an IANA name) shows at `at`.

    An hour that comes twice reads the same both times.
    """
    return at.astimezone(ZoneInfo(zone)).time().replace(fold=0)


def due_day(anchor: LocalDay, period: Period, k: int) -> LocalDay:
    """Give the day that lies `k` periods after `anchor`.

    Months keep the anchor's day of the month. Where a month is too short for it, its last day
    stands in, for that month alone: counting is always from the anchor, so nothing drifts.
    """
    if period.unit == "month":
        return _months_on(anchor, period.n * k)
    return anchor + timedelta(days=_DAYS[period.unit] * period.n * k)


def due_at(anchor: datetime, zone: str, period: Period, k: int) -> datetime:
    """Give the instant, in UTC, `k` periods after `anchor`, at the same time on the wall in `zone`.

    A time that the clocks skip on that day is later by what they skip; one that comes twice is
    the first. The latter holds for `k` = 0 too: an anchor in the second of two equal hours is
    due in the first.
    """
    day = due_day(local_day(anchor, zone), period, k)
    return _instant(day, local_time(anchor, zone), zone)


def cycle_at(anchor: datetime, zone: str, period: Period, now: datetime) -> int:
    """Give the number of the cycle that runs at `now`: the last `k` that is due.

    A cycle includes the instant at which it is due. Before the first is due it is 0 as well.
    """
    # The days alone may be off: by one, as the hour counts; by one more, up or down, where the
    # clocks change about midnight. So this begins one above and goes down.
    k = max(0, _cycles_between(local_day(anchor, zone), local_day(now, zone), period) + 1)
    while k > 0 and due_at(anchor, zone, period, k) > now:
        k -= 1
    return k


def _cycles_between(anchor: LocalDay, day: LocalDay, period: Period) -> int:
    if period.unit == "month":
        return (_month_number(day) - _month_number(anchor)) // period.n
    return (day - anchor).days // (_DAYS[period.unit] * period.n)


def _back(at: datetime, n: int, unit: Unit) -> datetime:
    if unit == "month":
        return datetime.combine(_months_on(at.date(), -n), at.timetz())
    return at - n * _LENGTH[unit]


def _stretch(at: datetime, n: int, unit: Unit, zone: str) -> datetime:
    """Find the beginning of a calendar stretch, counted from a point that all instants share.

    Months are counted from the year 0, days and weeks from Monday 1 January of the year 1.
    Hours and minutes are counted as they pass from the day's beginning, so that the hour that
    comes twice is two; the day's last stretch ends with the day.
    """
    today = local_day(at, zone)
    if unit == "month":
        return _midnight(_month(_month_number(today) // n * n), zone)
    if unit in _DAYS:
        days = n * _DAYS[unit]
        first = (today.toordinal() - 1) // days * days + 1
        return _midnight(date.fromordinal(first), zone)
    midnight, length = _midnight(today, zone), n * _LENGTH[unit]
    return midnight + (at - midnight) // length * length


def _midnight(day: LocalDay, zone: str) -> datetime:
    return _instant(day, time.min, zone)


def _instant(day: LocalDay, clock: time, zone: str) -> datetime:
    # With a fold of 0, a skipped time is read with the offset before the change, which moves it
    # forward, and a doubled one is the first. Source: PEP 495.
    return datetime.combine(day, clock, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _month_number(day: LocalDay) -> int:
    return day.year * 12 + day.month - 1


def _month(number: int) -> LocalDay:
    return date(number // 12, number % 12 + 1, 1)


def _months_on(day: LocalDay, months: int) -> LocalDay:
    first = _month(_month_number(day) + months)
    return first.replace(day=min(day.day, monthrange(first.year, first.month)[1]))
