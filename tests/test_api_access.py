"""Who may come in where: every route with every kind of key, right and wrong."""

from collections.abc import Generator
from datetime import timedelta

import pytest
from starlette.routing import Route

from tests.support.api import BOOK, GATEWAY, OTHER_BOOK, ROLES, Api, serving
from tests.support.database import TestDatabase

AUDITORS = {"finance", "regulator", "admin"}
VIEWERS = AUDITORS | {"merchant"}

# Every route under a book: its method, an address of it, and the roles that it is for. A method
# stands before the path of a second route of the same one.
TABLE = {
    "/kannel/{gateway}/mo": ("GET", f"/kannel/{GATEWAY}/mo", {"gateway"}),
    "/kannel/{gateway}/dlr": ("GET", f"/kannel/{GATEWAY}/dlr", {"gateway"}),
    "/messages": ("POST", "/messages", {"gateway"}),
    "/receipts": ("POST", "/receipts", {"gateway"}),
    "/imports": ("POST", "/imports", {"gateway", "admin"}),
    "/merchants/{merchant}/statements/{month}": (
        "GET", "/merchants/ludotel/statements/2026-07", VIEWERS,
    ),
    "/merchants/{merchant}/statements/{month}.csv": (
        "GET", "/merchants/ludotel/statements/2026-07.csv", VIEWERS,
    ),
    "/payouts/{month}": ("GET", "/payouts/2026-07", {"finance", "admin"}),
    "/merchants/{merchant}/payouts/{month}": (
        "GET", "/merchants/ludotel/payouts/2026-07", {"merchant", "finance", "admin"},
    ),
    "/merchants/{merchant}/payouts/{month}/facts": (
        "GET", "/merchants/ludotel/payouts/2026-07/facts?line=earned",
        {"merchant", "finance", "admin"},
    ),
    "/merchants/{merchant}/charges": ("GET", "/merchants/ludotel/charges", VIEWERS),
    "/balances": ("GET", "/balances", AUDITORS),
    "/trial-balance": ("GET", "/trial-balance", AUDITORS),
    "/exchanges/{mo}": ("GET", f"/exchanges/{'0' * 32}", AUDITORS),
    "/consumers/{consumer}/trail": ("GET", f"/consumers/1_{'0' * 32}/trail", AUDITORS),
    "/facts": ("GET", "/facts", AUDITORS),
    "/opt-outs": ("GET", "/opt-outs", AUDITORS),
    "/opt-outs/months": ("GET", "/opt-outs/months", AUDITORS),
    "/consumers/{consumer}/opt-outs": ("GET", f"/consumers/1_{'0' * 32}/opt-outs", AUDITORS),
    "/expected/{month}": ("GET", "/expected/2026-07", {"finance", "admin"}),
    "/merchants/{merchant}/rates": (
        "GET", "/merchants/ludotel/rates?from=2026-07-01&to=2026-07-31",
        {"merchant", "finance", "admin"},
    ),
    "/rates": ("GET", "/rates?from=2026-07-01&to=2026-07-31", {"finance", "admin"}),
    "/audit-exports": ("POST", "/audit-exports", {"regulator", "admin"}),
    "/catalogue": ("GET", "/catalogue", AUDITORS),
    "POST /catalogue": ("POST", "/catalogue", {"admin"}),
    "/merchants/{merchant}/catalogue": ("GET", "/merchants/ludotel/catalogue", VIEWERS),
    "/services/{service}/suspension": (
        "POST", "/services/quiz/suspension", {"regulator", "admin"},
    ),
    "/services/{service}/resumption": ("POST", "/services/quiz/resumption", {"admin"}),
    "/test-numbers": ("POST", "/test-numbers", {"admin"}),
    "/test-numbers/{consumer}": ("DELETE", f"/test-numbers/1_{'0' * 32}", {"admin"}),
    "/charges/{charge}/refunds": ("POST", f"/charges/{'0' * 32}/refunds", {"finance", "admin"}),
    "/charges/{charge}/write-offs": (
        "POST", f"/charges/{'0' * 32}/write-offs", {"finance", "admin"},
    ),
    "/merchants/{merchant}/charges/{charge}/refunds": (
        "POST", f"/merchants/ludotel/charges/{'0' * 32}/refunds", {"merchant"},
    ),
    "/findings": ("GET", "/findings", AUDITORS),
    "/findings/kinds": ("GET", "/findings/kinds", AUDITORS),
    "/findings/{finding}": ("GET", f"/findings/{'0' * 32}", AUDITORS),
    "/findings/{finding}/close": (
        "POST", f"/findings/{'0' * 32}/close", {"finance", "admin"},
    ),
    "/solicitations": ("POST", "/solicitations", {"gateway"}),
    "/solicitations/{solicitation}/message": (
        "POST", f"/solicitations/{'0' * 32}/message", {"gateway"},
    ),
    "/merchants/{merchant}/solicitations": (
        "POST", "/merchants/ludotel/solicitations", {"merchant"},
    ),
    "/merchants/{merchant}/solicitations/{solicitation}/message": (
        "POST", f"/merchants/ludotel/solicitations/{'0' * 32}/message", {"merchant"},
    ),
    "/merchants/{merchant}/counters": (
        "GET", "/merchants/ludotel/counters", {"merchant", "regulator", "admin"},
    ),
    "/consumers/{consumer}/counters": (
        "GET", f"/consumers/1_{'0' * 32}/counters", {"regulator", "admin"},
    ),
    "/merchants/{merchant}/subscriptions": ("GET", "/merchants/ludotel/subscriptions", VIEWERS),
    "/subscriptions/{subscription}": ("GET", f"/subscriptions/{'0' * 32}", AUDITORS),
    "/merchants/{merchant}/subscriptions/{subscription}/stop": (
        "POST", f"/merchants/ludotel/subscriptions/{'0' * 32}/stop", {"merchant", "admin"},
    ),
    "/subscriptions/{subscription}/stop": (
        "POST", f"/subscriptions/{'0' * 32}/stop", {"regulator", "admin"},
    ),
    "/subscriptions/{subscription}/renewals": (
        "POST", f"/subscriptions/{'0' * 32}/renewals", {"finance", "admin"},
    ),
    "/outbox": ("GET", "/outbox", {"gateway", "finance", "admin"}),
}  # fmt: skip
OPEN = {"/livez", "/readyz", "/openapi.json", "/problems/{name}"}
BODIES = {
    "/messages": {
        "gateway": GATEWAY,
        "smsc": "x",
        "id": "1",
        "sender": "1",
        "short_code": "81014",
        "text": "",
    },
    "/receipts": {"gateway": GATEWAY, "mt": "0" * 32, "outcome": "delivered"},
    "/audit-exports": {"first_day": "2000-01-01", "last_day": "2000-01-01"},
    "POST /catalogue": {"book": OTHER_BOOK, "effective_from": "2026-01-01"},
    "/services/{service}/suspension": {"reason": "x"},
    "/test-numbers": {"operator": "20801", "short_code": "1", "sender": "1", "label": "x"},
    "/charges/{charge}/refunds": {"id": "1", "by": "operator", "channel": "bill", "reason": "x"},
    "/charges/{charge}/write-offs": {"id": "1", "reason": "unpaid", "note": "x"},
    "/merchants/{merchant}/charges/{charge}/refunds": {"id": "1", "reason": "x"},
    "/findings/{finding}/close": {"how": "no_fault", "note": "x"},
    "/solicitations": {
        "id": "1",
        "gateway": GATEWAY,
        "smsc": "x",
        "sender": "1",
        "short_code": "81014",
        "service": "quiz",
    },
    "/solicitations/{solicitation}/message": {"text": "x"},
    "/merchants/{merchant}/solicitations": {"id": "1", "mo": "0" * 32, "service": "quiz"},
    "/merchants/{merchant}/solicitations/{solicitation}/message": {"text": "x"},
    "/merchants/{merchant}/subscriptions/{subscription}/stop": {"reason": "x"},
    "/subscriptions/{subscription}/stop": {"reason": "x"},
    "/subscriptions/{subscription}/renewals": {"request": "x"},
}
ADMITTED = {200, 404, 422}
"""What a key that may come in is answered here, for most addresses lead to nothing."""


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        served.project()
        yield served


def ask(api: Api, name: str, key: str | None, book: str = BOOK) -> tuple[int, dict[str, str]]:
    method, path, _ = TABLE[name]
    answer = api.client.request(
        method, f"/v1/books/{book}{path}", headers=api.bearer(key), json=BODIES.get(name)
    )
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="obole"'
    told = answer.json() if answer.status_code in {401, 403, 404} else {}
    return answer.status_code, told


def answers(api: Api, key: str | None, book: str = BOOK) -> dict[str, int]:
    return {name: ask(api, name, key, book)[0] for name in TABLE}


def everywhere(status: int) -> dict[str, int]:
    return dict.fromkeys(TABLE, status)


class TestTable:
    """What is checked here is all that there is."""

    def test_names_every_route(self, api: Api) -> None:
        paths = {path.removeprefix("/v1/books/{book}") for path in _paths(api)}
        assert paths == {name.removeprefix("POST ") for name in TABLE} | OPEN


class TestKey:
    """A key that opens nothing is told nothing, on any route."""

    def test_that_is_missing(self, api: Api) -> None:
        assert answers(api, None) == everywhere(401)

    @pytest.mark.parametrize(
        "key", ["x", "obole_", "obole_0123456789abcdef_" + "a" * 43, "é", "Bearer x", "a" * 5_000]
    )
    def test_that_is_garbage(self, api: Api, key: str) -> None:
        presented = key.encode("latin-1").decode("latin-1") if key.isascii() else "%C3%A9"
        assert answers(api, presented) == everywhere(401)

    def test_whose_secret_is_another_keys(self, api: Api) -> None:
        name, secret = api.keys["admin"].rsplit("_", 1)[0], api.keys["finance"][-43:]
        assert answers(api, f"{name}_{secret}") == everywhere(401)

    def test_that_expired(self, api: Api) -> None:
        key = api.issue("admin", days=1)
        assert ask(api, "/facts", key)[0] == 200
        api.now += timedelta(days=1)
        assert answers(api, key) == everywhere(401)

    def test_that_was_revoked(self, api: Api) -> None:
        key = api.issue("admin")
        assert ask(api, "/facts", key)[0] == 200
        api.revoke(key)
        assert answers(api, key) == everywhere(401)

    def test_that_is_presented_in_a_query_opens_only_kannels_routes(self, api: Api) -> None:
        for role in ("admin", "gateway"):
            path = "/v1/books/fr/facts"
            assert api.client.get(path, params={"key": api.keys[role]}).status_code == 401
        assert api.mo().status_code == 200

    def test_that_is_presented_to_kannels_route_as_a_bearer_token_opens_it(self, api: Api) -> None:
        url = api.mo_url(key=None)
        answer = api.client.get(url, headers=api.bearer("gateway"))
        assert api.keys["gateway"] in answer.headers["X-Kannel-DLR-Url"]

    def test_is_taken_whatever_the_case_of_its_scheme(self, api: Api) -> None:
        for scheme in ("bearer", "BEARER", "Bearer "):
            headers = {"Authorization": f"{scheme} {api.keys['admin']}"}
            assert api.client.get("/v1/books/fr/facts", headers=headers).status_code == 200
        headers = {"Authorization": f"Basic {api.keys['admin']}"}
        assert api.client.get("/v1/books/fr/facts", headers=headers).status_code == 401


class TestRole:
    """A route is for some roles; the others are told no more than that."""

    @pytest.mark.parametrize("role", ROLES)
    def test_opens_what_it_is_for_and_nothing_else(self, api: Api, role: str) -> None:
        allowed = {name for name, (_, _, roles) in TABLE.items() if role in roles}
        given = answers(api, role)
        assert {name for name, status in given.items() if status in ADMITTED} == allowed
        assert {status for name, status in given.items() if name not in allowed} <= {403}


class TestMerchant:
    """A merchant sees its own account, and never whether there is another."""

    def test_that_is_another_is_refused_as_one_that_does_not_exist(self, api: Api) -> None:
        told = [
            api.get(f"/merchants/{merchant}/{leaf}", "merchant")
            for merchant in ("astrolys", "nobody", "%00", "ludotel%20")
            for leaf in ("charges", "statements/2026-07", "statements/x")
        ]
        assert {one.status_code for one in told} == {403}
        assert len({one.content for one in told}) == 1

    def test_has_no_say_in_another_books_merchant_of_its_name(self, api: Api) -> None:
        name = "/merchants/{merchant}/charges"
        assert ask(api, name, "merchant", OTHER_BOOK)[0] == 404


class TestBook:
    """A book that a key does not open might as well not be there."""

    def test_that_is_another_is_told_as_one_that_does_not_exist(self, api: Api) -> None:
        for role in ROLES:
            for name in TABLE:
                other, unknown = (ask(api, name, role, book) for book in (OTHER_BOOK, "nowhere"))
                assert other == unknown
                assert other[0] == 404
                assert other[1]["type"] == "/problems/unknown-book"

    def test_that_is_unknown_is_not_told_of_without_a_key(self, api: Api) -> None:
        for key in (None, "x"):
            assert answers(api, key, "nowhere") == answers(api, key, OTHER_BOOK) == everywhere(401)

    @pytest.mark.parametrize("book", ["%00", "%F0%9F%8E%89", "..", "FR", "fr%20"])
    def test_of_any_name_is_looked_for_in_vain(self, api: Api, book: str) -> None:
        answer = api.client.get(f"/v1/books/{book}/balances", headers=api.bearer("admin"))
        assert answer.status_code == 404


def _paths(api: Api) -> set[str]:
    plain = {route.path for route in api.client.app.routes if isinstance(route, Route)}
    return plain | api.client.get("/openapi.json").json()["paths"].keys()
