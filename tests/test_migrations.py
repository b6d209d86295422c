"""The schema: its chain of migrations, and what every table of it must hold to."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from migrations.runner import (
    ChainBroken,
    DatabaseTooNew,
    MigrationEdited,
    chain,
    migrate,
    status,
)
from tests.support.database import TestDatabase


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
