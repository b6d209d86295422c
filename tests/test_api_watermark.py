"""How far answers are complete, waiting for a position, and a database that goes away."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from api.embedded import Embedded
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.traffic import MoReceived
from ledger.words import instant_text
from projections.known import PROJECTIONS
from tests.support.api import Api, Options, serving
from tests.support.database import TestDatabase, add_template, new_server

STATEMENT = "/merchants/ludotel/statements/2026-07"
PROJECTED = [STATEMENT, "/merchants/ludotel/charges", "/balances", "/trial-balance"]
ENOUGH = 100
"""How often a gateway asks again at most; each time takes as long as the pool waits."""


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def of_the_log(api: Api) -> list[str]:
    fact = api.facts(MoReceived)[0].fact
    return [f"/exchanges/{fact.mo}", f"/consumers/{fact.consumer}/trail", "/facts"]


class TestWatermark:
    """Headers that say up to where an answer is complete."""

    def test_of_a_projection_is_where_it_stands(self, api: Api) -> None:
        api.mo()
        api.project()
        last = api.facts()[-1]
        api.mo(id="mo-2")
        for path in PROJECTED:
            headers = api.get(path, "finance").headers
            assert headers["Obole-Book"] == "fr", path
            assert headers["Obole-Position"] == str(last.position), path
            assert headers["Obole-Recorded-At"] == instant_text(last.recorded_at), path

    def test_of_the_log_is_its_head(self, api: Api) -> None:
        api.mo()
        last = api.facts()[-1]
        for path in of_the_log(api):
            headers = api.get(path, "finance").headers
            assert headers["Obole-Book"] == "fr", path
            assert headers["Obole-Position"] == str(last.position), path
            assert headers["Obole-Recorded-At"] == instant_text(last.recorded_at), path


class TestAtLeast:
    """A reader that knows a position is answered with it included, or not at all."""

    def test_that_is_reached_is_answered(self, api: Api) -> None:
        api.mo()
        api.project()
        head = len(api.facts())
        for path in [*PROJECTED, *of_the_log(api)]:
            assert api.get(path, "finance", at_least=head).status_code == 200, path

    def test_that_is_not_reached_in_time_says_how_far_it_is(self, api: Api) -> None:
        api.mo()
        api.project()
        head = len(api.facts())
        for path in [*PROJECTED, *of_the_log(api)]:
            answer = api.get(path, "finance", at_least=head + 1)
            assert answer.status_code == 503, path
            assert answer.headers["Retry-After"] == "1"
            told = answer.json()
            assert (told["position"], told["at_least"]) == (head, head + 1), path

    def test_is_waited_for(self, database: TestDatabase) -> None:
        with serving(database, Options(wait_seconds=60)) as api, ThreadPoolExecutor() as pool:
            api.project()
            api.mo()
            head = len(api.facts())
            asked = pool.submit(api.get, STATEMENT, "merchant", at_least=head)
            api.project()
            answer = asked.result()
            (line,) = answer.json()["lines"]
            assert line["states"]["pending"]["charges"] == 1
            assert int(answer.headers["Obole-Position"]) >= head

    def test_may_stand_in_a_header(self, api: Api) -> None:
        api.project()
        head = len(api.facts())
        for given, status in ((head, 200), (head + 1, 503)):
            headers = api.bearer("finance") | {"Obole-At-Least": str(given)}
            answer = api.client.get("/v1/books/fr/balances", headers=headers)
            assert answer.status_code == status

    def test_of_a_projection_that_stands_still_is_not_waited_for(
        self, database: TestDatabase
    ) -> None:
        with serving(database, Options(wait_seconds=3_600)) as api:
            api.project()
            head = len(api.facts())
            with psycopg.connect(database.owner_url) as connection:
                connection.execute(
                    "UPDATE projection_positions SET position = %s, parked_at = now(),"
                    " parked_position = %s, parked_error = 'x' WHERE book = 'fr'",
                    (head - 1, head),
                )
            answer = api.get("/balances", "finance", at_least=head)
            assert (answer.status_code, answer.json()["position"]) == (503, head - 1)
            ready = api.client.get("/readyz").json()
            assert ready["projections_behind"] == 1
            assert ready["projections_parked"] == len(PROJECTIONS)

    @pytest.mark.parametrize("value", ["-1", "x", "", "1.5", str(1 << 63)])
    def test_that_is_no_position_is_a_problem(self, api: Api, value: str) -> None:
        answer = api.get("/balances", "finance", at_least=value)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["at_least"]


class TestHealth:
    """For whoever runs the process; no key is needed, and no book is named."""

    def test_tells_of_the_process_the_database_and_the_lag(self, api: Api) -> None:
        assert api.client.get("/livez").json() == {"status": "alive"}
        behind = api.client.get("/readyz").json()
        assert behind["projections_behind"] == len(api.facts())
        api.project()
        assert api.client.get("/readyz").json() == {
            "status": "ready",
            "projections_behind": 0,
            "projections_parked": 0,
        }


class TestDatabaseAway:
    """503 for a while, and then as before."""

    def test_is_told_to_gateways_and_nothing_acknowledged_is_lost(self) -> None:
        with new_server(durable=True) as server, serving(_migrated(server)) as api:
            api.project()
            acknowledged = api.mo(id="before")
            assert acknowledged.status_code == 200
            with server.away():
                away = [
                    api.mo(id="during"),
                    api.receipt(acknowledged, 1),
                    api.get("/balances", "finance"),
                    api.client.get("/readyz"),
                ]
                assert [one.status_code for one in away] == [503] * 4
                assert {one.json()["type"] for one in away} == {"/problems/database-away"}
                assert {one.headers["Retry-After"] for one in away} == {"5"}
                assert api.client.get("/livez").status_code == 200
            assert until_taken(api, "during").text.startswith("Quiz")
            assert api.receipt(acknowledged, 1).status_code == 200
            assert len(api.facts(MoReceived)) == len(api.facts(ChargeAuthorized)) == 2
            api.project()
            statuses = [api.get("/balances", "finance").status_code for _ in range(10)]
            assert statuses[-1] == 200
            assert api.client.get("/readyz").status_code == 200


def _migrated(server: Embedded) -> TestDatabase:
    add_template(server)
    return TestDatabase(server, "template_obole")


def until_taken(api: Api, name: str):  # noqa: ANN201 - a response
    """Ask again under the same id until it is answered, as Kannel does."""
    for _ in range(ENOUGH):
        answer = api.mo(id=name, **{"from": "+33699999999"})
        if answer.status_code != 503:
            return answer
    raise AssertionError(f"503 after {ENOUGH} attempts")
