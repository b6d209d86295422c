"""The schema: its chain of migrations, and what every table of it must hold to."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from api.postgres import find_programs
from migrations.runner import (
    ChainBroken,
    DatabaseTooNew,
    Migration,
    MigrationEdited,
    chain,
    migrate,
    status,
)
from migrations.schema import SCHEMA_FILE, render_schema
from tests.support.database import TestDatabase

# Partitions are left aside: what holds for the table they belong to holds for them.
PRIMARY_KEYS = """
    SELECT relation.relname, array_agg(attribute.attname ORDER BY key.place)
    FROM pg_constraint AS constraint_
    JOIN pg_class AS relation ON relation.oid = constraint_.conrelid
    CROSS JOIN unnest(constraint_.conkey) WITH ORDINALITY AS key (number, place)
    JOIN pg_attribute AS attribute
        ON attribute.attrelid = relation.oid AND attribute.attnum = key.number
    WHERE constraint_.contype = 'p' AND relation.relnamespace = 'public'::regnamespace
        AND NOT relation.relispartition
    GROUP BY relation.relname
"""
KEYLESS_TABLES = """
    SELECT relname FROM pg_class AS relation
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_constraint WHERE conrelid = relation.oid AND contype = 'p'
    )
"""
# Being NOT NULL is part of the column, and has a name of its own only since PostgreSQL 18.
CONSTRAINTS = """
    SELECT relation.relname, conname FROM pg_constraint
    JOIN pg_class AS relation ON relation.oid = conrelid
    WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conparentid = 0
"""
SILENT_TABLES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
        AND obj_description(oid, 'pg_class') IS NULL
"""


def ask(database: TestDatabase, query: LiteralString, *values: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.owner_url) as connection:
        return connection.execute(query, values or None).fetchall()


def is_sentence(table: str, name: str) -> bool:
    """Tell a sentence's name from one that PostgreSQL makes up of table, columns and kind."""
    default = name.startswith(f"{table}_") and name.endswith(("_pkey", "_key", "_check", "_fkey"))
    return not default and name.count("_") >= 2


def unnamed_checks(script: str) -> list[str]:
    """Give what stands before each CHECK that has no name of its own."""
    words = re.sub(r"--.*", "", script)
    return [
        before
        for before in re.findall(r"([^,;]*?)\bCHECK\s*\(", words, re.IGNORECASE)
        if not re.search(r"\bCONSTRAINT\s+\w+\s*$", before, re.IGNORECASE)
    ]


def write(folder: Path, **scripts: str) -> Path:
    for name, script in scripts.items():
        (folder / f"{name.removeprefix('m')}.sql").write_text(script)
    return folder


class TestMigrate:
    """Each file is applied once, whole, in order, or the run is refused."""

    def test_applies_the_whole_chain_to_an_empty_database(
        self, empty_database: TestDatabase
    ) -> None:
        assert migrate(empty_database.owner_url) == chain()
        assert not status(empty_database.app_url).pending

    def test_twice_changes_nothing(self, empty_database: TestDatabase) -> None:
        migrate(empty_database.owner_url)
        before = status(empty_database.owner_url)
        assert migrate(empty_database.owner_url) == []
        assert status(empty_database.owner_url) == before

    def test_raced_by_others_applies_each_migration_once(
        self, empty_database: TestDatabase
    ) -> None:
        with ThreadPoolExecutor(4) as pool:
            applied = list(pool.map(migrate, [empty_database.owner_url] * 4))
        assert sorted(map(len, applied)) == [0, 0, 0, len(chain())]

    def test_that_fails_leaves_nothing_of_its_file_and_all_of_those_before(
        self, empty_database: TestDatabase, tmp_path: Path
    ) -> None:
        write(
            tmp_path,
            m0001_one="CREATE TABLE one (n int)",
            m0002_two="CREATE TABLE two (n int); SELECT 1 / 0",
        )
        with pytest.raises(psycopg.errors.DivisionByZero):
            migrate(empty_database.owner_url, tmp_path)
        with psycopg.connect(empty_database.owner_url) as connection:
            tables = connection.execute("SELECT to_regclass('one'), to_regclass('two')").fetchone()
        assert tables == ("one", None)
        assert [row.number for row in status(empty_database.owner_url, tmp_path).applied] == [1]

    def test_refuses_an_edited_migration_by_name(
        self, empty_database: TestDatabase, tmp_path: Path
    ) -> None:
        migrate(empty_database.owner_url, write(tmp_path, m0001_one="SELECT 1"))
        write(tmp_path, m0001_one="SELECT 2", m0002_two="CREATE TABLE two (n int)")
        with pytest.raises(MigrationEdited, match=r"0001_one\.sql"):
            migrate(empty_database.owner_url, tmp_path)
        with psycopg.connect(empty_database.owner_url) as connection:
            assert connection.execute("SELECT to_regclass('two')").fetchone() == (None,)

    def test_refuses_a_database_of_newer_code(
        self, empty_database: TestDatabase, tmp_path: Path
    ) -> None:
        write(tmp_path, m0001_one="SELECT 1", m0002_two="SELECT 2")
        migrate(empty_database.owner_url, tmp_path)
        (tmp_path / "0002_two.sql").unlink()
        with pytest.raises(DatabaseTooNew, match=r"2 \(two\)"):
            migrate(empty_database.owner_url, tmp_path)

    @pytest.mark.parametrize(
        "names",
        [("0002_two",), ("0001_one", "0003_three"), ("0001_one", "0001_other"), ("001_one",)],
    )
    def test_refuses_a_chain_with_a_gap_or_a_double(
        self, names: tuple[str, ...], tmp_path: Path
    ) -> None:
        write(tmp_path, **dict.fromkeys((f"m{name}" for name in names), "SELECT 1"))
        with pytest.raises(ChainBroken, match=names[-1]):
            chain(tmp_path)

    def test_makes_tables_of_the_owner_role(self, database: TestDatabase) -> None:
        with psycopg.connect(database.owner_url) as connection:
            owners = connection.execute(
                "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
        assert owners == [("obole_owner",)]

    def test_works_for_a_login_that_is_no_superuser(self, lone_database: TestDatabase) -> None:
        server = lone_database.server
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE ROLE deployer LOGIN CREATEROLE CREATEDB")
            connection.execute("CREATE DATABASE deployed OWNER deployer")
            connection.execute("GRANT obole_owner, obole_app TO deployer WITH ADMIN OPTION")
        assert migrate(server.url("deployer", "deployed")) == chain()


class TestTheSchema:
    """What holds for every table, whoever adds one."""

    def test_is_written_down_in_schema_sql(self, empty_database: TestDatabase) -> None:
        migrate(empty_database.owner_url)
        rendered = render_schema(empty_database.owner_url, find_programs() / "bin/pg_dump")
        assert rendered == SCHEMA_FILE.read_text(), "run `make schema`"

    def test_begins_every_primary_key_with_book(self, database: TestDatabase) -> None:
        rows = ask(database, PRIMARY_KEYS)
        keys = {table: columns for table, columns in rows if table != "migrations"}
        assert keys
        assert {table: columns for table, columns in keys.items() if columns[0] != "book"} == {}

    def test_has_a_primary_key_on_every_table(self, database: TestDatabase) -> None:
        # Sightings follow from the facts, and are looked up by terms that several may share.
        assert ask(database, KEYLESS_TABLES) == [("sightings",)]

    def test_names_every_constraint_as_a_sentence(self, database: TestDatabase) -> None:
        names = ask(database, CONSTRAINTS)
        assert names
        assert [name for table, name in names if not is_sentence(table, name)] == []

    @pytest.mark.parametrize(
        "name", ["t_pkey", "t_n_check", "t_book_n_key", "t_book_fkey", "positive"]
    )
    def test_takes_no_default_name_for_a_sentence(self, name: str) -> None:
        assert not is_sentence("t", name)

    def test_comments_on_every_table(self, database: TestDatabase) -> None:
        assert ask(database, SILENT_TABLES) == []

    def test_keeps_the_application_from_the_past(self, database: TestDatabase) -> None:
        for privilege in ("UPDATE", "DELETE", "TRUNCATE"):
            assert ask(
                database, "SELECT has_table_privilege('obole_app', 'facts', %s)", privilege
            ) == [(False,)]

    def test_keeps_the_application_from_the_schema(self, database: TestDatabase) -> None:
        with (
            psycopg.connect(database.app_url) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("CREATE TABLE mine (n int)")

    @pytest.mark.parametrize("table", ["data_keys", "addresses", "pseudonym_keys"])
    def test_keeps_the_application_from_changing_keys(
        self, database: TestDatabase, table: str
    ) -> None:
        held = [
            privilege
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
            if ask(database, "SELECT has_table_privilege('obole_app', %s, %s)", table, privilege)
            == [(True,)]
        ]
        forgets = [] if table == "pseudonym_keys" else ["DELETE"]
        assert held == ["SELECT", "INSERT", *forgets]


class TestTheFiles:
    """What holds for every migration as text."""

    @pytest.mark.parametrize("migration", chain(), ids=lambda migration: migration.file)
    def test_names_every_check(self, migration: Migration) -> None:
        assert unnamed_checks(migration.script.decode()) == []

    @pytest.mark.parametrize("migration", chain(), ids=lambda migration: migration.file)
    def test_says_at_its_head_what_it_means(self, migration: Migration) -> None:
        assert migration.script.decode().startswith("-- ")

    @pytest.mark.parametrize(
        "script",
        ["CREATE TABLE t (n int CHECK (n > 0))", "CREATE TABLE t (n int, CHECK (n > 0))"],
    )
    def test_control_finds_an_unnamed_check(self, script: str) -> None:
        assert unnamed_checks(script)
