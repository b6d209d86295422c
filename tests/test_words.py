"""The ledger's small words: derived ids, instants and local days."""

from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.words import derived_among, derived_id, framed, instant_text, local_day

PARTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4)


class TestDerivedId:
    """An id derived from its parts."""

    def test_is_half_a_sha_256_of_the_parts_and_their_lengths(self) -> None:
        assert derived_id("fr", "mo", 7) == sha256(b"2:fr2:mo1:7").hexdigest()[:32]

    def test_measures_a_part_in_bytes(self) -> None:
        assert derived_id("é") == sha256("2:é".encode()).hexdigest()[:32]

    @given(PARTS, PARTS)
    def test_differs_as_soon_as_a_part_does(self, one: list[str], other: list[str]) -> None:
        assert (derived_id(*one) == derived_id(*other)) == (one == other)

    @pytest.mark.parametrize(
        ("one", "other"),
        [(("ab", "c"), ("a", "bc")), (("a", ""), ("a",)), (("1:a",), ("", "a"))],
    )
    def test_keeps_parts_apart(self, one: tuple[str, ...], other: tuple[str, ...]) -> None:
        assert derived_id(*one) != derived_id(*other)

    @given(PARTS, st.text(st.characters(exclude_categories=["Cs"])), PARTS)
    def test_is_the_same_where_one_part_alone_is_new(
        self, before: list[str], part: str, after: list[str]
    ) -> None:
        given_whole = derived_id(*before, part, *after)
        assert derived_among(framed(*before), part, framed(*after)) == given_whole


class TestInstantText:
    """An instant as it is written."""

    def test_is_utc_with_six_decimals(self) -> None:
        east = timezone(timedelta(hours=2))
        assert instant_text(datetime(2026, 8, 1, 11, 30, tzinfo=east)) == (
            "2026-08-01T09:30:00.000000Z"
        )

    def test_keeps_the_microsecond(self) -> None:
        at = datetime(2026, 8, 1, 9, 30, 0, 7, tzinfo=UTC)
        assert instant_text(at).endswith(":00.000007Z")


class TestLocalDay:
    """The day on which an instant falls."""

    @pytest.mark.parametrize(
        ("utc", "day"),
        [
            # Summer time in Paris is two hours ahead of UTC, winter time one.
            ("2026-07-31T21:59:59.999999", date(2026, 7, 31)),
            ("2026-07-31T22:00:00", date(2026, 8, 1)),
            ("2026-12-31T22:59:59", date(2026, 12, 31)),
            ("2026-12-31T23:00:00", date(2027, 1, 1)),
            # The clocks go forward on 29 March 2026, that day has 23 hours …
            ("2026-03-28T22:59:59", date(2026, 3, 28)),
            ("2026-03-28T23:00:00", date(2026, 3, 29)),
            ("2026-03-29T21:59:59", date(2026, 3, 29)),
            ("2026-03-29T22:00:00", date(2026, 3, 30)),
            # … and back on 25 October, that day has 25.
            ("2026-10-24T22:00:00", date(2026, 10, 25)),
            ("2026-10-25T22:59:59", date(2026, 10, 25)),
            ("2026-10-25T23:00:00", date(2026, 10, 26)),
        ],
    )
    def test_changes_at_local_midnight(self, utc: str, day: date) -> None:
        assert local_day(datetime.fromisoformat(utc).replace(tzinfo=UTC), "Europe/Paris") == day

    def test_does_not_ask_in_which_zone_the_instant_is_given(self) -> None:
        west = timezone(timedelta(hours=-5))
        at = datetime(2026, 7, 31, 17, tzinfo=west)
        assert local_day(at, "Europe/Paris") == date(2026, 8, 1)
