"""What counts at once, over HTTP: services suspended and resumed, numbers to test with."""

from collections.abc import Generator
from datetime import timedelta

import pytest
from httpx2 import Response

from ledger.facts import catalogue as entries
from ledger.facts.catalogue import ServiceResumed, ServiceSuspended
from ledger.facts.traffic import MoReceived
from tests.support.api import START, Api, serving
from tests.support.database import TestDatabase

NUMBER = {"operator": "20801", "short_code": "81014", "sender": "+33612345678", "label": "ours"}


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def deleted(api: Api, path: str, role: str = "admin") -> Response:
    return api.client.delete(f"/v1/books/fr{path}", headers=api.bearer(role))


class TestSuspension:
    """A service that sells nothing for a while."""

    def test_is_shown_and_ends(self, api: Api) -> None:
        answer = api.post("/services/quiz/suspension", {"reason": "complaints"}, "regulator")
        assert answer.json()["recorded"] == {"service_suspended.v1": 1}
        assert self.suspended(api) == {"quiz"}
        api.now += timedelta(hours=1)
        answer = api.post("/services/quiz/resumption", {}, "admin")
        assert answer.json()["recorded"] == {"service_resumed.v1": 1}
        assert self.suspended(api) == set()
        # What was suspended at noon stays so for whoever asks about noon.
        assert self.suspended(api, at="2026-07-15T10:00:00Z") == {"quiz"}

    def test_repeated_records_nothing(self, api: Api) -> None:
        for _ in range(2):
            answer = api.post("/services/quiz/suspension", {"reason": "complaints"}, "admin")
        assert answer.json()["recorded"] == {}
        assert len(api.facts(ServiceSuspended)) == 1

    def test_names_who_ordered_it_and_when(self, api: Api) -> None:
        api.post("/services/quiz/suspension", {"reason": "complaints"}, "regulator")
        (recorded,) = api.facts(ServiceSuspended)
        assert recorded.fact.effective_from == START
        assert recorded.fact.reason == "complaints"
        assert recorded.actor == f"key:{api.keys['regulator'].split('_')[1]}"

    def test_without_a_reason_is_refused(self, api: Api) -> None:
        for body in ({}, {"reason": " "}, {"reason": "call 0470 00 00 01"}):
            answer = api.post("/services/quiz/suspension", body, "admin")
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"] == "reason"

    def test_of_a_service_that_is_not_declared_is_refused(self, api: Api) -> None:
        answer = api.post("/services/nope/suspension", {"reason": "x"}, "admin")
        assert (answer.status_code, answer.json()["service"]) == (404, "nope")

    def test_that_there_is_none_of_is_not_ended(self, api: Api) -> None:
        assert api.post("/services/quiz/resumption", {}, "admin").status_code == 422
        assert api.facts(ServiceResumed) == []

    def suspended(self, api: Api, **params: str) -> set[str]:
        services = api.get("/catalogue", "admin", **params).json()["services"]
        return {one["service"] for one in services if one["suspended"]}


class TestTestNumbers:
    """Numbers that only test."""

    def test_are_named_as_their_messages_are(self, api: Api) -> None:
        answer = api.post("/test-numbers", NUMBER, "admin")
        assert answer.json()["recorded"] == {"test_number_declared.v1": 1}
        api.mo()
        assert api.only(MoReceived).consumer == answer.json()["consumer"]

    def test_stand_nowhere_themselves(self, api: Api) -> None:
        answer = api.post("/test-numbers", NUMBER, "admin")
        assert "612345678" not in answer.text
        shown = api.get("/catalogue", "admin")
        assert shown.json()["test_numbers"][0]["consumer"] == answer.json()["consumer"]
        assert "612345678" not in shown.text
        assert "612345678" not in str(api.facts())

    def test_again_record_nothing(self, api: Api) -> None:
        first = api.post("/test-numbers", NUMBER, "admin").json()
        api.now += timedelta(hours=1)
        again = api.post("/test-numbers", NUMBER, "admin").json()
        assert (again["consumer"], again["recorded"]) == (first["consumer"], {})

    def test_whose_label_tells_them_are_refused(self, api: Api) -> None:
        answer = api.post("/test-numbers", {**NUMBER, "label": "0033612345678"}, "admin")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "label"
        assert "612345678" not in answer.text

    @pytest.mark.parametrize("label", ["Jo, 06 12 34 56 78", "Jan, 0470/00.00.01"])
    def test_whose_label_tells_a_number_are_refused(self, api: Api, label: str) -> None:
        answer = api.post("/test-numbers", {**NUMBER, "label": label}, "admin")
        (error,) = answer.json()["errors"]
        assert error["field"] == "label"
        assert "a telephone number may not stand in the log" in error["message"]

    def test_of_a_file_whose_label_tells_a_number_are_refused(self, api: Api) -> None:
        number = {**NUMBER, "label": "Jo, 06 12 34 56 78"}
        number["code"] = number.pop("short_code")
        day = {"book": "fr", "effective_from": "2026-08-01"}
        answer = api.post("/catalogue", {**day, "test_numbers": [number]}, "admin")
        assert [one["field"].rpartition(".")[2] for one in answer.json()["errors"]] == ["label"]
        assert "06 12" not in answer.text

    def test_on_a_code_that_is_not_open_are_refused(self, api: Api) -> None:
        answer = api.post("/test-numbers", {**NUMBER, "short_code": "89999"}, "admin")
        assert answer.json()["errors"] == [
            {"field": "short_code", "message": "89999 is not open with 20801 by then"}
        ]

    def test_are_withdrawn_by_their_pseudonym(self, api: Api) -> None:
        consumer = api.post("/test-numbers", NUMBER, "admin").json()["consumer"]
        api.now += timedelta(hours=1)
        answer = deleted(api, f"/test-numbers/{consumer}")
        assert answer.json()["recorded"] == {"test_number_withdrawn.v1": 1}
        assert api.get("/catalogue", "admin").json()["test_numbers"] == []
        assert deleted(api, f"/test-numbers/{consumer}").json()["recorded"] == {}

    def test_that_nobody_declared_are_not_withdrawn(self, api: Api) -> None:
        assert deleted(api, f"/test-numbers/1_{'0' * 32}").status_code == 422
        assert api.facts(entries.TestNumberWithdrawn) == []
