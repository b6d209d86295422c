"""JSON bodies of every route: a name stands in an object once, and nothing depends on the last."""

from collections.abc import Generator

import pytest
from httpx2 import Response

from ledger.facts.traffic import MoReceived
from tests.support.api import Api, serving
from tests.support.database import TestDatabase

MESSAGE = (
    '{"gateway": "kannel-fr", "smsc": "orange-fr", "id": "m-1", "sender": "33612345678",'
    ' "short_code": "81014", "text": "JEU"'
)


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def send(api: Api, path: str, body: str, kind: str = "application/json") -> Response:
    """Send bytes as they are, by the gateway's key."""
    headers = {**api.bearer("gateway"), "Content-Type": kind}
    return api.client.post(path, content=body.encode(), headers=headers)


class TestDoubledNames:
    """A name that stands in an object twice."""

    def test_are_refused_by_name_and_nothing_is_recorded(self, api: Api) -> None:
        for body in (f'{MESSAGE}, "text": "STOP"}}', f'{MESSAGE}, "\\u0074ext": "JEU"}}'):
            answer = send(api, "/v1/books/fr/messages", body)
            assert answer.status_code == 422
            assert answer.json()["errors"] == [{"field": "text", "message": "stands there twice"}]
        assert api.facts(MoReceived) == []
        assert send(api, "/v1/books/fr/messages", f"{MESSAGE}}}").status_code == 200

    def test_are_refused_inside_too_and_whatever_json_is_called(self, api: Api) -> None:
        body = '{"id": "r", "amount": {"currency": "EUR", "amount": "1.00", "amount": "2.00"}}'
        kinds = ("application/json; charset=utf-8", "Application/JSON", "application/x+json")
        for kind in kinds:
            answer = send(api, f"/v1/books/fr/charges/{'0' * 32}/refunds", body, kind)
            assert [one["field"] for one in answer.json()["errors"]] == ["amount"]

    def test_are_refused_by_every_route_that_takes_a_body(self, api: Api) -> None:
        taking = [
            (path, method)
            for path, operations in api.client.get("/openapi.json").json()["paths"].items()
            for method, one in operations.items()
            if "application/json" in one.get("requestBody", {}).get("content", {})
        ]
        assert len(taking) > 10
        for path, method in taking:
            headers = {**api.bearer("admin"), "Content-Type": "application/json"}
            url = path.replace("{book}", "fr").replace("{", "").replace("}", "")
            answer = api.client.request(method, url, content=b'{"a":1,"a":1}', headers=headers)
            assert answer.json()["errors"] == [{"field": "a", "message": "stands there twice"}], url

    @pytest.mark.parametrize("body", ["", "{", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900])
    def test_are_not_looked_for_in_what_cannot_be_read(self, api: Api, body: str) -> None:
        for path in ("messages", f"subscriptions/{'0' * 32}/renewals"):
            assert send(api, f"/v1/books/fr/{path}", body).status_code in {400, 403, 422}
