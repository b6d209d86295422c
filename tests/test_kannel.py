"""The real journey: Kannel's bearerbox, smsbox and fakesmsc in a network namespace.

With OBOLE_REQUIRE_KANNEL set (CI sets it) a machine that cannot run this fails instead of skipping.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from api.demo.kannel import KannelGateway, kannel_available
from api.demo.messages import Endpoint, GatewayFailed
from api.demo.namespace import is_isolated, namespace_command, namespace_refusal
from api.demo.traffic import TRAFFIC
from ledger.words import derived_id

# -P below: the folder of this program must not hide the packages that it tests.
JOURNEY = Path(__file__).parent / "support" / "kannel_journey.py"
BY_NAME = {message.name: message for message in TRAFFIC}

Journey = dict[str, Any]
Played = dict[str, dict[str, Any]]


def needs(refusal: str | None) -> None:
    if refusal is not None and os.environ.get("OBOLE_REQUIRE_KANNEL"):
        pytest.fail(refusal)
    if refusal is not None:
        pytest.skip(refusal)


def run_json(argv: list[str]) -> Any:  # noqa: ANN401 - JSON is of any type
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def journey() -> Journey:
    needs(kannel_available())
    return run_json(namespace_command([sys.executable, "-P", str(JOURNEY), "kannel"]))


@pytest.fixture
def played(journey: Journey) -> Played:
    return {exchange["message"]: exchange for exchange in journey["played"]}


def mos(journey: Journey) -> list[dict[str, str]]:
    return [asked for asked in journey["requests"] if asked["path"] == "mo"]


class TestKannel:
    """The real boxes carry the demonstration's traffic."""

    def test_carries_every_message(self, journey: Journey, played: Played) -> None:
        assert list(played) == list(BY_NAME)
        assert journey["gateway"].startswith("Kannel 1.")
        asked = [
            exchange for exchange in played.values() if not BY_NAME[exchange["message"]].orphan
        ]
        assert {exchange["status"] for exchange in asked} == {200}

    def test_speaks_for_all_but_what_it_cannot_do(self, played: Played) -> None:
        direct = {name for name, exchange in played.items() if exchange["via"] == "direct"}
        assert direct == {message.name for message in TRAFFIC if message.simulated_only}
        by_fakesmsc = [x for x in played.values() if x["via"] == "fakesmsc"]
        assert {BY_NAME[x["message"]].smsc for x in by_fakesmsc} == {"orange-fr"}

    def test_sees_the_free_code_on_an_error_mt_and_the_tariff_on_a_paid_one(
        self, played: Played
    ) -> None:
        # Both are read from bearerbox's access log, not from our own answer.
        for name in ("typo", "typo-sfr", "typo-logo"):
            assert played[name]["billing_code"] == "FREE"
        assert played["jeu"]["billing_code"] == "T81014"
        assert played["logo-bouygues"]["billing_code"] == "T72100"

    def test_asks_again_under_the_same_id_and_answers_once(
        self, journey: Journey, played: Played
    ) -> None:
        for name, seen in (("away", 1), ("answer-lost", 2)):
            exchange = played[name]
            asked = [mo for mo in mos(journey) if mo["id"] == exchange["message_id"]]
            assert exchange["attempts"] == 2
            assert len(asked) == seen
            # Two MTs would have been accepted twice; the stub derives an MT's id from its MO's.
            mt = derived_id(exchange["message_id"])
            receipts = [asked["type"] for asked in journey["requests"] if asked.get("mt") == mt]
            assert sorted(receipts) == ["1", "8"]

    def test_hands_a_receipt_over_again_under_the_same_number(self, journey: Journey) -> None:
        dlrs = [asked for asked in journey["requests"] if asked["path"] == "dlr"]
        repeated = {sid for sid, times in Counter(dlr["sid"] for dlr in dlrs).items() if times > 1}
        assert {dlr["type"] for dlr in dlrs if dlr["sid"] in repeated} == {"8", "1"}

    def test_brings_what_the_operators_report(self, played: Played) -> None:
        for name in ("failed", "rejected", "lost", "late", "buffered"):
            assert tuple(played[name]["receipts"]) == BY_NAME[name].receipts

    def test_sends_nothing_for_an_empty_answer(self, played: Played) -> None:
        assert played["stop-again"]["reply"] == ""
        assert played["stop-again"]["receipts"] == []

    def test_keeps_late_receipts_until_the_operator_reports(self, journey: Journey) -> None:
        after = journey["requests"][journey["before_late"] :]
        assert sorted(asked["type"] for asked in after) == ["1", "2"]

    def test_asks_what_the_simulated_gateway_asks(self, journey: Journey) -> None:
        simulated = run_json([sys.executable, "-P", str(JOURNEY), "simulated"])
        for parameters in (("from", "to", "text"), ("smsc", "charset", "binfo", "meta")):
            ours, kannels = (
                {tuple(mo[name] for name in parameters) for mo in mos(each)}
                for each in (simulated, journey)
            )
            assert ours == kannels
        assert list(mos(simulated)[0]) == list(mos(journey)[0])

    def test_does_not_start_outside_a_namespace(self) -> None:
        if is_isolated():
            pytest.skip("this machine has no network to be kept from")
        with pytest.raises(GatewayFailed), KannelGateway(Endpoint(1, "key", "fr", "kannel-fr")):
            pass


class TestNamespace:
    """A command runs behind a wall that only the loopback passes."""

    def test_holds_the_loopback_only(self) -> None:
        needs(namespace_refusal())
        program = (
            "import json, socket; from api.demo.namespace import is_isolated\n"
            "server = socket.create_server(('127.0.0.1', 0))\n"
            "socket.create_connection(server.getsockname()).close()\n"
            "print(json.dumps(is_isolated()))"
        )
        assert run_json(namespace_command([sys.executable, "-c", program])) is True

    def test_hands_on_the_exit_status(self) -> None:
        needs(namespace_refusal())
        argv = namespace_command([sys.executable, "-c", "raise SystemExit(3)"])
        assert subprocess.run(argv, check=False).returncode == 3
