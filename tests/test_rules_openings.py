"""When the next solicitation is permitted: over weekends, holidays and clock changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.packs import book_of

BELGIUM, FRANCE, KINGDOM = book_of("be"), book_of("fr"), book_of("gb")
"""Belgium opens from 8 to 20 on working days and Saturdays; France every day from 8 to 21:30."""


def utc(text: str) -> datetime:
    """Read a time such as `2026-07-20 18:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestNextOpening:
    """The first instant, from a given one on, at which somebody may be solicited."""

    @pytest.mark.parametrize(
        ("at", "opens"),
        [
            # Brussels is two hours before UTC in summer, one in winter.
            pytest.param("2026-07-20 05:59", "2026-07-20 06:00", id="before the day opens"),
            pytest.param("2026-07-20 06:00", "2026-07-20 06:00", id="as it opens"),
            pytest.param("2026-07-20 12:34", "2026-07-20 12:34", id="while it is open"),
            pytest.param("2026-07-20 17:59", "2026-07-20 17:59", id="just before it closes"),
            pytest.param("2026-07-20 18:00", "2026-07-22 06:00", id="over the National Day"),
            pytest.param("2026-07-21 10:00", "2026-07-22 06:00", id="on the National Day"),
            pytest.param("2026-07-18 18:00", "2026-07-20 06:00", id="over a Sunday"),
            pytest.param("2026-04-04 18:00", "2026-04-07 06:00", id="over Easter and its Monday"),
            pytest.param("2026-12-24 19:00", "2026-12-26 07:00", id="over Christmas"),
            pytest.param("2026-10-24 18:00", "2026-10-26 07:00", id="as the clocks go back"),
            pytest.param("2026-03-28 19:00", "2026-03-30 06:00", id="as the clocks go forward"),
        ],
    )
    def test_is_a_local_morning_of_an_open_day(self, at: str, opens: str) -> None:
        assert BELGIUM.next_opening(utc(at)) == utc(opens)

    @pytest.mark.parametrize(
        ("at", "opens"),
        [
            # The clocks change in the night before each of these Sundays.
            pytest.param("2026-10-24 19:30", "2026-10-25 07:00", id="ten and a half hours and one"),
            pytest.param(
                "2026-03-28 20:30", "2026-03-29 06:00", id="ten and a half hours less one"
            ),
            pytest.param("2026-07-14 03:00", "2026-07-14 06:00", id="a public holiday"),
        ],
    )
    def test_follows_the_clock_on_the_wall_where_every_day_is_open(
        self, at: str, opens: str
    ) -> None:
        assert FRANCE.next_opening(utc(at)) == utc(opens)

    def test_follows_the_charter_of_its_day(self) -> None:
        # Until 1 March 2026 the French charter knows working days alone: that Saturday evening
        # is closed, and the Sunday, the new charter's first day, is open.
        assert FRANCE.next_opening(utc("2026-02-28 12:00")) == utc("2026-03-01 07:00")

    def test_is_none_where_the_pack_names_no_charter(self) -> None:
        assert KINGDOM.next_opening(utc("2026-07-20 12:00")) is None
        assert KINGDOM.at(utc("2026-07-20 12:00")).solicitations is None

    def test_is_none_before_the_first_charter(self) -> None:
        assert FRANCE.next_opening(utc("2020-07-20 12:00")) is None

    @given(st.integers(0, 3 * 365 * 24 * 60), st.integers(0, 86_400))
    def test_comes_no_earlier_for_a_later_question_and_is_its_own_next(
        self, minutes: int, seconds: int
    ) -> None:
        at = utc("2025-01-01 00:00") + timedelta(minutes=minutes)
        opens = BELGIUM.next_opening(at)
        later = BELGIUM.next_opening(at + timedelta(seconds=seconds))
        assert opens is not None
        assert later is not None
        assert at <= opens <= later
        assert BELGIUM.next_opening(opens) == opens
        found = BELGIUM.at(opens).solicitations
        assert found is not None
        assert found.open_today
