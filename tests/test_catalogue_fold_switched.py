"""The catalogue folded: services that are suspended, and numbers that only test, at an instant."""

from datetime import datetime, timedelta

import pytest

from ledger.facts import catalogue as entries
from ledger.facts.catalogue import ServiceResumed, ServiceSuspended
from tests.support.builders import NOON, service
from tests.support.catalogues import folded

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)


def suspended(at: datetime) -> ServiceSuspended:
    """Suspend the quiz from some instant on."""
    return ServiceSuspended(service="quiz", merchant="ludotel", reason="x", effective_from=at)


class TestServices:
    """Services, and whether they sell."""

    RESUMED = ServiceResumed(service="quiz", merchant="ludotel", effective_from=NOON + DAY)

    @pytest.mark.parametrize(
        ("at", "still"),
        [
            (NOON - INSTANT, False),
            (NOON, True),
            (NOON + DAY - INSTANT, True),
            (NOON + DAY, False),
        ],
    )
    def test_are_suspended_until_they_are_resumed(self, at: datetime, *, still: bool) -> None:
        known = folded(service("quiz"), suspended(NOON), self.RESUMED)
        assert known.suspended("quiz", at) is still
        assert not known.suspended("tournoi", at)
        assert known.service("quiz", at)

    def test_may_be_suspended_again(self) -> None:
        known = folded(service("quiz"), suspended(NOON), self.RESUMED, suspended(NOON + 2 * DAY))
        assert known.suspended("quiz", NOON + 2 * DAY)


class TestTestNumbers:
    """The consumers that only test."""

    NUMBER, OTHER = "1_" + "a" * 32, "1_" + "b" * 32
    DECLARED = entries.TestNumberDeclared(consumer=NUMBER, label="ours", effective_from=NOON)
    WITHDRAWN = entries.TestNumberWithdrawn(consumer=NUMBER, effective_from=NOON + DAY)

    @pytest.mark.parametrize(
        ("at", "testing"),
        [(NOON - INSTANT, False), (NOON, True), (NOON + DAY, False)],
    )
    def test_test_from_when_they_are_declared_until_withdrawn(
        self, at: datetime, *, testing: bool
    ) -> None:
        known = folded(self.DECLARED, self.WITHDRAWN)
        assert known.is_test(self.NUMBER, at) is testing
        assert not known.is_test(self.OTHER, at)
