"""The embedded server: started once for a home, shared, restarted, stopped by the last to leave."""

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool

from api.database import Database, as_application, home
from api.embedded import Embedded
from api.postgres import PostgresFailed
from api.reach import MAX_SOCKET_PATH, Account, Unreachable, account_for, can_reach
from migrations.runner import migrate
from tests.support.database import TestDatabase, new_server

ROOT = Path(__file__).parents[1]
NOBODY = Account(pwd.getpwnam("nobody").pw_uid, pwd.getpwnam("nobody").pw_gid)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as somebody else")


@pytest.fixture(scope="module")
def lone_server() -> Generator[Embedded]:
    """Run a server as it runs in production, for tests that only ask it."""
    with new_server(durable=True) as server:
        yield server


def setting(url: str, name: str) -> str:
    with psycopg.connect(url) as connection:
        (value,) = connection.execute("SELECT current_setting(%s)", (name,)).fetchone() or ("",)
    return value


def postmaster(server: Embedded) -> int:
    return int(server.cluster.pid_file()[0])


def kill(server: Embedded) -> None:
    """Kill the postmaster, and wait until it has let go of its connections."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        os.kill(postmaster(server), signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(60)")


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def wait_for(url: str) -> None:
    """Return once the server takes connections again, as a pool of ours would find out."""
    with ConnectionPool(url, min_size=1, open=True) as pool:
        pool.wait(30)


@contextmanager
def another_process(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that uses the home's server until it is told to leave, or killed."""
    script = (
        "import sys, pathlib, api.embedded\n"
        "with api.embedded.Embedded(pathlib.Path(sys.argv[1])) as server:\n"
        "    print(server.url(), flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(home)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class TestTheEmbeddedServer:
    """One server for a home: made once, its data kept, safe and out of the network's reach."""

    def test_keeps_its_data_from_one_start_to_the_next(self, obole_home: Path) -> None:
        with Embedded(obole_home) as first, psycopg.connect(first.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        with Embedded(obole_home) as second, psycopg.connect(second.url()) as connection:
            assert connection.execute("SELECT n FROM kept").fetchone() == (42,)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("fsync", "on"),
            ("full_page_writes", "on"),
            ("synchronous_commit", "on"),
            ("data_checksums", "on"),
            ("listen_addresses", ""),
            ("server_encoding", "UTF8"),
            ("idle_in_transaction_session_timeout", "1min"),
        ],
    )
    def test_runs_with(self, lone_server: Embedded, name: str, value: str) -> None:
        assert setting(lone_server.url(), name) == value

    def test_sorts_by_code_point(self, lone_server: Embedded) -> None:
        with psycopg.connect(lone_server.url()) as connection:
            words = connection.execute(
                "SELECT array_agg(word ORDER BY word) FROM unnest('{b,B,a,é}'::text[]) AS word"
            ).fetchone()
        assert words == (["B", "a", "b", "é"],)

    def test_makes_its_cluster_again_after_an_interrupted_attempt(self, obole_home: Path) -> None:
        draft = obole_home / "postgres" / "data.draft"
        draft.mkdir(parents=True)
        (draft / "PG_VERSION").write_text("18")
        with Embedded(obole_home) as server:
            assert answers(server.url())

    def test_has_a_short_socket_path_however_long_its_home(self, obole_home: Path) -> None:
        with Embedded(obole_home / ("long" * 25)) as server:
            folder = str(conninfo_to_dict(server.url())["host"])
            assert len(f"{folder}/.s.PGSQL.5432") <= MAX_SOCKET_PATH
            assert answers(server.url())

    def test_says_in_postgresqls_own_words_why_it_does_not_start(self, obole_home: Path) -> None:
        with Embedded(obole_home) as server:
            settings = server.cluster.data / "postgresql.conf"
        settings.write_text("no_such_setting = 1")
        with pytest.raises(PostgresFailed, match="no_such_setting"), Embedded(obole_home):
            pass

    def test_refuses_to_begin_anew_when_its_data_has_gone(self, obole_home: Path) -> None:
        obole_home.mkdir()
        (obole_home / "postgres").symlink_to(obole_home / "elsewhere")
        with pytest.raises(Unreachable, match="elsewhere"), Embedded(obole_home):
            pass


class TestSharing:
    """Whoever comes first starts the server, whoever leaves last stops it."""

    def test_goes_on_until_the_last_has_left(self, obole_home: Path) -> None:
        with Embedded(obole_home) as second:
            with Embedded(obole_home) as first:
                assert postmaster(first) == postmaster(second)
            assert answers(second.url())
        assert not answers(second.url())

    def test_outlives_the_process_that_started_it(self, obole_home: Path) -> None:
        with another_process(obole_home) as starter:
            assert starter.stdout
            url = starter.stdout.readline().strip()
            with Embedded(obole_home) as server:
                started = postmaster(server)
                starter.communicate()
                assert server.url() == url
                assert (answers(url), postmaster(server)) == (True, started)
            assert not answers(url)

    def test_is_taken_over_from_a_process_that_was_killed(self, obole_home: Path) -> None:
        with another_process(obole_home) as starter:
            assert starter.stdout
            starter.stdout.readline()
            starter.kill()
            starter.wait()
            with Embedded(obole_home) as server:
                assert answers(server.url())
            assert not answers(server.url())

    def test_raced_by_many_starts_one(self, obole_home: Path) -> None:
        def pid(_: int) -> int:
            with Embedded(obole_home) as server:
                together.wait(30)
                return postmaster(server)

        together = Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(pid, range(4)))) == 1


class TestAfterACrash:
    """A server that dies is back by itself, under the same address, with all it acknowledged."""

    def test_is_back_with_what_it_acknowledged(self, obole_home: Path) -> None:
        with Embedded(obole_home) as server:
            with psycopg.connect(server.url()) as connection:
                connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
            kill(server)
            wait_for(server.url())
            with psycopg.connect(server.url()) as connection:
                assert connection.execute("SELECT n FROM kept").fetchone() == (42,)

    def test_starts_although_somebody_else_has_its_old_pid(self, obole_home: Path) -> None:
        with another_process(obole_home) as starter:
            assert starter.stdout
            url = starter.stdout.readline().strip()
            starter.kill()
            starter.wait()
            pid_file = (obole_home / "postgres").resolve() / "data" / "postmaster.pid"
            pid, *rest = pid_file.read_text().splitlines()
            with psycopg.connect(url, autocommit=True) as connection:
                os.kill(int(pid), signal.SIGKILL)
                with pytest.raises(psycopg.OperationalError):
                    connection.execute("SELECT pg_sleep(60)")
            account = account_for(pid_file.parents[1])
            with subprocess.Popen(
                ["cat"],  # noqa: S607 - any program that waits
                stdin=subprocess.PIPE,
                user=account.uid if account else None,
            ) as neighbour:
                pid_file.write_text("\n".join((str(neighbour.pid), *rest)))
                with Embedded(obole_home) as server:
                    assert answers(server.url())

    def test_stays_away_as_long_as_asked(self, lone_server: Embedded) -> None:
        with lone_server.away():
            assert not answers(lone_server.url())
        assert answers(lone_server.url())


class TestUnderRoot:
    """PostgreSQL refuses root, so `nobody` runs it; no folder of ours is opened wider for that."""

    @as_root
    def test_nobody_owns_the_data_and_nothing_above_it(self, obole_home: Path) -> None:
        with Embedded(obole_home) as server:
            assert server.cluster.data.stat().st_uid == NOBODY.uid
            assert [path.stat().st_uid for path in (obole_home, obole_home / "postgres")] == [0, 0]

    @as_root
    def test_a_closed_folder_stays_closed_and_its_data_is_elsewhere(self, obole_home: Path) -> None:
        obole_home.parent.chmod(0o700)
        with Embedded(obole_home) as server:
            assert answers(server.url())
            assert obole_home not in server.cluster.data.parents
            assert (obole_home / "postgres").readlink() == server.cluster.folder
        assert obole_home.parent.stat().st_mode & 0o777 == 0o700

    def test_sees_which_folders_nobody_can_enter(self, obole_home: Path) -> None:
        obole_home.mkdir(mode=0o700)
        assert not can_reach(NOBODY, obole_home)
        obole_home.chmod(0o711)
        assert can_reach(NOBODY, obole_home)
        obole_home.parent.chmod(0o700)
        assert not can_reach(NOBODY, obole_home)


class TestTheDatabase:
    """Where the environment says, or embedded; the application's sessions act as obole_app."""

    def test_is_embedded_in_the_home_without_a_url(self, obole_home: Path) -> None:
        with Database.open({"OBOLE_HOME": str(obole_home)}) as database:
            migrate(database.owner_url)
            assert setting(database.app_url, "role") in {"none", "obole_app"}
            with (
                psycopg.connect(database.app_url) as connection,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                connection.execute("DELETE FROM facts")
        assert (obole_home / "postgres" / "data").exists()

    def test_is_the_one_that_the_environment_names(self, database: TestDatabase) -> None:
        with Database.open({"OBOLE_DATABASE_URL": database.owner_url}) as opened:
            assert setting(opened.app_url, "role") == "obole_app"
            assert setting(opened.owner_url, "role") == "none"
            with psycopg.connect(opened.app_url) as connection:
                assert connection.info.dbname == database.name

    def test_lets_migrations_log_in_by_another_address(self) -> None:
        environ = {"OBOLE_DATABASE_URL": "dbname=a", "OBOLE_OWNER_DATABASE_URL": "dbname=a user=b"}
        with Database.open(environ) as opened:
            assert opened.owner_url == "dbname=a user=b"

    def test_keeps_the_options_of_an_address(self) -> None:
        options = conninfo_to_dict(as_application("postgresql:///a?options=-c%20jit%3Doff"))[
            "options"
        ]
        assert options == "-c jit=off -c role=obole_app"

    def test_has_its_home_in_the_current_folder_unless_told(self) -> None:
        assert home({}) == Path(".obole")
        assert home({"OBOLE_HOME": "elsewhere"}) == Path("elsewhere")
