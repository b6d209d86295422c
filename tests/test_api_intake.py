"""Messages and receipts as JSON."""

from collections.abc import Generator
from typing import Any

import pytest

from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordMatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from tests.support.api import GATEWAY, ORANGE, Api, serving
from tests.support.database import TestDatabase


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def message(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - also what no message may hold
    given = {
        "gateway": GATEWAY,
        "smsc": ORANGE,
        "id": "mo-1",
        "sender": "+33612345678",
        "short_code": "81014",
        "text": "JEU abc",
        "sent_at": "2026-07-15T11:59:00+02:00",
    }
    return given | changed


def receipt(mt: str, outcome: str = "delivered", **changed: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"gateway": GATEWAY, "mt": mt, "outcome": outcome} | changed


class TestMessage:
    """A message handed over."""

    def test_is_answered_with_the_mt_and_its_price(self, api: Api) -> None:
        answer = api.post("/messages", message())
        assert answer.status_code == 200
        told = answer.json()
        emitted = api.facts(MtEmitted)[0]
        assert told | {"text": ""} == {
            "mo": api.only(MoReceived).mo,
            "mt": emitted.fact.subject,
            "text": "",
            "billing_code": "SMSPLUS300",
            "repeated": False,
            "watermark": {"book": "fr", "position": emitted.position},
        }
        assert told["text"].startswith('Quiz : réponse "abc" notée')

    def test_is_recorded_in_utc(self, api: Api) -> None:
        api.post("/messages", message())
        assert api.only(MoReceived).occurred_at.isoformat() == "2026-07-15T09:59:00+00:00"

    def test_again_gets_the_same_answer(self, api: Api) -> None:
        first = api.post("/messages", message()).json()
        again = api.post("/messages", message()).json()
        assert again == first | {"repeated": True}
        assert len(api.facts(ChargeAuthorized)) == 1

    def test_again_through_kannel_gets_the_same_answer(self, api: Api) -> None:
        first = api.post("/messages", message()).json()
        assert api.mo("JEU abc").text == first["text"]
        assert len(api.facts(MoReceived)) == 1

    def test_again_with_other_content_conflicts(self, api: Api) -> None:
        first = api.post("/messages", message()).json()
        answer = api.post("/messages", message(text="JEU xyz"))
        assert (answer.status_code, answer.json()["mo"]) == (409, first["mo"])
        assert api.only(ConflictingDuplicateReceived).mo == first["mo"]

    def test_to_an_unknown_code_has_no_answer(self, api: Api) -> None:
        told = api.post("/messages", message(short_code="99999")).json()
        assert (told["mt"], told["text"], told["billing_code"]) == (None, "", "")

    def test_as_long_and_as_wide_as_can_be_still_fits_the_log(self, api: Api) -> None:
        answer = api.post("/messages", message(text="JEU " + "🎉" * 9_996))
        assert answer.status_code == 200
        assert len(api.facts(KeywordMatched)) == 1

    @pytest.mark.parametrize("text", ["", "a" * 2_000, "🎉", "JEU\x00abc", "\u202eJEU", "\ufffd"])
    def test_may_hold_any_text(self, api: Api, text: str) -> None:
        assert api.post("/messages", message(text=text)).status_code == 200


class TestWrongMessage:
    """What no message may hold: a problem that names the field, and nothing recorded."""

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("text", "a" * 10_001),
            ("text", None),
            ("text", 5),
            ("text", ["JEU"]),
            ("id", ""),
            ("id", 17),
            ("short_code", "81 014"),
            ("short_code", 81014),
            ("short_code", "٨١٠١٤"),
            ("gateway", "../x"),
            ("gateway", "\x00"),
            ("smsc", "x" * 65),
            ("sender", ""),
            ("sent_at", 1784109600),
            ("sent_at", "2026-07-15T11:59:00"),
            ("sent_at", "yesterday"),
            ("sent_at", "1784109601"),
            ("sent_at", "0001-01-01T00:00:00+23:59"),
            ("operator_message_id", "a b"),
            ("price", 3),
        ],
    )
    def test_is_named(self, api: Api, field: str, value: object) -> None:
        answer = api.post("/messages", message(**{field: value}))
        assert answer.status_code == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert [one["field"] for one in answer.json()["errors"]] == [field]
        assert api.facts(MoReceived) == []

    @pytest.mark.parametrize("field", ["text", "sender", "id", "smsc", "gateway", "sent_at"])
    def test_with_a_lone_surrogate_is_named(self, api: Api, field: str) -> None:
        body = ", ".join(
            rf'"{name}": "\ud800"' if name == field else f'"{name}": "{value}"'
            for name, value in message().items()
        )
        answer = send(api, f"{{{body}}}".encode())
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]

    def test_with_a_surrogate_for_a_field_is_refused(self, api: Api) -> None:
        answer = send(api, rb'{"\ud800": 1}')
        assert answer.status_code == 422
        assert answer.json()["errors"]

    def test_names_everything_that_is_wrong_at_once(self, api: Api) -> None:
        answer = api.post("/messages", {"text": 5, "gateway": GATEWAY})
        named = {one["field"] for one in answer.json()["errors"]}
        assert named == {"text", "smsc", "id", "sender", "short_code"}

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 422),
            (b"{", 422),
            (b"[]", 422),
            (b"null", 422),
            (b'"JEU"', 422),
            (b'{"text": "\xff"}', 400),
            (b'{"text": ' + b"9" * 5_000 + b"}", 400),
            (b"[" * 100_000, 400),
            (b" " * 300_000, 413),
        ],
        ids=["none", "cut", "list", "null", "text", "bytes", "number", "depth", "size"],
    )
    def test_that_is_no_object_at_all_is_a_problem(
        self, api: Api, body: bytes, status: int
    ) -> None:
        answer = send(api, body)
        assert answer.status_code == status
        assert answer.json()["status"] == status

    def test_from_another_gateway_or_an_undeclared_link(self, api: Api) -> None:
        assert api.post("/messages", message(gateway="nobody")).status_code == 403
        assert api.post("/receipts", receipt("0" * 32, gateway="nobody")).status_code == 403
        assert api.facts(MoReceived) == api.facts(DeliveryOrphaned) == []
        assert api.post("/messages", message(smsc="nowhere")).status_code == 422


class TestReceipt:
    """What became of a message of ours."""

    def test_of_delivery_captures_the_charge(self, api: Api) -> None:
        mt = api.post("/messages", message()).json()["mt"]
        answer = api.post("/receipts", receipt(mt, status="stat:DELIVRD", billed="yes"))
        captured = api.facts(ChargeCaptured)[0]
        assert answer.json() == {
            "mt": mt,
            "joined": True,
            "repeated": False,
            "watermark": {"book": "fr", "position": captured.position},
        }
        received = api.only(DeliveryReceived)
        assert (received.raw_status, received.billed) == ("stat:DELIVRD", "yes")

    def test_again_is_a_repeat_without_effect(self, api: Api) -> None:
        mt = api.post("/messages", message()).json()["mt"]
        answers = [api.post("/receipts", receipt(mt)) for _ in range(2)]
        assert [one.json()["repeated"] for one in answers] == [False, True]
        assert len(api.facts(ChargeCaptured)) == 1

    def test_late_after_its_release_captures_it_late(self, api: Api) -> None:
        mt = api.post("/messages", message()).json()["mt"]
        for outcome in ("failed", "delivered"):
            assert api.post("/receipts", receipt(mt, outcome)).status_code == 200
        assert api.only(ChargeReleased).reason == "failed"
        assert api.only(ChargeCaptured).late

    def test_of_acceptance_keeps_the_operators_id(self, api: Api) -> None:
        mt = api.post("/messages", message()).json()["mt"]
        api.post("/receipts", receipt(mt, "submitted", operator_message_id="0042"))
        assert api.only(MtSubmitted).operator_message_id == "0042"

    def test_before_its_message_is_joined_when_that_appears(self, api: Api) -> None:
        # The ids of a message are the same in every ledger of this book, so one foretells them.
        mt = api.post("/messages", message()).json()["mt"]
        early = receipt("0" * 32)
        assert api.post("/receipts", early).json()["joined"] is False
        assert api.only(DeliveryOrphaned).mt == "0" * 32
        assert api.post("/receipts", early).json()["repeated"] is True
        assert api.post("/receipts", receipt(mt)).json()["joined"] is True

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("mt", "x"),
            ("mt", "A" * 32),
            ("outcome", "arrived"),
            ("billed", True),
            ("billed", "maybe"),
            ("status", "text:JEU é"),
            ("status", "x" * 65),
            ("occurred_at", "2026-07-15"),
            ("charge", "x"),
        ],
    )
    def test_that_is_wrong_is_named(self, api: Api, field: str, value: object) -> None:
        answer = api.post("/receipts", receipt("0" * 32) | {field: value})
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]
        assert api.facts(DeliveryOrphaned) == []


def send(api: Api, body: bytes) -> Any:  # noqa: ANN401 - a response
    headers = api.bearer("gateway") | {"Content-Type": "application/json"}
    return api.client.post("/v1/books/fr/messages", content=body, headers=headers)
