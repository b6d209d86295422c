"""Rebuilding: what is made again from the log equals what is live, or takes its place."""

from collections.abc import Generator
from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg.errors import LockNotAvailable

from ledger.log.errors import UnknownBook
from ledger.log.session import connect
from projections.balances.table import PROJECTION as BALANCES
from projections.charges.table import PROJECTION as CHARGES
from projections.engine import Engine
from projections.known import PROJECTIONS, named
from projections.positions import standings
from projections.reading import NotProjected
from projections.rebuild import RebuildFailed, compare, rebuild
from tests.support.database import TestDatabase
from tests.support.history import History, histories, two_charges
from tests.support.projected import NAMES, contents, failing, reset, standing, store


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


@pytest.fixture
def live(connection: psycopg.Connection) -> dict[str, list[str]]:
    """Project two charges, and give all that is projected."""
    store(connection, two_charges().rows)
    Engine(connection, "fr").catch_up()
    return contents(connection, "fr")


class TestCompare:
    """Comparing a projection with one built from the log."""

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
    @given(history=histories())
    def test_finds_no_difference_after_any_history(
        self, connection: psycopg.Connection, history: History
    ) -> None:
        (number,) = connection.execute("SELECT count(*) FROM heads").fetchone() or (0,)
        book = f"fr{number}"
        store(connection, [row._replace(book=book) for row in history.rows])
        Engine(connection, book, batch=7).catch_up()
        assert not any(compare(connection, book, projection) for projection in PROJECTIONS)

    @pytest.mark.usefixtures("live")
    def test_finds_one_micro_too_many(self, connection: psycopg.Connection) -> None:
        connection.execute("UPDATE balances SET debit = debit + 1 WHERE party = '20801'")
        day = "2026-07-11,2026-07-11"
        assert compare(connection, "fr", BALANCES) == [
            f"live only: (fr,operator_receivable_accrued,20801,EUR,{day},1250001,0)",
            f"rebuilt only: (fr,operator_receivable_accrued,20801,EUR,{day},1250000,0)",
        ]

    @pytest.mark.usefixtures("live")
    def test_finds_an_equal_number_that_is_written_otherwise(
        self, connection: psycopg.Connection
    ) -> None:
        connection.execute("UPDATE merchant_accounts SET tax_micros = tax_micros + 0.0")
        assert len(compare(connection, "fr", named("merchant_accounts"))) == 2

    @pytest.mark.usefixtures("live")
    def test_finds_a_row_that_is_missing(self, connection: psycopg.Connection) -> None:
        connection.execute("DELETE FROM charges WHERE state = 'released'")
        (difference,) = compare(connection, "fr", CHARGES)
        assert difference.startswith("rebuilt only: (fr,")

    def test_goes_no_further_than_the_projection_has_come(
        self, connection: psycopg.Connection
    ) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        store(connection, rows[8:])
        assert not any(compare(connection, "fr", projection) for projection in PROJECTIONS)

    def test_refuses_what_never_ran(self, connection: psycopg.Connection) -> None:
        store(connection, two_charges().rows)
        with pytest.raises(NotProjected):
            compare(connection, "fr", CHARGES)

    @pytest.mark.usefixtures("live")
    def test_leaves_nothing_behind(self, connection: psycopg.Connection) -> None:
        compare(connection, "fr", CHARGES)
        left = connection.execute(
            "SELECT relname FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'"
        )
        assert left.fetchall() == []


class TestRebuild:
    """Replacing a projection by one built from the log."""

    @pytest.mark.parametrize("name", NAMES)
    def test_gives_what_was_live(
        self, connection: psycopg.Connection, live: dict[str, list[str]], name: str
    ) -> None:
        assert rebuild(connection, "fr", named(name)) == 13
        assert contents(connection, "fr") == live
        assert Engine(connection, "fr").catch_up() == 0

    def test_mends_what_was_damaged(
        self, connection: psycopg.Connection, live: dict[str, list[str]]
    ) -> None:
        connection.execute("UPDATE charges SET merchant = 'nobody'")
        rebuild(connection, "fr", CHARGES)
        assert contents(connection, "fr") == live

    def test_makes_what_never_ran(
        self, connection: psycopg.Connection, live: dict[str, list[str]]
    ) -> None:
        reset(connection, "fr")
        for projection in PROJECTIONS:
            rebuild(connection, "fr", projection)
        assert contents(connection, "fr") == live
        assert standing(connection, "fr") == dict.fromkeys(live, 13)

    def test_takes_the_place_of_one_that_is_parked(
        self, connection: psycopg.Connection, live: dict[str, list[str]]
    ) -> None:
        reset(connection, "fr")
        Engine(connection, "fr", [failing(CHARGES, 9)]).catch_up()
        rebuild(connection, "fr", CHARGES)
        assert contents(connection, "fr")["charges"] == live["charges"]
        assert not standings(connection, "fr")["charges"].parked

    @pytest.mark.usefixtures("live")
    def test_takes_the_place_of_an_older_version(self, connection: psycopg.Connection) -> None:
        next_version = CHARGES.fold.version + 1
        newer = CHARGES._replace(fold=replace(CHARGES.fold, version=next_version))
        rebuild(connection, "fr", newer)
        assert standings(connection, "fr")["charges"] == ("charges", next_version, 13, False)
        # The older code, still running somewhere, leaves it alone from then on.
        connection.execute("UPDATE projection_positions SET position = 12")
        Engine(connection, "fr", [CHARGES]).catch_up()
        assert standing(connection, "fr")["charges"] == 12

    def test_leaves_the_old_one_when_a_fact_cannot_be_folded(
        self, connection: psycopg.Connection, live: dict[str, list[str]]
    ) -> None:
        with pytest.raises(RebuildFailed) as caught:
            rebuild(connection, "fr", failing(CHARGES, 12))
        assert caught.value.failure.position == 12
        assert contents(connection, "fr") == live
        # What remains of the attempt would stand in the way of the next.
        rebuild(connection, "fr", CHARGES)

    def test_takes_in_what_comes_meanwhile(self, connection: psycopg.Connection) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        coming = [rows[8:11], rows[11:]]
        seen: list[tuple[int, int]] = []

        def meanwhile(reached: int, head: int) -> None:
            seen.append((reached, head))
            if coming:
                store(connection, coming.pop(0))

        assert rebuild(connection, "fr", CHARGES, meanwhile) == 11
        assert seen == [(8, 8), (11, 11)]
        Engine(connection, "fr").catch_up()
        assert compare(connection, "fr", CHARGES) == []

    def test_catches_up_under_the_lock_with_what_is_live(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        coming = [rows[8:11], rows[11:]]

        def meanwhile(_reached: int, _head: int) -> None:
            """Let facts come, and the live projection take them, after each step."""
            with connect(database.app_url) as other:
                if coming:
                    store(other, coming.pop(0))
                    Engine(other, "fr").catch_up()

        assert rebuild(connection, "fr", CHARGES, meanwhile) == 13
        assert compare(connection, "fr", CHARGES) == []

    def test_lets_nobody_move_the_old_one_while_it_takes_its_place(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        coming = [rows[8:10], rows[10:12], rows[12:]]
        refused: list[int] = []

        def meanwhile(reached: int, _head: int) -> None:
            """Let facts come, and the live projection try to take them, after each step."""
            with connect(database.app_url) as other:
                other.execute("SET lock_timeout = '50ms'")
                store(other, coming.pop(0))
                try:
                    Engine(other, "fr").catch_up()
                except LockNotAvailable:
                    refused.append(reached)

        assert rebuild(connection, "fr", CHARGES, meanwhile) == 12
        assert (refused, coming) == ([12], [])
        Engine(connection, "fr").catch_up()
        assert compare(connection, "fr", CHARGES) == []

    @pytest.mark.usefixtures("live")
    def test_touches_no_other_book(self, connection: psycopg.Connection) -> None:
        be = History("be")
        be.exchange("a", be.facts[0][0])
        store(connection, be.rows)
        Engine(connection, "be").catch_up()
        before = contents(connection, "be")
        rebuild(connection, "fr", CHARGES)
        assert contents(connection, "be") == before
        assert len(before["charges"]) == 1

    def test_refuses_a_book_that_is_not_open(self, connection: psycopg.Connection) -> None:
        with pytest.raises(UnknownBook):
            rebuild(connection, "fr", CHARGES)


class TestNamed:
    """Finding a projection by its name."""

    def test_refuses_a_name_that_is_not_known(self) -> None:
        with pytest.raises(LookupError, match="earnings"):
            named("earnings")
