"""Local days of whole seconds, looked up and not worked out: a market asks for millions.

Instants are whole seconds since 1970, which is how links tell them.
"""

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

HOUR = 3600
_CLOCK = [f"{s // HOUR:02}:{s // 60 % 60:02}:{s % 60:02}Z" for s in range(24 * HOUR)]


def seconds(at: datetime) -> int:
    """Give an instant in seconds."""
    return int(at.timestamp())


def moment(at: int) -> datetime:
    """Give an instant as the ledger's code takes it."""
    return datetime.fromtimestamp(at, UTC)


def written(at: int) -> str:
    """Write an instant in RFC 3339."""
    day, second = divmod(at, 24 * HOUR)
    return f"{date.fromordinal(719_163 + day).isoformat()}T{_CLOCK[second]}"


class Calendar:
    """The days of one zone, for as long as a market lasts and what comes of it."""

    def __init__(self, zone: str, first: date, days: int) -> None:
        self.zone = ZoneInfo(zone)
        self.first = first
        known = [first + timedelta(days=day) for day in range(-3, days + 100)]
        self._begins = [seconds(datetime.combine(day, time.min, self.zone)) for day in known]
        self._days = [day.isoformat() for day in known]
        self._months = [day.replace(day=1).isoformat() for day in known]

    def day(self, at: int) -> str:
        """Give the local day of an instant."""
        return self._days[bisect_right(self._begins, at) - 1]

    def month(self, at: int) -> str:
        """Give the first day of an instant's local month."""
        return self._months[bisect_right(self._begins, at) - 1]

    def midnight(self, number: int) -> int:
        """Give when the market's day of this number begins, the first being 0."""
        return self._begins[number + 3]

    def later(self, at: int, n: int, unit: str) -> int:
        """Give the same time on the wall `n` days, weeks or months later.

        A time that the clocks skip is later by what they skip; one that comes twice is the first.
        """
        local = moment(at).astimezone(self.zone)
        day = local.date()
        if unit == "month":
            number = day.year * 12 + day.month - 1 + n
            last = (_month(number + 1) - timedelta(days=1)).day
            day = _month(number).replace(day=min(day.day, last))
        else:
            day += timedelta(days=n * {"day": 1, "week": 7}[unit])
        return seconds(datetime.combine(day, local.time().replace(fold=0), self.zone))


def _month(number: int) -> date:
    return date(number // 12, number % 12 + 1, 1)
