"""`obole demo`: the whole plot through the simulated gateway, its figures, and what it fails on."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString
from unittest.mock import patch

import psycopg
import pytest

from api.cli.demo_tables import report_json
from api.demo.gateway import SimulatedGateway
from api.demo.kannel import kannel_available
from api.demo.messages import Exchange
from api.demo.play import Played, play
from api.demo.report import Report, report
from api.demo.stage import Stage, set_stage
from api.embedded import Embedded
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from ledger.vault import FileMasterKey
from tests.support.cli import ROOT, Obole, obole_at
from tests.support.database import TestDatabase, clone

Performed = tuple[Stage, Played]
NO_KANNEL = kannel_available()


@pytest.fixture(scope="module")
def performed(server: Embedded) -> Generator[Performed]:
    """Play everything once; no test changes what is there, or it changes it back."""
    rules = RuleBook(load_pack("fr"), load_settings(ROOT / "settings/fr.toml"))
    with clone(server) as database, set_stage(database, rules, FileMasterKey(bytes(32))) as stage:
        with SimulatedGateway(stage.endpoint) as gateway:
            played = play(stage, gateway)
        yield stage, played


@pytest.fixture
def shown(performed: Performed) -> dict[str, Any]:
    """Give the report as a program gets it."""
    return report_json(report(*performed), 1.0)


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


class TestFigures:
    """What the traffic adds up to, worked out by hand.

    Net of 20 % tax a message of 3.00 is 2.50, one of 0.50 is 0.416667, one of 0.05 is 0.041667.
    Operators owe: Orange half of it, SFR 52 %, Bouygues 48 %, but 1.15 of each 3.00.
    Of that Ludotel and Tele Sept have 80 %, Astrolys 76 % and, through SFR, 80 %.
    """

    def test_everything_is_right(self, shown: dict[str, Any]) -> None:
        assert [check for check in shown["checks"] if not check["ok"]] == []
        assert shown["ok"] is True

    def test_what_ludotel_earned(self, shown: dict[str, Any]) -> None:
        # JEU:  Orange 2 x 1.00, SFR 5 x 1.04, Bouygues 3 x 0.92      = 9.96
        # LOGO: Orange 0.166667, SFR 3 x 0.173333, Bouygues 2 x 0.16  = 1.006666
        ludotel = merchant(shown, "ludotel")
        assert ludotel["earned"] == share(16, "10.966666")
        # failed 1.04, failed-logo and late-failed 0.16 each
        assert ludotel["released"] == share(3, "1.36")
        # lost and last, both JEU through SFR; only the first has waited too long
        assert ludotel["pending"] == share(2, "2.08")
        assert ludotel["unresolved"] == share(1, "1.04")

    def test_what_astrolys_earned(self, shown: dict[str, Any]) -> None:
        # Orange 3 x 0.95, SFR 1.04, Bouygues 2 x 0.874; the rejected one was through Bouygues
        astrolys = merchant(shown, "astrolys")
        assert astrolys["earned"] == share(6, "5.638")
        assert astrolys["released"] == share(1, "0.874")
        assert astrolys["pending"] == astrolys["unresolved"] == share(0, "0.00")

    def test_what_tele_sept_earned(self, shown: dict[str, Any]) -> None:
        # Orange 4 x 0.016667, SFR 2 x 0.017333, Bouygues 2 x 0.016; a lost one through Bouygues
        tele_sept = merchant(shown, "tele-sept")
        assert tele_sept["earned"] == share(8, "0.133334")
        assert tele_sept["pending"] == tele_sept["unresolved"] == share(1, "0.016")

    def test_what_has_no_facts_yet_is_not_recorded(self, shown: dict[str, Any]) -> None:
        for one in shown["merchants"]:
            assert one["not_recorded"] == ["declared", "collected", "payable"]
            assert (one["declared"], one["collected"], one["payable"]) == (None, None, None)

    def test_the_books_balance(self, shown: dict[str, Any]) -> None:
        # Orange: 5 x 1.25, a LOGO of 0.208334, 4 votes of 0.020834   = 6.541670
        # SFR: 6 x 1.30, 3 LOGO of 0.216666, 2 votes of 0.021666      = 8.493330
        # Bouygues: 5 x 1.15, 2 LOGO of 0.20, 2 votes of 0.02         = 6.190000
        # Merchants have 10.966666 + 5.638 + 0.133334 = 16.738 of it, and we the rest, 4.487.
        (trial,) = shown["trial_balance"]
        assert trial["debit"] == trial["credit"] == euro("21.225")
        assert trial["balance"] == euro("0.00")
        found = {(one["account"], one["party"]): one["balance"] for one in shown["balances"]}
        assert found == {
            ("operator_receivable_accrued", "20801"): euro("6.54167"),
            ("operator_receivable_accrued", "20810"): euro("8.49333"),
            ("operator_receivable_accrued", "20820"): euro("6.19"),
            ("merchant_accrued", "ludotel"): euro("-10.966666"),
            ("merchant_accrued", "astrolys"): euro("-5.638"),
            ("merchant_accrued", "tele-sept"): euro("-0.133334"),
            ("aggregator_revenue", None): euro("-4.487"),
        }

    def test_every_message_is_counted(self, shown: dict[str, Any]) -> None:
        played = shown["played"]
        # Of 54 two came under an id that was known, and one is a receipt without a message.
        assert (played["played"], played["messages"]) == (54, 51)
        assert (played["answered"], played["unanswered"]) == (49, 2)
        assert (played["conflicts"], played["orphans"]) == (1, 1)
        assert shown["facts"]["mo_received.v1"] == 51
        assert shown["facts"]["mt_emitted.v1"] == 49
        # lost, lost-vote, late and late-failed; what came late settled the last two
        assert shown["unresolved_after_days"]["charges"] == 4
        assert shown["facts"]["charge_unresolved.v1"] == 4

    def test_one_story_goes_from_the_message_to_the_capture(self, shown: dict[str, Any]) -> None:
        told = shown["story"]
        assert [one["type"] for one in told] == [
            "mo_received.v1",
            "keyword_matched.v1",
            "charge_authorized.v1",
            "mt_emitted.v1",
            "mt_submitted.v1",
            "delivery_received.v1",
            "charge_captured.v1",
        ]
        assert [one["text"] for one in told[:2]] == ["HOROSCOPE Lion", "Lion"]
        assert told[3]["text"].startswith("Horoscope Lion : journée favorable")
        positions = [one["position"] for one in told]
        assert positions == sorted(positions)

    def test_showing_the_story_is_a_fact(self, shown: dict[str, Any]) -> None:
        (position,) = shown["disclosed_at"]
        assert position == shown["head"]

    def test_refusals_say_why(self, shown: dict[str, Any]) -> None:
        lists = {one["what"]: one["messages"] for one in shown["refused"]}
        # In the order of the script, however the operators overtook each other.
        assert lists["an unknown keyword"] == (
            *("typo", "typo-sfr", "typo-logo", "vote-without-word"),
            *("very-long", "broken-utf8", "nul"),
        )
        found = {what: set(messages) for what, messages in lists.items()}
        assert found["a code that nobody opened"] == {"unknown-code"}
        assert found["a message without a word"] == {"emoji-only", "empty"}
        assert found["another message under a known id"] == {"conflict"}
        assert found["receipt for an unknown message"] == {"orphan"}
        assert found["a word after STOP was confirmed"] == {"stop-again"}
        assert found["the same message again"] == {"answer-lost", "same-again"}
        assert found["not billed: rejected"] == {"rejected"}
        assert found["no final receipt in time"] == {"lost", "lost-vote", "late", "late-failed"}


def merchant(shown: dict[str, Any], name: str) -> dict[str, Any]:
    """Give one merchant's states."""
    (found,) = [one for one in shown["merchants"] if one["merchant"] == name]
    return found


def euro(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def share(charges: int, amount: str) -> dict[str, Any]:
    return {"charges": charges, "share": euro(amount)}


class TestFailure:
    """What makes the demonstration fail; each is provoked, to see that it does."""

    def test_a_projection_that_differs_from_a_rebuild(self, performed: Performed) -> None:
        with changed(
            performed[0].database,
            "UPDATE charges SET tariff = tariff || 'x' WHERE state = 'released'",
            "UPDATE charges SET tariff = left(tariff, -1) WHERE state = 'released'",
        ):
            assert wrong(report(*performed)) == ["live charges equal a rebuild"]
        assert report(*performed).ok

    def test_books_that_do_not_balance(self, performed: Performed) -> None:
        with changed(
            performed[0].database,
            "UPDATE balances SET debit = debit + 1 WHERE party = '20801'",
            "UPDATE balances SET debit = debit - 1 WHERE party = '20801'",
        ):
            assert wrong(report(*performed)) == [
                "the trial balance is zero",
                "live balances equal a rebuild",
            ]
        assert report(*performed).ok

    @pytest.mark.parametrize(
        ("name", "change", "problem"),
        [
            ("jeu", lambda one: [one._replace(message_id="never")], "jeu: recorded 0 times"),
            ("jeu", lambda one: [one._replace(reply="Merci")], "jeu: the gateway got another"),
            ("jeu", lambda one: [one._replace(billing_code="FREE")], "jeu: sent at FREE"),
            ("jeu", lambda one: [one._replace(status=503)], "jeu: answered 503"),
            ("jeu", lambda one: [one._replace(receipts=(8,))], "jeu: receipts ['submitted']"),
            ("lost", lambda one: [one._replace(receipts=(8, 2))], "lost: receipts ['failed', "),
            ("orphan", lambda one: [one._replace(receipts=(1, 2))], "orphan: a receipt for an"),
            ("stop-again", lambda one: [one._replace(reply="STOP")], "an answer that is not"),
            ("conflict", lambda one: [one._replace(reply="Oui")], "conflict: another message"),
            ("typo", lambda _: [], "1 recorded messages were never sent"),
            ("conflict", lambda _: [], "1 conflicts are recorded, 0 were played"),
        ],
    )
    def test_a_message_that_is_not_accounted_for(
        self,
        name: str,
        change: Callable[[Exchange], list[Exchange]],
        problem: str,
        performed: Performed,
    ) -> None:
        stage, played = performed
        made = report(stage, with_exchange(played, name, change))
        assert wrong(made) == ["every message is accounted for"]
        assert problem in made.checks[-1].detail


class TestCommand:
    """The command itself."""

    @pytest.fixture
    def obole(self, database: TestDatabase, tmp_path: Path) -> Obole:
        """Give the program; the demonstration makes its own database and touches no other."""
        return obole_at(database, tmp_path)

    def test_prints_the_report_for_a_program(self, obole: Obole) -> None:
        done = obole.run("demo", "--simulated", "--json")
        assert (done.status, done.err) == (0, "")
        assert done.json["ok"] is True
        assert done.json["gateway"] == {
            "name": "a simulated gateway (HTTP requests like Kannel's)",
            "fallback": "--simulated was asked for",
        }
        assert merchant(done.json, "ludotel")["earned"] == share(16, "10.966666")
        assert "not open in this database" in obole("status").err

    def test_prints_tables_for_a_person(self, obole: Obole) -> None:
        done = obole("demo", "--simulated")
        assert done.status == 0
        for part in ("Facts by type", "trial balance", "One consumer's story", "fictional"):
            assert part in done.out
        assert "WRONG" not in done.out
        assert "\x1b" not in done.out
        assert all(len(line) <= 150 for line in done.out.splitlines())

    def test_ends_with_status_1_when_something_is_wrong(self, obole: Obole) -> None:
        def meddled(stage: Stage, gateway: SimulatedGateway) -> Played:
            played = play(stage, gateway)
            with psycopg.connect(stage.database.owner_url, autocommit=True) as connection:
                connection.execute("UPDATE merchant_accounts SET earned = earned + 1")
            return played

        with patch("api.cli.demonstration.play", meddled):
            done = obole("demo", "--simulated")
        assert done.status == 1
        assert "WRONG  live merchant_accounts equal a rebuild: live only: (fr," in done.out

    @pytest.mark.skipif(NO_KANNEL is not None, reason=str(NO_KANNEL))
    def test_plays_through_a_real_kannel_to_the_same_figures(self, obole: Obole) -> None:
        done = obole.run("demo", "--json", timeout=110)
        assert done.status == 0, done.err + done.out
        assert done.json["gateway"]["fallback"] is None
        assert done.json["gateway"]["name"].startswith("Kannel ")
        assert merchant(done.json, "ludotel")["earned"] == share(16, "10.966666")
        assert merchant(done.json, "astrolys")["earned"] == share(6, "5.638")
        assert merchant(done.json, "tele-sept")["earned"] == share(8, "0.133334")
