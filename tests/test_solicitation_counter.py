"""The counter of solicitations exists twice, as decision and as projection, and both agree.

And whatever happens: nobody is solicited beyond the limit, nor after STOP without paying anew.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from ledger.decisions.solicited import Allowance, Counter, Standing, standing
from ledger.facts.base import Fact, Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.consent import OptedOut
from ledger.facts.solicitations import SolicitationAllowed, SolicitationRef
from ledger.facts.traffic import KeywordMatched, MtEmitted
from ledger.log.session import connect
from projections.engine import Engine
from projections.fold import Context
from projections.reading import answer
from projections.rebuild import compare
from projections.solicitation_counters import read
from projections.solicitation_counters.fold import SOLICITATION_COUNTERS, Key, State
from projections.solicitation_counters.table import PROJECTION
from projections.table import Place
from tests.support.book import Book, in_memory
from tests.support.builders import NOON, mo
from tests.support.database import TestDatabase
from tests.support.effort import WHOLE_HISTORIES
from tests.support.given import take
from tests.support.projected import store
from tests.support.solicited import MINUTE, asking, bought, later, running_out, sending
from tests.support.solicited_histories import solicited_books

PARIS = Context("Europe/Paris")
FOLD = SOLICITATION_COUNTERS
HOUR = timedelta(hours=1)
EVER = datetime(2100, 1, 1, tzinfo=UTC)


def folded(facts: Sequence[Recorded]) -> dict[Key, State]:
    return FOLD.fold(facts, PARIS)


def as_standing(state: State) -> Standing:
    """Lay a row out as the decision sees it."""
    allowances = [
        Allowance(one, span.allowed_at, span.expires_at, one in state.used)
        for one, span in state.allowed.items()
    ]
    allowances.sort(key=lambda one: (one.allowed_at, one.solicitation))
    return Standing(state.returned_at, state.last_allowed_at, tuple(allowances))


def counters(database: TestDatabase, at: datetime) -> list[read.Counter]:
    with connect(database.app_url) as connection:
        return answer(connection, "fr", read.everybody(at, 100)).value


def projected(database: TestDatabase, book: Book, batch: int = 1000) -> None:
    """Put what a book in memory recorded into a database, and project it in batches."""
    with connect(database.app_url) as connection:
        store(connection, book.rows)
        Engine(connection, "fr", batch=batch).catch_up()


def contents(connection: Connection) -> list[str]:
    """Take every row out of the table, as text."""
    rows = connection.execute("DELETE FROM solicitation_counters AS one RETURNING one::text")
    return sorted(text for (text,) in rows.fetchall())


def told(*steps: object) -> Book:
    book = in_memory()
    for step in steps:
        take(book, step)
    return book


class TestFold:
    """The rows follow from the facts, in whatever ranges these are folded."""

    @WHOLE_HISTORIES
    @given(book=solicited_books())
    def test_counts_as_the_decision_does(self, book: Book) -> None:
        facts = [one.fact for one in book.recorded]
        rows = folded(book.recorded)
        assert rows
        for key, state in rows.items():
            decided = standing(facts, Counter(*key))
            assert as_standing(state) == decided
            assert state.expired == {}

    @WHOLE_HISTORIES
    @given(book=solicited_books(), cuts=st.lists(st.integers(60, 200), max_size=6))
    def test_gives_the_same_rows_for_any_ranges(self, book: Book, cuts: Sequence[int]) -> None:
        facts = book.recorded
        ends = [0, *sorted(min(cut, len(facts)) for cut in cuts), len(facts)]
        parts = [folded(facts[a:b]) for a, b in pairwise(ends)]
        assert reduce(FOLD.combine, parts) == folded(facts)

    @WHOLE_HISTORIES
    @given(book=solicited_books(), cuts=st.tuples(st.integers(60, 200), st.integers(60, 200)))
    def test_combines_associatively_with_no_rows_as_identity(
        self, book: Book, cuts: tuple[int, int]
    ) -> None:
        facts, (one, two) = book.recorded, sorted(cuts)
        a, b, c = folded(facts[:one]), folded(facts[one:two]), folded(facts[two:])
        assert FOLD.combine(FOLD.combine(a, b), c) == FOLD.combine(a, FOLD.combine(b, c))
        assert FOLD.combine(a, {}) == a == FOLD.combine({}, a)

    def test_would_differ_if_a_return_were_taken_by_its_arrival(self) -> None:
        # A control: the message was sent before the second allowance, and came after it.
        late = mo("JEU", stated_at=NOON + 2 * MINUTE, gateway_message_id="late")
        steps = (bought(), asking("s-1"), later(4 * MINUTE), asking("s-2"), later(MINUTE), late)
        (state,) = folded(told(*steps).recorded).values()
        assert len(state.allowed) == 1


class TestTable:
    """The rows in the database are the fold's, however large the batches were."""

    STEPS = (
        bought(),
        asking("s-1"),
        sending("s-1"),
        asking("s-2"),
        later(HOUR),
        running_out("s-2"),
        asking("s-3"),
        later(MINUTE),
        mo("JEU"),
        later(MINUTE),
        asking("s-4"),
        sending("s-4"),
        asking("s-5"),
    )

    def test_is_the_same_one_fact_at_a_time(self, database: TestDatabase) -> None:
        book = told(*self.STEPS)
        (state,) = folded(book.recorded).values()
        projected(database, book, batch=1)
        with connect(database.app_url) as connection:
            (row,) = answer(connection, "fr", read.states(10)).value
            assert compare(connection, "fr", PROJECTION) == []
        assert Standing(
            row.returned_at, row.last_allowed_at, tuple(Allowance(*one) for one in row.allowed)
        ) == as_standing(state)

    def test_counts_by_the_instant(self, database: TestDatabase) -> None:
        book = told(*self.STEPS)
        projected(database, book)
        now = book.clock.now
        (one,) = counters(database, now)
        assert (one.counted, one.reserved, one.last_allowed_at) == (2, 1, now)
        (one,) = counters(database, now + HOUR - MINUTE)
        assert (one.counted, one.reserved) == (2, 1)
        (one,) = counters(database, now + HOUR)
        assert (one.counted, one.reserved) == (1, 0)

    def test_lists_nobody_who_was_never_solicited(self, database: TestDatabase) -> None:
        projected(database, told(bought()))
        assert counters(database, NOON) == []
        with connect(database.app_url) as connection:
            assert answer(connection, "fr", read.how_many()).value == 1

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(book=solicited_books(), batch=st.integers(1, 40))
    def test_is_the_folds_for_any_history(
        self, database: TestDatabase, book: Book, batch: int
    ) -> None:
        facts = book.recorded
        with connect(database.app_url) as connection:
            for start in range(0, len(facts), batch):
                part = folded(facts[start : start + batch])
                PROJECTION.table.write(Place(connection), "fr", part)
            in_parts = contents(connection)
            PROJECTION.table.write(Place(connection), "fr", folded(facts))
            assert in_parts == contents(connection) != []


class TestPageEnd:
    """Where a page of counters ends."""

    def test_is_read_as_it_was_written(self) -> None:
        end = read.PageEnd("81014", "a.b")
        assert read.PageEnd.parse(str(end)) == end

    @pytest.mark.parametrize("text", ["", "81014", "81014.", "x.a", ".a"])
    def test_is_no_other_word(self, text: str) -> None:
        with pytest.raises(ValueError, match="is not the end of a page"):
            read.PageEnd.parse(text)


class TestExpiring:
    """What the scheduler is given: allowances that ran out and nobody used."""

    def test_are_listed_from_the_instant_on_the_longest_ago_first(
        self, database: TestDatabase
    ) -> None:
        steps = (bought(), asking("s-1"), later(MINUTE), asking("s-2"))
        projected(database, told(*steps))
        before = NOON + HOUR
        assert self.ids(database, before - MINUTE) == []
        assert len(self.ids(database, before)) == 1
        both = self.ids(database, before + MINUTE)
        assert [one.expires_at for one in both] == [before, before + MINUTE]

    def test_come_page_by_page(self, database: TestDatabase) -> None:
        projected(database, told(bought(), asking("s-1"), asking("s-2")))
        first, second = self.ids(database, EVER)
        assert self.ids(database, EVER, 1) == [first]
        assert self.ids(database, EVER, 1, first) == [second]
        assert self.ids(database, EVER, 1, second) == []

    def test_are_neither_used_nor_recorded_nor_of_before_a_return(
        self, database: TestDatabase
    ) -> None:
        steps = (bought(), asking("s-1"), sending("s-1"), asking("s-2"), later(HOUR))
        back = (asking("s-3"), later(MINUTE), mo("JEU"))
        projected(database, told(*steps, running_out("s-2"), *back))
        assert self.ids(database, EVER) == []

    @staticmethod
    def ids(
        database: TestDatabase,
        before: datetime,
        limit: int = 10,
        after: read.Expiring | None = None,
    ) -> list[read.Expiring]:
        with connect(database.app_url) as connection:
            return answer(connection, "fr", read.expiring(before, limit, after)).value


class TestPromises:
    """What holds after any history, told without the decision's own functions."""

    @WHOLE_HISTORIES
    @given(book=solicited_books())
    def test_nobody_is_solicited_beyond_the_limit(self, book: Book) -> None:
        facts = [one.fact for one in book.recorded]
        for place, fact in enumerate(facts):
            if isinstance(fact, SolicitationAllowed):
                assert fact.count == _still_counted(facts, place) <= fact.limit == 2

    @WHOLE_HISTORIES
    @given(book=solicited_books())
    def test_nobody_is_solicited_after_stop_without_paying_anew(self, book: Book) -> None:
        facts = [one.fact for one in book.recorded]
        for place, fact in enumerate(facts):
            if isinstance(fact, SolicitationAllowed):
                before = facts[:place]
                stops = [stop for stop in before if _stops(stop, fact.ref)]
                assert all(_paid_since(before, stop, fact.ref) for stop in stops)


def _still_counted(facts: Sequence[Fact], place: int) -> int:
    """Count what counts at the instant of the allowance at a place, itself included."""
    asked = facts[place]
    assert isinstance(asked, SolicitationAllowed)
    before = facts[: place + 1]
    used = {one.ref.solicitation for one in before if isinstance(one, MtEmitted)}
    returns = [one for one in before if isinstance(one, KeywordMatched) and _same(one, asked.ref)]
    counted = 0
    for one in before:
        if isinstance(one, SolicitationAllowed) and _same(one.ref, asked.ref):
            later_return = any(back.occurred_at >= one.occurred_at for back in returns)
            lasts = one.subject in used or one.expires_at > asked.occurred_at
            counted += lasts and not later_return
    return counted


def _same(one: SolicitationRef | KeywordMatched, ref: SolicitationRef) -> bool:
    return (one.consumer, one.short_code, one.merchant) == (
        *(ref.consumer, ref.short_code),
        ref.merchant,
    )


def _stops(fact: Fact, ref: SolicitationRef) -> bool:
    return (
        isinstance(fact, OptedOut)
        and fact.short_code == ref.short_code
        and fact.service in {None, ref.service}
    )


def _paid_since(facts: Sequence[Fact], stop: Fact, ref: SolicitationRef) -> bool:
    captured = {one.subject for one in facts if isinstance(one, ChargeCaptured)}
    return any(
        isinstance(one, ChargeAuthorized)
        and one.subject in captured
        and one.ref.merchant == ref.merchant
        and one.occurred_at > stop.occurred_at
        for one in facts
    )
