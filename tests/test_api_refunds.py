"""Refunds and write-offs over HTTP: who may, what is answered, and what is not understood.

Through Orange, of 3.00 EUR with 20 % of tax: tax 0.50; net 2.50, of which Orange owes half, 1.25;
of that the merchant has 80 %, 1.00.
"""

from collections.abc import Generator
from typing import Any

import pytest

from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeRefunded,
    ChargeWrittenOff,
    RefundRefused,
)
from ledger.postings import postings
from tests.support.api import OTHER_BOOK, Api, serving
from tests.support.database import TestDatabase


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def charge(api: Api) -> str:
    """Sell something of 3.00 of ludotel's that is delivered; gives its charge."""
    api.receipt(api.mo(), 1)
    return api.only(ChargeAuthorized).ref.charge


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


def by_operator(**changed: object) -> dict[str, Any]:
    return {"id": "r-1", "by": "operator", "channel": "bill", "reason": "complaint 7", **changed}


def transfer(amount: object = "1.00", **changed: object) -> dict[str, Any]:
    asked = {"amount": amount, "currency": "EUR"}
    how = {"by": "aggregator", "channel": "transfer", "amount": asked}
    return by_operator(**how, **changed)


def write_off(**changed: object) -> dict[str, Any]:
    return {"id": "w-1", "reason": "unpaid", "note": "the file of August", **changed}


IMPOSSIBLE = (
    *(1.0, 1, True, None, "-1.00", "0", "0.000000", "1000000.01", "99999999.00", "1.0000001"),
    *("1,00", "1e3", " 1.00", "1.00\n", "\u0663.00", "NaN", ""),
)
"""Amounts that no refund can be of."""

NOT_UNDERSTOOD: list[tuple[dict[str, object], str]] = [
    ({"amount": {"amount": "1.00", "currency": "USD"}}, "amount.currency"),
    ({"amount": {"amount": "1.00", "currency": "eur"}}, "amount.currency"),
    ({"amount": {"amount": "1.00"}}, "amount.currency"),
    ({"amount": "1.00"}, "amount"),
    ({"amount": None}, "amount"),
    ({"channel": "bill"}, "channel"),
    ({"channel": "cash"}, "channel"),
    ({"by": "nobody"}, "by"),
    ({"reason": ""}, "reason"),
    ({"reason": "  "}, "reason"),
    ({"reason": "a\x00b"}, "reason"),
    ({"reason": "x" * 501}, "reason"),
    ({"id": ""}, "id"),
    ({"id": 7}, "id"),
    ({"finding": "x"}, "finding"),
    ({"more": 1}, "more"),
]
"""What is changed in a body that would be right, and the field that is wrong then."""


class TestRefund:
    """POST /charges/{charge}/refunds."""

    @pytest.mark.parametrize("role", ["finance", "admin"])
    def test_by_the_operator_gives_the_whole_price_back(
        self, api: Api, charge: str, role: str
    ) -> None:
        answer = api.post(f"/charges/{charge}/refunds", by_operator(), role)
        assert answer.status_code == 200
        told = answer.json()
        fact = api.only(ChargeRefunded)
        assert told.pop("watermark")["position"] == api.facts(ChargeRefunded)[0].position
        assert told == {
            "refund": fact.refund,
            "charge": charge,
            "by": "operator",
            "channel": "bill",
            "amount": eur("3.00"),
            "borne_by": "each_its_part",
            "value_day": "2026-07-15",
            "closed": [],
            "repeated": False,
        }

    def test_directly_gives_part_of_it_back(self, api: Api, charge: str) -> None:
        told = api.post(f"/charges/{charge}/refunds", transfer("0.000001"), "finance").json()
        assert (told["amount"], told["channel"]) == (eur("0.000001"), "transfer")
        assert api.only(ChargeRefunded).price == 1

    def test_is_seen_in_the_statement_and_the_trial_balance(self, api: Api, charge: str) -> None:
        api.post(f"/charges/{charge}/refunds", by_operator(), "finance")
        api.project()
        told = api.get("/merchants/ludotel/statements/2026-07", "merchant").json()
        (line,) = told["lines"]
        assert line["states"]["earned"] == {"charges": 1, "share": eur("1.00")}
        assert line["states"]["refunded"] == {"charges": 1, "share": eur("1.00")}
        assert line["states"]["payable"] is None

    def test_is_seen_on_the_charge(self, api: Api, charge: str) -> None:
        api.post(f"/charges/{charge}/refunds", transfer(), "finance")
        api.post(f"/charges/{charge}/write-offs", write_off(reason="clawback"), "finance")
        api.project()
        (told,) = api.get("/merchants/ludotel/charges", "merchant").json()["charges"]
        assert (told["state"], told["refunded"], told["written_off"]) == (
            "captured",
            eur("1.00"),
            "clawback",
        )

    def test_repeated_is_answered_the_same(self, api: Api, charge: str) -> None:
        first = api.post(f"/charges/{charge}/refunds", transfer(), "finance").json()
        again = api.post(f"/charges/{charge}/refunds", transfer(), "finance").json()
        assert again == {**first, "repeated": True}
        assert len(api.facts(ChargeRefunded)) == 1

    def test_with_other_content_under_the_id_is_a_conflict(self, api: Api, charge: str) -> None:
        api.post(f"/charges/{charge}/refunds", transfer(), "finance")
        answer = api.post(f"/charges/{charge}/refunds", transfer("2.00"), "finance")
        assert answer.status_code == 409
        assert (answer.json()["type"], answer.json()["used"]) == ("/problems/other-content", "r-1")

    def test_that_a_rule_forbids_is_told_and_kept(self, api: Api, charge: str) -> None:
        answer = api.post(f"/charges/{charge}/refunds", transfer("3.01"), "finance")
        assert answer.status_code == 409
        told = answer.json()
        assert told["type"] == "/problems/refund-not-made"
        assert (told["rule"], told["left"]) == ("above_what_is_left", "3.00 EUR")
        (refused,) = api.facts(RefundRefused)
        assert (refused.position, refused.fact.rule) == (told["position"], told["rule"])

    def test_of_a_charge_of_another_book_is_not_found(self, api: Api, charge: str) -> None:
        key = api.issue("finance", book=OTHER_BOOK)
        path = f"/v1/books/{OTHER_BOOK}/charges/{charge}/refunds"
        answer = api.post(path, by_operator(), key)
        assert answer.status_code == 404
        assert answer.json()["type"] == "/problems/unknown-charge"
        assert api.facts(RefundRefused, ChargeRefunded) == []

    def test_of_an_impossible_amount_names_the_field(self, api: Api) -> None:
        path = f"/charges/{'0' * 32}/refunds"
        for amount in IMPOSSIBLE:
            answer = api.post(path, transfer(amount), "finance")
            assert answer.status_code == 422, amount
            assert [one["field"] for one in answer.json()["errors"]] == ["amount.amount"], amount

    def test_that_is_not_understood_names_the_field(self, api: Api) -> None:
        path = f"/charges/{'0' * 32}/refunds"
        for changed, field in NOT_UNDERSTOOD:
            answer = api.post(path, {**transfer(), **changed}, "finance")
            assert answer.status_code == 422, changed
            assert [one["field"] for one in answer.json()["errors"]] == [field], changed

    @pytest.mark.parametrize(
        ("path", "role", "by"),
        [
            ("/charges/{}/refunds", "finance", {"by": "aggregator"}),
            ("/merchants/ludotel/charges/{}/refunds", "merchant", {}),
        ],
    )
    def test_for_a_reason_that_tells_a_number_is_refused(
        self, api: Api, path: str, role: str, by: dict[str, str]
    ) -> None:
        body = {"id": "r-1", "channel": "voucher", "amount": eur("1.00"), **by}
        answer = api.post(path.format("0" * 32), {**body, "reason": "call 0470 00 00 01"}, role)
        (error,) = answer.json()["errors"]
        assert error["field"] == "reason"
        assert "a telephone number may not stand in the log" in error["message"]
        assert "0470" not in answer.text

    def test_on_the_bill_is_the_operators_alone(self, api: Api) -> None:
        body = by_operator(channel="transfer")
        answer = api.post(f"/charges/{'0' * 32}/refunds", body, "finance")
        assert [one["field"] for one in answer.json()["errors"]] == ["channel"]


class TestMerchantRefund:
    """POST /merchants/{merchant}/charges/{charge}/refunds."""

    def asked(self, **changed: object) -> dict[str, Any]:
        body = {"id": "r-1", "channel": "voucher", "amount": eur("1.00"), "reason": "goodwill"}
        return {**body, **changed}

    def test_is_by_the_merchant(self, api: Api, charge: str) -> None:
        path = f"/merchants/ludotel/charges/{charge}/refunds"
        told = api.post(path, self.asked(), "merchant").json()
        assert (told["by"], told["channel"], told["amount"]) == (
            "merchant",
            "voucher",
            eur("1.00"),
        )
        assert told["borne_by"] == "merchant"
        assert api.only(ChargeRefunded).by == "merchant"

    def test_costs_us_nothing_whoever_bears_refunds(self, api: Api, charge: str) -> None:
        api.post(f"/merchants/ludotel/charges/{charge}/refunds", self.asked(), "merchant")
        assert postings(api.only(ChargeRefunded)) == ()
        # What finance records of the merchant's vouchers is borne as the contract says: by us.
        body = {**self.asked(id="r-2"), "by": "merchant"}
        told = api.post(f"/charges/{charge}/refunds", body, "finance").json()
        assert (told["by"], told["borne_by"]) == ("merchant", "aggregator")

    def test_of_anothers_charge_finds_none(self, api: Api, charge: str) -> None:
        key = api.issue("merchant", "astrolys")
        path = f"/merchants/astrolys/charges/{charge}/refunds"
        answer = api.post(path, self.asked(), key)
        assert answer.json()["type"] == "/problems/unknown-charge"
        assert api.facts(ChargeRefunded, RefundRefused) == []

    def test_says_no_finding_and_nobody_else(self, api: Api) -> None:
        path = f"/merchants/ludotel/charges/{'0' * 32}/refunds"
        for more in ({"by": "operator"}, {"finding": "f" * 32}, {"channel": "bill"}):
            answer = api.post(path, self.asked(**more), "merchant")
            assert [one["field"] for one in answer.json()["errors"]] == [*more]


class TestWriteOff:
    """POST /charges/{charge}/write-offs."""

    def test_tells_what_the_operator_owed_and_who_bears_it(self, api: Api, charge: str) -> None:
        told = api.post(f"/charges/{charge}/write-offs", write_off(), "finance").json()
        assert (told["unpaid"], told["merchant_share"]) == (eur("1.25"), eur("1.00"))
        assert (told["reason"], told["repeated"]) == ("unpaid", False)
        assert told["borne_by"] == api.only(ChargeWrittenOff).borne_by

    def test_repeated_is_answered_the_same(self, api: Api, charge: str) -> None:
        first = api.post(f"/charges/{charge}/write-offs", write_off(), "finance").json()
        again = api.post(f"/charges/{charge}/write-offs", write_off(), "admin").json()
        assert again == {**first, "repeated": True}

    def test_after_a_refund_by_the_operator_is_refused(self, api: Api, charge: str) -> None:
        api.post(f"/charges/{charge}/refunds", by_operator(), "finance")
        answer = api.post(f"/charges/{charge}/write-offs", write_off(), "finance")
        assert (answer.status_code, answer.json()["rule"]) == (409, "already_taken_back")

    @pytest.mark.parametrize(
        ("changed", "field"),
        [
            ({"reason": "lost"}, "reason"),
            ({"note": ""}, "note"),
            ({"note": "call 0470 00 00 01"}, "note"),
        ],
    )
    def test_that_is_not_understood_names_the_field(
        self, api: Api, changed: dict[str, object], field: str
    ) -> None:
        body = write_off(**changed)
        answer = api.post(f"/charges/{'0' * 32}/write-offs", body, "finance")
        assert [one["field"] for one in answer.json()["errors"]] == [field]
