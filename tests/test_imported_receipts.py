"""Receipts of what another platform decided: beside it, before it and after it."""

from typing import Any

import pytest

from ledger.decisions.story import mo_id, mt_id
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
)
from ledger.facts.findings import FindingOpened
from ledger.facts.imported import ExchangeImported
from ledger.facts.traffic import (
    DeliveryReceived,
    MtEmitted,
)
from ledger.postings import postings
from tests.support.book import overtaken
from tests.support.builders import BOOK, dlr
from tests.support.given import given, some
from tests.support.told import (
    DELIVERED,
    MO,
    capped,
    charged,
    findings,
    only,
    told,
)


class TestReceipts:
    """What is pending is settled by them, whenever they come."""

    def test_of_one_that_is_pending_lets_its_receipt_capture_it(self) -> None:
        pending = told(charges=[charged("authorized")], receipts=[])
        given(pending).when(dlr(mt_id(BOOK, MO))).then(DeliveryReceived, ChargeCaptured)

    def test_of_one_that_is_pending_though_delivered_lets_its_own_receipt_capture_it(self) -> None:
        book = given(told(charges=[charged("authorized")])).book
        captured, reported = only(book, ChargeCaptured), only(book, DeliveryReceived)
        assert (captured.was, captured.mt) == ("authorized", mt_id(BOOK, MO))
        assert captured.occurred_at == reported.occurred_at
        assert findings(book) == []
        given(book=book).when(dlr(mt_id(BOOK, MO))).then()

    def test_of_one_that_is_pending_though_failed_lets_its_own_receipt_release_it(self) -> None:
        failed = {"outcome": "failed", "occurred_at": "2026-07-10T10:01:00Z"}
        book = given(told(charges=[charged("authorized")], receipts=[failed])).book
        assert only(book, ChargeReleased).reason == "failed"

    def test_of_a_part_of_one_that_is_pending_waits_for_the_rest(self) -> None:
        parts = [DELIVERED | {"part": 1}, DELIVERED | {"part": 2}]
        long = {"text": "M" * 200}
        one = told(mt=long, charges=[charged("authorized")], receipts=parts[:1])
        both = told(mt=long, charges=[charged("authorized")], receipts=parts)
        assert not given(one).book.facts(ChargeCaptured)
        assert len(given(both).book.facts(ChargeCaptured)) == 1

    @pytest.mark.parametrize("state", ["authorized", "released", "captured"])
    def test_joins_the_receipt_that_came_before_it(self, state: str) -> None:
        before = dlr(mt_id(BOOK, MO), billed="yes")
        story = told(charges=[charged(state)], receipts=[])
        first, then = given(before, story).book, given(story, before).book
        assert only(first, DeliveryReceived).billed == "yes"
        assert only(first, ChargeCaptured).ref == only(then, ChargeCaptured).ref
        assert findings(first) == findings(then)
        given(book=first).when(before).then()

    @pytest.mark.parametrize("first", ["released", "authorized"])
    @pytest.mark.parametrize("receipts", [[], [DELIVERED]])
    def test_a_second_attempt_that_was_billed_is_what_the_message_carries(
        self, first: str, receipts: list[dict[str, str]]
    ) -> None:
        book = given(told(charges=[charged(first), charged()], receipts=receipts)).book
        captured = only(book, ChargeCaptured)
        assert only(book, MtEmitted).ref.charge == captured.ref.charge
        given(book=book).when(dlr(mt_id(BOOK, MO), billed="yes")).then(DeliveryReceived)
        assert only(book, ChargeCaptured).ref.merchant == "ludotel"

    def test_a_second_attempt_that_is_pending_is_what_its_receipt_captures(self) -> None:
        story = told(charges=[charged("released"), charged("authorized")], receipts=[])
        happened = given(story).when(dlr(mt_id(BOOK, MO)))
        happened.then(DeliveryReceived, some(ChargeCaptured, was="authorized"))


UNASKED: dict[str, Any] = {"match": None, "unmatched": "unknown_keyword"}
BARRED = [
    pytest.param(
        {**UNASKED, "charges": [charged("authorized", category="content")]},
        "charged_unmatched",
        id="unmatched",
    ),
    pytest.param(
        {"charges": [charged("authorized", price={"amount": "4.50", "currency": "EUR"})]},
        "price_not_in_force",
        id="priced otherwise",
    ),
    pytest.param(
        {
            "text": "STOP",
            "match": None,
            "stopped": True,
            "charges": [charged("authorized", category="content")],
        },
        "charged_after_stop",
        id="after STOP",
    ),
]


class TestPendingAgainstOurRules:
    """What is pending elsewhere and was never allowed here, with what its receipts say of it."""

    @pytest.mark.parametrize(("story", "kind"), BARRED)
    def test_is_found_with_its_amount_and_not_in_the_books(
        self, story: dict[str, Any], kind: str
    ) -> None:
        book = given(told(**story, receipts=[])).book
        found = only(book, FindingOpened)
        (charge,) = only(book, ExchangeImported).charges
        assert (found.kind, found.amount, found.charge) == (kind, charge.price, charge.charge)
        assert not book.facts(ChargeAuthorized)
        assert not book.facts(ChargeCaptured)

    @pytest.mark.parametrize(("story", "kind"), BARRED)
    @pytest.mark.parametrize("when", ["after", "before", "beside"])
    def test_is_booked_as_if_told_so_once_it_was_billed(
        self, story: dict[str, Any], kind: str, when: str
    ) -> None:
        receipt, pending = dlr(mt_id(BOOK, MO)), told(**story, receipts=[])
        steps = {
            "after": (pending, receipt),
            "before": (receipt, pending),
            "beside": (told(**story),),
        }
        book = given(*steps[when]).book
        (charge,) = story["charges"]
        billed = told(**{**story, "charges": [charge | {"state": "captured"}]})
        as_told = only(given(billed).book, ChargeCaptured)
        captured = only(book, ChargeCaptured)
        assert captured.was == as_told.was == "unauthorized"
        assert (captured.ref.merchant, captured.amounts) == (as_told.ref.merchant, as_told.amounts)
        assert captured.mt == mt_id(BOOK, MO)
        assert findings(book) == [kind]

    def test_is_booked_once_however_much_is_reported(self) -> None:
        story = told(**UNASKED, charges=[charged("authorized", category="content")], receipts=[])
        mt = mt_id(BOOK, MO)
        given(story, dlr(mt)).when(dlr(mt, billed="yes")).then(DeliveryReceived)

    def test_is_not_booked_where_it_failed(self) -> None:
        story = told(**UNASKED, charges=[charged("authorized", category="content")], receipts=[])
        given(story).when(dlr(mt_id(BOOK, MO), "failed")).then(DeliveryReceived)

    def test_above_a_cap_is_the_merchants_once_it_was_billed(self) -> None:
        second = told(id="m-2", charges=[charged("authorized")], receipts=[])
        mt = mt_id(BOOK, mo_id(BOOK, "kannel", "m-2"))
        happened = given(told(), second, book=capped()).when(dlr(mt))
        happened.then(DeliveryReceived, some(ChargeCaptured, was="unauthorized"))
        assert happened.fact(ChargeCaptured).ref.merchant == "ludotel"

    def test_reported_by_several_at_once_is_booked_once(self) -> None:
        story = told(**UNASKED, charges=[charged("authorized", category="content")], receipts=[])
        book, mt = given(story).book, mt_id(BOOK, MO)
        overtaken(book, lambda: book.report(dlr(mt)), lambda: book.report(dlr(mt, billed="yes")))
        assert len(book.facts(ChargeCaptured)) == 1

    def test_balances(self) -> None:
        story = told(**UNASKED, charges=[charged("authorized", category="content")])
        lines = [line for fact in given(story).book.facts() for line in postings(fact)]
        assert sum(line.debit for line in lines) == sum(line.credit for line in lines) == 1_250_000
