"""`obole migrate`, `obole book open`, `obole rules show`, and what any command refuses."""

import os
from pathlib import Path

import pytest

from ledger.facts.book import BookOpened, RulesAdopted
from ledger.facts.registry import REGISTRY
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.vault import FileMasterKey
from migrations.runner import chain
from projections import positions
from tests.support.cli import ROOT, Obole, obole_at
from tests.support.database import TestDatabase

SETTINGS = (ROOT / "settings/fr.toml").read_text()


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


def facts(database: TestDatabase) -> list[object]:
    """Read the whole book."""
    with connect(database.app_url) as connection:
        return [REGISTRY.decode(row).fact for row in PostgresLog(connection, "fr").follow(0, 1000)]


def with_settings(obole: Obole, folder: Path, text: str) -> Obole:
    """Give the program with other settings of the book."""
    settings = folder / "settings"
    settings.mkdir()
    (settings / "fr.toml").write_text(text)
    return Obole({**obole.environ, "OBOLE_SETTINGS": str(settings)})


class TestMigrate:
    """The database brought to the schema of this code."""

    def test_applies_the_whole_chain_and_then_nothing(
        self, empty_database: TestDatabase, tmp_path: Path
    ) -> None:
        obole = obole_at(empty_database, tmp_path)
        files = [migration.file for migration in chain()]
        assert obole("migrate", "--json").json == {"applied": files, "total": len(files)}
        again = obole("migrate")
        assert again.status == 0
        assert again.out == f"the database is at migration {len(files)}: nothing to do\n"

    def test_is_asked_for_by_every_command_that_needs_it(
        self, empty_database: TestDatabase, tmp_path: Path
    ) -> None:
        done = obole_at(empty_database, tmp_path)("status")
        assert done.status == 1
        assert "the database lacks 0001_log.sql" in done.err
        assert "run `obole migrate` first" in done.err


class TestOpenBook:
    """A book opened, and its rules adopted."""

    def test_records_the_opening_and_the_rules(self, obole: Obole, database: TestDatabase) -> None:
        assert obole("book", "open", "fr").status == 0
        opened, adopted = facts(database)
        assert isinstance(opened, BookOpened)
        assert isinstance(adopted, RulesAdopted)
        assert (opened.currency, opened.zone) == ("EUR", "Europe/Paris")

    def test_twice_changes_nothing(self, obole: Obole, database: TestDatabase) -> None:
        first = obole("book", "open", "fr", "--json").json
        assert obole("book", "open", "fr", "--json").json == first
        assert len(facts(database)) == 2

    def test_adopts_settings_that_have_changed(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole("book", "open", "fr")
        text = SETTINGS.replace("unresolved_after_hours = 72", "unresolved_after_hours = 48")
        done = with_settings(obole, tmp_path, text)("book", "open", "fr", "--json")
        assert done.json["position"] == 3
        assert facts(database)[2].settings["unresolved_after_hours"] == 48

    def test_names_every_setting_that_is_missing(self, obole: Obole, tmp_path: Path) -> None:
        missing = ("free_billing_code", "keyword_rest_days")
        text = "".join(
            line for line in SETTINGS.splitlines(keepends=True) if not line.startswith(missing)
        )
        done = with_settings(obole, tmp_path, text)("book", "open", "fr")
        assert done.status == 1
        assert "is refused, 2 problems" in done.err
        assert all(name in done.err for name in missing)

    def test_is_refused_without_settings(self, obole: Obole) -> None:
        done = obole("book", "open", "gb")
        assert (done.status, done.out) == (1, "")
        assert "no settings of the book 'gb'; there are: be, fr" in done.err

    def test_draws_no_new_master_key_where_keys_are_kept(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        obole("book", "open", "fr")
        other = Obole({**obole.environ, "OBOLE_HOME": str(tmp_path / "elsewhere")})
        done = other("book", "open", "fr")
        assert done.status == 1
        assert f"{tmp_path}/elsewhere/master.key is missing" in done.err
        assert not (tmp_path / "elsewhere" / "master.key").exists()

    def test_warns_of_a_master_key_that_others_can_read(
        self, obole: Obole, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        obole("book", "open", "fr")
        key = tmp_path / "home" / "master.key"
        caplog.clear()
        obole("book", "open", "fr")
        assert "MASTER KEY" not in caplog.text
        key.chmod(0o640)
        assert obole("book", "open", "fr").status == 0
        assert f"chmod 600 {key}" in caplog.text

    def test_makes_nothing_under_a_master_key_that_opens_not_every_book(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole("book", "open", "fr")
        FileMasterKey.create(tmp_path / "elsewhere" / "master.key")
        settings = tmp_path / "settings"
        settings.mkdir()
        (settings / "aa.toml").write_text(SETTINGS)
        other = Obole(
            obole.environ
            | {"OBOLE_HOME": str(tmp_path / "elsewhere"), "OBOLE_SETTINGS": str(settings)}
        )
        done = other("book", "open", "aa")
        assert done.status == 1
        assert f"{tmp_path}/elsewhere/master.key is not the one of this database" in done.err
        with connect(database.app_url) as connection:
            assert positions.books(connection) == ["fr"]

    def test_is_refused_under_another_master_key(self, obole: Obole, tmp_path: Path) -> None:
        obole("book", "open", "fr")
        other = Obole({**obole.environ, "OBOLE_HOME": str(tmp_path / "elsewhere")})
        FileMasterKey.create(tmp_path / "elsewhere" / "master.key")
        done = other("book", "open", "fr")
        assert done.status == 1
        assert "not the master key that the book was opened with" in done.err


class TestRulesShow:
    """The rules in force on a day."""

    def test_gives_the_rules_of_that_day(self, obole: Obole) -> None:
        def words(day: str) -> list[str]:
            rules = obole("rules", "show", "fr", "--at", day, "--json").json["rules"]
            return [one["value"] for one in rules if one["rule"] == "service word contact"]

        assert words("2026-11-22") == ["CONTACT (mandatory)"]
        assert words("2012-02-29") == []  # the rule is in force from 1 March 2012 on

    def test_names_the_source_of_each_rule(self, obole: Obole) -> None:
        done = obole("rules", "show", "fr", "--at", "2026-11-22")
        assert done.status == 0
        assert "Rules of fr in force on 2026-11-22" in done.out
        assert "[1] Allopass, developer documentation" in done.out
        assert "set by us [" in done.out

    def test_of_a_country_without_settings_says_what_has_to_be_set(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        folder = tmp_path / "none"
        folder.mkdir()
        bare = Obole({**obole.environ, "OBOLE_SETTINGS": str(folder)})
        rules = bare("rules", "show", "fr", "--json").json["rules"]
        assert [one for one in rules if one["confidence"] == "not set"]

    def test_of_no_day_is_wrong_usage(self, obole: Obole) -> None:
        done = obole("rules", "show", "fr", "--at", "yesterday")
        assert done.status == 2
        assert "'yesterday' is no day such as" in done.err

    def test_of_an_unknown_country_is_refused(self, obole: Obole) -> None:
        assert obole("rules", "show", "zz").status == 1


class TestProgram:
    """What holds for every command, seen from outside."""

    def test_is_installed_and_lists_its_commands(self, obole: Obole) -> None:
        done = obole.run("--help")
        assert done.status == 0
        for command in ("migrate", "book", "catalogue", "key", "work", "serve", "demo", "bench"):
            assert f"│ {command}" in done.out

    def test_tells_a_refusal_without_a_traceback(self, obole: Obole) -> None:
        done = obole.run("status", "--book", "fr")
        assert done.status == 1
        assert done.err.startswith("obole: the book 'fr' is not open")
        assert "Traceback" not in done.err

    def test_says_that_the_database_is_away(self, obole: Obole) -> None:
        nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
        done = Obole({**obole.environ, "OBOLE_DATABASE_URL": nowhere}).run("status")
        assert done.status == 1
        assert "the database is away" in done.err
        assert "Traceback" not in done.err

    @pytest.mark.parametrize(
        "command", [("status",), ("payouts", "2026-08"), ("work", "--once"), ("findings", "list")]
    )
    def test_makes_no_ledger_where_one_is_only_asked(
        self, tmp_path: Path, command: tuple[str, ...]
    ) -> None:
        home = tmp_path / "elsewhere"
        environ = {"OBOLE_HOME": str(home), "OBOLE_SETTINGS": str(ROOT / "settings")}
        done = Obole({"PATH": os.environ["PATH"], **environ})(*command)
        assert done.status == 1
        assert f"obole: there is no ledger in the home {home}. One made elsewhere" in done.err
        assert "`obole migrate` makes a new one here" in done.err
        assert not home.exists()

    def test_names_the_folder_in_which_no_settings_are(self, obole: Obole, tmp_path: Path) -> None:
        empty = tmp_path / "none"
        empty.mkdir()
        done = Obole({**obole.environ, "OBOLE_SETTINGS": str(empty)})("work", "--once")
        assert f"no settings of any book in {empty}: one file for each" in done.err

    def test_that_is_misspelt_is_wrong_usage(self, obole: Obole) -> None:
        assert obole("statsu").status == 2
