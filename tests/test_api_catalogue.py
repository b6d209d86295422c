"""The catalogue over HTTP: read at an instant, changed whole or not at all."""

import json
import tomllib
from collections.abc import Generator
from typing import Any

import pytest
from httpx2 import Response

from ledger.facts.catalogue import TariffSet
from ledger.facts.traffic import MoReceived
from tests.support import sold
from tests.support.api import ROOT, Api, serving
from tests.support.database import TestDatabase

FILE = tomllib.loads((ROOT / "api/demo/catalogue.toml").read_text())
LATER = "2026-08-01"
PRICE: dict[str, Any] = {
    "tariff": "fr-300",
    "code": "81014",
    "price": "2.50",
    "currency": "EUR",
    "billing_code": "SMSPLUS250",
}


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def change(api: Api, **lists: Any) -> Response:  # noqa: ANN401 - lists of entries
    """Ask for a change from August on."""
    return api.post("/catalogue", {"book": "fr", "effective_from": LATER, **lists}, "admin")


def names(entries_shown: list[dict[str, Any]], field: str) -> list[str]:
    return sorted(one[field] for one in entries_shown)


class TestRead:
    """What is in force at an instant."""

    def test_is_everything_with_the_facts_that_say_so(self, api: Api) -> None:
        answer = api.get("/catalogue", "finance")
        shown = answer.json()
        assert answer.headers["Obole-Position"] == str(len(api.facts()))
        assert names(shown["gateways"], "gateway") == ["kannel-fr"]
        assert names(shown["merchants"], "merchant") == sold.named("merchants", "merchant")
        assert len(shown["codes"]) == sold.CODES
        assert names(shown["keywords"], "keyword") == sold.named("keywords", "keyword")
        assert "VOTE FINALE" in names(shown["keywords"], "keyword")
        (three,) = (one for one in shown["tariffs"] if one["tariff"] == "fr-300")
        assert three["price"] == {"amount": "3.00", "currency": "EUR"}
        assert three["mo_price"] == {"amount": "0.00", "currency": "EUR"}
        ids = {one.id for one in api.facts(TariffSet)}
        assert {one["fact"] for one in shown["tariffs"]} == ids

    def test_shows_contracts_as_they_were_agreed(self, api: Api) -> None:
        shown = {one["contract"]: one for one in api.get("/catalogue", "admin").json()["contracts"]}
        assert (shown["orange"]["share"], shown["orange"]["of"]) == ("50.00 %", "price_net_of_tax")
        assert shown["orange"]["amount"] is None
        assert shown["bouygues-300"]["amount"] == {"amount": "1.15", "currency": "EUR"}
        assert shown["ludotel"]["refunds_borne_by"] == "aggregator"

    def test_shows_a_regulator_no_contracts(self, api: Api) -> None:
        shown = api.get("/catalogue", "regulator").json()
        assert shown["contracts"] is None
        assert shown["tariffs"]

    def test_of_another_day_is_what_held_then(self, api: Api) -> None:
        assert change(api, tariffs=[PRICE]).status_code == 200
        prices = [
            [
                one["price"]["amount"]
                for one in api.get("/catalogue", "admin", at=at).json()["tariffs"]
                if one["short_code"] == "81014"
            ]
            for at in ("2025-12-31T22:59:59Z", "2026-07-31T21:59:59Z", "2026-07-31T22:00:00Z")
        ]
        # The year and August begin an hour and two before UTC's in Paris.
        assert prices == [[], ["3.00"], ["2.50"]]

    def test_leaves_out_what_has_ended(self, api: Api) -> None:
        ended = {"code": "81014", "keyword": "HOROSCOPE", "effective_from": LATER}
        assert change(api, withdrawn_keywords=[ended]).status_code == 200
        after = api.get("/catalogue", "admin", at="2026-08-01T12:00:00Z").json()
        assert "HOROSCOPE" not in names(after["keywords"], "keyword")

    @pytest.mark.parametrize("at", ["2026-08-01T12:00:00", "2026-08-01", "0.5", "1785585600"])
    def test_of_what_is_no_instant_is_refused(self, api: Api, at: str) -> None:
        answer = api.get("/catalogue", "admin", at=at)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "at"

    def test_as_a_merchant_is_its_own_alone(self, api: Api) -> None:
        sold = api.get("/merchants/ludotel/catalogue", "merchant").json()
        assert names(sold["services"], "service") == ["logo", "quiz"]
        assert names(sold["keywords"], "keyword") == ["JEU", "LOGO"]
        assert names(sold["tariffs"], "tariff") == ["fr-050", "fr-300"]
        assert "contracts" not in sold
        assert api.get("/merchants/astrolys/catalogue", "merchant").status_code == 403

    def test_of_a_merchant_that_is_not_registered_is_refused(self, api: Api) -> None:
        assert api.get("/merchants/nobody/catalogue", "admin").status_code == 404


class TestChange:
    """A change, written as a file's lists."""

    def test_happens_whole_and_tells_what_is_new(self, api: Api) -> None:
        answer = change(api, tariffs=[PRICE], merchants=[{"merchant": "neuf", "name": "Neuf"}])
        assert answer.json()["recorded"] == {"merchant_registered.v1": 1, "tariff_set.v1": 1}
        assert answer.json()["watermark"]["position"] == len(api.facts())
        assert api.facts()[-1].actor.startswith("key:")

    def test_again_records_nothing(self, api: Api) -> None:
        change(api, tariffs=[PRICE])
        head = len(api.facts())
        assert change(api, tariffs=[PRICE]).json()["recorded"] == {}
        assert len(api.facts()) == head

    def test_of_the_whole_file_as_it_stands_records_nothing(self, api: Api) -> None:
        # TOML gives a day where JSON has its text.
        body = {**FILE, "effective_from": FILE["effective_from"].isoformat()}
        answer = api.post("/catalogue", body, "admin")
        assert (answer.status_code, answer.json()["recorded"]) == (200, {})

    def test_with_anything_wrong_is_refused_whole_with_every_place(self, api: Api) -> None:
        head = len(api.facts())
        wrong = {**PRICE, "price": "4.51", "currency": "CHF"}
        merchant = {"merchant": "neuf", "name": "Neuf"}
        answer = change(api, merchants=[merchant], tariffs=[wrong])
        assert answer.status_code == 422
        assert answer.json()["type"] == "/problems/catalogue-refused"
        assert answer.json()["errors"] == [
            {"field": "tariffs[1].price", "message": "4.51 is above the ceiling of 8xxxx, 4.50"},
            {
                "field": "tariffs[1].currency",
                "message": "CHF is not the book's currency, EUR",
            },
        ]
        assert len(api.facts()) == head

    @pytest.mark.parametrize(
        ("value", "field"),
        [
            ({"price": 2.5}, "tariffs[1].price"),
            ({"price": "-1.00"}, "tariffs[1].price"),
            ({"price": "1000001"}, "tariffs[1].price"),
            ({"mo_price": 1}, "tariffs[1].mo_price"),
            ({"other": "x"}, "tariffs[1].other"),
            ({"effective_from": "soon"}, "tariffs[1].effective_from"),
            ({"effective_from": "2026-08-01T12:00:00"}, "tariffs[1].effective_from"),
        ],
    )
    def test_that_cannot_be_read_names_the_field(
        self, api: Api, value: dict[str, Any], field: str
    ) -> None:
        answer = change(api, tariffs=[{**PRICE, **value}])
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]

    @pytest.mark.parametrize(
        "lists",
        [
            {"tariffs": "x"},
            {"tariffs": [1, None, []]},
            {"tariffs": {"0": PRICE}},
            {"effective_from": 5},
            {"effective_from": None},
            {"merchants": [{"merchant": "neuf", "name": "\ud800"}]},
            {"merchants": [{"merchant": "neuf", "name": "Neuf", "effective_from": True}]},
            {"suspended_services": [{"service": "quiz", "merchant": "ludotel", "reason": "x"}]},
            {"test_numbers": [{"operator": "20801", "code": "81014", "sender": " ", "label": "x"}]},
            {"": 1},
        ],
    )
    def test_of_an_odd_shape_is_refused_and_leaves_nothing(
        self, api: Api, lists: dict[str, Any]
    ) -> None:
        head = len(api.facts())
        content = json.dumps({"book": "fr", "effective_from": LATER, **lists})
        headers = api.bearer("admin") | {"Content-Type": "application/json"}
        answer = api.client.post("/v1/books/fr/catalogue", content=content, headers=headers)
        assert answer.status_code == 422
        assert len(api.facts()) == head

    def test_may_declare_a_number_which_it_does_not_record(self, api: Api) -> None:
        number = {"operator": "20801", "code": "81014", "sender": "+33612345678", "label": "ours"}
        answer = change(api, test_numbers=[number])
        assert answer.json()["recorded"] == {"test_number_declared.v1": 1}
        assert "612345678" not in str(api.facts())

    def test_for_another_book_is_refused(self, api: Api) -> None:
        answer = api.post("/catalogue", {"book": "be", "effective_from": LATER}, "admin")
        assert answer.json()["errors"] == [
            {"field": "book", "message": "is meant for the book be, not for fr"}
        ]

    def test_that_is_back_dated_over_messages_is_refused(self, api: Api) -> None:
        past = {**PRICE, "effective_from": "2026-07-01"}
        assert change(api, tariffs=[past]).status_code == 200
        api.mo()
        assert api.facts(MoReceived)
        earlier = {**PRICE, "price": "2.00", "effective_from": "2026-07-02"}
        answer = change(api, tariffs=[earlier])
        (error,) = answer.json()["errors"]
        assert error["field"] == "tariffs[1].effective_from"
        assert "the book has traffic" in error["message"]
