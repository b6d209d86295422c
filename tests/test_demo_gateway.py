"""The demonstration's traffic, and the simulated gateway that stands in where Kannel is not."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from api.demo.gateway import SimulatedGateway
from api.demo.messages import ACCEPTED, DELIVERED, Endpoint, GatewayFailed
from api.demo.office import permitted
from api.demo.traffic import OPERATORS, TRAFFIC
from api.demo.traffic_be import OPERATORS_BE, STOP_BE, TRAFFIC_BE
from api.gateways import Sendsms
from api.push import through_kannel
from ledger.commands.pushing import Push
from tests.support.book import FRENCH

# -P below: the folder of this program must not hide the packages that it tests.
JOURNEY = Path(__file__).parent / "support" / "kannel_journey.py"
BY_NAME = {message.name: message for message in TRAFFIC}

Journey = dict[str, Any]
Played = dict[str, dict[str, Any]]


class TestTraffic:
    """The demonstration's messages are what both gateways can play."""

    def test_names_each_message_once(self) -> None:
        assert len(BY_NAME) == len(TRAFFIC)

    def test_comes_from_every_declared_operator(self) -> None:
        assert {message.smsc for message in TRAFFIC} == set(OPERATORS)
        assert {message.smsc for message in TRAFFIC_BE} == set(OPERATORS_BE)

    def test_of_belgium_goes_into_its_own_book(self) -> None:
        assert {message.book for message in TRAFFIC} == {"fr"}
        assert {message.book for message in (*TRAFFIC_BE, STOP_BE)} == {"be"}
        assert not any(message.simulated_only for message in (*TRAFFIC_BE, STOP_BE))

    def test_gives_fakesmsc_only_what_it_can_do(self) -> None:
        by_fakesmsc = [message for message in TRAFFIC if message.smsc == "orange-fr"]
        assert by_fakesmsc
        for message in by_fakesmsc:
            assert message.receipts == (ACCEPTED, DELIVERED)
            assert not message.simulated_only
            assert isinstance(message.text, str)
            assert message.text.isprintable()

    def test_repeats_an_id_only_after_its_first_use(self) -> None:
        names = list(BY_NAME)
        repeats = [message for message in TRAFFIC if message.same_id_as]
        assert len(repeats) == 2
        for message in repeats:
            assert names.index(message.same_id_as) < names.index(message.name)
            assert BY_NAME[message.same_id_as].smsc == message.smsc

    def test_lets_the_link_tell_its_victims_apart(self) -> None:
        seen = Counter((message.sender, message.code, message.text) for message in TRAFFIC)
        victims = [message for message in TRAFFIC if message.fault != "none"]
        assert {message.fault for message in victims} == {
            "unavailable",
            "answer_lost",
            "receipt_answer_lost",
        }
        assert all(seen[message.sender, message.code, message.text] == 1 for message in victims)


class TestHours:
    """The demonstration solicits when that is permitted, whenever it is run."""

    @pytest.mark.parametrize(
        ("now", "then"),
        [
            ("2026-11-25T10:00", "2026-11-25T10:00"),
            ("2026-11-25T03:30", "2026-11-25T08:00"),
            ("2026-11-25T21:29", "2026-11-26T08:00"),
            ("2026-11-25T23:00", "2026-11-26T08:00"),
        ],
    )
    def test_are_kept_or_waited_for(self, now: str, then: str) -> None:
        paris = ZoneInfo("Europe/Paris")
        at, wanted = (datetime.fromisoformat(x).replace(tzinfo=paris) for x in (now, then))
        assert permitted(FRENCH, at) == wanted


@pytest.fixture(scope="module")
def journey() -> Journey:
    done = subprocess.run(
        [sys.executable, "-P", str(JOURNEY), "simulated"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return json.loads(done.stdout)


@pytest.fixture
def played(journey: Journey) -> Played:
    return {exchange["message"]: exchange for exchange in journey["played"]}


def requests_for(journey: Journey, exchange: dict[str, Any]) -> list[dict[str, str]]:
    return [asked for asked in journey["requests"] if asked.get("id") == exchange["message_id"]]


class TestSimulatedGateway:
    """Our own gateway behaves as Kannel does."""

    def test_accounts_for_every_message(self, journey: Journey) -> None:
        assert [exchange["message"] for exchange in journey["played"]] == list(BY_NAME)

    def test_asks_with_kannels_parameters(self, journey: Journey) -> None:
        first = next(asked for asked in journey["requests"] if asked["path"] == "mo")
        parameters = ["key", "id", "smsc", "from", "to", "text", "ts", "charset", "binfo", "meta"]
        assert list(first) == ["path", *parameters]

    def test_fills_the_escapes_of_a_receipts_address(self, journey: Journey) -> None:
        receipt = next(asked for asked in journey["requests"] if asked["path"] == "dlr")
        assert receipt["type"] == "8"
        assert receipt["at"].isdecimal()
        assert receipt["smsc"] in OPERATORS
        assert receipt["answer"] == "ACK/"
        assert receipt["meta"] == "?orig_msg?dlr_mask=31&"
        assert not [value for value in receipt.values() if value.startswith("%")]

    def test_asks_again_under_the_same_id_when_the_ledger_is_away(
        self, journey: Journey, played: Played
    ) -> None:
        # The link kept the first request from the ledger, which so saw one of the two.
        assert played["away"]["attempts"] == 2
        assert len(requests_for(journey, played["away"])) == 1

    def test_asks_again_under_the_same_id_when_the_answer_was_lost(
        self, journey: Journey, played: Played
    ) -> None:
        assert played["answer-lost"]["attempts"] == 2
        assert len(requests_for(journey, played["answer-lost"])) == 2
        assert played["answer-lost"]["receipts"] == [8, 1]

    def test_hands_a_receipt_over_again_under_the_same_number(self, journey: Journey) -> None:
        sids = Counter(asked["sid"] for asked in journey["requests"] if asked["path"] == "dlr")
        assert sorted(sids.values(), reverse=True)[:3] == [2, 2, 1]

    def test_sends_no_receipt_for_silence(self, played: Played) -> None:
        assert played["stop-again"]["reply"] == ""
        assert played["stop-again"]["receipts"] == []

    def test_repeats_an_id_with_the_same_and_with_other_content(
        self, journey: Journey, played: Played
    ) -> None:
        assert played["same-again"]["message_id"] == played["jeu-lower"]["message_id"]
        conflicting = requests_for(journey, played["conflict"])
        assert [asked["text"] for asked in conflicting] == ["LOGO", "LOGO 99"]

    def test_keeps_late_receipts_until_asked(self, journey: Journey) -> None:
        after = journey["requests"][journey["before_late"] :]
        assert [exchange["receipts"] for exchange in journey["late"]] == [[1], [2]]
        assert sorted(asked["type"] for asked in after) == ["1", "2"]


class TestSendsms:
    """Where the simulated gateway takes what answers no message."""

    def push(self, gateway: SimulatedGateway, **changed: str) -> str:
        """Hand a message over as the worker does; gives what the gateway's answer means."""
        address = {**gateway.sendsms._asdict(), **changed}
        fields = {"receipt_key": "key", "public_url": "http://127.0.0.1:1"}
        push = through_kannel("fr", "kannel-fr", Sendsms.model_validate({**address, **fields}))
        sms = ("kannel-fr", "sfr-fr", "33000200001", "81014", "Rappel du prix à 3.00", "FREE")
        return asyncio.run(push(Push("0" * 32, 1, *sms))).outcome

    def test_takes_what_its_user_pushes_and_nobody_else_s(self) -> None:
        with SimulatedGateway(Endpoint(1, "key", "fr", "kannel-fr")) as gateway:
            assert self.push(gateway) == "taken"
            assert self.push(gateway, password="wrong") == "refused"
            assert self.push(gateway, url=gateway.sendsms.url + "x") == "refused"

    def test_reports_on_what_it_took_alone(self) -> None:
        with SimulatedGateway(Endpoint(1, "key", "fr", "kannel-fr")) as gateway:
            assert gateway.deliver_pushed(0) == []
            with patch("api.demo.sendsms._SECONDS", 0), pytest.raises(GatewayFailed):
                gateway.deliver_pushed(1)
