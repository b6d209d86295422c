"""The instants that the lines of an import tell: which can be, and who may say so."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.demo.stage import GATEWAY
from api.importing.elsewhere import imported
from api.importing.lines import Exchange, Line, Mo, Receipt, read_line
from api.importing.times import AHEAD, EARLIEST, untimely
from ledger.commands.imported import answer_of
from tests.support.importing import message, ndjson, receipt


class TestElsewhere:
    """A line of what another platform decided, as the ledger takes it."""

    @pytest.mark.parametrize(("at", "day"), [("00:30:00+02:00", 2), ("01:00:00-23:00", 4)])
    def test_names_its_answer_by_the_day_in_utc_where_ids_come_again(
        self, at: str, day: int
    ) -> None:
        told = message(1, kind="exchange", sent_at=f"2026-08-03T{at}", mt={"text": "Merci"})
        line = read_line(ndjson([{**told, "receipts": [{"outcome": "delivered"}]}]))
        assert isinstance(line, Exchange)
        (reported,) = imported("fr", line, recycles_ids=True).told.receipts
        assert reported.mt == answer_of("fr", GATEWAY, line.id, f"2026-08-{day:02d}")


NOW = datetime(2026, 8, 3, 12, tzinfo=UTC)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
ANY = st.datetimes(timezones=ZONES)


class TestTimes:
    """The instants that a line tells."""

    @given(ANY, st.sampled_from([None, timedelta(minutes=15)]))
    def test_that_are_taken_are_ones_that_can_be_worked_with(
        self, at: datetime, tolerance: timedelta | None
    ) -> None:
        for line in self.lines(at):
            if untimely(line, NOW, tolerance) is None:
                since = EARLIEST if tolerance is None else NOW - tolerance
                own = tolerance is not None and isinstance(line, Mo | Receipt)
                assert own or since <= at.astimezone(UTC) <= NOW + AHEAD

    @pytest.mark.parametrize("years", [-57, 1])
    def test_that_cannot_be_are_told_by_their_field(self, years: int) -> None:
        at = NOW.replace(year=NOW.year + years)
        told = [untimely(line, NOW) or "" for line in self.lines(at)]
        assert [one.partition(": ")[0] for one in told] == [
            "arrived_at", "sent_at", "arrived_at", "occurred_at", "sent_at",
            "mt.sent_at", "charges[].ended_at", "receipts[].occurred_at",
            "at", "arrived_at", "arrived_at",
        ]  # fmt: skip

    def test_of_a_gateways_own_clock_are_judged_with_the_message(self) -> None:
        later = (NOW + timedelta(days=1)).isoformat()
        for line in (message(1, sent_at=later), receipt(1, occurred_at=later)):
            assert untimely(read_line(ndjson([line])), NOW, timedelta(minutes=15)) is None

    @staticmethod
    def lines(at: datetime) -> list[Line]:
        """Write lines that tell an instant, each in another field."""
        told, now = at.isoformat(), NOW.isoformat()
        mt, price = {"text": "Merci"}, {"amount": "3.00", "currency": "EUR"}
        exchange = message(1, kind="exchange", sent_at=now, mt=mt)
        asked = {**message(1, kind="solicitation", arrived_at=told), "service": "quiz"}
        del asked["sent_at"]
        ended = {
            "kind": "stop_subscription", "subscription": "0" * 32, "by": "merchant",
            "reason": "moved", "arrived_at": told,
        }  # fmt: skip
        lines = [
            message(1, arrived_at=told),
            message(1, sent_at=told),
            receipt(1, arrived_at=told),
            receipt(1, occurred_at=told),
            {**exchange, "sent_at": told},
            {**exchange, "mt": {**mt, "sent_at": told}},
            {**exchange, "charges": [{"price": price, "state": "captured", "ended_at": told}]},
            {**exchange, "receipts": [{"outcome": "delivered", "occurred_at": told}]},
            {"kind": "turn", "at": told},
            asked,
            ended,
        ]
        return [read_line(ndjson([line])) for line in lines]
