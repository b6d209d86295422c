"""Kannel's short way into the application: the same answers as by the long one."""

from collections.abc import Generator
from urllib.parse import parse_qsl

import pytest
from fastapi import FastAPI
from httpx2 import Response
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from api.access import MAX_PARAMETERS, Query
from api.problems import FieldsInvalid
from ledger.facts.traffic import MoReceived
from tests.support.api import BOOK, GATEWAY, Api, serving
from tests.support.database import TestDatabase

PARTS = st.sampled_from(
    [
        b"a",
        b"b",
        b"key",
        b"=",
        b"&",
        b"+",
        b"%",
        b"%4",
        b"%41",
        b"%e9",
        b"%zz",
        b"\xe9",
        b";",
        b"%26",
    ]
)


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def long(api: Api) -> TestClient:
    """Give the same application, asked by the way that all its other routes are on."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        await FastAPI.__call__(api.client.app, scope, receive, send)

    client = TestClient(asked, raise_server_exceptions=False)
    client.portal = api.portal
    return client


def told(answer: Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    return answer.status_code, answer.content, answer.headers.multi_items()


class TestShortWay:
    """What goes by it, and what is answered there."""

    def test_answers_a_message_as_the_long_one_does(self, api: Api, long: TestClient) -> None:
        short = told(api.mo())
        assert short == told(long.get(api.mo_url()))
        assert short[0] == 200
        assert len(api.facts(MoReceived)) == 1

    @pytest.mark.parametrize(
        ("method", "url", "status"),
        [
            ("GET", f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo", 401),
            ("GET", f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo?{'a&' * MAX_PARAMETERS}", 422),
            ("GET", f"/v1/books/nobody/kannel/{GATEWAY}/mo?key=KEY", 404),
            ("GET", f"/v1/books/{BOOK}/kannel/nobody/dlr?key=KEY", 403),
            ("GET", f"/v1/books/{BOOK}/kannel/{GATEWAY}/dlr?key=KEY&mt=x&type=1", 422),
            ("GET", f"/v1/books/{BOOK}/kannel/{GATEWAY}/dlr?key=KEY&mt={'0' * 32}&type=1", 200),
            ("GET", f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo/", 404),
            ("GET", f"/v1/books/{BOOK}/kannel//mo", 404),
            ("GET", f"/v1/books/{BOOK}/kannel/a/b/mo", 404),
            ("HEAD", f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo?key=KEY", 405),
            ("POST", f"/v1/books/{BOOK}/kannel/{GATEWAY}/dlr?key=KEY", 405),
        ],
    )
    def test_refuses_as_the_long_one_does(
        self, api: Api, long: TestClient, method: str, url: str, status: int
    ) -> None:
        url = url.replace("KEY", api.keys["gateway"])
        short = told(api.client.request(method, url))
        assert short == told(long.request(method, url))
        assert short[0] == status

    def test_tells_nothing_of_a_failure_and_lets_it_through_to_the_log(
        self, api: Api, long: TestClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken() -> None:
            raise ZeroDivisionError("secret")

        monkeypatch.setattr(api.books, "clock", broken)
        short = told(api.mo())
        assert short == told(long.get(api.mo_url()))
        assert short[0] == 500
        assert b"secret" not in short[1]
        loud = TestClient(api.client.app)
        loud.portal = api.portal
        with pytest.raises(ZeroDivisionError):
            loud.get(api.mo_url())


class TestReceiptUrl:
    """How a gateway is to reach us for receipts, where nobody said."""

    @pytest.mark.parametrize(
        "host", ["a.example", "a.example:8080", "[::1]:80", "a.example:99999", "a b", ""]
    )
    @pytest.mark.parametrize("root", ["", "/ledger"])
    def test_is_as_starlette_reads_the_request(self, api: Api, host: str, root: str) -> None:
        async def base(scope: Scope, receive: Receive, send: Send) -> None:
            told = PlainTextResponse(str(Request(scope).base_url))
            await told(scope, receive, send)

        headers = {"Host": host}
        expected = TestClient(base, root_path=root).get("/", headers=headers).text.rstrip("/")
        client = TestClient(api.client.app, root_path=root)
        client.portal = api.portal
        url = client.get(f"{root}{api.mo_url()}", headers=headers).headers["X-Kannel-DLR-Url"]
        assert url.partition("/v1/books")[0] == expected


class TestQuery:
    """A query string, as bytes."""

    @given(st.lists(PARTS, max_size=20).map(b"".join) | st.binary(max_size=40))
    @example(b"&=a")
    def test_is_read_as_the_standard_library_reads_it(self, raw: bytes) -> None:
        text = raw.decode("latin-1")
        pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1")
        read = Query(raw)
        for name in dict(pairs):
            first = next(value for known, value in pairs if known == name)
            if name.isascii():
                assert read.get(name, "latin-1") == first
        assert read.get("none") is None

    def test_may_have_so_many_parameters_and_no_more(self) -> None:
        assert Query(b"&".join([b"a=1"] * MAX_PARAMETERS)).get("a") == "1"
        with pytest.raises(FieldsInvalid):
            Query(b"&".join([b"a=1"] * (MAX_PARAMETERS + 1)))
