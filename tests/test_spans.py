"""Spans of a local calendar: the windows of caps, the cycles of subscriptions."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.spans import (
    Period,
    Unit,
    Window,
    begins,
    cycle_at,
    due_at,
    due_day,
    holds,
    local_time,
)

PARIS, BRUSSELS = "Europe/Paris", "Europe/Brussels"
MONTHLY, WEEKLY, DAILY = Period(1, "month"), Period(1, "week"), Period(1, "day")
TICK = timedelta(microseconds=1)

# Clocks that change at night, at midnight, to midnight, just before it, or by half an hour.
ZONES = st.sampled_from(
    [
        *(PARIS, BRUSSELS, "UTC", "Asia/Kathmandu", "America/New_York"),
        *("Africa/Cairo", "America/Havana", "America/Nuuk", "Australia/Lord_Howe"),
    ]
)
MOMENTS = st.datetimes(datetime(2012, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone stands beside them
PERIODS = st.builds(Period, st.integers(1, 366), st.sampled_from(["day", "week", "month"]))
OFTEN = st.builds(Period, st.integers(1, 3), st.sampled_from(["day", "week", "month"]))
UNITS = st.sampled_from(["minute", "hour", "day", "week", "month"])
CALENDARS = st.builds(
    Window, kind=st.just("calendar"), n=st.integers(1, 40), unit=UNITS, zone=ZONES
)
ROLLING = st.builds(Window, kind=st.just("rolling"), n=st.integers(1, 40), unit=UNITS)
NEAR = st.timedeltas(timedelta(days=-3), timedelta(days=3))


def utc(text: str) -> datetime:
    """Read an instant that is written in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def calendar(n: int, unit: Unit, zone: str = PARIS) -> Window:
    return Window(kind="calendar", n=n, unit=unit, zone=zone)


def rolling(n: int, unit: Unit) -> Window:
    return Window(kind="rolling", n=n, unit=unit)


class TestEachCharge:
    """A window of one charge."""

    def test_holds_no_other_not_even_at_the_same_moment(self) -> None:
        at, window = utc("2026-08-01T09:30:00"), Window(kind="each_charge")
        assert begins(window, at) == at
        assert not any(holds(window, at, at + apart) for apart in (-TICK, 0 * TICK, TICK))


class TestACalendarWindow:
    """A stretch of the local calendar."""

    @pytest.mark.parametrize(
        ("n", "unit", "at", "begin"),
        [
            # Midnight in Paris between July and August, summer time, is 22:00 UTC.
            (1, "month", "2026-07-31T21:59:59.999999", "2026-06-30T22:00:00"),
            (1, "month", "2026-07-31T22:00:00", "2026-07-31T22:00:00"),
            # March begins in winter time, an hour ahead, also for an instant in summer time.
            (1, "month", "2026-03-31T21:59:59", "2026-02-28T23:00:00"),
            # Three months: 2026 * 12 is a multiple of 3, so these are the quarters of the year.
            (3, "month", "2026-06-15T12:00:00", "2026-03-31T22:00:00"),
            # Twelve are the year.
            (12, "month", "2026-12-31T22:59:59", "2025-12-31T23:00:00"),
            (12, "month", "2026-12-31T23:00:00", "2026-12-31T23:00:00"),
            # Five: 2026 * 12 + 2 for March is 24314 = 4862 * 5 + 4, begun four months before.
            (5, "month", "2026-03-10T12:00:00", "2025-10-31T23:00:00"),
            # 1 January 2027 is a Friday, in the week of Monday 28 December: ISO week 53 of 2026.
            (1, "week", "2027-01-01T12:00:00", "2026-12-27T23:00:00"),
            (1, "week", "2027-01-03T22:59:59.999999", "2026-12-27T23:00:00"),
            (1, "week", "2027-01-03T23:00:00", "2027-01-03T23:00:00"),
            # Sunday 29 March 2026, when the clocks go forward: its week began in winter time.
            (1, "week", "2026-03-29T21:59:59", "2026-03-22T23:00:00"),
            (1, "week", "2026-03-29T22:00:00", "2026-03-29T22:00:00"),
            # Saturday 1 August 2026 is day 739829; (739829 - 1) / 2 leaves nothing: its day is a
            # first of two, Sunday a second, Monday a first again.
            (2, "day", "2026-08-01T12:00:00", "2026-07-31T22:00:00"),
            (2, "day", "2026-08-02T12:00:00", "2026-07-31T22:00:00"),
            (2, "day", "2026-08-03T12:00:00", "2026-08-02T22:00:00"),
            # The day with 23 hours and the day with 25.
            (1, "day", "2026-03-29T21:59:59", "2026-03-28T23:00:00"),
            (1, "day", "2026-10-25T22:59:59", "2026-10-24T22:00:00"),
            # Midnight in Paris is 22:00 UTC; 16:40 there is 14:40 UTC, in the hours 15 to 20.
            (5, "hour", "2026-08-01T14:40:00", "2026-08-01T13:00:00"),
            # The fifth stretch, from 20:00, has four hours: the next begins at midnight.
            (5, "hour", "2026-08-01T21:59:59", "2026-08-01T18:00:00"),
            (5, "hour", "2026-08-01T22:00:00", "2026-08-01T22:00:00"),
            # 02:30 comes twice on 25 October, at 00:30 and 01:30 UTC: two hours, not one.
            (1, "hour", "2026-10-25T00:30:00", "2026-10-25T00:00:00"),
            (1, "hour", "2026-10-25T01:30:00", "2026-10-25T01:00:00"),
            (15, "minute", "2026-08-01T09:44:59", "2026-08-01T09:30:00"),
        ],
    )
    def test_begins(self, n: int, unit: Unit, at: str, begin: str) -> None:
        assert begins(calendar(n, unit), utc(at)) == utc(begin)

    def test_begins_with_the_change_where_that_skips_midnight(self) -> None:
        # Friday 25 April 2025 in Cairo: 00:00 (UTC+2) becomes 01:00 (UTC+3), at 22:00 UTC.
        window = calendar(1, "day", "Africa/Cairo")
        assert begins(window, utc("2025-04-24T22:00:00")) == utc("2025-04-24T22:00:00")
        assert begins(window, utc("2025-04-24T21:59:59")) == utc("2025-04-23T22:00:00")

    def test_holds_both_sides_of_a_charge_but_no_other_month(self) -> None:
        # August in Paris is 31 July, 22:00 UTC, to 31 August, 22:00 UTC.
        august, at = calendar(1, "month"), utc("2026-08-15T12:00:00")
        assert holds(august, at, utc("2026-07-31T22:00:00"))
        assert holds(august, at, utc("2026-08-31T21:59:59.999999"))
        assert not holds(august, at, utc("2026-07-31T21:59:59.999999"))
        assert not holds(august, at, utc("2026-08-31T22:00:00"))

    def test_does_not_ask_in_which_zone_the_instant_is_given(self) -> None:
        west = timezone(timedelta(hours=-5))
        begin = begins(calendar(1, "month"), datetime(2026, 7, 31, 17, tzinfo=west))
        assert (begin, begin.tzinfo) == (utc("2026-07-31T22:00:00"), UTC)

    @given(CALENDARS, MOMENTS)
    def test_holds_its_beginning_and_not_what_is_before(self, window: Window, at: datetime) -> None:
        begin = begins(window, at)
        assert begin <= at
        assert begins(window, begin) == begin
        assert not holds(window, at, begin - TICK)

    @given(CALENDARS, MOMENTS, st.floats(0, 1))
    def test_is_the_same_for_every_moment_of_it(
        self, window: Window, at: datetime, part: float
    ) -> None:
        begin = begins(window, at)
        between = begin + part * (at - begin)
        assert begins(window, between) == begin
        assert holds(window, at, between)
        assert holds(window, between, at)

    @given(CALENDARS, MOMENTS, NEAR, NEAR)
    def test_is_an_equivalence(
        self, window: Window, at: datetime, one: timedelta, other: timedelta
    ) -> None:
        near, far = at + one, at + other
        assert holds(window, at, at)
        assert holds(window, at, near) == holds(window, near, at)
        if holds(window, at, near):
            assert holds(window, at, far) == holds(window, near, far)


class TestARollingWindow:
    """A time back from a charge."""

    def test_of_a_minute_is_open_at_its_beginning(self) -> None:
        # From 09:29:00 to 09:30:00: a charge a whole minute ago no longer counts.
        minute, at = rolling(1, "minute"), utc("2026-08-01T09:30:00")
        assert begins(minute, at) == utc("2026-08-01T09:29:00")
        assert not holds(minute, at, utc("2026-08-01T09:29:00"))
        assert holds(minute, at, utc("2026-08-01T09:29:00.000001"))
        assert holds(minute, at, at)

    @pytest.mark.parametrize(
        ("n", "unit", "at", "begin"),
        [
            # A month back from 31 March is the last of February, at the same time.
            (1, "month", "2026-03-31T10:15:00.000007", "2026-02-28T10:15:00.000007"),
            (1, "month", "2028-03-31T10:15:00", "2028-02-29T10:15:00"),
            (1, "month", "2026-01-15T00:00:00", "2025-12-15T00:00:00"),
            (13, "month", "2026-03-31T10:15:00", "2025-02-28T10:15:00"),
            # A day is 24 hours, also over a clock change.
            (1, "day", "2026-03-29T12:00:00", "2026-03-28T12:00:00"),
            (2, "week", "2026-03-29T12:00:00", "2026-03-15T12:00:00"),
            (36, "hour", "2026-08-02T00:00:00", "2026-07-31T12:00:00"),
        ],
    )
    def test_begins(self, n: int, unit: Unit, at: str, begin: str) -> None:
        assert begins(rolling(n, unit), utc(at)) == utc(begin)

    @given(ROLLING, MOMENTS, NEAR)
    def test_holds_what_is_later_and_what_is_less_far_back(
        self, window: Window, at: datetime, apart: timedelta
    ) -> None:
        begin = begins(window, at)
        assert not holds(window, at, begin)
        assert holds(window, at, begin + TICK)
        assert holds(window, at, at + abs(apart))

    @given(ROLLING, MOMENTS, MOMENTS)
    def test_of_the_earlier_of_two_charges_always_holds_the_later(
        self, window: Window, one: datetime, other: datetime
    ) -> None:
        assert holds(window, min(one, other), max(one, other))


class TestLocalTime:
    """The time on the wall."""

    @pytest.mark.parametrize(
        ("at", "clock"),
        [
            ("2026-08-01T09:30:00.000007", time(11, 30, 0, 7)),
            ("2026-03-29T00:59:59", time(1, 59, 59)),
            ("2026-03-29T01:00:00", time(3)),
            ("2026-10-25T00:30:00", time(2, 30)),
            ("2026-10-25T01:30:00", time(2, 30)),
        ],
    )
    def test_is_that_of_the_zone(self, at: str, clock: time) -> None:
        shown = local_time(utc(at), BRUSSELS)
        assert (shown, shown.fold, shown.tzinfo) == (clock, 0, None)


class TestAPeriod:
    """How a period is stored and read."""

    def test_is_read_back_as_it_was(self) -> None:
        stored = b'{"n":1,"unit":"month"}'
        assert msgspec.json.encode(MONTHLY) == stored
        assert msgspec.json.decode(stored, type=Period) == MONTHLY

    @pytest.mark.parametrize(
        "stored",
        [
            '{"n":0,"unit":"day"}',
            '{"n":367,"unit":"day"}',
            '{"n":1,"unit":"hour"}',
            '{"n":1,"unit":"day","zone":"UTC"}',
        ],
    )
    def test_is_refused_where_it_is_none(self, stored: str) -> None:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(stored, type=Period)


class TestDueDay:
    """The day a number of periods after the anchor."""

    def test_of_the_31st_is_the_last_of_a_shorter_month_and_comes_back(self) -> None:
        days = [due_day(date(2026, 1, 31), MONTHLY, k) for k in (0, 1, 2, 3, 4, 12, 25)]
        assert days == [
            date(2026, 1, 31),
            date(2026, 2, 28),
            date(2026, 3, 31),
            date(2026, 4, 30),
            date(2026, 5, 31),
            date(2027, 1, 31),
            date(2028, 2, 29),  # a leap year
        ]

    @pytest.mark.parametrize(
        ("anchor", "n", "unit", "k", "day"),
        [
            (date(2028, 2, 29), 12, "month", 1, date(2029, 2, 28)),
            (date(2028, 2, 29), 12, "month", 4, date(2032, 2, 29)),
            # 30 November and three months: February has no 30th; three more: May has.
            (date(2026, 11, 30), 3, "month", 1, date(2027, 2, 28)),
            (date(2026, 11, 30), 3, "month", 2, date(2027, 5, 30)),
            # Two weeks twice are 28 days: 31 - 20 leaves 17 of them for April.
            (date(2026, 3, 20), 2, "week", 2, date(2026, 4, 17)),
            (date(2026, 12, 30), 3, "day", 1, date(2027, 1, 2)),
        ],
    )
    def test_counts_from_the_anchor(
        self, anchor: date, n: int, unit: Literal["day", "week", "month"], k: int, day: date
    ) -> None:
        assert due_day(anchor, Period(n, unit), k) == day


class TestDueAt:
    """The instant a number of periods after the anchor."""

    @pytest.mark.parametrize(
        ("anchor", "period", "k", "due"),
        [
            # 31 January, 10:00 in Brussels, is 09:00 UTC; on 31 March 10:00 is 08:00 UTC.
            ("2026-01-31T09:00:00", MONTHLY, 0, "2026-01-31T09:00:00"),
            ("2026-01-31T09:00:00", MONTHLY, 1, "2026-02-28T09:00:00"),
            ("2026-01-31T09:00:00", MONTHLY, 2, "2026-03-31T08:00:00"),
            # A week over the change to summer time has an hour less.
            ("2026-03-25T12:00:00", WEEKLY, 1, "2026-04-01T11:00:00"),
            # 02:30 does not exist on 29 March: an hour is skipped, so 03:30, at 01:30 UTC.
            ("2026-03-28T01:30:00", DAILY, 1, "2026-03-29T01:30:00"),
            # The day after it is 02:30 again, in summer time.
            ("2026-03-28T01:30:00", DAILY, 2, "2026-03-30T00:30:00"),
            # 02:30 comes twice on 25 October, first in summer time; the day after in winter time.
            ("2026-10-24T00:30:00", DAILY, 1, "2026-10-25T00:30:00"),
            ("2026-10-24T00:30:00", DAILY, 2, "2026-10-26T01:30:00"),
            # An anchor in the second 02:30 is due in the first, and a day later as any 02:30.
            ("2026-10-25T01:30:00", DAILY, 0, "2026-10-25T00:30:00"),
            ("2026-10-25T01:30:00", DAILY, 1, "2026-10-26T01:30:00"),
            # Anchored a little after midnight: the 1st in Brussels, the last of the month in UTC.
            ("2026-07-31T22:10:00", MONTHLY, 3, "2026-10-31T23:10:00"),
        ],
    )
    def test_has_the_anchors_time_on_the_wall(
        self, anchor: str, period: Period, k: int, due: str
    ) -> None:
        found = due_at(utc(anchor), BRUSSELS, period, k)
        assert (found, found.tzinfo) == (utc(due), UTC)

    @given(MOMENTS, ZONES, OFTEN, st.integers(0, 400))
    def test_is_later_for_each_further_cycle(
        self, anchor: datetime, zone: str, period: Period, k: int
    ) -> None:
        assert due_at(anchor, zone, period, k) < due_at(anchor, zone, period, k + 1)


class TestCycleAt:
    """The cycle that runs at a moment."""

    @pytest.mark.parametrize(
        ("now", "cycle"),
        [
            # Anchored on 31 January, 10:00 in Brussels.
            ("2026-01-30T00:00:00", 0),
            ("2025-01-01T00:00:00", 0),
            ("2026-02-28T08:59:59.999999", 0),
            ("2026-02-28T09:00:00", 1),
            ("2026-03-01T00:00:00", 1),
            ("2026-03-31T07:59:59", 1),
            ("2026-03-31T08:00:00", 2),
            ("2028-02-29T08:59:59", 24),
            ("2028-02-29T09:00:00", 25),
        ],
    )
    def test_changes_at_the_due_instant(self, now: str, cycle: int) -> None:
        assert cycle_at(utc("2026-01-31T09:00:00"), BRUSSELS, MONTHLY, utc(now)) == cycle

    def test_waits_for_a_time_that_a_change_moves_past_midnight(self) -> None:
        # Nuuk, 28 March 2026: at 23:00 (UTC-2) it is 00:00 of the 29th (UTC-1), 01:00 UTC.
        # 23:30 of the 28th becomes 00:30 of the 29th, 01:30 UTC; at 01:15 the 27th's still runs.
        anchor = utc("2026-03-27T01:30:00")  # 23:30 of the 26th
        assert cycle_at(anchor, "America/Nuuk", DAILY, utc("2026-03-29T01:15:00")) == 1
        assert cycle_at(anchor, "America/Nuuk", DAILY, utc("2026-03-29T01:30:00")) == 2

    def test_does_not_go_back_where_a_change_goes_back_to_the_day_before(self) -> None:
        # St John's, 7 November 2010: at 00:01 (UTC-2:30) it is 23:01 of the 6th (UTC-3:30),
        # 02:31 UTC. What was due at 00:00 of the 7th, 02:30 UTC, stays so when it is the 6th again.
        anchor = utc("2010-11-06T02:30:00")
        assert cycle_at(anchor, "America/St_Johns", DAILY, utc("2010-11-07T02:29:59")) == 0
        assert cycle_at(anchor, "America/St_Johns", DAILY, utc("2010-11-07T02:30:00")) == 1
        assert cycle_at(anchor, "America/St_Johns", DAILY, utc("2010-11-07T02:45:00")) == 1

    @given(MOMENTS, ZONES, PERIODS, MOMENTS)
    def test_is_due_and_the_next_is_not(
        self, anchor: datetime, zone: str, period: Period, now: datetime
    ) -> None:
        k = cycle_at(anchor, zone, period, now)
        assert k == 0 or due_at(anchor, zone, period, k) <= now
        assert now < due_at(anchor, zone, period, k + 1)

    @given(MOMENTS, ZONES, OFTEN, st.integers(0, 400))
    def test_is_the_inverse_of_the_due_instant(
        self, anchor: datetime, zone: str, period: Period, k: int
    ) -> None:
        due = due_at(anchor, zone, period, k)
        assert cycle_at(anchor, zone, period, due) == k
        assert cycle_at(anchor, zone, period, due - TICK) == max(0, k - 1)
