"""Every refusal and failure as a problem, and nothing of what goes on inside."""

from collections.abc import Generator, Iterator
from datetime import date

import psycopg
import pytest
from fastapi import FastAPI
from psycopg_pool import PoolTimeout
from starlette.testclient import TestClient

from api.answers import FAMILIES, tell_problems
from api.problems import KINDS, FaceError, FieldError, FieldsInvalid, kind_of
from ledger.commands.desk import CatalogueMoved, KeyWanted
from ledger.commands.traffic import ChargeUnread
from ledger.decisions import refusals
from ledger.decisions.catalogue_request import CatalogueRefused, Problem
from ledger.decisions.national import NationalNumber
from ledger.decisions.refusals import Refusal
from ledger.facts.registry import FactRefused
from ledger.facts.tags import TagRefused
from ledger.log import errors as log
from ledger.vault import DataKeyId
from projections.reading import (
    BeforeTheBook,
    NotKnown,
    NotProjected,
    NotReached,
    ReadError,
    Watermark,
)
from tests.support.api import Api, serving
from tests.support.database import TestDatabase

SECRET = "host=10.0.0.1 password=secret"

# One of every kind, as it is raised, and the status that it is told with.
TABLE: list[tuple[Exception, int]] = [
    (refusals.UnknownGateway("k"), 404),
    (refusals.UnknownLink("k", "orange"), 422),
    (NationalNumber(), 422),
    (refusals.ConflictingDuplicate("0" * 32), 409),
    (refusals.UnknownExchange("0" * 32), 404),
    (refusals.UnknownConsumer("1_0"), 404),
    (refusals.RulesOutdated("a", "b"), 503),
    (refusals.StatedTimeMissing("k"), 422),
    (refusals.BookNotOpen("fr"), 503),
    (refusals.GatewayMissing("gateway"), 422),
    (refusals.MerchantMissing("merchant"), 422),
    (refusals.MerchantNotRegistered("x"), 404),
    (refusals.UnknownKey("0"), 404),
    (refusals.KeyAlreadyRevoked("0"), 409),
    (refusals.UnknownCharge("0" * 32), 404),
    (refusals.OtherCurrency("USD", "EUR"), 422),
    (refusals.SoldByNobody("0" * 32), 409),
    (refusals.RefundNotMade("0" * 32, "not_captured", "0.00 EUR", 7), 409),
    (refusals.OtherContent("r-1"), 409),
    (refusals.UnknownFinding("0" * 32), 404),
    (refusals.FindingAlreadyClosed("0" * 32, "refunded"), 409),
    (refusals.UnknownSubscription("0" * 32), 404),
    (refusals.SubscriptionEnded("0" * 32, 9), 409),
    (refusals.RenewalNotDue("0" * 32, "not_due", "", 9), 409),
    (refusals.UnknownShortCode("81014"), 404),
    (refusals.PeriodRefused("last_day", "it is over"), 422),
    (refusals.ServiceNotDeclared("quiz"), 404),
    (refusals.UnknownSolicitation("0" * 32), 404),
    (refusals.ConflictingSolicitation("0" * 32), 409),
    (refusals.SolicitationNotAllowed("0" * 32, "expired"), 409),
    (refusals.MessageUnfit(11, 10), 422),
    (CatalogueRefused([Problem("line 1", "is wrong")]), 422),
    (log.UnknownBook("fr"), 404),
    (log.RowRefused("an_entry_fits_its_bundle"), 422),
    (log.LogOverloaded(SECRET), 503),
    (log.LogUnavailable(SECRET), 503),
    (log.FactsMissing(SECRET), 503),
    (log.ArchiveMissing(SECRET), 503),
    (log.ArchiveUnreadable(SECRET), 503),
    (log.ArchiveRefused(SECRET), 500),
    (NotProjected("fr", "balances"), 503),
    (NotReached(Watermark("fr", "balances", 5, None, None), 9), 503),
    (NotKnown(Watermark("fr", "balances", 5, None, None), date(2026, 7, 1)), 503),
    (BeforeTheBook(Watermark("fr", "balances", 5, None, None), date(2026, 7, 1)), 404),
    (CatalogueMoved(), 503),
    (KeyWanted(DataKeyId("1_0", "2026-07", "text")), 503),
    (ChargeUnread(), 503),
    (FactRefused(SECRET), 422),
    (TagRefused(SECRET), 422),
    (psycopg.OperationalError(SECRET), 503),
    (psycopg.errors.AdminShutdown(SECRET), 503),
    (psycopg.InterfaceError(SECRET), 503),
    (PoolTimeout(SECRET), 503),
    (ZeroDivisionError(SECRET), 500),
    (psycopg.errors.SyntaxError(SECRET), 500),
    (FieldsInvalid([FieldError(field="text", message="is \ud800")]), 422),
]


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def raising(error: Exception) -> TestClient:
    app = FastAPI()
    tell_problems(app)

    @app.get("/")
    def fail() -> None:
        raise error

    return TestClient(app, raise_server_exceptions=False)


def below(family: type[Exception]) -> Iterator[type[Exception]]:
    for one in family.__subclasses__():
        if not one.__module__.startswith("tests"):
            yield one
            yield from below(one)


class TestEachProblem:
    """One of every kind through a real application."""

    @pytest.mark.parametrize(("error", "status"), TABLE, ids=lambda it: type(it).__name__)
    def test_is_told_by_its_status_and_type(self, error: Exception, status: int) -> None:
        answer = raising(error).get("/")
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        told = answer.json()
        assert told["status"] == status
        kind = kind_of(error)
        assert told["type"] == (f"/problems/{kind.name}" if kind else "about:blank")
        assert told["title"]
        assert SECRET not in answer.text

    @pytest.mark.parametrize(("error", "status"), TABLE, ids=lambda it: type(it).__name__)
    def test_that_passes_says_when_to_come_again(self, error: Exception, status: int) -> None:
        answer = raising(error).get("/")
        assert ("Retry-After" in answer.headers) == (status == 503)

    def test_carries_what_its_refusal_carries(self) -> None:
        told = raising(refusals.UnknownLink("k", "orange")).get("/").json()
        assert (told["gateway"], told["smsc"]) == ("k", "orange")
        assert "k" in told["detail"]

    def test_of_a_position_says_how_far_it_is(self) -> None:
        told = raising(NotReached(Watermark("fr", "balances", 5, None, None), 9)).get("/").json()
        assert (told["position"], told["at_least"]) == (5, 9)

    def test_lists_what_is_wrong_with_a_catalogue(self) -> None:
        told = raising(CatalogueRefused([Problem("line 1", "is wrong")])).get("/").json()
        assert "line 1: is wrong" in told["detail"]
        assert told["errors"] == [{"field": "line 1", "message": "is wrong"}]

    def test_has_a_description_of_its_type(self, api: Api) -> None:
        for kind in KINDS.values():
            answer = api.client.get(f"/problems/{kind.name}")
            assert kind.title in answer.text
        assert api.client.get("/problems/other").status_code == 404


class TestTable:
    """No kind of refusal is forgotten."""

    @pytest.mark.parametrize("family", [Refusal, log.LogError, ReadError, FaceError])
    def test_names_every_subclass_itself(self, family: type[Exception]) -> None:
        assert [one.__name__ for one in below(family) if one not in KINDS] == []

    def test_is_tried_with_every_subclass(self) -> None:
        tried = {type(error) for error, _ in TABLE}
        known = {one for family in (Refusal, log.LogError, ReadError) for one in below(family)}
        assert known - tried == set()

    def test_is_reached_for_every_kind(self) -> None:
        assert [kind for kind in KINDS if not issubclass(kind, FAMILIES)] == []

    def test_gives_one_type_one_meaning(self) -> None:
        meanings = {(kind.name, kind) for kind in KINDS.values()}
        assert len(meanings) == len({kind.name for kind in KINDS.values()})

    def test_tells_a_new_refusal_as_its_family(self) -> None:
        new = type("NewRefusal", (Refusal,), {"__module__": "tests"})
        assert raising(new("no")).get("/").json()["type"] == "/problems/refused"


class TestRouting:
    """What no route answers."""

    @pytest.mark.parametrize("path", ["/", "/docs", "/redoc", "/v1", "/v1/books/fr", "/%00"])
    def test_of_an_unknown_path_is_not_found(self, api: Api, path: str) -> None:
        answer = api.client.get(path)
        assert (answer.status_code, answer.json()["type"]) == (404, "about:blank")
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_of_a_method_that_is_not_there_names_those_that_are(self, api: Api) -> None:
        answer = api.client.post("/v1/books/fr/balances")
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")

    def test_of_a_method_that_no_route_of_a_path_has_names_those_of_all(self, api: Api) -> None:
        for path, allowed in (
            ("/v1/books/fr/catalogue", "GET, POST"),
            ("/problems/invalid", "GET, HEAD"),
        ):
            answer = api.client.put(path)
            assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
