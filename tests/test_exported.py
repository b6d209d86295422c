"""What may be exported, and the fact that it was, field by field."""

from datetime import UTC, date, datetime, timedelta

import pytest

from ledger.decisions.exported import Export, Recipient, Scope, check, exported
from ledger.decisions.refusals import PeriodRefused
from ledger.facts.access import AuditExported
from ledger.facts.base import Draft
from ledger.words import derived_id

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
OPENED, TODAY = date(2026, 1, 10), date(2026, 7, 1)
DAY = timedelta(days=1)
CONSUMER = "1_" + "a" * 32
SCOPE = Scope(date(2026, 6, 1), date(2026, 6, 30), "81014", CONSUMER)
EXPORT = Export(SCOPE, facts=7, through_position=90, manifest_sha256="ab" * 32)
RECIPIENT = Recipient("k-1", "r-1")
PARTS = ("fr", "export", "2026-06-01", "2026-06-30", "81014", CONSUMER, 90, "k-1", "r-1")


class TestAPeriod:
    """Days on which the book can have recorded something."""

    @pytest.mark.parametrize(
        ("first", "last"),
        [
            pytest.param(TODAY, TODAY, id="today"),
            pytest.param(OPENED - DAY, OPENED, id="to the day of the opening"),
            pytest.param(OPENED - 9 * DAY, TODAY + 9 * DAY, id="all there is and more"),
            pytest.param(TODAY, TODAY + DAY, id="to tomorrow"),
        ],
    )
    def test_may_be_any_that_holds_such_a_day(self, first: date, last: date) -> None:
        check(Scope(first, last), OPENED, TODAY)

    @pytest.mark.parametrize(
        ("first", "last", "field", "why"),
        [
            pytest.param(
                TODAY,
                TODAY - DAY,
                "first_day",
                "the first day is after the last, 2026-06-30",
                id="in no order",
            ),
            pytest.param(
                OPENED - 2 * DAY,
                OPENED - DAY,
                "last_day",
                "the book was opened later, on 2026-01-10",
                id="before the book",
            ),
            pytest.param(
                TODAY + DAY,
                TODAY + 2 * DAY,
                "first_day",
                "the first day is yet to come: it is 2026-07-01",
                id="yet to come",
            ),
        ],
    )
    def test_is_refused_by_the_end_that_is_wrong(
        self, first: date, last: date, field: str, why: str
    ) -> None:
        with pytest.raises(PeriodRefused) as refused:
            check(Scope(first, last), OPENED, TODAY)
        assert (refused.value.field, str(refused.value)) == (field, why)


class TestTheFact:
    """What is recorded before a file is handed out."""

    def test_says_what_was_given_to_whom(self) -> None:
        assert exported("fr", EXPORT, RECIPIENT, NOON) == [
            Draft(
                AuditExported(
                    export=derived_id(*PARTS),
                    key="k-1",
                    first_day=date(2026, 6, 1),
                    last_day=date(2026, 6, 30),
                    short_code="81014",
                    consumer=CONSUMER,
                    facts=7,
                    through_position=90,
                    manifest_sha256="ab" * 32,
                    occurred_at=NOON,
                )
            )
        ]

    def test_of_all_and_for_whoever_runs_the_ledger_names_nobody(self) -> None:
        export = EXPORT._replace(scope=Scope(*SCOPE[:2]))
        (draft,) = exported("fr", export, Recipient(None, "r-1"), NOON)
        assert isinstance(draft.fact, AuditExported)
        assert draft.fact.export == derived_id(*PARTS[:4], "", "", 90, "", "r-1")
        assert (draft.fact.key, draft.fact.short_code, draft.fact.consumer) == (None, None, None)
