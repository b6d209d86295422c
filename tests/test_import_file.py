"""`obole import`: a file of any kind, taken in line by line, told clearly, and never twice."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from api.books import load_master_key, load_rules
from api.clock import system_clock
from api.demo.stage import GATEWAY
from api.desks import keyed_desk
from api.importing.bytes import Numbered
from api.importing.doors import Importer, Who
from api.importing.results import Result
from api.importing.turning import Turning
from api.scheduler import LISTS, DueList, Turn
from ledger.decisions.story import mo_id
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.traffic import MoReceived
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from tests.support.cli import ROOT
from tests.support.database import TestDatabase
from tests.support.importing import Importing, at, message, ndjson, receipt


@pytest.fixture
def importing(database: TestDatabase, tmp_path: Path) -> Importing:
    return Importing(database, tmp_path)


class TestImport:
    """A file as it should be."""

    def test_takes_each_line_as_if_it_had_come_by_itself(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), receipt(1), message(2)]))
        done = importing.obole("import", str(path))
        assert (done.status, done.err) == (0, "")
        assert "3 recorded, 0 already there, 0 rejected" in done.out
        assert [kind for kind, _ in importing.told()].count("charge_captured.v1") == 1

    def test_again_adds_nothing_and_says_so(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), receipt(1)]))
        importing.obole("import", str(path))
        before = importing.told()
        done = importing.obole("import", str(path))
        assert "0 recorded, 2 already there, 0 rejected" in done.out
        assert importing.told() == before

    def test_may_be_packed(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1)]), "lines.ndjson.gz")
        assert "1 recorded" in importing.obole("import", str(path)).out

    def test_may_come_by_a_pipe(self, importing: Importing) -> None:
        done = piped(importing, ndjson([message(1), message(2)]))
        assert done.returncode == 0
        assert "2 recorded" in done.stdout

    def test_is_told_to_programs(self, importing: Importing) -> None:
        path = importing.file(ndjson([message(1), message(1, text="VOTE 1"), {"kind": "x"}]))
        told = importing.obole("import", str(path), "--json").json
        assert (told["recorded"], told["rejected"], told["lines"]) == (1, 2, 3)
        assert sum(told["reasons"].values()) == 2

    def test_in_any_chunks_gives_the_same_facts(
        self, importing: Importing, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines = [message(n, sender=f"33000{n % 7}") for n in range(40)]
        lines += [receipt(n) for n in range(0, 40, 3)]
        lines += [message(41, sender="330000", text="STOP"), message(42, sender="330000")]
        path = importing.file(ndjson(lines))
        monkeypatch.setattr("api.cli.importing.CHUNK_BYTES", 100)
        importing.obole("import", str(path))
        small = importing.told()
        whole = importing.obole("import", str(path), "--json").json
        assert (whole["recorded"], whole["repeated"]) == (0, len(lines))
        assert importing.told() == small

    def test_lets_time_pass_where_the_file_says_so(self, importing: Importing) -> None:
        lines = [message(1), {"kind": "turn", "at": at(80 * 3600)}]
        done = importing.obole("import", str(importing.file(ndjson(lines))), "--json")
        assert done.json["recorded"] == 2
        assert importing.count("charge_unresolved.v1") == 1

    @pytest.mark.parametrize("processes", ["1", "2"])
    def test_of_a_made_up_market_may_lie_before_it_is_over(
        self, importing: Importing, processes: str
    ) -> None:
        lines = [message(1, sent_at="2030-01-01T00:00:00Z"), TURN | {"at": "2030-01-05T00:00:00Z"}]
        path = str(importing.file(ndjson(lines)))
        command = ("import", path, "--processes", processes)
        assert "0 recorded, 0 already there, 2 rejected" in importing.obole.run(*command).out
        done = importing.obole.run(*command, "--now", "2030-01-05T00:00:00Z")
        assert "2 recorded, 0 already there, 0 rejected" in done.out

    def test_keeps_the_order_of_the_file(self, importing: Importing) -> None:
        lines = [
            message(1, sender="33000"),
            message(2, sender="33000", text="STOP"),
            message(3, sender="33000"),
        ]
        importing.obole("import", str(importing.file(ndjson(lines))))
        kinds = [kind for kind, _ in importing.told()]
        places = [kinds.index("opted_out.v1"), kinds.index("opt_out_lifted.v1")]
        assert kinds.index("charge_authorized.v1") < places[0] < places[1]


class TestOtherLines:
    """What is neither a message nor a receipt."""

    def test_a_solicitation_is_asked_for_and_sent_and_handed_over(
        self, importing: Importing
    ) -> None:
        bought = [message(1, sent_at=at(0)), receipt(1, occurred_at=at(5))]
        lines = [*bought, solicitation(at(3_600)), {**TURN, "at": at(3_660), "pushed": "taken"}]
        path = importing.file(ndjson(lines))
        told = importing.obole("import", str(path), "--json").json
        assert (told["recorded"], told["rejected"]) == (4, 0)
        assert importing.count("solicitation_allowed.v1") == 1
        assert importing.count("mt_handed_over.v1") == 1
        again = importing.obole("import", str(path), "--json").json
        assert (again["recorded"], again["repeated"], again["without_effect"]) == (0, 3, 1)

    def test_a_solicitation_that_is_forbidden_is_recorded_as_such(
        self, importing: Importing
    ) -> None:
        path = importing.file(ndjson([solicitation(at(3_600))]))
        assert importing.obole("import", str(path)).status == 0
        assert importing.count("solicitation_refused.v1") == 1

    def test_a_turn_at_which_nothing_is_due_is_not_told_as_there_already(
        self, importing: Importing
    ) -> None:
        lines = [message(1), *({**TURN, "at": at(60 + n)} for n in range(2)), message(1)]
        done = importing.obole("import", str(importing.file(ndjson(lines))))
        told = "1 recorded, 1 already there, 2 brought nothing about, 0 rejected\n"
        assert (done.status, done.out) == (0, f"fr: {told}")

    def test_what_is_not_pushed_yet_waits(self, importing: Importing) -> None:
        bought = [message(1, sent_at=at(0)), receipt(1, occurred_at=at(5))]
        lines = [*bought, solicitation(at(3_600)), {**TURN, "at": at(3_660)}]
        importing.obole("import", str(importing.file(ndjson(lines))))
        assert importing.count("mt_emitted.v1") == 2
        assert importing.count("mt_handed_over.v1") == 0

    def test_a_turn_of_which_a_list_fails_is_not_taken(self, importing: Importing) -> None:
        importing.obole("import", str(importing.file(ndjson([message(1)]))))

        async def fails(_: Turn) -> int:
            raise ValueError("broken")

        lists = (DueList("broken", fails), *LISTS)
        (told,) = asyncio.run(turned(importing, lists, at(80 * 3600)))
        assert (told.status, told.reason) == (
            "rejected",
            "not all that was due could be worked: broken",
        )
        assert importing.count("charge_unresolved.v1") == 1

    def test_the_end_of_a_subscription_that_never_began(self, importing: Importing) -> None:
        ending = {
            "kind": "stop_subscription", "subscription": "0" * 32, "by": "merchant",
            "reason": "moved", "arrived_at": at(1),
        }  # fmt: skip
        path = importing.file(ndjson([ending, {**ending, "reason": "call 06 12 34 56 78"}]))
        assert importing.obole("import", str(path)).status == 1
        first, second = importing.rejected(path).values()
        assert first.startswith("No such subscription")
        assert "six digits" in second


TURN = {"kind": "turn"}


async def turned(importing: Importing, lists: tuple[DueList, ...], until: str) -> list[Result]:
    """Let time pass in the book, with due lists of one's own."""
    app_url = importing.database.app_url
    rules = load_rules(importing.obole.environ)["fr"]
    master = load_master_key(app_url, importing.obole.environ)
    async with keyed_desk(app_url, "fr", rules, master) as desk:
        await desk.refresh()
        turning = Turning(app_url, "fr", lists)
        importer = Importer(desk, Who(Origin("fr", "import")), system_clock, turning)
        return await importer.take([Numbered(1, ndjson([{**TURN, "at": until}]))])


def solicitation(arrived_at: str) -> dict[str, Any]:
    """Ask to invite the first consumer to buy again, and say what to send."""
    line = message(1, kind="solicitation", id="s-1", text="Rejouez : envoyez JEU", sent_at=None)
    del line["sent_at"]
    return {**line, "service": SERVICE, "arrived_at": arrived_at}


SERVICE = "quiz"


class TestProcesses:
    """Several that share one file."""

    def test_give_the_facts_of_one(
        self, importing: Importing, durable_database: TestDatabase, tmp_path: Path
    ) -> None:
        (tmp_path / "other").mkdir()
        one = Importing(durable_database, tmp_path / "other")
        raw = ndjson(mixed(400))
        several = importing.obole.run("import", str(importing.file(raw)), "--processes", "2")
        alone = one.obole.run("import", str(one.file(raw)))
        assert (several.status, alone.status) == (1, 1)
        assert several.out.splitlines()[0] == alone.out.splitlines()[0]
        assert comparable(importing.told()) == comparable(one.told())

    def test_keep_the_order_of_each_consumer(self, importing: Importing) -> None:
        path = importing.file(ndjson(mixed(400)))
        importing.obole.run("import", str(path), "--processes", "3")
        before = importing.told()
        done = importing.obole.run("import", str(path))
        assert ("0 recorded" in done.out, importing.told()) == (True, before)

    def test_keep_the_order_of_a_consumer_wherever_it_was_decided(
        self, importing: Importing
    ) -> None:
        lines: list[dict[str, Any]] = []
        for n in range(0, 240, 4):
            who = f"33000{n % 16}"
            lines += [
                message(n, sender=who),
                message(n + 1, sender=who, text="STOP"),
                exchange(n + 2, sender=who),
                exchange(n + 3, sender=who, text="STOP", stopped=True),
            ]
        path = importing.file(ndjson(lines))
        assert importing.obole.run("import", str(path), "--processes", "2").status == 0
        wanted: dict[str, list[str]] = {}
        for line in lines:
            wanted.setdefault(line["sender"], []).append(mo_id("fr", GATEWAY, line["id"]))
        assert sorted(received(importing).values()) == sorted(wanted.values())


def exchange(n: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
    """Write a message that another platform answered."""
    return message(n, kind="exchange", mt={"text": "Merci"}, **fields)


def received(importing: Importing) -> dict[str, list[str]]:
    """Give each consumer's messages in the order of the book."""
    with connect(importing.database.app_url) as connection:
        rows = PostgresLog(connection, "fr").follow(0, 1_000_000)
    found: dict[str, list[str]] = {}
    for fact in (REGISTRY.decode(row).fact for row in rows):
        if isinstance(fact, MoReceived):
            found.setdefault(fact.consumer, []).append(fact.mo)
    return found


def comparable(told: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out the ids that name a consumer, for each book names them by a key of its own."""
    return sorted((kind, "" if kind.startswith("notice") else one) for kind, one in told)


def mixed(count: int) -> list[dict[str, Any]]:
    """Write messages of few consumers, STOPs and receipts among them, and a line that is none."""
    lines = [{"kind": "nothing"}]
    for n in range(count):
        word = "STOP" if n % 11 == 0 else "JEU"
        lines.append(message(n, sender=f"33000{n % 13}", text=word))
        if n % 2:
            lines.append(receipt(n - n % 3, outcome="delivered" if n % 5 else "failed"))
        if n % 50 == 0:
            lines.append(receipt(100_000 + n))
    return lines


def piped(importing: Importing, content: bytes) -> subprocess.CompletedProcess[str]:
    """Import what comes by a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "api.cli.main", "import", "-"],
        input=content.decode(),
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=importing.obole.environ,
        timeout=60,
    )
