"""The engine: every fact counts once in every projection, whatever is batched, raced or broken."""

from collections.abc import Generator, Iterable
from dataclasses import replace
from threading import Thread

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.facts.base import Recorded
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections import positions
from projections.apply import Target, apply
from projections.balances.table import PROJECTION as BALANCES
from projections.charges.table import PROJECTION as CHARGES
from projections.engine import Engine
from projections.fold import Context
from projections.known import PROJECTIONS
from projections.merchant_accounts.table import PROJECTION as MERCHANT_ACCOUNTS
from projections.positions import Overtaken, Standing
from projections.source import NotABook, decoded
from projections.table import Place
from tests.support.database import TestDatabase
from tests.support.history import LATER, NOON, History, histories, two_charges
from tests.support.projected import NAMES, contents, reset, standing, store


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


class TestRun:
    """Running the engine over a log."""

    def test_projects_every_fact(self, connection: psycopg.Connection) -> None:
        store(connection, two_charges().rows)
        assert Engine(connection, "fr").catch_up() == 13
        assert standing(connection, "fr") == dict.fromkeys(NAMES, 13)
        found = contents(connection, "fr")
        assert [len(found[name]) for name in ("balances", "merchant_accounts", "charges")] == [
            3,
            1,
            2,
        ]

    def test_twice_changes_nothing(self, connection: psycopg.Connection) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr").catch_up()
        once = contents(connection, "fr")
        assert Engine(connection, "fr").catch_up() == 0
        assert contents(connection, "fr") == once

    def test_without_its_guard_would_count_twice(self, connection: psycopg.Connection) -> None:
        """A control: the rows alone do not notice that a batch comes again."""
        history = two_charges()
        store(connection, history.rows)
        Engine(connection, "fr").catch_up()
        once = contents(connection, "fr")
        target = Target(Place(connection), "fr", BALANCES, Context("Europe/Paris"))
        assert apply(target, history.recorded) is None
        assert contents(connection, "fr")["balances"] != once["balances"]

    def test_waits_for_a_book_to_be_opened(self, connection: psycopg.Connection) -> None:
        assert Engine(connection, "fr").catch_up() == 0
        assert standing(connection, "fr") == {}

    def test_refuses_a_log_that_does_not_begin_with_a_book(
        self, connection: psycopg.Connection
    ) -> None:
        opening, *others = two_charges().rows
        store(connection, [row._replace(position=row.position - 1) for row in others])
        with pytest.raises(NotABook, match="mo_received"):
            Engine(connection, "fr").run_once()
        assert opening.type == "book_opened.v1"

    def test_lets_a_new_projection_catch_up_with_the_others(
        self, connection: psycopg.Connection
    ) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr", [BALANCES]).catch_up()
        store(connection, rows[8:])
        engine = Engine(connection, "fr", batch=5)
        # Balances goes from 8 to the head at once; the newcomers get there in three batches.
        reads = [engine.run_once() for _ in range(4)]
        assert reads == [5 + 5, 5, 3, 0]
        assert standing(connection, "fr") == dict.fromkeys(NAMES, 13)

    def test_leaves_a_table_of_another_version_as_it_stands(
        self, connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
    ) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        store(connection, rows[8:])
        now = CHARGES.fold.version
        newer = CHARGES._replace(fold=replace(CHARGES.fold, version=now + 1))
        others = [one for one in PROJECTIONS if one.name != newer.name]
        engine = Engine(connection, "fr", [*others, newer])
        engine.catch_up()
        assert standing(connection, "fr") == dict.fromkeys(NAMES, 13) | {"charges": 8}
        assert [record.message for record in caplog.records] == [
            f"fr: charges is version {now}, this code makes version {now + 1}: rebuild it"
        ]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
    @given(history=histories(), batches=st.tuples(st.integers(1, 9), st.integers(1, 50)))
    def test_gives_the_same_rows_for_any_batches(
        self, connection: psycopg.Connection, history: History, batches: tuple[int, int]
    ) -> None:
        # The log takes no fact back, so each example is a book of its own.
        (number,) = connection.execute("SELECT count(*) FROM heads").fetchone() or (0,)
        book = f"fr{number}"
        store(connection, [row._replace(book=book) for row in history.rows])
        found = []
        for batch in batches:
            reset(connection, book)
            Engine(connection, book, batch=batch).catch_up()
            found.append(contents(connection, book))
        assert found[0] == found[1]


class TestRace:
    """Two engines on one book."""

    def test_undoes_the_one_that_comes_second(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr").catch_up()
        once = contents(connection, "fr")
        reset(connection, "fr")
        with connect(database.app_url) as other:
            rival = Engine(other, "fr", [MERCHANT_ACCOUNTS])
            overtaken = iter([rival.catch_up])
            changes = BALANCES.fold.changes

            def meanwhile(recorded: Recorded, context: Context) -> Iterable:
                """Let the rival commit accounts while this engine is about to."""
                for act in overtaken:
                    assert act() == 13
                return changes(recorded, context)

            slow = BALANCES._replace(fold=replace(BALANCES.fold, changes=meanwhile))
            engine = Engine(connection, "fr", [slow, MERCHANT_ACCOUNTS])
            engine.catch_up()
        Engine(connection, "fr").catch_up()
        assert next(overtaken, None) is None
        assert contents(connection, "fr") == once

    def test_refuses_to_move_what_has_moved(self, connection: psycopg.Connection) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr").catch_up()
        with pytest.raises(Overtaken, match="balances"):
            positions.move(connection, "fr", Standing("balances", 1, 5, parked=False), 13)
        assert standing(connection, "fr")["balances"] == 13

    def test_gives_the_same_rows_as_one_alone(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        history = History()
        for number in range(60):
            history.exchange(f"c{number}", NOON)
            history.captured(f"c{number}", LATER)
        store(connection, history.rows)
        Engine(connection, "fr").catch_up()
        alone = contents(connection, "fr")
        reset(connection, "fr")

        def race() -> None:
            with connect(database.app_url) as own:
                Engine(own, "fr", batch=7).catch_up()

        racers = [Thread(target=race) for _ in range(3)]
        for racer in racers:
            racer.start()
        for racer in racers:
            racer.join()
        assert standing(connection, "fr") == dict.fromkeys(
            standing(connection, "fr"), len(history.facts)
        )
        assert contents(connection, "fr") == alone


class TestDecoding:
    """Reading rows once for all folds."""

    def test_leaves_out_what_every_fold_ignores(self) -> None:
        rows = two_charges().rows
        folds = [projection.fold for projection in (BALANCES, MERCHANT_ACCOUNTS, CHARGES)]
        assert [item.position for item in decoded(rows, folds)] == [4, 9, 12, 13]
        assert [item.position for item in decoded(rows, [BALANCES.fold])] == [12]


class TestStatus:
    """Telling what became of all that was accepted."""

    def test_counts_what_is_still_to_come(self, connection: psycopg.Connection) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        engine = Engine(connection, "fr")
        engine.catch_up()
        store(connection, rows[8:])
        for told in engine.status():
            assert (told.accepted, told.projected, told.parked, told.pending) == (13, 8, 0, 5)
            assert told.projected_until == NOON

    def test_is_empty_for_a_book_that_never_ran(self, connection: psycopg.Connection) -> None:
        assert Engine(connection, "fr").status() == []
        assert positions.books(connection) == []
        PostgresLog(connection, "fr").open_book()
        assert positions.books(connection) == ["fr"]
