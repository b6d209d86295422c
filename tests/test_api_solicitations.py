"""Solicitations over HTTP: asked by a gateway or a merchant, sent once, counted.

The demonstration's book allows as many without a return as its settings say.
"""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import Response

from ledger.facts.solicitations import SolicitationAllowed, SolicitationRefused
from ledger.facts.traffic import MoReceived, MtEmitted
from tests.support.api import GATEWAY, MERCHANT, ORANGE, START, Api, serving
from tests.support.database import TestDatabase

SENDER = "+33612345678"
QUESTION = {
    "id": "s-1",
    "gateway": GATEWAY,
    "smsc": ORANGE,
    "sender": SENDER,
    "short_code": "81014",
    "service": "quiz",
}
TEXT = {"text": "Ludotel : rejouez, envoyez JEU au 81014. STOP au 81014"}


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def bought(api: Api) -> None:
    """Let the consumer have bought something a minute ago."""
    answer = api.mo("JEU abc")
    api.receipt(answer, 1)
    api.now += timedelta(minutes=1)


def ask(api: Api, role: str = "gateway", **changed: Any) -> Response:  # noqa: ANN401 - wrong on purpose
    return api.post("/solicitations", {**QUESTION, **changed}, role)


class TestAsk:
    """POST /solicitations, and a merchant's own."""

    def test_of_a_past_buyer_is_allowed(self, api: Api) -> None:
        bought(api)
        answer = ask(api)
        assert answer.status_code == 200
        told = answer.json()
        fact = api.only(SolicitationAllowed)
        assert told["solicitation"] == fact.ref.solicitation
        assert (told["allowed"], told["rule"], told["count"]) == (True, None, 1)
        assert told["limit"] == fact.limit
        assert told["charter"] == "af2m business messaging"
        assert told["asked_at"] == "2026-07-15T10:01:00Z"
        assert told["expires_at"] > told["asked_at"]
        assert (told["opens_at"], told["repeated"]) == (None, False)
        assert told["watermark"]["position"] == api.facts()[-1].position

    def test_again_gives_the_same_answer(self, api: Api) -> None:
        bought(api)
        first, again = ask(api).json(), ask(api).json()
        assert again == {**first, "repeated": True, "watermark": again["watermark"]}
        assert len(api.facts(SolicitationAllowed)) == 1

    def test_of_a_stranger_is_answered_no(self, api: Api) -> None:
        answer = ask(api)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["allowed"], told["rule"], told["count"]) == (False, "unknown_consumer", 0)
        assert told["expires_at"] is None
        assert api.only(SolicitationRefused).rule == "unknown_consumer"

    def test_outside_hours_says_when_they_begin(self, api: Api) -> None:
        bought(api)
        api.now = START.replace(hour=20)  # Ten in the evening in Paris.
        told = ask(api).json()
        assert (told["rule"], told["opens_at"]) == ("outside_hours", "2026-07-16T06:00:00Z")

    def test_with_other_content_is_a_conflict(self, api: Api) -> None:
        bought(api)
        ask(api)
        answer = ask(api, sender="+33612345679")
        assert answer.status_code == 409
        assert answer.json()["type"] == "/problems/conflicting-solicitation"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("id", ""),
            ("id", 7),
            ("sender", ""),
            ("short_code", "81"),
            ("service", "a b"),
            ("smsc", ""),
            ("more", 1),
        ],
    )
    def test_that_is_not_understood_names_the_field(
        self, api: Api, field: str, value: object
    ) -> None:
        answer = ask(api, **{field: value})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]
        assert api.facts(SolicitationRefused) == []

    @pytest.mark.parametrize(
        ("changed", "status", "kind"),
        [
            ({"service": "nothing"}, 404, "service-not-declared"),
            ({"smsc": "nowhere"}, 422, "unknown-link"),
            ({"gateway": "other"}, 403, "not-allowed"),
        ],
    )
    def test_of_what_is_not_declared_is_refused(
        self, api: Api, changed: dict[str, str], status: int, kind: str
    ) -> None:
        answer = ask(api, **changed)
        assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")

    @pytest.mark.parametrize("role", ["merchant", "finance", "regulator", "admin"])
    def test_is_for_gateways(self, api: Api, role: str) -> None:
        assert ask(api, role).status_code == 403


class TestMerchantAsks:
    """POST /merchants/{merchant}/solicitations."""

    def test_by_a_message_of_its_own(self, api: Api) -> None:
        bought(api)
        told = self.ask(api, api.only(MoReceived).mo).json()
        assert (told["allowed"], told["count"]) == (True, 1)
        sent = api.post(self.message(told["solicitation"]), TEXT, "merchant")
        assert sent.status_code == 200
        assert sent.json()["mt"] == api.facts(MtEmitted)[-1].fact.ref.mt

    def test_by_a_message_of_nobody_is_told_that(self, api: Api) -> None:
        answer = self.ask(api, "0" * 32)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-exchange")

    def test_for_another_merchant_is_not_allowed(self, api: Api) -> None:
        body = {"id": "s-1", "mo": "0" * 32, "service": "quiz"}
        assert api.post("/merchants/voxpop/solicitations", body, "merchant").status_code == 403

    def test_with_a_wrong_message_names_the_field(self, api: Api) -> None:
        answer = self.ask(api, "x")
        assert [one["field"] for one in answer.json()["errors"]] == ["mo"]

    @staticmethod
    def ask(api: Api, mo: str) -> Response:
        body = {"id": "s-1", "mo": mo, "service": "quiz"}
        return api.post(f"/merchants/{MERCHANT}/solicitations", body, "merchant")

    @staticmethod
    def message(solicitation: str) -> str:
        return f"/merchants/{MERCHANT}/solicitations/{solicitation}/message"


class TestMessage:
    """POST /solicitations/{solicitation}/message."""

    def test_is_recorded_once(self, api: Api) -> None:
        bought(api)
        path = message(ask(api))
        first, again = api.post(path, TEXT), api.post(path, TEXT)
        assert first.status_code == again.status_code == 200
        emitted = api.facts(MtEmitted)[-1].fact
        assert first.json()["mt"] == again.json()["mt"] == emitted.ref.mt
        assert (emitted.kind, emitted.pushed, emitted.billing_code) == (
            *("solicitation", True),
            first.json()["billing_code"],
        )
        assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)

    def test_of_another_text_is_a_conflict(self, api: Api) -> None:
        bought(api)
        path = message(ask(api))
        api.post(path, TEXT)
        answer = api.post(path, {"text": "autre"})
        kind = "/problems/conflicting-solicitation"
        assert (answer.status_code, answer.json()["type"]) == (409, kind)

    def test_too_late_is_told_why(self, api: Api) -> None:
        bought(api)
        path = message(ask(api))
        api.now += timedelta(hours=8)
        answer = api.post(path, TEXT)
        assert (answer.status_code, answer.json()["rule"]) == (409, "expired")

    @pytest.mark.parametrize("text", ["", " ", "\x00", "\u200b\x00\n", "x" * 1531, 7, None])
    def test_that_cannot_be_sent_names_the_field(self, api: Api, text: object) -> None:
        bought(api)
        answer = api.post(message(ask(api)), {"text": text})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["text"]

    def test_of_nothing_that_was_asked_is_told_that(self, api: Api) -> None:
        answer = api.post(f"/solicitations/{'0' * 32}/message", TEXT)
        kind = "/problems/unknown-solicitation"
        assert (answer.status_code, answer.json()["type"]) == (404, kind)

    def test_names_an_id_that_is_none(self, api: Api) -> None:
        answer = api.post("/solicitations/x/message", TEXT)
        assert [one["field"] for one in answer.json()["errors"]] == ["solicitation"]


class TestCounters:
    """GET /merchants/{merchant}/counters and /consumers/{consumer}/counters."""

    def test_of_a_merchant_do_not_tell_it_who(self, api: Api) -> None:
        self.two_asked(api)
        hidden, shown = (
            api.get(f"/merchants/{MERCHANT}/counters", role).json()["counters"]
            for role in ("merchant", "regulator")
        )
        assert [one["consumer"] for one in hidden] == [None, None]
        assert all(one["consumer"] for one in shown)
        assert [one["count"] for one in hidden] == [1, 1]
        assert hidden[0]["reserved"] == 1
        assert hidden[0]["limit"] == api.facts(SolicitationAllowed)[0].fact.limit

    def test_come_page_by_page_and_no_page_tells_who(self, api: Api) -> None:
        self.two_asked(api)
        path = f"/merchants/{MERCHANT}/counters"
        first = api.get(path, "merchant", limit=1).json()
        second = api.get(path, "merchant", limit=1, cursor=first["next"]).json()
        whole = api.get(path, "regulator").json()
        assert first["counters"] != second["counters"]
        assert second["next"] is None
        assert all(one["consumer"] not in first["next"] for one in whole["counters"])
        both = [*first["counters"], *second["counters"]]
        assert both == [{**one, "consumer": None} for one in whole["counters"]]

    def test_of_a_consumer_are_for_regulators(self, api: Api) -> None:
        self.two_asked(api)
        consumer = api.facts(SolicitationAllowed)[0].fact.ref.consumer
        answer = api.get(f"/consumers/{consumer}/counters", "regulator")
        (one,) = answer.json()["counters"]
        assert (one["consumer"], one["merchant"], one["count"]) == (consumer, MERCHANT, 1)
        assert answer.headers["Obole-Position"] == str(api.facts()[-1].position)
        assert api.get(f"/consumers/{consumer}/counters", "finance").status_code == 403

    def test_of_a_merchant_who_is_not_there_are_refused(self, api: Api) -> None:
        api.project()
        answer = api.get("/merchants/nobody/counters", "admin")
        kind = "/problems/merchant-not-registered"
        assert (answer.status_code, answer.json()["type"]) == (404, kind)

    def test_after_no_page_names_the_cursor(self, api: Api) -> None:
        answer = api.get(f"/merchants/{MERCHANT}/counters", "admin", cursor="x")
        assert [one["field"] for one in answer.json()["errors"]] == ["cursor"]

    @staticmethod
    def two_asked(api: Api) -> None:
        api.receipt(api.mo("JEU x", id="mo-2", **{"from": "+33699999999"}), 1)
        bought(api)
        ask(api)
        api.now += timedelta(minutes=1)
        ask(api, id="s-2", sender="+33699999999")
        api.project()


def message(asked: Response) -> str:
    return f"/solicitations/{asked.json()['solicitation']}/message"
