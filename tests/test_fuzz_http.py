"""Requests from outside, altered in any way: each is answered, or refused as it is documented.

For each route of the application's own table there is a right request; places of it are altered:
parts of the path, the query, headers and the body.
"""

from collections.abc import Generator
from time import process_time

import pytest
from fastapi import APIRouter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.testclient import TestClient

from api.app import create_app
from api.embedded import Embedded
from tests.support.api import serving
from tests.support.asked import (
    CHARSETS,
    PARAMETERS,
    Asked,
    Scene,
    checked,
    kannel,
    parameters,
    queries,
    query_of,
    requests,
    scene_of,
)
from tests.support.builders import gateway
from tests.support.database import clone
from tests.support.matrix import BELOW, ROWS, Endpoint, endpoints
from tests.support.noise import TEXTS, as_json, broken

EACH = settings(
    max_examples=max(5, settings().max_examples // 8),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""For each route, so that all of them together take no longer than they may."""
OTHERWISE = {
    # Nobody subscribed in this book.
    "GET /subscriptions/{subscription}": "unknown-subscription",
    "POST /merchants/{merchant}/subscriptions/{subscription}/stop": "unknown-subscription",
    "POST /subscriptions/{subscription}/stop": "unknown-subscription",
    "POST /subscriptions/{subscription}/renewals": "unknown-subscription",
    # The gateway's own, and used by it.
    "POST /merchants/{merchant}/solicitations/{solicitation}/message": "conflicting-solicitation",
    # After a refund nothing is left of the charge, nor of what was found about it.
    "POST /charges/{charge}/write-offs": "refund-not-made",
    "POST /merchants/{merchant}/charges/{charge}/refunds": "refund-not-made",
    "POST /findings/{finding}/close": "finding-already-closed",
    # A consumer who buys is none.
    "DELETE /test-numbers/{consumer}": "catalogue-refused",
}
"""What right requests are refused for, sent one after the other; all others are answered."""


@pytest.fixture(scope="module")
def scene(server: Embedded) -> Generator[Scene]:
    """Serve a book in which there is something to find for each route."""
    with clone(server) as database, serving(database) as api, scene_of(api) as scene:
        yield scene


@pytest.fixture(scope="module")
def routes(scene: Scene) -> dict[str, Endpoint]:
    return {one.name: one for one in endpoints(scene.api.client.app)}


class TestRight:
    """What is altered is right to begin with, and all that there is."""

    def test_requests_find_what_they_ask_for(self, server: Embedded) -> None:
        with clone(server) as database, serving(database) as api, scene_of(api) as scene:
            asked = [(one.name, scene.right(one)) for one in endpoints(api.client.app)]
            given = {name: checked(scene, right) for name, right in asked}
        told = {
            name: one.json()["type"].removeprefix("/problems/")
            for name, one in given.items()
            if one.status_code != 200
        }
        assert told == OTHERWISE

    def test_queries_hold_every_parameter_that_is_documented(self, scene: Scene) -> None:
        app = scene.api.client.app
        named = {name for one in endpoints(app) for name in parameters(app, one)}
        assert named == set(PARAMETERS)


@pytest.mark.parametrize("name", ROWS)
@EACH
@given(data=st.data())
def test_any_request_is_answered_or_refused(
    scene: Scene, routes: dict[str, Endpoint], name: str, data: st.DataObject
) -> None:
    """Whatever of it was altered."""
    checked(scene, data.draw(requests(scene, routes[name])))


class TestFound:
    """What drawn requests found once."""

    @pytest.mark.parametrize("path", ["/v1/books/fr/facts/", "/problems/", "/livez/"])
    def test_an_address_with_a_slash_more_is_none_and_redirects_nowhere(
        self, scene: Scene, path: str
    ) -> None:
        # A redirection would repeat the query, Kannel's key and texts in it, to any host named.
        answer = checked(scene, Asked("GET", f"{path}?key=secret", [(b"Host", b"x.example")], None))
        assert answer.status_code == 404
        assert "secret" not in str(answer.headers) + answer.text

    @pytest.mark.parametrize(
        "body", [b"\xff", b"[" * 100_000, b"9" * 5_000], ids=["bytes", "deep", "long"]
    )
    def test_a_body_that_cannot_be_read_at_all_is_named(
        self, scene: Scene, routes: dict[str, Endpoint], body: bytes
    ) -> None:
        asked = scene.right(routes["POST /messages"])._replace(body=body)
        answer = checked(scene, asked)
        assert answer.status_code == 400
        assert answer.json()["errors"] == [{"field": "body", "message": "cannot be read"}]

    @pytest.mark.parametrize(
        ("name", "body", "left"),
        [
            # A catalogue of no words: each keyword lacks its four.
            ("POST /catalogue", {"keywords": [{}] * 20_000}, 20_000 * 4 + 2 - 99),
            # Each field too much, and the six that are missing.
            ("POST /messages", {f"x{number}": 1 for number in range(20_000)}, 20_000 + 6 - 100),
        ],
    )
    def test_a_great_deal_that_is_wrong_has_a_short_answer(
        self, scene: Scene, routes: dict[str, Endpoint], name: str, body: object, left: int
    ) -> None:
        # It was fifteen megabytes for a quarter of one, and took seconds.
        answer = checked(scene, scene.right(routes[name])._replace(body=as_json(body)))
        errors = answer.json()["errors"]
        assert len(errors) <= 101
        assert {"field": "body", "message": f"{left} more are not listed"} in errors
        assert len(answer.content) < 20_000


class TestKey:
    """What is presented as a key."""

    @given(data=st.data())
    def test_that_is_none_opens_nothing(self, scene: Scene, data: st.DataObject) -> None:
        key = scene.api.keys["admin"].encode()
        drawn = data.draw(broken(st.just(key), most=3)).translate(None, b"\r\n\0")
        url = f"{BELOW}/facts".format(book="fr")
        answer = checked(scene, Asked("GET", url, [(b"Authorization", b"Bearer " + drawn)], None))
        assert answer.status_code == (200 if drawn.strip() == key else 401)

    @given(data=st.data())
    def test_that_is_none_in_kannels_query_opens_nothing(
        self, scene: Scene, routes: dict[str, Endpoint], data: st.DataObject
    ) -> None:
        one = routes["GET /kannel/{gateway}/mo"]
        key = scene.api.keys["gateway"].encode()
        drawn = data.draw(broken(st.just(key), most=3))
        told = kannel(scene, one) | {"key": drawn}
        answer = checked(scene, Asked("GET", url_of(scene, one, told), [], None))
        assert answer.status_code == (200 if drawn == key else 401)


def url_of(scene: Scene, one: Endpoint, told: dict[str, str | bytes]) -> str:
    return one.url(**scene.parts) + "?" + query_of(sorted(told.items()))


TEXTS_IN_BYTES = st.binary(max_size=40) | st.text(max_size=20).flatmap(
    lambda text: st.sampled_from(
        [text.encode(), text.encode("utf-16-be"), text.encode("latin-1", "replace")]
    )
)


class TestKannel:
    """What Kannel sends, with bytes of any alphabet."""

    @given(
        text=TEXTS_IN_BYTES,
        charset=st.sampled_from(CHARSETS) | TEXTS,
        ts=st.integers(-1, 10**12).map(str) | TEXTS,
        number=st.integers(0, 5),
    )
    def test_of_a_message_has_one_effect_and_one_answer(
        self, scene: Scene, text: bytes, charset: str, ts: str, number: int
    ) -> None:
        one = Endpoint("GET", f"{BELOW}/kannel/{{gateway}}/mo", frozenset())
        told = {"text": b"JEU " + text, "charset": charset, "ts": ts, "id": f"mo-{number}"}
        asked = Asked("GET", url_of(scene, one, kannel(scene, one) | told), [], None)
        first = checked(scene, asked)
        before = scene.head
        again = checked(scene, asked)
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert scene.head == before
        assert first.status_code == 200

    @given(
        mt=st.sampled_from(["0" * 32, "f" * 32, "F" * 32, "0x" + "0" * 30, "0" * 31 + "1", "1"])
        | st.integers(0, 2**130).map(str)
        | TEXTS,
        kind=st.integers(0, 40).map(str)
        | st.sampled_from(["01", "08", "1 ", "\u0661", "%d"])
        | TEXTS,
        answer=TEXTS_IN_BYTES,
        fid=st.integers(0, 2**70).flatmap(
            lambda id_: st.sampled_from([str(id_), f"{id_:x}", f"{id_:X}", f"{id_:020}"])
        )
        | TEXTS,
    )
    def test_of_a_receipt_is_taken_or_names_its_field(
        self, scene: Scene, mt: str, kind: str, answer: bytes, fid: str
    ) -> None:
        one = Endpoint("GET", f"{BELOW}/kannel/{{gateway}}/dlr", frozenset())
        told = {"mt": mt, "type": kind, "answer": b"stat:DELIVRD " + answer, "fid": fid, "at": fid}
        found = checked(
            scene, Asked("GET", url_of(scene, one, kannel(scene, one) | told), [], None)
        )
        hexadecimal = len(mt) == 32 and set(mt) <= set("0123456789abcdef")
        known = kind in {"1", "2", "4", "8", "16"}
        assert found.status_code == (200 if hexadecimal and known else 422)
        if found.status_code == 422:
            fields = {each["field"] for each in found.json()["errors"]}
            assert fields <= {"mt", "type"}
            assert ("mt" in fields) != hexadecimal

    @pytest.mark.parametrize("name", ["mo", "dlr"])
    @given(data=st.data())
    def test_with_fields_that_miss_or_come_twice(
        self, scene: Scene, routes: dict[str, Endpoint], name: str, data: st.DataObject
    ) -> None:
        one = routes[f"GET /kannel/{{gateway}}/{name}"]
        query = query_of(data.draw(queries(scene, one)))
        checked(scene, Asked("GET", f"{one.url(**scene.parts)}?{query}"[:60_000], [], None))


def raises() -> None:
    raise ZeroDivisionError


def bare() -> JSONResponse:
    return JSONResponse({"detail": "no"}, 422)


def away() -> None:
    raise HTTPException(503)


def stalls() -> None:
    until = process_time() + 0.25
    while process_time() < until:
        pass


class TestControl:
    """What must not be passes none of these checks."""

    @pytest.fixture
    def faulty(self, scene: Scene) -> Generator[Scene]:
        """Serve the same book with routes that break each promise."""

        def leaves() -> None:
            scene.api.record([gateway(f"kannel-{scene.head}")])
            raise HTTPException(422)

        wrong = APIRouter()
        for route in (raises, bare, away, stalls, leaves):
            wrong.add_api_route(f"/{route.__name__}", route)
        app, usual = create_app(scene.api.books), scene.api.client
        app.include_router(wrong)
        scene.api.client = TestClient(app, raise_server_exceptions=False)
        scene.api.client.portal = scene.api.portal
        yield scene
        scene.api.client = usual

    @pytest.mark.parametrize(
        ("path", "found"),
        [("/raises", "500"), ("/bare", "422"), ("/away", "503"), ("/leaves", "left something")],
    )
    def test_finds_a_route_that_breaks_a_promise(
        self, faulty: Scene, path: str, found: str
    ) -> None:
        with pytest.raises(AssertionError, match=found):
            checked(faulty, Asked("GET", path, [], None))

    def test_finds_a_route_that_takes_long(self, faulty: Scene) -> None:
        with pytest.raises(AssertionError, match="took"):
            checked(faulty, Asked("GET", "/stalls", [], None), most=0.2)

    def test_finds_a_right_route_right(self, faulty: Scene) -> None:
        assert checked(faulty, Asked("GET", "/livez", [], None)).status_code == 200
