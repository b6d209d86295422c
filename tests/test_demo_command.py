"""`obole demo`: what makes it fail, and the command itself."""

import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString
from unittest.mock import patch

import psycopg
import pytest

from api.demo.documents import prepare
from api.demo.gateway import SimulatedGateway
from api.demo.kannel import kannel_available
from api.demo.messages import Exchange
from api.demo.play import Played, Plays, play
from api.demo.report import Report
from api.demo.stage import Stage
from api.documents.verify import verify
from api.embedded import Embedded
from tests.support.cli import Obole, obole_at
from tests.support.database import TestDatabase
from tests.support.demonstrated import Performed, merchant, performing, share

NO_KANNEL = kannel_available()


@pytest.fixture(scope="module")
def performed(server: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Generator[Performed]:
    """Play everything once; no test changes what is there, or it changes it back."""
    with performing(server, tmp_path_factory.mktemp("demo") / "documents") as done:
        yield done


@contextmanager
def changed(database: TestDatabase, there: LiteralString, back: LiteralString) -> Generator[None]:
    """Change rows behind the ledger's back, and change them back."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        assert connection.execute(there).rowcount > 0
        try:
            yield
        finally:
            connection.execute(back)


def with_exchange(
    played: Played, name: str, change: Callable[[Exchange], list[Exchange]]
) -> Played:
    """Let the gateway have seen something else of one message."""
    found = [change(one) if one.message.name == name else [one] for one in played.exchanges]
    return played._replace(exchanges=[one for ones in found for one in ones])


def wrong(made: Report) -> list[str]:
    """Name the checks that do not hold."""
    return [check.name for check in made.checks if not check.ok]


class TestFailure:
    """What makes the demonstration fail; each is provoked, to see that it does."""

    def test_a_projection_that_differs_from_a_rebuild(self, performed: Performed) -> None:
        with changed(
            performed.stage.database,
            "UPDATE charges SET tariff = tariff || 'x' WHERE book = 'fr' AND state = 'released'",
            "UPDATE charges SET tariff = left(tariff, -1) WHERE book = 'fr' AND state = 'released'",
        ):
            assert wrong(performed.report()) == ["fr: live charges equal a rebuild"]
        assert performed.report().ok

    def test_books_that_do_not_balance(self, performed: Performed) -> None:
        with changed(
            performed.stage.database,
            "UPDATE balances SET debit = debit + 1 WHERE party = '20801'",
            "UPDATE balances SET debit = debit - 1 WHERE party = '20801'",
        ):
            assert wrong(performed.report()) == [
                "fr: the trial balance is zero",
                "fr: live balances equal a rebuild",
            ]
        assert performed.report().ok

    @pytest.mark.parametrize(
        ("book", "name", "change", "problem"),
        [
            ("fr", "jeu", lambda one: [one._replace(message_id="never")], "jeu: recorded 0 times"),
            (
                "fr",
                "jeu",
                lambda one: [one._replace(reply="Merci")],
                "jeu: the gateway got another",
            ),
            ("fr", "jeu", lambda one: [one._replace(billing_code="FREE")], "jeu: sent at FREE"),
            ("fr", "jeu", lambda one: [one._replace(status=503)], "jeu: answered 503"),
            ("fr", "jeu", lambda one: [one._replace(receipts=(8,))], "jeu: receipts ['submitted']"),
            (
                "fr",
                "lost",
                lambda one: [one._replace(receipts=(8, 2))],
                "lost: receipts ['failed', ",
            ),
            (
                "fr",
                "orphan",
                lambda one: [one._replace(receipts=(1, 2))],
                "orphan: a receipt for an",
            ),
            ("fr", "stop-again", lambda one: [one._replace(reply="STOP")], "an answer that is not"),
            (
                "fr",
                "conflict",
                lambda one: [one._replace(reply="Oui")],
                "conflict: another message",
            ),
            ("fr", "typo", lambda _: [], "1 recorded messages were never sent"),
            ("be", "kwis", lambda one: [one._replace(reply="Dank u")], "kwis: the gateway got"),
            ("be", "stem", lambda _: [], "1 recorded messages were never sent"),
            ("fr", "conflict", lambda _: [], "1 conflicts are recorded, 0 were played"),
        ],
    )
    def test_a_message_that_is_not_accounted_for(
        self,
        book: str,
        name: str,
        change: Callable[[Exchange], list[Exchange]],
        problem: str,
        performed: Performed,
    ) -> None:
        plays = {**performed.plays, book: with_exchange(performed.plays[book], name, change)}
        made = performed.report(plays)
        assert wrong(made) == [f"{book}: every message is accounted for"]
        assert problem in next(check.detail for check in made.checks if not check.ok)

    def test_a_pushed_message_that_went_out_otherwise(self, performed: Performed) -> None:
        for change in (
            lambda sent: sent[:-1],
            lambda sent: [*sent, sent[0]],
            lambda sent: [sent[0]._replace(text="Merci"), *sent[1:]],
            lambda sent: [sent[0]._replace(receipts=(8,)), *sent[1:]],
        ):
            played = performed.plays["fr"]
            plays = {**performed.plays, "fr": played._replace(pushed=change(played.pushed))}
            assert wrong(performed.report(plays)) == ["fr: every message is accounted for"]

    def test_documents_that_are_not_right(self, performed: Performed) -> None:
        folder = performed.documents.folder / "be" / "audit"
        whole = (folder / "facts.jsonl").read_bytes()
        (folder / "facts.jsonl").write_bytes(whole.replace(b"kwisbox", b"kwisbax", 1))
        found = verify(folder)
        (folder / "facts.jsonl").write_bytes(whole)
        changed = performed.documents.books[1]._replace(verified=found, agree=False)
        documents = performed.documents._replace(books=(performed.documents.books[0], changed))
        made = performed._replace(documents=documents).report()
        assert wrong(made) == [
            "be: the audit export verifies",
            "be: the statement and the payouts agree",
        ]


class TestCommand:
    """The command itself."""

    @pytest.fixture
    def obole(self, database: TestDatabase, tmp_path: Path) -> Obole:
        """Give the program; the demonstration makes its own database and touches no other."""
        return obole_at(database, tmp_path)

    def test_prints_the_report_for_a_program(self, obole: Obole, tmp_path: Path) -> None:
        done = obole.run("demo", "--simulated", "--json", "--out", str(tmp_path / "out"))
        assert (done.status, done.err) == (0, "")
        assert done.json["ok"] is True
        assert done.json["gateway"] == {
            "name": "a simulated gateway (HTTP requests like Kannel's)",
            "fallback": "--simulated was asked for",
        }
        assert merchant(done.json, "fr", "ludotel")["earned"] == share(16, "10.966666")
        assert "is not open in the database" in obole("status").err
        assert verify(tmp_path / "out/fr/audit").problems == []

    def test_prints_tables_for_a_person(self, obole: Obole, tmp_path: Path) -> None:
        done = obole("demo", "--simulated", "--out", str(tmp_path / "out"))
        assert done.status == 0
        for part in (
            "Facts by type",
            "trial balance",
            "One consumer's story",
            "fictional",
            "Payouts of be",
        ):
            assert part in done.out
        assert "WRONG" not in done.out
        payouts = (tmp_path / "out/be/payouts.txt").read_text()
        assert re.search(r"\d{4}-\d\d +kwisbox +0.00 +0.00 +0.793388 ", payouts)
        assert "\x1b" not in done.out
        assert all(len(line) <= 150 for line in done.out.splitlines())

    def test_ends_with_status_1_when_something_is_wrong(self, obole: Obole, tmp_path: Path) -> None:
        def meddled(stage: Stage, gateway: SimulatedGateway) -> Plays:
            played = play(stage, gateway)
            with psycopg.connect(stage.database.owner_url, autocommit=True) as connection:
                connection.execute("UPDATE merchant_accounts SET earned = earned + 1")
            return played

        with patch("api.cli.demonstration.play", meddled):
            done = obole("demo", "--simulated", "--out", str(tmp_path / "out"))
        assert done.status == 1
        assert "WRONG  fr: live merchant_accounts equal a rebuild: live only: (fr," in done.out

    @pytest.mark.skipif(NO_KANNEL is not None, reason=str(NO_KANNEL))
    def test_plays_through_a_real_kannel_to_the_same_figures(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        done = obole.run("demo", "--json", "--out", str(tmp_path / "out"), timeout=110)
        assert done.status == 0, done.err + done.out
        assert done.json["gateway"]["fallback"] is None
        assert done.json["gateway"]["name"].startswith("Kannel ")
        assert merchant(done.json, "fr", "ludotel")["earned"] == share(16, "10.966666")
        assert merchant(done.json, "fr", "astrolys")["earned"] == share(6, "5.638")
        assert merchant(done.json, "fr", "tele-sept")["earned"] == share(8, "0.133334")
        assert merchant(done.json, "be", "kwisbox")["earned"] == share(5, "2.975205")
        assert [book["played"]["pushed"] for book in done.json["books"].values()] == [5, 1]

    def test_writes_over_what_it_wrote_and_over_nothing_else(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        folder = tmp_path / "mine"
        folder.mkdir()
        (folder / "thesis.txt").write_text("whole")
        done = obole("demo", "--simulated", "--out", str(folder))
        assert done.status == 1
        assert "holds what the demonstration did not write" in done.err
        assert [path.name for path in folder.iterdir()] == ["thesis.txt"]
        prepare(tmp_path / "out")
        (tmp_path / "out/fr/old.txt").write_text("of an earlier run")
        prepare(tmp_path / "out")
        assert not (tmp_path / "out/fr/old.txt").exists()
