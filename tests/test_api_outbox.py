"""The outbox over HTTP: for finance and admin all of it, for a gateway its own."""

from collections.abc import Generator

import pytest

from ledger.commands.pushing import Reply
from ledger.facts.handover import MtHandedOver
from ledger.facts.traffic import MoReceived
from tests.support.api import GATEWAY, Api, serving
from tests.support.database import TestDatabase
from tests.support.turns import Smsbox, worked


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def notified(api: Api, senders: int = 1, smsbox: Smsbox | None = None) -> None:
    """Let consumers spend 6.00 each, and notices of it go as far as they come."""
    for sender in range(senders):
        for number in range(2):
            name = f"+3361234567{sender}"
            api.mo(f"JEU {number}", **{"id": f"{name}-{number}", "from": name})
    worked(api, smsbox)


class TestOutbox:
    """Reading what is pushed."""

    def test_shows_a_message_and_the_notice_that_it_brings(self, api: Api) -> None:
        notified(api, smsbox=Smsbox())
        told = api.get("/outbox", "finance").json()
        assert told["states"] == {"handed_over": 1, "written": 1}
        message, notice = told["items"]
        assert (message["what"], message["kind"]) == ("message", "tariff_notice")
        assert (notice["what"], notice["kind"]) == ("notice", "tariff")
        consumer = api.facts(MoReceived)[0].fact.consumer
        assert message == {
            "item": api.only(MtHandedOver).ref.mt,
            "what": "message",
            "kind": "tariff_notice",
            "state": "handed_over",
            "began_at": "2026-07-15T10:00:00Z",
            "changed_at": "2026-07-15T10:00:00Z",
            "due_at": None,
            "attempts": 1,
            "raw_status": "202 0: Accepted for delivery",
            "reason": None,
            "gateway": GATEWAY,
            "smsc": "orange-fr",
            "short_code": "81014",
            "operator": "20801",
            "merchant": "ludotel",
            "service": "quiz",
            "charge": None,
            "consumer": consumer,
        }

    def test_tells_when_it_is_tried_again(self, api: Api) -> None:
        notified(api, smsbox=Smsbox(Reply("refused", "403")))
        (one,) = api.get("/outbox", "admin", state="refused").json()["items"]
        assert (one["due_at"], one["raw_status"]) == ("2026-07-15T10:01:00Z", "403")

    def test_shows_a_gateway_its_own_without_consumers(self, api: Api) -> None:
        notified(api)
        told = api.get("/outbox", "gateway").json()
        assert told["states"] is None
        assert {one["gateway"] for one in told["items"]} == {GATEWAY}
        assert {one["consumer"] for one in told["items"]} == {None}

    def test_comes_page_by_page(self, api: Api) -> None:
        notified(api, senders=2)
        first = api.get("/outbox", "finance", limit=3).json()
        second = api.get("/outbox", "finance", limit=3, cursor=first["next"]).json()
        assert second["next"] is None
        items = [one["item"] for one in (*first["items"], *second["items"])]
        assert len(items) == len(set(items)) == 4

    @pytest.mark.parametrize("role", ["merchant", "regulator"])
    def test_is_closed_to_others(self, api: Api, role: str) -> None:
        assert api.get("/outbox", role).status_code == 403

    @pytest.mark.parametrize(
        "asked", [{"state": "lost"}, {"limit": 0}, {"cursor": 0}, {"limit": 501}]
    )
    def test_refuses_what_cannot_be_asked(self, api: Api, asked: dict) -> None:
        assert api.get("/outbox", "finance", **asked).status_code == 422

    def test_before_any_projection_is_no_answer(self, api: Api) -> None:
        assert api.get("/outbox", "finance").status_code == 503
