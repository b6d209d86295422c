"""Who may come in where: every route of the application with every kind of caller.

The routes come from the application itself, and what each is to answer from the roles that it
names. A new one fails here until `tests/support/matrix.py` says whom it is for.
"""

from collections.abc import Generator
from datetime import timedelta

import pytest
from fastapi import APIRouter
from httpx2 import Response

from api.app import create_app
from ledger.commands.access import Wanted, issue_key
from ledger.facts.catalogue import MerchantRegistered
from tests.support.api import BOOK, GATEWAY, MERCHANT, ORIGIN, OTHER_BOOK, ROLES, Api, serving
from tests.support.builders import OPENING, gateway
from tests.support.database import TestDatabase
from tests.support.matrix import BELOW, KINDS, ROWS, Endpoint, endpoints, guarded, send

ADMITTED = {200, 404, 409, 422}
"""What a key that may come in is answered here, for most addresses lead to nothing."""
GARBAGE = ("x", "obole_", "obole_0123456789abcdef_" + "a" * 43, "%C3%A9", "Bearer x", "a" * 5_000)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ABSENT = ("/metrics", "/docs", "/redoc", "/openapi.yaml", "/v1", "/v1/books", "/v1/books/fr")

Statuses = dict[str, int]
"""By route."""


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        served.project()
        yield served


@pytest.fixture
def routes(api: Api) -> list[Endpoint]:
    return guarded(api.client.app)


def status(answer: Response) -> int:
    """Give the status of an answer that is as it has to be, whatever it says."""
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="obole"'
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code


def statuses(api: Api, routes: list[Endpoint], key: str | None, **instead: str) -> Statuses:
    return {one.name: status(send(api, one, api.bearer(key), **instead)) for one in routes}


def everywhere(routes: list[Endpoint], expected: int) -> Statuses:
    return {one.name: expected for one in routes}


def another_gateway(api: Api) -> str:
    """Give the key of a gateway beside the usual one."""
    api.record([gateway("kannel-b")])
    wanted = Wanted("gateway", "test", api.now + timedelta(days=1), gateway="kannel-b")
    desk = api.books.by_name[BOOK].desk
    key = api.portal.call(issue_key, desk, wanted, ORIGIN, api.now)
    api.books.by_name[BOOK].forget_grants()
    return key.text


def names_gateway(one: Endpoint) -> bool:
    return "{gateway}" in one.path or "gateway" in (ROWS[one.name].body or {})


class TestTable:
    """What is checked here is all that there is."""

    def test_has_a_line_for_every_route(self, api: Api) -> None:
        served = {one.name for one in endpoints(api.client.app)}
        assert served - ROWS.keys() == set()
        assert ROWS.keys() - served == set()

    def test_says_of_each_what_it_declares(self, api: Api) -> None:
        declared = {one.name: one.declared for one in endpoints(api.client.app)}
        assert declared == {name: KINDS[row.kind] for name, row in ROWS.items()}

    def test_asks_for_a_key_everywhere_below_a_book(self, api: Api) -> None:
        asks = {one.name for one in endpoints(api.client.app) if one.declared}
        assert asks == {one.name for one in guarded(api.client.app)}

    def test_control_finds_a_route_that_was_added_without_one(self, api: Api) -> None:
        app = create_app(api.books)
        forgotten = APIRouter(prefix=BELOW)

        @forgotten.get("/everything")
        def everything() -> None:
            """Show it to anybody."""

        app.include_router(forgotten)
        (found,) = [one for one in endpoints(app) if one.name not in ROWS]
        assert (found.name, found.declared) == ("GET /everything", frozenset())


class TestNobody:
    """A key that opens nothing is told nothing, on any route, and leaves nothing behind."""

    def test_is_let_in_without_a_key(self, api: Api, routes: list[Endpoint]) -> None:
        assert statuses(api, routes, None) == everywhere(routes, 401)

    def test_is_let_in_with_garbage(self, api: Api, routes: list[Endpoint]) -> None:
        for key in GARBAGE:
            assert statuses(api, routes, key) == everywhere(routes, 401)

    def test_is_let_in_with_another_keys_secret(self, api: Api, routes: list[Endpoint]) -> None:
        name, secret = api.keys["admin"].rsplit("_", 1)[0], api.keys["finance"][-43:]
        assert statuses(api, routes, f"{name}_{secret}") == everywhere(routes, 401)

    def test_is_let_in_by_a_key_of_any_role_that_expired(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        keys = [api.issue(role, MERCHANT if role == "merchant" else None, days=1) for role in ROLES]
        assert api.get("/facts", keys[-1]).status_code == 200
        api.now += timedelta(days=1)
        for key in keys:
            assert statuses(api, routes, key) == everywhere(routes, 401)

    def test_is_let_in_by_a_key_of_any_role_that_was_revoked(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        assert api.get("/facts", "admin").status_code == 200
        for role in ROLES:
            api.revoke(api.keys[role])
            assert statuses(api, routes, role) == everywhere(routes, 401)

    def test_is_told_of_a_book(self, api: Api, routes: list[Endpoint]) -> None:
        for key in (None, "x"):
            for book in (OTHER_BOOK, "nowhere"):
                assert statuses(api, routes, key, book=book) == everywhere(routes, 401)

    def test_is_told_more_on_one_route_than_on_another(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        told = {send(api, one, api.bearer(key)).content for one in routes for key in (None, "x")}
        assert len(told) == 1

    def test_leaves_anything_in_the_book(self, api: Api, routes: list[Endpoint]) -> None:
        before = api.facts()[-1].position
        for key in (None, "x"):
            statuses(api, routes, key)
        for role in ROLES:
            others = [one for one in routes if role not in one.declared]
            assert statuses(api, others, role) == everywhere(others, 403)
        assert api.facts()[-1].position == before


class TestKey:
    """How a key is presented."""

    def test_in_a_query_opens_only_kannels_routes(self, api: Api, routes: list[Endpoint]) -> None:
        for one in routes:
            if "/kannel/" in one.path:
                continue
            for role in one.declared:
                params = {"key": api.keys[role]}
                assert api.client.request(one.method, one.url(), params=params).status_code == 401
        assert api.mo().status_code == 200

    def test_to_kannels_route_as_a_bearer_token_opens_it(self, api: Api) -> None:
        url = api.mo_url(key=None)
        answer = api.client.get(url, headers=api.bearer("gateway"))
        assert api.keys["gateway"] in answer.headers["X-Kannel-DLR-Url"]

    def test_is_taken_whatever_the_case_of_its_scheme(self, api: Api) -> None:
        for scheme in ("bearer", "BEARER", "Bearer "):
            headers = {"Authorization": f"{scheme} {api.keys['admin']}"}
            assert api.client.get("/v1/books/fr/facts", headers=headers).status_code == 200

    def test_under_another_scheme_opens_nothing(self, api: Api, routes: list[Endpoint]) -> None:
        for scheme in ("Basic", "Digest", "", "Bearer,"):
            headers = {"Authorization": f"{scheme} {api.keys['admin']}".strip()}
            assert {status(send(api, one, headers)) for one in routes} == {401}


class TestRole:
    """A route is for some roles; the others are told no more than that."""

    @pytest.mark.parametrize("role", ROLES)
    def test_opens_what_it_is_for_and_nothing_else(
        self, api: Api, routes: list[Endpoint], role: str
    ) -> None:
        given = statuses(api, routes, role)
        opened = {name for name, code in given.items() if code in ADMITTED}
        assert opened == {one.name for one in routes if role in one.declared}
        assert {code for name, code in given.items() if name not in opened} <= {403}

    def test_is_told_the_same_of_all_that_it_does_not_open(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        told = {
            send(api, one, api.bearer(role)).content
            for one in routes
            for role in ROLES
            if role not in one.declared
        }
        assert len(told) == 1

    def test_is_looked_at_before_what_was_sent(self, api: Api, routes: list[Endpoint]) -> None:
        for one in routes:
            other = next(role for role in ROLES if role not in one.declared)
            assert status(send(api, one, api.bearer(other), {"wrong": 1})) == 403
            assert status(send(api, one, {}, {"wrong": 1})) == 401


class TestMerchant:
    """A merchant sees its own account, and never whether there is another."""

    def test_that_is_another_opens_nothing(self, api: Api, routes: list[Endpoint]) -> None:
        key = api.issue("merchant", "astrolys")
        assert statuses(api, routes, key) == everywhere(routes, 403)
        own = [one for one in routes if "merchant" in one.declared]
        assert set(statuses(api, own, key, merchant="astrolys").values()) <= ADMITTED

    def test_that_is_another_is_refused_as_one_that_does_not_exist(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        own = [one for one in routes if "merchant" in one.declared]
        told = [
            send(api, one, api.bearer("merchant"), merchant=merchant)
            for merchant in ("astrolys", "nobody", "%00", "ludotel%20", "LUDOTEL")
            for one in own
        ]
        assert {one.status_code for one in told} == {403}
        assert len({one.content for one in told}) == 1

    def test_has_no_say_in_another_books_merchant_of_its_name(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        assert statuses(api, routes, "merchant", book=OTHER_BOOK) == everywhere(routes, 404)


class TestGateway:
    """A gateway speaks for itself alone, whether a path or a body says for whom."""

    def test_that_is_another_has_no_say_in_this_ones_messages(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        given = statuses(api, routes, another_gateway(api))
        opened = {name for name, code in given.items() if code in ADMITTED}
        its_own = [one for one in routes if "gateway" in one.declared and not names_gateway(one)]
        assert opened == {one.name for one in its_own}
        assert {code for name, code in given.items() if name not in opened} == {403}


class TestBook:
    """A book that a key does not open might as well not be there."""

    def test_that_is_another_is_told_as_one_that_does_not_exist(
        self, api: Api, routes: list[Endpoint]
    ) -> None:
        told = {
            send(api, one, api.bearer(role), book=book).content
            for role in ROLES
            for one in routes
            for book in (OTHER_BOOK, "nowhere")
        }
        assert len(told) == 1
        assert b'"/problems/unknown-book"' in told.pop()

    def test_has_keys_of_its_own_that_open_no_other(self, api: Api, routes: list[Endpoint]) -> None:
        namesake = MerchantRegistered(merchant=MERCHANT, name="x", effective_from=OPENING)
        api.record([gateway(GATEWAY), namesake], OTHER_BOOK)
        for role in ROLES:
            key = api.issue(role, MERCHANT if role == "merchant" else None, book=OTHER_BOOK)
            assert statuses(api, routes, key) == everywhere(routes, 404)
            assert 200 in statuses(api, routes, key, book=OTHER_BOOK).values()

    def test_of_any_name_is_looked_for_in_vain(self, api: Api) -> None:
        for book in ("%00", "%F0%9F%8E%89", "..", "FR", "fr%20"):
            answer = api.client.get(f"/v1/books/{book}/balances", headers=api.bearer("admin"))
            assert (book, answer.status_code) == (book, 404)


class TestMethods:
    """What is no route: other methods, and pages that are not served."""

    def test_that_a_route_has_not_are_named_to_nobody_but_by_those_that_it_has(
        self, api: Api
    ) -> None:
        served: dict[str, set[str]] = {}
        for one in endpoints(api.client.app):
            served.setdefault(one.url(), set()).add(one.method)
        before = api.facts()[-1].position
        for url, methods in served.items():
            for method in set(METHODS) - methods:
                for key in (None, "gateway", "admin"):
                    answer = api.client.request(method, url, headers=api.bearer(key))
                    assert (url, method, status(answer)) == (url, method, 405)
                    assert set(answer.headers["Allow"].split(", ")) == methods
        assert api.facts()[-1].position == before

    def test_of_what_is_not_served_find_nothing(self, api: Api) -> None:
        for path in ABSENT:
            for key in (None, "admin"):
                for method in METHODS:
                    answer = api.client.request(method, path, headers=api.bearer(key))
                    assert (path, method, status(answer)) == (path, method, 404)

    def test_that_anybody_may_use_name_no_book(self, api: Api) -> None:
        for one in endpoints(api.client.app):
            if one.declared:
                continue
            for key in (None, "x", "admin"):
                answer = send(api, one, api.bearer(key))
                assert answer.status_code == 200
                assert not {BOOK, OTHER_BOOK, GATEWAY, MERCHANT} & set(answer.text.split('"'))
