"""What only the log in PostgreSQL can promise: its table, its lock, its look-ups."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import LiteralString

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from api.database import Database
from ledger.log import scripts
from ledger.log import statements as sql
from ledger.log.batch import Outcome, Proposal
from ledger.log.encoding import arrays, encoded
from ledger.log.errors import LogUnavailable, RowRefused, UnknownBook
from ledger.log.postgres import PostgresLog, run
from ledger.log.rows import Interest
from ledger.log.session import connect, log_conninfo
from tests.support.log import (
    BOOK,
    SlotTaken,
    about,
    appended,
    as_owner,
    counting,
    head_held,
    interrupted,
    noting,
    once,
    opened,
    row,
    taking,
)

PARTITION = 1 << 23


class TestBooks:
    """Opening them, and keeping them apart."""

    def test_must_be_opened(self, database: Database) -> None:
        with connect(database.app_url) as connection:
            log = PostgresLog(connection, "be")
            with pytest.raises(UnknownBook, match=r"^be$"):
                log.submit([noting("a:1")])
            with pytest.raises(UnknownBook, match=r"^be$"):
                log.read(about("a:1"))
            with pytest.raises(UnknownBook, match=r"^be$"):
                log.head()

    @pytest.mark.parametrize("crowded", [False, True])
    def test_must_be_there_when_it_is_appended(self, database: Database, crowded: bool) -> None:  # noqa: FBT001 - a column
        never = scripts.Reading(0, [()])
        appending = scripts.appending("be", [noting("a:1")], never, 9, crowded=crowded)
        with connect(database.app_url) as connection:
            with pytest.raises(UnknownBook, match=r"^be$"):
                run(connection, appending)
            assert connection.info.transaction_status.name == "IDLE"

    def test_opened_twice_stay_as_they_are(self, database: Database) -> None:
        with opened(database.app_url) as log:
            log.submit([noting("a:1")])
            head = log.head()
            log.open_book()
            assert log.head() == head

    @pytest.mark.parametrize("name", ["FR", "", "a b", "x'; --", "é", "1a", "a" * 32])
    def test_have_short_lower_case_names(self, database: Database, name: str) -> None:
        with (
            connect(database.app_url) as connection,
            pytest.raises(psycopg.errors.CheckViolation, match="book_is_a_short_lower_case_name"),
        ):
            PostgresLog(connection, name).open_book()

    def test_count_and_find_their_own_facts(self, database: Database) -> None:
        with opened(database.app_url, "fr") as fr, opened(database.app_url, "f-r_2") as other:
            fr.submit([noting("a:1"), noting("a:1")])
            other.submit([counting("a:1")])
            rows, head = other.read((*about("a:1"), Interest(())))
            assert ([stored.data for stored in rows], head) == ([b"0"], 1)
            assert [stored.book for stored in fr.follow(0, 9)] == ["fr", "fr"]


class TestRacing:
    """Somebody else appends between a decision's reading and its lock."""

    def test_is_decided_again_with_what_came_between(self, database: Database) -> None:
        with opened(database.app_url) as ours, opened(database.app_url) as theirs:
            sneaking = interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")]))
            (outcome,) = ours.submit([sneaking])
        assert isinstance(outcome, Outcome)
        assert [stored.position for stored in outcome.history] == [1]
        assert [(stored.position, stored.data) for stored in outcome.appended] == [(2, b"1")]

    def test_loses_the_slot_to_whoever_committed_first(self, database: Database) -> None:
        with opened(database.app_url) as ours, opened(database.app_url) as theirs:
            late = interrupted(
                taking("slot:1", "by:x"), by=lambda: theirs.submit([taking("slot:1", "by:y")])
            )
            lost, other = ours.submit([late, noting("b:1")])
        assert isinstance(lost, SlotTaken)
        assert appended([other]) == [[2]]

    def test_finds_its_own_facts_when_the_same_request_was_faster(self, database: Database) -> None:
        with opened(database.app_url) as ours, opened(database.app_url) as theirs:
            (outcome,) = ours.submit(
                [interrupted(once("mo:1"), by=lambda: theirs.submit([once("mo:1")]))]
            )
            assert isinstance(outcome, Outcome)
            assert outcome.appended == ()
            assert list(outcome.history) == ours.follow(0, 9)

    def test_reads_again_before_the_lock_when_it_fell_far_behind(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(scripts, "PATIENCE", (2, scripts.ANY_TAIL))
        with opened(database.app_url) as ours, opened(database.app_url) as theirs:
            (outcome,) = ours.submit(
                [interrupted(counting("a:1"), by=lambda: theirs.submit([noting("a:1")] * 3))]
            )
        assert isinstance(outcome, Outcome)
        assert [(stored.position, stored.data) for stored in outcome.appended] == [(4, b"3")]

    def test_writes_nothing_on_a_reading_too_old(self, database: Database) -> None:
        with opened(database.app_url) as log, connect(database.app_url) as connection:
            read = run(connection, scripts.reading(BOOK, [()]))
            log.submit([noting("a:1")])
            outcomes = run(
                connection, scripts.appending(BOOK, [noting("a:2")], read, 0, crowded=False)
            )
            assert outcomes is None
            assert log.head()[0] == 1
            assert connection.info.transaction_status.name == "IDLE"

    def test_interrupted_ends_the_connection_and_appends_nothing(self, database: Database) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        with opened(database.app_url) as log, connect(database.app_url) as connection:
            with pytest.raises(KeyboardInterrupt):
                PostgresLog(connection, BOOK).submit([interrupted(noting("a:1"), by=interrupt)])
            assert connection.closed
            assert appended(log.submit([noting("a:2")])) == [[1]]

    def test_alone_raises_its_refusal(self, database: Database) -> None:
        with opened(database.app_url) as log:
            log.submit([taking("slot:1", "by:x")])
            with pytest.raises(SlotTaken):
                log.decide(*taking("slot:1", "by:y"))

    def test_waits_for_whoever_holds_the_head_but_not_for_ever(self, database: Database) -> None:
        with opened(database.app_url) as log, connect(database.app_url) as connection:
            connection.execute("SET lock_timeout = '50ms'")
            with head_held(database.app_url), pytest.raises(LogUnavailable, match="lock"):
                PostgresLog(connection, BOOK).submit([noting("a:1")])
            assert appended(PostgresLog(connection, BOOK).submit([noting("a:1")])) == [[1]]
            assert log.head()[0] == 1


class TestARowThatTheTableRefuses:
    """A rule that only the database knows."""

    def test_fails_alone_and_names_the_rule(self, database: Database) -> None:
        as_owner(
            database.owner_url,
            "ALTER TABLE facts ADD CONSTRAINT nothing_is_poisoned CHECK (type <> 'poison')",
        )
        with opened(database.app_url) as log:
            poison = Proposal((), lambda _: [row("a:1"), row(type="poison")])
            outcomes = log.submit([counting("a:1"), poison, counting("a:1"), poison])
            assert appended(outcomes[::2]) == [[1], [2]]
            assert [str(refused) for refused in outcomes[1::2]] == ["nothing_is_poisoned"] * 2
            assert all(isinstance(refused, RowRefused) for refused in outcomes[1::2])
            assert [stored.data for stored in log.follow(0, 9)] == [b"0", b"1"]

    @pytest.mark.parametrize("kind", ["half\ud83d", "nul\0"])
    def test_is_asked_about_in_words_that_it_cannot_hold(
        self, database: Database, kind: str
    ) -> None:
        with opened(database.app_url) as log:
            odd = Proposal((Interest(("a:1",), frozenset({kind})),), lambda _: [row("a:1")])
            refused, other = log.submit([odd, noting("b:1")])
            assert isinstance(refused, RowRefused)
            assert appended([other]) == [[1]]


class TestTheTimeRecorded:
    """The server's clock, read under the lock."""

    def test_never_runs_back_even_when_the_clock_does(self, database: Database) -> None:
        ahead = datetime(2100, 1, 1, tzinfo=UTC)
        with opened(database.app_url) as log:
            log.submit([noting("a:1")])
            as_owner(database.owner_url, "UPDATE heads SET recorded_at = '2100-01-01Z'")
            log.submit([noting("a:2")])
            log.submit([noting("a:3")])
            before, second, third = log.follow(0, 9)
        assert before.recorded_at < ahead == second.recorded_at == third.recorded_at

    def test_moves_on_with_the_clock(self, database: Database) -> None:
        with opened(database.app_url) as log:
            opening = log.head()[1]
            log.submit([noting("a:1")])
            log.submit([noting("a:2")])
            first, second = log.follow(0, 9)
        assert opening < first.recorded_at < second.recorded_at


class TestLookingUpTags:
    """By their 64-bit terms, in an index."""

    def test_checks_the_tag_itself_where_another_shares_its_term(self, database: Database) -> None:
        with opened(database.app_url) as log:
            log.submit([noting("a:1"), noting("impostor:1")])
            as_owner(
                database.owner_url,
                "INSERT INTO sightings VALUES ('fr', term('a:1'), 2, 0)",
            )
            rows, head = log.read(about("a:1"))
        assert [stored.position for stored in rows] == [1]
        assert head == 2

    def test_finds_whatever_inserts_facts(self, database: Database) -> None:
        """The database writes the sightings, so that nobody can hide a fact."""
        with opened(database.app_url) as log, psycopg.connect(database.app_url) as connection:
            connection.execute(
                """
                INSERT INTO facts SELECT 'fr', n, %s, 'noted.v1', 'a:' || n %% 3 || ' b:1', ''
                FROM generate_series(1, 200) AS n
                """,
                (datetime(2200, 1, 1, tzinfo=UTC),),
            )
            connection.commit()
            rows, _ = log.read(about("a:1"))
            assert [stored.position for stored in rows] == list(range(1, 201, 3))
            rows, _ = log.read((Interest(("b:1", "a:2"), after=100),))
            assert [stored.position for stored in rows] == list(range(101, 201, 3))

    def test_reads_what_came_after_a_position_and_no_more(self, database: Database) -> None:
        """However often a tag was used before."""
        with opened(database.app_url) as log:
            log.submit([noting("a:1")] * 1_000)
            log.submit([noting("a:1")])
            with connect(database.app_url) as connection:
                query = (Interest(("a:1",), after=1_000),)
                asked, *_ = next(scripts.reading(BOOK, [query]))
                plan = connection.execute(
                    "EXPLAIN (ANALYZE, FORMAT JSON) " + asked.sql, asked.params
                ).fetchall()
        looked_at = [rows for node in _nodes(plan[0][0][0]["Plan"]) for rows in _rows_of(node)]
        assert max(looked_at) <= 64

    def test_reads_the_indexes_of_its_own_book_and_no_table(self, database: Database) -> None:
        with opened(database.app_url) as log, opened(database.app_url, "be"):
            log.submit([noting("a:1")])
            with connect(database.app_url) as connection:
                asked, *_ = next(scripts.reading(BOOK, [about("a:1")]))
                plan = connection.execute(_explained(asked.sql), asked.params).fetchall()
        lines = " ".join(str(line) for (line,) in plan)
        assert "sightings_fr_0_term_last_idx" in lines
        assert "facts_fr_0_pkey" in lines
        assert "Seq Scan" not in lines
        assert "_be_0" not in lines

    def test_bounds_facts_by_sightings_even_in_a_plan_made_for_an_empty_book(
        self, database: Database
    ) -> None:
        """A connection keeps its plan, and the book grows."""
        with opened(database.app_url), connect(database.app_url) as connection:
            asked, *_ = next(scripts.reading(BOOK, [about("a:1")]))
            plan = connection.execute(_explained(asked.sql), asked.params).fetchall()
        lines = [str(line).strip() for (line,) in plan]
        scan = next(n for n, line in enumerate(lines) if "on facts_fr_0" in line)
        bounds = next(line for line in lines[scan:] if line.startswith("Index Cond"))
        assert "sightings.span" in bounds
        assert "<= sightings.last" in bounds


class TestPartitions:
    """Made ahead of need, each of one book."""

    def test_are_made_by_appending_before_room_runs_out(self, database: Database) -> None:
        with opened(database.app_url) as log:
            _move_head(database, PARTITION - scripts.ROOM_AHEAD - 1)
            log.submit([noting("a:1")])
            assert _room(database) == PARTITION
            log.submit([noting("a:1")])
            assert _room(database) == 2 * PARTITION

    def test_are_left_for_later_while_somebody_is_in_the_way(self, database: Database) -> None:
        """Making one must not keep appends waiting: there is room for millions of facts yet."""
        with opened(database.app_url) as log, psycopg.connect(database.owner_url) as other:
            _move_head(database, PARTITION - scripts.ROOM_AHEAD)
            other.execute("LOCK TABLE facts IN SHARE UPDATE EXCLUSIVE MODE")
            assert len(appended(log.submit([noting("a:1")]))) == 1
            assert _room(database) == PARTITION
            other.rollback()
            log.submit([noting("a:1")])
            assert _room(database) == 2 * PARTITION

    def test_that_are_there_do_not_keep_a_book_from_being_opened(self, database: Database) -> None:
        """Somebody who makes the next may take longer than anybody waits for it."""
        with opened(database.app_url), psycopg.connect(database.app_url) as other:
            other.execute(sql.ENSURE_PARTITIONS, (BOOK, PARTITION + 1))
            with opened(database.app_url) as log:
                assert log.head()[0] == 0
            other.commit()
            assert _room(database) == 2 * PARTITION

    def test_are_made_in_the_end_by_whoever_needs_one(self, database: Database) -> None:
        with opened(database.app_url) as log, connect(database.app_url) as connection:
            _move_head(database, PARTITION)
            rows = arrays([encoded(row("a:1"))])
            connection.execute(sql.APPEND_FACTS, (BOOK, PARTITION, *rows))
            assert log.head()[0] == PARTITION + 1
            assert _room(database) == 2 * PARTITION

    def test_meet_without_a_gap(self, database: Database) -> None:
        with opened(database.app_url) as log:
            _move_head(database, PARTITION - 1)
            assert appended(log.submit([noting("a:1"), noting("a:1"), noting("a:1")])) == [
                [PARTITION],
                [PARTITION + 1],
                [PARTITION + 2],
            ]
            counted = as_owner(
                database.owner_url,
                "SELECT (SELECT count(*) FROM facts_fr_0), (SELECT count(*) FROM facts_fr_1)",
            )
            assert counted == [(1, 2)]
            rows, _ = log.read(about("a:1"))
            assert len(rows) == len(log.follow(PARTITION - 1, 9)) == 3

    @pytest.mark.parametrize("upto", [(1 << 24) + 2, (1 << 62)])
    def test_are_not_made_far_ahead(self, database: Database, upto: int) -> None:
        with opened(database.app_url) as log, connect(database.app_url) as connection:
            log.submit([noting("a:1")])
            with pytest.raises(psycopg.errors.InvalidParameterValue, match="beyond position 1"):
                connection.execute("SELECT ensure_partitions('fr', %s)", (upto,))
            assert _room(database) == PARTITION
            connection.execute("SELECT ensure_partitions('fr', %s)", ((1 << 24) + 1,))
            assert _room(database) == 3 * PARTITION

    @pytest.mark.parametrize("change", ["DELETE FROM facts_fr_1", "TRUNCATE facts_fr_1"])
    def test_made_later_are_append_only_too(
        self, database: Database, change: LiteralString
    ) -> None:
        with opened(database.app_url) as log:
            _move_head(database, PARTITION - 1)
            log.submit([noting("a:1"), noting("a:1")])
        with pytest.raises(psycopg.errors.RestrictViolation):
            as_owner(database.owner_url, change)


class TestItsConnections:
    """One connection, or a pool of them."""

    def test_may_come_from_a_pool(self, database: Database) -> None:
        with ConnectionPool(
            log_conninfo(database.app_url), kwargs={"autocommit": True}, min_size=1, open=True
        ) as pool:
            log = PostgresLog(pool, BOOK)
            log.open_book()
            assert appended(log.submit([noting("a:1")])) == [[1]]
            assert log.head()[0] == 1

    def test_gone_mean_that_the_log_is_unavailable(self, database: Database) -> None:
        with opened(database.app_url) as log, connect(database.app_url) as connection:
            connection.close()
            broken = PostgresLog(connection, BOOK)
            with pytest.raises(LogUnavailable):
                broken.submit([noting("a:1")])
            with pytest.raises(LogUnavailable):
                broken.head()
            assert log.head()[0] == 0

    def test_carry_the_settings_that_the_promises_rest_on(self, database: Database) -> None:
        with connect(database.app_url) as connection:
            shown = [
                connection.execute(query).fetchone()
                for query in (
                    "SHOW synchronous_commit",
                    "SHOW plan_cache_mode",
                    "SELECT current_user",
                )
            ]
        assert shown == [("on",), ("force_generic_plan",), ("obole_app",)]


def _room(database: Database) -> object:
    ((room,),) = as_owner(database.owner_url, "SELECT room FROM heads")
    return room


def _move_head(database: Database, position: int) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("UPDATE heads SET position = %s", (position,))


def _explained(sql: LiteralString) -> LiteralString:
    return "EXPLAIN " + sql


def _nodes(plan: dict) -> Iterator[dict]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _rows_of(node: dict) -> Iterator[float]:
    """Give how many rows a node of a plan looked at, each time it was run."""
    yield node["Actual Rows"]
    yield node.get("Rows Removed by Filter", 0)
