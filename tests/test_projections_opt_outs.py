"""Opt-outs: what is listed of them, and that it says what the decisions say."""

from collections.abc import Generator, Sequence
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.decisions import opt_out
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.log.session import connect
from ledger.words import derived_id
from projections.engine import Engine
from projections.opt_outs.read import Count, OptOut, by_month, of_consumer, on_code
from projections.opt_outs.table import PROJECTION
from projections.reading import answer
from projections.rebuild import compare
from tests.support.database import TestDatabase
from tests.support.history import CODE, NOON, OPERATOR, History, paris
from tests.support.projected import project, store

ANNA, BERT = (f"1_{derived_id('consumer', name)}" for name in ("anna", "bert"))


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def mo(number: int) -> str:
    return derived_id("mo", number)


def stop(number: int, at: datetime = NOON, **changed: object) -> OptedOut:
    """Say STOP in MO `number`."""
    fields = {
        "consumer": ANNA,
        "mo": mo(number),
        "short_code": CODE,
        "operator": OPERATOR,
        "word": "STOP",
        "occurred_at": at,
    }
    return OptedOut(**fields | changed)


def lift(number: int, at: datetime = NOON, **changed: object) -> OptOutLifted:
    """Open a scope again by MO `number`."""
    fields = {"consumer": ANNA, "mo": mo(number), "short_code": CODE, "operator": OPERATOR}
    return OptOutLifted(**fields | {"occurred_at": at} | changed)


def told(
    connection: psycopg.Connection, *facts: OptedOut | OptOutLifted, of: str = ANNA
) -> list[OptOut]:
    """Record facts in this order, and read what the consumer has stopped."""
    history = History()
    for fact in facts:
        history.add(NOON, fact)
    project(connection, history)
    return answer(connection, "fr", of_consumer(of)).value


class TestOfAConsumer:
    """What one consumer has stopped."""

    def test_tells_what_was_said_and_when(self, connection: psycopg.Connection) -> None:
        said = stop(1, service="quiz", merchant="acme", word="ARRET", test=True)
        assert told(connection, said, stop(2, consumer=BERT)) == [
            OptOut(
                *(ANNA, CODE, "quiz", False, NOON, date(2026, 7, 10), OPERATOR, "acme", "ARRET"),
                *(mo(1), True, 2, None, None, None),
            )
        ]

    def test_keeps_scopes_apart(self, connection: psycopg.Connection) -> None:
        found = told(
            connection,
            stop(1),
            stop(2, service="quiz"),
            stop(3, short_code="81085"),
            stop(4, everywhere=True),
            lift(5, service="quiz"),
        )
        assert [(one.scope, one.stands) for one in found] == [
            ((CODE, None), True),
            ((CODE, "quiz"), False),
            (("81085", None), True),
            ((None, None), True),
        ]

    def test_is_lifted_for_replies_by_the_next_message(
        self, connection: psycopg.Connection
    ) -> None:
        (found,) = told(connection, stop(1), lift(2, NOON + timedelta(hours=1)))
        assert (found.mo, found.since) == (mo(1), NOON)
        assert (found.lifted_at, found.lifted_by) == (NOON + timedelta(hours=1), mo(2))
        assert not found.stands

    def test_stands_again_after_another_stop(self, connection: psycopg.Connection) -> None:
        later = NOON + timedelta(hours=2)
        (found,) = told(connection, stop(1), lift(2), stop(3, later))
        assert (found.mo, found.since, found.stands) == (mo(3), later, True)

    def test_counts_from_the_stop_that_was_said_last_whichever_came_last(
        self, connection: psycopg.Connection
    ) -> None:
        (found,) = told(connection, stop(1, NOON), stop(2, NOON - timedelta(hours=1)))
        assert (found.mo, found.since) == (mo(1), NOON)

    def test_stops_nothing_when_it_reaches_us_after_what_was_sent_later(
        self, connection: psycopg.Connection
    ) -> None:
        late = NOON - timedelta(hours=5)
        (found,) = told(connection, stop(1), lift(2), stop(3, late))
        # The consumer wrote again after both of them.
        assert (found.mo, found.stands) == (mo(1), False)

    def test_of_everything_is_lifted_from_whatever_code(
        self, connection: psycopg.Connection
    ) -> None:
        opened = lift(2, everywhere=True, short_code="81085")
        (found,) = told(connection, stop(1, everywhere=True), opened)
        assert (found.scope, found.lifted_by) == ((None, None), mo(2))


_STEPS = st.lists(
    st.tuples(
        st.booleans(),
        st.sampled_from([("72345", None, False), ("72345", "quiz", False), ("81085", None, False),
                         ("72345", None, True), ("81085", None, True)]),
        st.integers(0, 20),
    ),
    max_size=12,
)  # fmt: skip


def said(steps: Sequence[tuple]) -> list[OptedOut | OptOutLifted]:
    """Make facts of steps; their times may run back, as messages overtake each other."""
    facts = []
    for number, (lifts, (code, service, everywhere), minutes) in enumerate(steps):
        scope = {"short_code": code, "service": service, "everywhere": everywhere}
        make = lift if lifts else stop
        facts.append(make(number, NOON + timedelta(minutes=minutes), **scope))
    return facts


class TestTheDecisions:
    """What the list says beside what the decisions fold from the same facts."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
    @given(steps=_STEPS)
    def test_agree_on_what_is_stopped_and_since_when(
        self, connection: psycopg.Connection, steps: Sequence[tuple]
    ) -> None:
        facts = said(steps)
        (number,) = connection.execute("SELECT count(*) FROM heads").fetchone() or (0,)
        history = History(f"fr{number}")
        for fact in facts:
            history.add(NOON, fact)
        store(connection, history.rows)
        Engine(connection, history.book, [PROJECTION], batch=3).catch_up()
        listed = answer(connection, history.book, of_consumer(ANNA)).value
        assert {one.scope: one.since for one in listed if one.stands} == opt_out.stopped(facts)
        assert compare(connection, history.book, PROJECTION) == []


class TestOnACode:
    """The STOPs of a code."""

    @pytest.fixture
    def projected(self, connection: psycopg.Connection) -> psycopg.Connection:
        """Say STOP at the turn of the month, on two codes, and lift one."""
        history = History()
        for number, at in enumerate(
            ("2026-07-31T23:59:59", "2026-08-01T00:00:00", "2026-08-15T12:00:00")
        ):
            history.add(NOON, stop(number, paris(at), consumer=(ANNA, BERT)[number % 2]))
        history.add(NOON, stop(3, paris("2026-08-20T12:00:00"), short_code="81085"))
        history.add(NOON, stop(4, paris("2026-08-21T12:00:00"), test=True))
        history.add(NOON, lift(5, paris("2026-09-02T12:00:00")))
        project(connection, history)
        return connection

    def test_come_by_local_days_the_last_first(self, projected: psycopg.Connection) -> None:
        def asked(first: date, last: date) -> list[tuple]:
            found = answer(projected, "fr", on_code(CODE, 10, first, last)).value
            return [(one.mo, one.lifted_by) for one in found.opt_outs]

        # In UTC, what was said at midnight in Paris was said on 31 July.
        assert asked(date(2026, 8, 1), date(2026, 8, 31)) == [
            (mo(4), mo(5)),
            (mo(2), mo(5)),
            (mo(1), None),
        ]
        assert asked(date(2026, 7, 1), date(2026, 7, 31)) == [(mo(0), mo(5))]

    def test_come_page_by_page_and_none_twice(self, projected: psycopg.Connection) -> None:
        first = answer(projected, "fr", on_code(None, 2)).value
        assert first.end is not None
        second = answer(projected, "fr", on_code(None, 2, before=first.end)).value
        assert second.end is not None
        third = answer(projected, "fr", on_code(None, 2, before=second.end)).value
        assert third.end is None
        pages = (first, second, third)
        assert [[one.mo for one in page.opt_outs] for page in pages] == [
            [mo(4), mo(3)],
            [mo(2), mo(1)],
            [mo(0)],
        ]

    def test_are_counted_by_month_without_test_numbers(self, projected: psycopg.Connection) -> None:
        assert answer(projected, "fr", by_month()).value == [
            Count(date(2026, 7, 1), CODE, 1, 1),
            Count(date(2026, 8, 1), CODE, 2, 1),
            Count(date(2026, 8, 1), "81085", 1, 0),
        ]
        only = by_month("81085", datetime(2026, 8, 1, tzinfo=UTC).date(), date(2026, 8, 31))
        assert answer(projected, "fr", only).value == [Count(date(2026, 8, 1), "81085", 1, 0)]
