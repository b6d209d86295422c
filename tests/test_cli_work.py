"""`obole work`, `status`, `unpark`, `rebuild`: what is derived, kept up and checked."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
import pytest

from api.books import load_rules
from api.worker import age
from ledger.facts.charges import ChargeUnresolved
from ledger.facts.registry import REGISTRY
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from projections.charges.read import waiting
from projections.known import PROJECTIONS
from projections.reading import answer
from tests.support.cli import Obole, Sms, obole_at
from tests.support.database import TestDatabase

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
DUE = NOON + timedelta(hours=72)  # settings/fr.toml: unresolved_after_hours = 72
LISTS = ("unresolved", "renewals", "expired", "notices", "pushed", "in_doubt")
NAMES = sorted(projection.name for projection in PROJECTIONS)


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


def french(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Give what was done in the French book; the other one stands beside it, empty."""
    (found,) = [one for one in done if one["book"] == "fr"]
    return found


def unresolved(database: TestDatabase) -> list[ChargeUnresolved]:
    """Read the charges that became unresolved."""
    with connect(database.app_url) as connection:
        rows = PostgresLog(connection, "fr").follow(0, 10_000)
    facts = [REGISTRY.decode(row).fact for row in rows]
    return [fact for fact in facts if isinstance(fact, ChargeUnresolved)]


def tampered(database: TestDatabase) -> None:
    """Change one amount behind the ledger's back."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        done = connection.execute("UPDATE balances SET debit = debit + 1 WHERE debit > 0")
        assert done.rowcount == 1


class TestWorkOnce:
    """One turn of the worker."""

    def test_projects_everything_and_then_nothing(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        obole.trade(database, Sms("one", NOON, delivered=True))
        head = obole("status", "--json").json["head"]
        first = obole("work", "--once", "--now", "2026-07-01T12:00:00Z", "--json").json
        done = {"book": "fr", "projected": head, **dict.fromkeys(LISTS, 0), "parked": []}
        assert french(first) == done
        again = obole("work", "--once", "--now", "2026-07-01T12:00:00Z")
        assert "fr: 0 facts projected, 0 charges became unresolved\n" in again.out

    def test_makes_an_overdue_charge_unresolved_exactly_once(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        obole.trade(
            database,
            Sms("lost", NOON),
            Sms("answered", NOON, delivered=True),
            Sms("younger", NOON + timedelta(seconds=1)),
        )

        def work(at: datetime) -> int:
            done = obole("work", "--once", "--now", at.isoformat(), "--json")
            return french(done.json)["unresolved"]

        assert work(DUE - timedelta(seconds=1)) == 0
        assert work(DUE) == 1
        assert work(DUE) == 0
        # The younger one falls due a second later, and each becomes so when its delay ran out.
        assert work(DUE + timedelta(days=9)) == 1
        assert work(DUE + timedelta(days=9)) == 0
        assert [one.occurred_at for one in unresolved(database)] == [
            DUE,
            DUE + timedelta(seconds=1),
        ]

    def test_beside_another_worker_makes_it_unresolved_once(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        obole.trade(database, *(Sms(f"lost-{number}", NOON) for number in range(20)))
        obole("work", "--once", "--now", NOON.isoformat())
        with patch.dict(os.environ, obole.environ, clear=True):
            rules = load_rules()["fr"]

        async def together() -> list[int]:
            one = (database.app_url, "fr", rules, DUE)
            return await asyncio.gather(age(*one), age(*one), age(*one))

        # All three read the same list, whose projection nobody moves meanwhile.
        assert sum(asyncio.run(together())) == 20
        assert len({one.ref.charge for one in unresolved(database)}) == 20
        assert len(unresolved(database)) == 20

    def test_proposes_more_than_one_page(self, obole: Obole, database: TestDatabase) -> None:
        obole.trade(database, *(Sms(f"lost-{number}", NOON) for number in range(5)))
        obole("work", "--once", "--now", NOON.isoformat())
        with patch.dict(os.environ, obole.environ, clear=True):
            rules = load_rules()["fr"]
        with patch("api.scheduler.PAGE", 2):
            assert asyncio.run(age(database.app_url, "fr", rules, DUE)) == 5
        obole("work", "--once", "--now", DUE.isoformat())
        with connect(database.app_url) as connection:
            assert answer(connection, "fr", waiting(DUE, 10)).value == []

    def test_is_refused_before_any_book_is_open(self, obole: Obole) -> None:
        done = obole("work", "--once")
        assert done.status == 1
        assert "none of the books is open yet: be, fr" in done.err

    def test_takes_another_clock_only_for_one_turn(self, obole: Obole) -> None:
        assert obole("work", "--now", "2026-07-01T12:00:00Z").status == 2
        assert obole("work", "--once", "--now", "2026-07-01 12:00").status == 2
        assert obole("work", "--once", "--now", "soon").status == 2


class TestGateways:
    """What is pushed to whom."""

    def test_are_told_when_their_file_is_wrong(self, obole: Obole, tmp_path: Path) -> None:
        file = tmp_path / "gateways.toml"
        file.write_text('[fr.kannel-fr]\nurl = "nowhere"\npassword = 5\n')
        named = Obole(dict(obole.environ) | {"OBOLE_GATEWAYS": str(file)})
        for arguments in (("work", "--once"), ("work",), ("serve", "--port", "0")):
            done = named(*arguments)
            assert done.status == 1
            assert "line 2: fr.kannel-fr.url: must be an http or https address" in done.err
            assert "line 3: fr.kannel-fr.password: must be text in quotes" in done.err

    def test_that_no_book_declared_are_named_with_those_that_are(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        file = tmp_path / "gateways.toml"
        file.touch(0o600)
        file.write_text(reached("kanel-fr"))
        named = Obole(dict(obole.environ) | {"OBOLE_GATEWAYS": str(file)})
        obole("book", "open", "fr")
        assert named("work", "--once").status == 0  # nothing is declared yet
        obole.trade(database)
        for arguments in (("work", "--once"), ("work",), ("serve", "--port", "0")):
            done = named(*arguments)
            assert done.status == 1
            told = "line 1: fr.kanel-fr: the book fr has declared kannel-fr alone"
            assert f"{file} is refused, 1 problem:\n  {told}" in done.err
        file.write_text(reached("kannel-fr"))
        assert named("work", "--once").status == 0

    @pytest.mark.parametrize("workers", [(), ("--workers", "2")])
    def test_that_a_new_book_has_not_declared_are_named_once_it_is_furnished(
        self, obole: Obole, tmp_path: Path, workers: tuple[str, ...]
    ) -> None:
        file = tmp_path / "gateways.toml"
        file.touch(0o600)
        file.write_text(reached("kanel-fr"))
        named = Obole(dict(obole.environ) | {"OBOLE_GATEWAYS": str(file)})
        first = named.run("serve", "--port", "0", *workers)
        assert first.status == 1
        assert "the DEMONSTRATION catalogue was loaded" in first.out
        assert "export" not in first.out  # nobody is given a key to what is not served
        second = named.run("serve", "--port", "0", *workers)
        assert second.status == 1
        assert "line 1: fr.kanel-fr: the book fr has declared kannel-fr alone" in second.err
        assert first.err.endswith(second.err)

    def test_of_a_book_that_nobody_opened_keep_no_other_waiting(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        file = tmp_path / "gateways.toml"
        file.touch(0o600)
        file.write_text(reached("kannel-fr"))
        obole("book", "open", "be")
        named = Obole(dict(obole.environ) | {"OBOLE_GATEWAYS": str(file)})
        assert named("work", "--once").status == 0


def reached(gateway: str) -> str:
    """Write how one gateway of the French book is reached."""
    return f"""[fr.{gateway}]
url = "http://127.0.0.1:1/cgi-bin/sendsms"
username = "obole"
password = "s3cret"
receipt_key = "k-ey"
public_url = "http://127.0.0.1:8000"
"""


class TestMasterKey:
    """What opens the texts that are pushed."""

    def test_is_missed_before_anything_is_done(self, obole: Obole, database: TestDatabase) -> None:
        obole.trade(database, Sms("one", NOON))
        (Path(obole.environ["OBOLE_HOME"]) / "master.key").unlink()
        for arguments in (("work", "--once"), ("work",)):
            done = obole(*arguments)
            assert done.status == 1
            assert "master.key is missing" in done.err


class TestStatus:
    """How far everything is."""

    def test_counts_what_is_on_its_way(
        self, obole: Obole, database: TestDatabase, tmp_path: Path
    ) -> None:
        obole.trade(database, Sms("one", NOON), Sms("two", NOON))
        assert obole("status", "--json").json["outbox"] == {}
        # Twice 3.00 is above 5.00, so that a notice is due; nobody says how it is pushed.
        done = obole("work", "--once", "--now", NOON.isoformat())
        assert "0 charges became unresolved, 1 notice decided\n" in done.out
        assert obole("status", "--json").json["outbox"] == {"waiting": 1, "written": 1}
        told = "Outbox: 1 notice written, 1 message waiting\n"
        why = "no gateways.toml says how gateways are reached, so nothing is pushed to them"
        assert obole("status").out.endswith(f"{told}  {why}\n")
        reached = tmp_path / "gateways.toml"
        reached.touch(0o600)
        known = Obole(dict(obole.environ) | {"OBOLE_GATEWAYS": str(reached)})
        assert known("status").out.endswith(told)

    def test_adds_up(self, obole: Obole, database: TestDatabase) -> None:
        obole.trade(database, Sms("one", NOON))
        assert "No projection has run yet" in obole("status").out
        obole("work", "--once", "--now", NOON.isoformat())
        obole.trade(database, Sms("two", NOON))
        report = obole("status", "--json").json
        assert [one["projection"] for one in report["projections"]] == NAMES
        for one in report["projections"]:
            # MO, match, charge, MT and notice of the second message are what is pending.
            assert one["pending"] == 5
            assert one["accepted"] == report["head"]
            assert one["accepted"] == one["projected"] + one["parked"] + one["pending"]
            assert one["lag_seconds"] > 0

    def test_shows_a_parked_projection_with_its_error(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        parked(obole, database)
        shown = obole("status").out
        assert "balances is parked at" in shown
        assert "NumericValueOutOfRange" in shown
        assert "obole unpark balances --book fr" in shown


def parked(obole: Obole, database: TestDatabase) -> None:
    """Let balances stumble over a captured charge, by a rule that no balance can keep."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE balances ALTER COLUMN debit TYPE numeric(3, 0)")
    obole.trade(database, Sms("one", NOON, delivered=True))
    done = obole("work", "--once", "--now", NOON.isoformat(), "--json").json
    assert len(french(done)["parked"]) == 1


class TestUnpark:
    """A projection that may try again."""

    def test_goes_on_once_the_cause_is_mended(self, obole: Obole, database: TestDatabase) -> None:
        parked(obole, database)
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            connection.execute("ALTER TABLE balances ALTER COLUMN debit TYPE numeric")
        assert obole("unpark", "balances").status == 0
        obole("work", "--once", "--now", NOON.isoformat())
        balances = obole("status", "--json").json["projections"][0]
        assert (balances["parked"], balances["pending"]) == (0, 0)
        assert obole("rebuild", "balances", "--check").status == 0

    def test_of_one_that_is_not_parked_is_refused(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        obole.trade(database)
        done = obole("unpark", "balances")
        assert done.status == 1
        assert "is not parked" in done.err


class TestRebuild:
    """A projection built anew."""

    @pytest.mark.parametrize("name", NAMES)
    def test_equals_the_one_in_use(self, name: str, obole: Obole, database: TestDatabase) -> None:
        obole.trade(database, Sms("one", NOON, delivered=True), Sms("two", NOON))
        obole("work", "--once", "--now", DUE.isoformat())
        head = obole("status", "--json").json["head"]
        checked = obole("rebuild", name, "--check", "--json")
        assert checked.status == 0
        assert checked.json == {
            "book": "fr", "projection": name, "position": head, "differences": [],
        }  # fmt: skip

    def test_check_finds_one_changed_amount_and_rebuild_mends_it(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        obole.trade(database, Sms("one", NOON, delivered=True))
        obole("work", "--once", "--now", NOON.isoformat())
        tampered(database)
        checked = obole("rebuild", "balances", "--check")
        assert checked.status == 1
        assert "live only: " in checked.out
        assert "rebuilt only: " in checked.out
        assert obole("rebuild", "balances").status == 0
        assert obole("rebuild", "balances", "--check").status == 0

    def test_of_what_never_ran_can_be_made_but_not_checked(
        self, obole: Obole, database: TestDatabase
    ) -> None:
        obole.trade(database)
        assert "has never run" in obole("rebuild", "charges", "--check").err
        assert obole("rebuild", "charges").status == 0
        assert obole("rebuild", "charges", "--check").status == 0

    def test_of_an_unknown_name_is_wrong_usage(self, obole: Obole) -> None:
        done = obole("rebuild", "everything")
        assert done.status == 2
        assert "none of balances, merchant_accounts" in done.err
