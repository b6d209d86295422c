"""Merchants' statements and charges, and the books, worked out by hand.

Through Orange, of 3.00 EUR with 20 % of tax: tax 0.50; net 2.50, of which Orange owes half, 1.25;
of that the merchant has 80 %, 1.00, and the aggregator 0.25. Of 0.50 EUR: tax 0.083333…, net
0.416666…, half of it 0.208333…, the merchant 0.166666… and the aggregator 0.041666….
"""

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest

from ledger.facts.charges import ChargeAuthorized
from tests.support.api import OTHER_BOOK, Api, serving
from tests.support.database import TestDatabase

MONTH = "/merchants/ludotel/statements/2026-07"


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def share(charges: int, amount: str) -> dict[str, object]:
    return {"charges": charges, "share": eur(amount)}


class TestStatement:
    """A merchant's month."""

    def test_shows_every_state_by_code_operator_and_service(self, api: Api) -> None:
        delivered, failed = api.mo("JEU a"), api.mo("JEU b", id="mo-2")
        api.mo("LOGO c", id="mo-3", to="72100")
        api.receipt(delivered, 1)
        api.receipt(failed, 2)
        api.project()
        told = api.get(MONTH, "merchant").json()
        quiz, logo = sorted(told["lines"], key=lambda line: line["service"], reverse=True)
        assert (quiz["short_code"], quiz["operator"], quiz["service"]) == ("81014", "20801", "quiz")
        assert quiz["states"] == {
            "pending": share(0, "0.00"),
            "unresolved": share(0, "0.00"),
            "released": share(1, "1.00"),
            "earned": share(1, "1.00"),
            "refunded": share(0, "0.00"),
            "written_off": share(0, "0.00"),
            "declared": None,
            "collected": None,
            "payable": None,
            "paid_by_consumers": eur("3.00"),
            "tax": eur("0.50"),
        }
        pending = logo["states"]["pending"]
        assert pending["charges"] == 1
        assert pending["share"] in (eur("0.166666"), eur("0.166667"))
        (total,) = told["totals"]
        assert total["states"]["earned"] == share(1, "1.00")
        assert total["states"]["pending"] == pending

    def test_is_provisional_and_says_what_is_not_recorded(self, api: Api) -> None:
        api.project()
        told = api.get(MONTH, "finance").json()
        assert told["provisional"] is True
        assert told["not_recorded"] == ["declared", "collected", "payable"]

    def test_of_a_month_without_charges_is_empty(self, api: Api) -> None:
        api.project()
        told = api.get(MONTH, "merchant").json()
        assert (told["lines"], told["totals"]) == ([], [])

    def test_before_any_projection_is_no_answer(self, api: Api) -> None:
        answer = api.get(MONTH, "merchant")
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/not-projected"

    def test_of_an_unknown_merchant_is_not_found(self, api: Api) -> None:
        api.project()
        answer = api.get("/merchants/nobody/statements/2026-07", "finance")
        assert (answer.status_code, answer.json()["merchant"]) == (404, "nobody")

    def test_knows_only_the_merchants_of_its_book(self, api: Api) -> None:
        api.project()
        key = api.issue("finance", book=OTHER_BOOK)
        answer = api.get(f"/v1/books/{OTHER_BOOK}{MONTH}", key)
        assert answer.json()["type"] == "/problems/merchant-not-registered"

    @pytest.mark.parametrize("month", ["2026-13", "2026-7", "0000-01", "2026", "٢٠٢٦-07", "x"])
    def test_of_an_impossible_month_is_a_problem(self, api: Api, month: str) -> None:
        answer = api.get(f"/merchants/ludotel/statements/{month}", "finance")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["month"]

    @pytest.mark.parametrize("merchant", ["%00", "a%20b", "%F0%9F%8E%89"])
    def test_of_an_impossible_merchant_is_a_problem(self, api: Api, merchant: str) -> None:
        answer = api.get(f"/merchants/{merchant}/statements/2026-07", "finance")
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == ["merchant"]


class TestCharges:
    """What a statement consists of."""

    def test_show_how_the_price_divides(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        (charge,) = api.get("/merchants/ludotel/charges", "merchant").json()["charges"]
        ref = api.only(ChargeAuthorized).ref
        assert (charge["charge"], charge["mo"], charge["state"]) == (
            ref.charge,
            ref.mo,
            "captured",
        )
        assert charge["amounts"] == {
            "price": eur("3.00"),
            "tax": eur("0.50"),
            "operator": eur("1.25"),
            "aggregator": eur("0.25"),
            "merchant": eur("1.00"),
        }
        assert charge["authorized_at"] == "2026-07-15T10:00:00Z"

    def test_name_no_consumer(self, api: Api) -> None:
        api.mo()
        api.project()
        answer = api.get("/merchants/ludotel/charges", "merchant")
        assert api.only(ChargeAuthorized).ref.consumer not in answer.text

    def test_come_page_by_page_each_once_whatever_is_charged_meanwhile(self, api: Api) -> None:
        for number in range(5):
            api.mo(id=f"mo-{number}")
        api.project()
        seen, cursor = [], ""
        while cursor is not None:
            query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
            page = api.get("/merchants/ludotel/charges", "merchant", **query).json()
            seen += [one["charge"] for one in page["charges"]]
            cursor = page["next"]
            api.mo(id=f"later-{len(seen)}")
            api.project()
        first = [one.fact.ref.charge for one in api.facts(ChargeAuthorized)][:5]
        assert seen == first[::-1]

    def test_of_a_month_are_those_of_its_local_days(self, api: Api) -> None:
        # 31 July at 22:30 UTC is 00:30 on 1 August in Paris.
        for hour in (21, 22):
            api.now = datetime(2026, 7, 31, hour, 30, tzinfo=UTC)
            api.mo(id=f"mo-{hour}")
        api.project()

        def days(month: str) -> list[str]:
            told = api.get("/merchants/ludotel/charges", "admin", month=month).json()
            return [one["authorized_day"] for one in told["charges"]]

        assert (days("2026-07"), days("2026-08")) == (["2026-07-31"], ["2026-08-01"])

    def test_earned_in_a_month_go_by_their_capture(self, api: Api) -> None:
        api.now = datetime(2026, 7, 31, 21, 30, tzinfo=UTC)
        answer = api.mo()
        api.now += timedelta(hours=1)
        api.receipt(answer, 1)
        api.project()

        def listed(basis: str) -> int:
            query = {"month": "2026-08", "basis": basis}
            return len(api.get("/merchants/ludotel/charges", "finance", **query).json()["charges"])

        assert (listed("authorized"), listed("earned")) == (0, 1)

    def test_in_a_state(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.mo(id="mo-2")
        api.project()

        def listed(state: str) -> int:
            answer = api.get("/merchants/ludotel/charges", "finance", state=state)
            return len(answer.json()["charges"])

        assert (listed("captured"), listed("authorized"), listed("released")) == (1, 1, 0)

    @pytest.mark.parametrize(
        ("query", "field"),
        [
            ({"cursor": "x"}, "cursor"),
            ({"cursor": "2026-13-01.1"}, "cursor"),
            ({"cursor": "2026-07-01.9999999999999999999"}, "cursor"),
            ({"limit": 0}, "limit"),
            ({"limit": 501}, "limit"),
            ({"month": "2026-00"}, "month"),
            ({"state": "lost"}, "state"),
            ({"basis": "earned", "state": "released"}, "state"),
        ],
    )
    def test_asked_for_wrongly_are_a_problem(
        self, api: Api, query: dict[str, str], field: str
    ) -> None:
        answer = api.get("/merchants/ludotel/charges", "finance", **query)
        assert answer.status_code == 422
        assert [one["field"] for one in answer.json()["errors"]] == [field]


class TestBalances:
    """The books."""

    def test_tell_what_orange_owes_and_whom_it_is_owed_to(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        told = api.get("/balances", "finance").json()
        accounts = {(one["account"], one["party"]): one["balance"] for one in told["accounts"]}
        assert accounts == {
            ("operator_receivable_accrued", "20801"): eur("1.25"),
            ("merchant_accrued", "ludotel"): eur("-1.00"),
            ("aggregator_revenue", None): eur("-0.25"),
        }

    def test_on_a_day_count_what_is_for_that_day(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        for day, count in (("2026-07-14", 0), ("2026-07-15", 3)):
            told = api.get("/balances", "finance", value_day=day).json()
            assert (told["value_day"], len(told["accounts"])) == (day, count)

    def test_as_known_on_a_day_before_the_ledger_began_are_an_error(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        answer = api.get("/balances", "finance", known_on="2020-01-01")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/before-the-book")

    def test_in_trial_sum_to_zero(self, api: Api) -> None:
        api.receipt(api.mo(), 1)
        api.project()
        told = api.get("/trial-balance", "regulator").json()
        assert told["balanced"] is True
        assert told["currencies"] == [
            {"debit": eur("1.25"), "credit": eur("1.25"), "balance": eur("0.00")}
        ]

    def test_on_an_impossible_day_are_a_problem(self, api: Api) -> None:
        for name in ("value_day", "known_on"):
            for day in ("2026-02-30", "0", "1784109600", "2026-07-15T00:00:00", "20260715"):
                answer = api.get("/balances", "finance", **{name: day})
                assert (day, answer.status_code) == (day, 422)
                assert [one["field"] for one in answer.json()["errors"]] == [name]
