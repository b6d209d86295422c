"""Solicitations keep local hours, on the days that the charter in force permits.

The French charter changed on 1 March 2026.
"""

from datetime import timedelta

import pytest

from ledger.facts.solicitations import (
    SolicitationAllowed,
)
from tests.support.builders import (
    mo,
    paris,
)
from tests.support.given import given, some
from tests.support.solicited import (
    asking,
    at,
    bought,
    refused,
)

HOUR = timedelta(hours=1)
ALLOWED = some(SolicitationAllowed, count=1)


class TestHours:
    """Local hours, on the days that the charter in force permits."""

    @pytest.mark.parametrize(
        ("asked", "opens"),
        [
            ("2026-07-10T07:59:59", "2026-07-10T08:00:00"),
            ("2026-07-10T21:30:00", "2026-07-11T08:00:00"),
            ("2026-07-10T23:59:59", "2026-07-11T08:00:00"),
            # Until March 2026 the charter knew working days only.
            ("2026-02-20T22:00:00", "2026-02-23T08:00:00"),
            ("2026-02-21T12:00:00", "2026-02-23T08:00:00"),
            ("2026-02-22T12:00:00", "2026-02-23T08:00:00"),
            # The first of January, a Thursday.
            ("2026-01-01T12:00:00", "2026-01-02T08:00:00"),
            # Clocks go forward in the night of the 29th and back in that of 25 October.
            ("2026-03-29T07:59:59", "2026-03-29T08:00:00"),
            ("2026-03-28T22:00:00", "2026-03-29T08:00:00"),
            ("2026-10-24T22:00:00", "2026-10-25T08:00:00"),
            ("2026-10-25T02:30:00+", "2026-10-25T08:00:00"),
        ],
    )
    def test_refuse_outside_them_and_say_when_they_begin(self, asked: str, opens: str) -> None:
        now = paris(asked)
        steps = (at(now - HOUR / 2), bought(), at(now))
        happened = given(*steps).when(asking())
        refused(happened, "outside_hours", count=0, limit=2, opens_at=paris(opens))

    @pytest.mark.parametrize(
        "asked",
        [
            "2026-07-10T08:00:00",
            "2026-07-10T21:29:59",
            "2026-02-20T21:59:59",
            # A Sunday and the fourteenth of July: tolerated since March 2026.
            "2026-07-12T12:00:00",
            "2026-07-14T12:00:00",
            "2026-03-29T08:00:00",
            "2026-10-25T08:00:00",
        ],
    )
    def test_allow_within_them(self, asked: str) -> None:
        now = paris(asked)
        given(at(now - HOUR / 2), bought(), at(now)).when(asking()).then(ALLOWED)

    def test_follow_the_clock_and_not_the_sun(self) -> None:
        # Eight in Paris is seven in UTC on the last winter day, and six on the first summer day.
        assert paris("2026-03-29T08:00:00") - paris("2026-03-28T08:00:00") == 23 * HOUR

    def test_are_judged_last(self) -> None:
        steps = (at(paris("2026-07-10T22:00:00")), bought(), mo("STOP"))
        refused(given(*steps).when(asking()), "opted_out", opens_at=None)
