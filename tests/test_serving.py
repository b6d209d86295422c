"""`obole api`, `obole work` and `obole serve` as processes: they start, wait, recover and end."""

import os
import re
import signal
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from migrations.runner import migrate
from projections import positions
from projections.known import PROJECTIONS
from projections.reading import wait_for
from tests.support import sold
from tests.support.cli import CATALOGUE, ROOT, Obole, Sms, obole_at
from tests.support.database import TestDatabase, new_server, remove
from tests.support.running import PATIENCE_SECONDS, Running

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
ENDINGS = [signal.SIGINT, signal.SIGTERM]
OPENED = 2
"""Facts in a book that was opened: that it was, and under which rules."""
SECRET = re.compile(r"obole_[0-9a-f]{16}_")


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


@pytest.fixture
def stoppable() -> Generator[TestDatabase]:
    """Give a migrated database on a server of the test's own, which may be away."""
    with new_server(durable=True) as server:
        migrate(server.url())
        yield TestDatabase(server, "obole")


@pytest.fixture
def lone(stoppable: TestDatabase, tmp_path: Path) -> Obole:
    """Give the program with that database."""
    return obole_at(stoppable, tmp_path)


@pytest.fixture
def home() -> Generator[Path]:
    """Give a folder for an embedded server, which its account may enter."""
    folder = Path(tempfile.mkdtemp(prefix="obole-serve-"))
    folder.chmod(0o711)
    yield folder
    remove(folder)


def furnish(obole: Obole) -> str:
    """Open the book and load the catalogue; gives a gateway's key."""
    assert obole("book", "open", "fr").status == 0
    assert obole("catalogue", "load", str(CATALOGUE)).status == 0
    asked = ("--role", "gateway", "--label", "kannel", "--only", "kannel-fr")
    return obole("key", "issue", *asked, "--json").json["key"]


def mo(key: str, name: str) -> str:
    """Write the request for a message's answer."""
    asked = {"key": key, "id": name, "smsc": "orange-fr", "from": "33000100001", "to": "81014"}
    return f"/v1/books/fr/kannel/kannel-fr/mo?{urlencode(asked | {'text': 'JEU'})}"


def head(database: TestDatabase) -> int:
    with connect(database.app_url) as connection:
        return PostgresLog(connection, "fr").head()[0]


def all_projected(database: TestDatabase) -> None:
    """Wait until every projection is where the book is now."""
    to = head(database)
    with connect(database.app_url) as connection:
        for projection in PROJECTIONS:
            wait_for(connection, "fr", projection.name, to, PATIENCE_SECONDS)


class TestApi:
    """The API alone."""

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_serves_until_it_is_asked_to_end(self, ending: signal.Signals, obole: Obole) -> None:
        key = furnish(obole)
        with Running(obole, "api", "--port", "0") as api:
            assert api.serves().get_until("/readyz").json["status"] == "ready"
            assert api.get(mo(key, "one")).status == 200
            assert api.stop(ending) == 0
        assert "stopped serving" in api.output

    def test_writes_no_key_and_no_number_to_its_log(self, obole: Obole) -> None:
        key = furnish(obole)
        with Running(obole, "api", "--port", "0") as api:
            api.serves().get_until("/readyz")
            api.get(mo(key, "one"))
            api.get(mo(key, "one").replace("text=JEU", "text=LOGO"))
            api.get(mo("obole_wrong", "two"))
            api.get(mo(key, "three").replace("kannel-fr", "nobody"))
            api.stop(signal.SIGTERM)
        assert not SECRET.search(api.output)
        for secret in (key, "obole_wrong", "33000100001", "LOGO"):
            assert secret not in api.output

    def test_answers_503_while_the_database_is_away_and_recovers(
        self, lone: Obole, stoppable: TestDatabase
    ) -> None:
        key = furnish(lone)
        with Running(lone, "api", "--port", "0") as api:
            api.serves().get_until("/readyz")
            assert api.get(mo(key, "before")).status == 200
            with stoppable.server.away():
                assert api.get(mo(key, "during")).status == 503
                assert api.get("/readyz").status == 503
                assert api.get("/livez").status == 200
            assert "Quiz" in api.get_until(mo(key, "during")).body
            assert "Quiz" in api.get(mo(key, "before")).body
            assert api.stop(signal.SIGTERM) == 0
        # A key; then four facts of each message, once, and that a notice is due: two times 3.00
        # go over 5.00.
        assert head(stoppable) == OPENED + sold.FACTS + 1 + 2 * 4 + 1

    def test_waits_for_a_database_that_is_away_when_it_starts(
        self, lone: Obole, stoppable: TestDatabase
    ) -> None:
        furnish(lone)
        with stoppable.server.away():
            starting = Running(lone, "api", "--port", "0")
            starting.says("the database is away, trying again")
        with starting as api:
            assert api.serves().get_until("/readyz").status == 200
            assert api.stop(signal.SIGINT) == 0

    @pytest.mark.parametrize("command", ["api", "serve"])
    def test_is_refused_under_rules_that_the_book_did_not_adopt(
        self, obole: Obole, database: TestDatabase, tmp_path: Path, command: str
    ) -> None:
        assert obole("book", "open", "fr").status == 0
        text = (ROOT / "settings/fr.toml").read_text()
        (tmp_path / "fr.toml").write_text(text.replace("after_hours = 72", "after_hours = 48"))
        other = Obole({**obole.environ, "OBOLE_SETTINGS": str(tmp_path)})
        done = other.run(command, "--port", "0")
        assert done.status == 1
        assert "in unresolved_after_hours (adopted 72, loaded 48)." in done.err
        assert "`obole book open fr` adopts" in done.err
        assert "Traceback" not in done.err
        assert head(database) == 2

    def test_opens_no_book_beside_those_that_somebody_opened(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        assert obole("book", "open", "fr").status == 0
        with Running(obole, "api", "--port", "0") as api:
            assert "serving fr at" in api.says("serving fr")
            assert "never opened: be. `obole book open be` and a restart do" in api.output
            assert api.stop(signal.SIGTERM) == 0
        with connect(database.app_url) as connection:
            assert positions.books(connection) == ["fr"]

    def test_opens_all_books_of_the_settings_where_none_is_open(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        with Running(obole, "api", "--port", "0") as api:
            assert "serving be, fr at" in api.says("serving")
            assert api.stop(signal.SIGTERM) == 0
        with connect(database.app_url) as connection:
            assert positions.books(connection) == ["be", "fr"]

    def test_is_refused_on_a_port_that_is_taken(self, obole: Obole) -> None:
        with Running(obole, "api", "--port", "0") as api:
            api.serves()
            done = obole.run("api", "--port", str(api.port))
        assert done.status == 1
        assert "choose another --port" in done.err

    def test_is_refused_on_a_database_that_is_not_migrated(
        self, empty_database: TestDatabase, tmp_path: Path
    ) -> None:
        done = obole_at(empty_database, tmp_path).run("api", "--port", "0")
        assert done.status == 1
        assert "run `obole migrate` first" in done.err


class TestWork:
    """The worker, for as long as it runs."""

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_projects_what_comes_until_it_is_asked_to_end(
        self, ending: signal.Signals, obole: Obole, database: TestDatabase
    ) -> None:
        with Running(obole, "work") as worker:
            worker.says("working on be, fr")
            obole.trade(database, Sms("one", NOON, delivered=True))
            all_projected(database)
            obole.trade(database, Sms("two", NOON, delivered=True))
            all_projected(database)
            assert worker.stop(ending) == 0
        assert "stopped working" in worker.output

    def test_makes_overdue_charges_unresolved_once(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        # July is more than three days ago, so both are overdue at once.
        obole.trade(database, Sms("one", NOON), Sms("two", NOON))
        # On the day itself nothing is overdue; only their notice is sent.
        assert obole("work", "--once", "--now", NOON.isoformat()).status == 0
        before = head(database)
        with Running(obole, "work") as one, Running(obole, "work") as other:
            for worker in (one, other):
                worker.says(f"of {before + 2}")
            all_projected(database)
            assert [worker.stop(signal.SIGTERM) for worker in (one, other)] == [0, 0]
        assert head(database) == before + 2
        done = obole("work", "--once", "--json").json
        assert [one["unresolved"] for one in done] == [0, 0]

    def test_goes_on_after_the_database_was_away(
        self, lone: Obole, stoppable: TestDatabase
    ) -> None:
        lone.trade(stoppable, Sms("one", NOON))
        with Running(lone, "work") as worker:
            worker.says("projected to position")
            with stoppable.server.away():
                worker.says("the database is away")
            worker.says("the database is back")
            lone.trade(stoppable, Sms("two", NOON))
            all_projected(stoppable)
            assert worker.stop(signal.SIGTERM) == 0

    def test_ends_with_whoever_started_it(self, obole: Obole, database: TestDatabase) -> None:
        obole.trade(database)
        with Running(obole, "work", "--with-parent") as worker:
            worker.says("projected to position")
            assert worker.let_go() == 0


class TestServe:
    """Database, API and worker in one command."""

    def test_prints_addresses_and_keys_that_work_and_ends_on_ctrl_c(
        self, database: TestDatabase, home: Path
    ) -> None:
        environ = {**obole_at(database, home).environ, "OBOLE_HOME": str(home)}
        environ.pop("OBOLE_DATABASE_URL")
        obole = Obole(environ)
        with Running(obole, "serve", "--port", "0") as serve:
            serve.serves().says("openapi.json")
            assert f"the DEMONSTRATION catalogue was loaded ({sold.FACTS} facts)" in serve.output
            assert "FICTIONAL" in serve.output
            assert f"Everything is kept in the home {home}." in serve.output
            assert "notices and the like wait: no gateways.toml says" in serve.output
            keys = dict(re.findall(r"export ([A-Z]+)=(obole_\S+)", serve.output))
            assert list(keys) == ["GATEWAY", "MERCHANT", "FINANCE", "REGULATOR", "ADMIN"]
            assert "Quiz" in serve.get_until(mo(keys["GATEWAY"], "one")).body
            statement = "/v1/books/fr/merchants/ludotel/statements/{}?at_least={}"
            answered = OPENED + sold.FACTS + len(keys) + 4
            month = re.search(r"statements/(\d{4}-\d{2})", serve.output)
            assert month
            asked = statement.format(month[1], answered)
            totals = serve.get_until(asked, keys["MERCHANT"]).json["totals"]
            assert totals[0]["states"]["pending"] == {
                "charges": 1,
                "share": {"amount": "1.00", "currency": "EUR"},
            }
            assert serve.get("/v1/books/fr/trial-balance", keys["FINANCE"]).status == 200
            belgian = dict(re.findall(r"export ([A-Z]+)_BE=(obole_\S+)", serve.output))
            assert list(belgian) == list(keys)
            assert serve.get("/v1/books/be/trial-balance", belgian["FINANCE"]).status == 200
            assert serve.get("/v1/books/be/trial-balance", keys["FINANCE"]).status == 404
            for book in ("fr", "be"):
                assert "charge_captured.v1" in tried(serve, book)
            assert serve.stop(signal.SIGINT) == 0
        assert not (home / "postgres/data/postmaster.pid").exists()
        with Running(obole, "serve", "--port", "0", "--no-keys") as again:
            again.serves().says("openapi.json")
            assert "It was here before" in again.output
            assert not SECRET.search(again.output)
            assert again.stop(signal.SIGTERM) == 0

    def test_leaves_a_new_book_empty_if_asked(self, obole: Obole) -> None:
        with Running(obole, "serve", "--port", "0", "--empty") as serve:
            serve.serves().says("openapi.json")
            assert "sells nothing yet" in serve.output
            assert "MERCHANT" not in serve.output
            assert serve.stop(signal.SIGTERM) == 0

    def test_starts_a_worker_again_that_was_killed(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        with Running(obole, "serve", "--port", "0") as serve:
            serve.serves().says("projected to position")
            (worker,) = children(serve.pid)
            os.kill(worker, signal.SIGKILL)
            serve.says("the worker has ended with status -9")
            obole.trade(database, Sms("one", NOON))
            all_projected(database)
            assert serve.stop(signal.SIGTERM) == 0

    def test_takes_its_worker_along_when_it_is_killed(self, obole: Obole) -> None:
        with Running(obole, "serve", "--port", "0") as serve:
            serve.serves().says("projected to position")
            # What both write to has an end only once both have ended.
            assert serve.stop(signal.SIGKILL) == -signal.SIGKILL


def tried(serve: Running, book: str) -> str:
    """Ask all that is proposed for a book, in its order; gives the last answer, the story."""
    keys = dict(re.findall(r"export (\w+)=(obole_\S+)", serve.output))
    lines = [line for line in serve.lines if "curl" in line and f"/books/{book}/" in line]
    assert len(lines) == 5
    told = ""
    for line in lines:
        asked = re.sub(r"\$(\w+)", lambda name: keys[name[1]], line)
        path = re.search(r"http://[^/]+(/[^\"]+)", asked)
        bearer = re.search(r"Bearer ([^\"]+)", asked)
        assert path
        told = serve.get_until(path[1], bearer[1] if bearer else "").body
    return told


def children(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
