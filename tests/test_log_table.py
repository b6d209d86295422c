"""The facts table and its heads: append-only, in order, and readable, whoever writes to them."""

from datetime import UTC, datetime
from typing import LiteralString

import psycopg
import pytest

from api.database import Database
from tests.support.log import NOON, appended, as_owner, noting, opened

LATER = datetime(2200, 1, 1, tzinfo=UTC)

CHANGES: list[LiteralString] = [
    "UPDATE facts SET data = ''",
    "UPDATE facts SET position = position + 1",
    "DELETE FROM facts",
    "TRUNCATE facts",
    "UPDATE facts_fr_0 SET data = ''",
    "DELETE FROM facts_fr_0",
    "TRUNCATE facts_fr_0",
]


class TestTheFactsTable:
    """Append-only, whoever asks."""

    @pytest.fixture(autouse=True)
    def filled(self, database: Database) -> None:
        """Put a fact there."""
        with opened(database.app_url) as log:
            log.submit([noting("a:1")])

    @pytest.mark.parametrize("change", CHANGES)
    def test_is_not_the_applications_to_change(
        self, database: Database, change: LiteralString
    ) -> None:
        with (
            psycopg.connect(database.app_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(change)

    @pytest.mark.parametrize("change", CHANGES)
    def test_refuses_its_owner_too(self, database: Database, change: LiteralString) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            as_owner(database.owner_url, change)
        assert as_owner(database.owner_url, "SELECT data FROM facts") == [(b"{}",)]

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE heads SET room = 0",
            "UPDATE heads SET position = 2",
            "UPDATE heads SET recorded_at = now()",
            "DELETE FROM heads",
            "INSERT INTO heads (book) VALUES ('be')",
            "SELECT add_partition('fr', 1)",
            "INSERT INTO facts_fr_0 VALUES ('fr', 2, now(), 'noted.v1', '{}', '')",
            "DROP TABLE facts",
            "ALTER TABLE facts DISABLE TRIGGER ALL",
        ],
    )
    def test_leaves_the_application_no_way_round(
        self, database: Database, change: LiteralString
    ) -> None:
        with (
            psycopg.connect(database.app_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(change)

    def test_takes_a_position_once(self, database: Database) -> None:
        with (
            psycopg.connect(database.app_url) as connection,
            pytest.raises(psycopg.errors.UniqueViolation),
        ):
            connection.execute("INSERT INTO facts VALUES ('fr', 1, now(), 'noted.v1', '{}', '')")


class TestARow:
    """What the table refuses whoever writes it, for nobody could read it or tell it apart."""

    INSERT = "INSERT INTO facts VALUES ('fr', 1, %s, %s, %s, '{}')"

    @pytest.mark.parametrize("tags", ["\n", "a:1\nb:1", "a:1 b:1\n"])
    def test_has_its_tags_on_one_line(self, database: Database, tags: str) -> None:
        """A line feed would let another fact have the same bytes."""
        self._refused(database, "tags_are_one_line", LATER, "noted.v1", tags)

    @pytest.mark.parametrize("kind", ["", "two\nlines"])
    def test_has_a_type_of_one_line(self, database: Database, kind: str) -> None:
        self._refused(database, "type_is_one_line", LATER, kind, "")

    @pytest.mark.parametrize("size", [59_977, 59_930])
    def test_may_fill_an_entry_to_the_byte(self, database: Database, size: int) -> None:
        words = "a" * (59_977 - size)
        assert len(words) != 1
        with opened(database.app_url), psycopg.connect(database.app_url) as connection:
            insert = "INSERT INTO facts VALUES ('fr', 1, %s, 't', %s, %s)"
            with pytest.raises(psycopg.errors.CheckViolation, match="60000_bytes"):
                connection.execute(insert, (LATER, words, bytes(size - 21)))
            connection.rollback()
            connection.execute(insert, (LATER, words, bytes(size - 22)))

    def test_is_counted_by_its_bytes_however_small_it_is_stored(self, database: Database) -> None:
        """A line out of a table comes compressed."""
        insert = "INSERT INTO facts SELECT 'fr', 1, %s, 't', tags || repeat('b', %s), '' FROM big"
        with opened(database.app_url), psycopg.connect(database.app_url) as connection:
            connection.execute("CREATE TEMP TABLE big (tags text)")
            connection.execute("INSERT INTO big SELECT repeat('a', 59955)")
            connection.commit()
            found = connection.execute("SELECT pg_column_size(tags) FROM big").fetchone()
            assert found is not None
            assert found[0] < 5_000
            with pytest.raises(psycopg.errors.CheckViolation, match="60000_bytes"):
                connection.execute(insert, (LATER, 1))
            connection.rollback()
            connection.execute(insert, (LATER, 0))

    @pytest.mark.parametrize(
        "at",
        ["infinity", "-infinity", "4713-01-01 BC", "1999-12-31 23:59:59.999999Z", "10000-01-01Z"],
    )
    def test_has_a_time_that_can_be_written(self, database: Database, at: str) -> None:
        self._refused(database, "recorded_at_is_of_the_years_2000_to_9999", at, "noted.v1", "")

    def _refused(self, database: Database, rule: str, *values: object) -> None:
        with (
            opened(database.app_url),
            psycopg.connect(database.owner_url) as connection,
            pytest.raises(psycopg.errors.CheckViolation) as refused,
        ):
            connection.execute(self.INSERT, values)
        assert refused.value.diag.constraint_name == rule


class TestTheHead:
    """One with the facts: they take it along, and it never goes back."""

    APPEND = "INSERT INTO facts SELECT 'fr', n, %s, 'noted.v1', '{}', '' FROM unnest(%s) AS n"

    def test_is_moved_by_whatever_inserts_facts(self, database: Database) -> None:
        with opened(database.app_url) as log, psycopg.connect(database.app_url) as connection:
            log.submit([noting("a:1")])
            connection.execute("LISTEN obole_facts")
            connection.execute(self.APPEND, (LATER, [3, 2]))
            connection.commit()
            assert log.head() == (3, LATER)
            assert [told.payload for told in connection.notifies(timeout=10, stop_after=1)] == [
                "fr"
            ]
            assert appended(log.submit([noting("a:1")])) == [[4]]

    @pytest.mark.parametrize("positions", [[3], [2, 4], [9]])
    @pytest.mark.parametrize("url", ["app_url", "owner_url"])
    def test_leaves_no_fact_beyond_it(
        self, database: Database, url: str, positions: list[int]
    ) -> None:
        with opened(database.app_url) as log:
            log.submit([noting("a:1")])
            _refused_by_the_head(getattr(database, url), self.APPEND, (LATER, positions))
            assert appended(log.submit([noting("a:1")])) == [[2]]
            assert [stored.position for stored in log.follow(0, 9)] == [1, 2]

    def test_leaves_no_fact_beyond_it_in_a_partition_either(self, database: Database) -> None:
        with opened(database.app_url) as log:
            into = self.APPEND.replace("INTO facts", "INTO facts_fr_0")
            _refused_by_the_head(database.owner_url, into, (LATER, [2]))
            assert log.follow(0, 9) == []

    def test_refuses_facts_earlier_than_itself(self, database: Database) -> None:
        with opened(database.app_url):
            _refused_by_the_head(database.app_url, self.APPEND, (NOON.replace(year=2001), [1]))

    def test_refuses_facts_of_several_times_in_one_batch(self, database: Database) -> None:
        several = """
            INSERT INTO facts
            SELECT 'fr', n, %s::timestamptz + n * '1 day'::interval, 'noted.v1', '{}', ''
            FROM unnest(%s) AS n
        """
        with opened(database.app_url):
            _refused_by_the_head(database.app_url, several, (LATER, [1, 2]))

    def test_waits_for_whoever_else_has_it(self, database: Database) -> None:
        """Facts that another transaction has not committed are in the way of these."""
        with opened(database.app_url) as log, psycopg.connect(database.app_url) as theirs:
            theirs.execute(self.APPEND, (LATER, [1]))
            with psycopg.connect(database.app_url) as ours:
                ours.execute("SET lock_timeout = '50ms'")
                with pytest.raises(psycopg.errors.LockNotAvailable):
                    ours.execute("SELECT lock_head('fr')")
            theirs.rollback()
            assert log.head()[0] == 0

    def test_of_another_book_stays(self, database: Database) -> None:
        with opened(database.app_url) as log, opened(database.app_url, "be") as other:
            other.submit([noting("a:1")])
            log.submit([noting("a:1"), noting("a:1")])
            assert (log.head()[0], other.head()[0]) == (2, 1)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE heads SET position = 0",
            "UPDATE heads SET recorded_at = recorded_at - '1 microsecond'::interval",
            "UPDATE heads SET room = 4",
            "UPDATE heads SET book = 'be'",
            "DELETE FROM heads",
            "TRUNCATE heads",
        ],
    )
    def test_never_goes_back_even_for_its_owner(
        self, database: Database, change: LiteralString
    ) -> None:
        with opened(database.app_url) as log:
            log.submit([noting("a:1")])
            head = log.head()
            with pytest.raises(psycopg.errors.RestrictViolation, match="only go forward"):
                as_owner(database.owner_url, change)
            assert log.head() == head

    def test_has_a_time_that_can_be_read(self, database: Database) -> None:
        with opened(database.app_url), pytest.raises(psycopg.errors.CheckViolation):
            as_owner(database.owner_url, "UPDATE heads SET recorded_at = 'infinity'")


def _refused_by_the_head(url: str, statement: LiteralString, values: tuple) -> None:
    with (
        psycopg.connect(url) as connection,
        pytest.raises(psycopg.errors.IntegrityConstraintViolation) as refused,
    ):
        connection.execute(statement, values)
    assert refused.value.diag.constraint_name == "facts_follow_the_head"
