"""Balances as known on an earlier day: what a replay up to that day gives, or an error."""

from collections.abc import Generator
from datetime import date, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings

from ledger.log.session import connect
from ledger.words import local_day
from projections.balances.fold import BALANCES
from projections.balances.read import Balance, balances, trial_balance
from projections.balances.table import PROJECTION
from projections.engine import Engine
from projections.fold import Context
from projections.reading import BeforeTheBook, NotKnown, answer
from tests.support.charged import ZONE
from tests.support.database import TestDatabase
from tests.support.history import LAST, LATER, NOON, History, histories
from tests.support.projected import store

DAY = timedelta(days=1)


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def replayed(history: History, known_on: date) -> list[Balance]:
    """Fold the log up to the last fact recorded on that day."""
    facts = [
        one
        for one in history.recorded
        if one.recorded_at and local_day(one.recorded_at, ZONE) <= known_on
    ]
    found: dict[tuple[str, str, str], tuple[int, int]] = {}
    for key, moved in BALANCES.fold(facts, Context(ZONE)).items():
        place = (key.account, key.party, key.currency)
        debit, credit = found.get(place, (0, 0))
        found[place] = (debit + moved.debit, credit + moved.credit)
    return [Balance(*place, *sides) for place, sides in sorted(found.items())]


class TestKnownOn:
    """Asking what was known at the end of a day."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
    @given(history=histories())
    def test_equals_a_replay_up_to_the_last_fact_of_that_day(
        self, connection: psycopg.Connection, history: History
    ) -> None:
        (number,) = connection.execute("SELECT count(*) FROM heads").fetchone() or (0,)
        book = f"fr{number}"
        rows = [row._replace(book=book) for row in history.rows]
        store(connection, rows)
        Engine(connection, book, [PROJECTION], batch=7).catch_up()
        days = sorted({local_day(row.recorded_at, ZONE) for row in rows})
        for day in {one + shift for one in days[:12] for shift in (0 * DAY, DAY)}:
            assert answer(connection, book, balances(known_on=day)).value == replayed(history, day)
            (*trials,) = answer(connection, book, trial_balance(known_on=day)).value
            assert all(one.balance == 0 for one in trials)
        with pytest.raises(BeforeTheBook):
            answer(connection, book, balances(known_on=days[0] - DAY))

    def test_is_an_error_for_a_day_that_is_not_projected_whole(
        self, connection: psycopg.Connection
    ) -> None:
        history = History()
        history.exchange("a", NOON)
        history.captured("a", LATER)
        history.exchange("b", LATER)
        history.captured("b", LAST)
        store(connection, history.rows)
        engine = Engine(connection, "fr", [PROJECTION], batch=7)
        assert engine.run_once() == 7  # the opening, the first exchange, and its capture
        noon, later, last = (local_day(at, ZONE) for at in (NOON, LATER, LAST))
        assert answer(connection, "fr", balances(known_on=noon)).value == []
        for day in (later, last, last + DAY):
            with pytest.raises(NotKnown, match="not projected whole"):
                answer(connection, "fr", balances(known_on=day))
        assert answer(connection, "fr", balances()).value == replayed(history, later)
        engine.catch_up()
        assert answer(connection, "fr", balances(known_on=later)).value == replayed(history, later)
        assert answer(connection, "fr", balances(known_on=last)).value == replayed(history, last)
        assert replayed(history, last) != replayed(history, later)
