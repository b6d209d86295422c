"""Opt-outs, what operators are to declare, and rates over HTTP, worked out by hand.

Through Orange, of 3.00 EUR with 20 % of tax: tax 0.50; net 2.50, of which Orange owes half, 1.25;
of that the merchant has 80 %, 1.00. On 72100, of 0.50 EUR: tax 0.083333…, net 0.416666…, half of
it 0.208333…; written in micros, tax 0.083333 and 0.208334 owed to us.
"""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from ledger.facts.traffic import MoReceived
from tests.support.api import START, Api, serving
from tests.support.database import TestDatabase

JULY = {"from": "2026-07-14", "to": "2026-07-16"}
RATES = "/merchants/ludotel/rates"


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def sold(api: Api, *names: str, **changed: str) -> None:
    """Send messages that are delivered, and so captured."""
    for name in names:
        api.receipt(api.mo(id=name, **changed), 1)


class TestOptOuts:
    """The STOPs of a code and of a consumer."""

    def test_lists_those_of_a_code_in_a_month(self, api: Api) -> None:
        api.mo("STOP", id="s1")
        api.mo("stop jeu", id="s2", **{"from": "+33612345679"})
        api.mo("STOP", id="s3", to="72100")
        api.project()
        told = api.get("/opt-outs", "regulator", short_code="81014", month="2026-07").json()
        assert (told["short_code"], told["month"], told["next"]) == ("81014", "2026-07", None)
        second, first = told["opt_outs"]
        assert (first["service"], first["merchant"], first["word"]) == (None, None, "STOP")
        assert (second["service"], second["merchant"]) == ("quiz", "ludotel")
        assert first["since"] == "2026-07-15T10:00:00Z"
        assert api.get("/opt-outs", "regulator", month="2026-08").json()["opt_outs"] == []

    def test_goes_on_after_a_cursor_whatever_is_said_meanwhile(self, api: Api) -> None:
        for number in range(3):
            api.mo("STOP", id=f"s{number}", **{"from": f"+3361234500{number}"})
        api.project()
        first = api.get("/opt-outs", "finance", limit=2).json()
        api.mo("STOP", id="late", **{"from": "+33612345009"})
        api.project()
        second = api.get("/opt-outs", "finance", limit=2, cursor=first["next"]).json()
        mos = [one["mo"] for page in (first, second) for one in page["opt_outs"]]
        received = [one.fact.mo for one in api.facts(MoReceived)]
        assert mos == received[2::-1]
        assert second["next"] is None

    def test_tells_what_a_consumer_stopped_and_what_opened_it(self, api: Api) -> None:
        api.mo("STOP", id="s1")
        consumer = api.only(MoReceived).consumer
        api.project()
        (stop,) = api.get(f"/consumers/{consumer}/opt-outs", "regulator").json()["opt_outs"]
        assert (stop["stands"], stop["lifted_by"]) == (True, None)
        api.now += timedelta(days=1)
        api.mo(id="back")
        api.project()
        (stop,) = api.get(f"/consumers/{consumer}/opt-outs", "regulator").json()["opt_outs"]
        assert (stop["stands"], stop["lifted_at"]) == (False, "2026-07-16T10:00:00Z")
        assert stop["lifted_by"] == api.facts(MoReceived)[-1].fact.mo

    def test_of_a_consumer_who_stopped_nothing_is_an_empty_list(self, api: Api) -> None:
        api.project()
        told = api.get(f"/consumers/1_{'0' * 32}/opt-outs", "finance").json()
        assert told["opt_outs"] == []

    def test_counts_them_by_month(self, api: Api) -> None:
        api.mo("STOP", id="s1")
        api.now += timedelta(days=31)
        api.mo(id="back")
        api.mo("STOP", id="s2")
        api.project()
        assert api.get("/opt-outs/months", "admin").json()["months"] == [
            {"month": "2026-07", "short_code": "81014", "opt_outs": 1, "lifted": 1},
            {"month": "2026-08", "short_code": "81014", "opt_outs": 1, "lifted": 0},
        ]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("month", "2026-13"), ("short_code", "8"), ("cursor", "0"), ("limit", "501")],
    )
    def test_refuses_by_the_name_of_the_field(self, api: Api, field: str, value: str) -> None:
        refused = api.get("/opt-outs", "finance", **{field: value})
        assert refused.status_code == 422
        assert [one["field"] for one in refused.json()["errors"]] == [field]

    def test_says_up_to_where_it_is_complete(self, api: Api) -> None:
        api.project()
        answer = api.get("/opt-outs", "finance")
        assert int(answer.headers["Obole-Position"]) == len(api.facts())
        # Of what is not projected yet there is no answer, rather than an empty one.
        behind = api.get("/opt-outs", "finance", at_least=len(api.facts()) + 1)
        assert behind.status_code == 503


class TestExpected:
    """What operators are to declare for a month."""

    def test_adds_up_lines_to_a_total(self, api: Api) -> None:
        sold(api, "a", "b")
        sold(api, "c", text="LOGO x", to="72100")
        api.mo(id="pending")
        api.project()
        told = api.get("/expected/2026-07", "finance").json()
        (orange,) = told["operators"]
        assert (told["month"], orange["operator"]) == ("2026-07", "20801")
        lines = {line["short_code"]: line["all"]["captured"] for line in orange["lines"]}
        assert lines["81014"] == {
            "charges": 2, "price": eur("6.00"), "tax": eur("1.00"), "reversement": eur("2.50"),
        }  # fmt: skip
        assert lines["72100"] == {
            "charges": 1,
            "price": eur("0.50"),
            "tax": eur("0.083333"),
            "reversement": eur("0.208334"),
        }
        # 6.50; 1.083333; 2.708334.
        assert orange["total"]["all"]["left"] == {
            "charges": 3,
            "price": eur("6.50"),
            "tax": eur("1.083333"),
            "reversement": eur("2.708334"),
        }
        assert orange["total"]["unattributed"]["captured"]["charges"] == 0

    def test_is_of_one_operator_when_it_is_named(self, api: Api) -> None:
        sold(api, "a")
        api.project()

        def operators(**query: str) -> list[str]:
            found = api.get("/expected/2026-07", "admin", **query).json()["operators"]
            return [one["operator"] for one in found]

        assert (operators(), operators(operator="20801"), operators(operator="20810")) == (
            ["20801"],
            ["20801"],
            [],
        )

    def test_refuses_what_is_no_month_or_operator(self, api: Api) -> None:
        month = api.get("/expected/2026-13", "finance")
        operator = api.get("/expected/2026-07", "finance", operator="orange")
        for refused, field in ((month, "month"), (operator, "operator")):
            assert refused.status_code == 422
            assert [one["field"] for one in refused.json()["errors"]] == [field]


class TestRates:
    """A merchant's rates."""

    def total(self, api: Api, path: str = RATES, role: str = "merchant", **query: str) -> Any:  # noqa: ANN401 - JSON
        return api.get(path, role, **JULY, **query).json()["total"]

    def test_gives_every_day_with_its_fractions(self, api: Api) -> None:
        sold(api, "a", "b")
        failed = api.mo(id="c")
        api.receipt(failed, 2)
        api.mo("XYZ", id="unknown")
        api.project()
        told = api.get(RATES, "merchant", **JULY).json()
        assert (told["merchant"], told["first"], told["last"]) == (
            "ludotel",
            "2026-07-14",
            "2026-07-16",
        )
        before, day, after = told["days"]
        assert [one["day"] for one in told["days"]] == ["2026-07-14", "2026-07-15", "2026-07-16"]
        # Three asked, two were billed, one was not; what nobody sells is nobody's.
        assert (day["matched"], day["captured"], day["released"], day["unmatched"]) == (3, 2, 1, 0)
        assert day["conversion"] == {"numerator": 2, "denominator": 3}
        assert day["revenue"] == [
            {
                "price": eur("6.00"),
                "tax": eur("1.00"),
                "merchant_share": eur("2.00"),
                "refunded": eur("0.00"),
            }
        ]
        assert (before["conversion"], before["churn"], after["conversion"]) == (None, None, None)
        assert told["services"] == [{"service": "quiz"} | told["total"]]

    def test_of_nothing_captured_are_zero_and_not_null(self, api: Api) -> None:
        api.mo()
        api.project()
        assert self.total(api)["conversion"] == {"numerator": 0, "denominator": 1}

    def test_are_narrowed_to_a_service_code_or_operator(self, api: Api) -> None:
        sold(api, "a")
        sold(api, "b", text="LOGO x", to="72100")
        api.project()
        assert self.total(api)["earned"] == 2
        assert self.total(api, service="quiz")["earned"] == 1
        assert self.total(api, short_code="72100")["earned"] == 1
        assert self.total(api, operator="20810")["earned"] == 0

    def test_of_all_merchants_tell_what_asked_for_nothing(self, api: Api) -> None:
        sold(api, "a")
        api.mo("XYZ", id="unknown")
        api.project()
        found = self.total(api, "/rates", "finance")
        assert (found["matched"], found["unmatched"]) == (1, 1)

    def test_count_money_on_the_day_of_the_receipt(self, api: Api) -> None:
        asked = api.mo()
        api.now = START + timedelta(days=1)
        api.receipt(asked, 1)
        api.project()
        _, first, second = api.get(RATES, "merchant", **JULY).json()["days"]
        assert (first["captured"], first["earned"]) == (1, 0)
        assert (second["captured"], second["earned"]) == (0, 1)

    @pytest.mark.parametrize(
        ("first", "last", "field"),
        [
            ("2026-07-02", "2026-07-01", "to"),
            ("2026-07-01", "2027-07-02", "to"),
            ("yesterday", "2026-07-01", "from"),
            ("1782864000", "2026-07-02", "from"),
            ("2026-07-01", "1782950400", "to"),
        ],
    )
    def test_refuse_a_period_by_the_name_of_the_field(
        self, api: Api, first: str, last: str, field: str
    ) -> None:
        refused = api.get(RATES, "merchant", **{"from": first, "to": last})
        assert refused.status_code == 422
        assert [one["field"] for one in refused.json()["errors"]] == [field]

    def test_of_a_merchant_that_is_not_there_are_not_found(self, api: Api) -> None:
        api.project()
        assert api.get("/merchants/nobody/rates", "finance", **JULY).status_code == 404
