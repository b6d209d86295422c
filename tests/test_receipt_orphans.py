"""A receipt that comes before its message: kept once, and joined when the message appears."""

import pytest

from ledger.decisions.story import mo_id, mt_id
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.traffic import (
    DeliveryOrphaned,
    DeliveryReceived,
    KeywordMatched,
    MoReceived,
    MtEmitted,
    MtSubmitted,
)
from tests.support.book import in_memory, overtaken, together
from tests.support.builders import BOOK, ON_FILE, dlr, mo
from tests.support.given import given, some

MESSAGE = mo("JEU", gateway_message_id="m-7")
MT = mt_id(BOOK, mo_id(BOOK, "kannel", "m-7"))
SOLD = (MoReceived, KeywordMatched, ChargeAuthorized, MtEmitted)


class TestOrphan:
    """A receipt for a message that nobody knows."""

    @pytest.mark.parametrize(
        "outcome", ["submitted", "buffered", "delivered", "failed", "rejected"]
    )
    def test_is_kept_and_moves_nothing(self, outcome: str) -> None:
        given().when(dlr(MT, outcome)).then(some(DeliveryOrphaned, mt=MT, outcome=outcome))

    def test_again_changes_nothing(self) -> None:
        given(dlr(MT)).when(dlr(MT)).then()

    @pytest.mark.parametrize(
        "other", [dlr(MT, "failed"), dlr(MT, billed="yes"), dlr(MT, gateway="recycler")]
    )
    def test_that_says_something_else_is_kept_too(self, other: object) -> None:
        step = given(dlr(MT)).when(other).then(DeliveryOrphaned)
        orphans = [one for one in step.book.recorded if isinstance(one.fact, DeliveryOrphaned)]
        assert len({one.id for one in orphans}) == 2

    def test_raced_by_itself_is_kept_once(self) -> None:
        book = in_memory()
        together(book, lambda: book.be_told(dlr(MT)), lambda: book.be_told(dlr(MT)))
        assert len(book.facts(DeliveryOrphaned)) == 1

    def test_of_one_message_says_nothing_of_another(self) -> None:
        given(dlr("f" * 32)).when(MESSAGE).then(*SOLD)


class TestJoin:
    """The message, when it appears after its receipts."""

    def test_takes_them_in_and_captures(self) -> None:
        step = given(dlr(MT, "submitted"), dlr(MT)).when(MESSAGE)
        step.then(*SOLD, MtSubmitted, DeliveryReceived, ChargeCaptured)
        assert step.answer.text == "Merci pour , 3.00 EUR"

    def test_takes_them_in_in_the_order_in_which_they_came(self) -> None:
        step = given(dlr(MT, "failed"), dlr(MT)).when(MESSAGE)
        late = some(ChargeCaptured, was="released")
        contradicting = some(DeliveryReceived, outcome="delivered", contradicts=True)
        step.then(*SOLD, DeliveryReceived, ChargeReleased, contradicting, late)

    def test_takes_those_that_say_the_same_in_once(self) -> None:
        given(dlr(MT), dlr(MT, raw_status="x")).when(MESSAGE).then(
            *SOLD, DeliveryReceived, ChargeCaptured
        )

    def test_names_what_caused_what(self) -> None:
        appended = given(dlr(MT)).when(MESSAGE).appended
        received, captured = appended[-2:]
        assert captured.caused_by == received.id
        assert {one.exchange for one in appended} == {received.fact.ref.mo}

    def test_leaves_ids_all_different(self) -> None:
        book = given(dlr(MT, "buffered"), dlr(MT, "failed"), dlr(MT), MESSAGE).book
        ids = [one.id for one in book.recorded]
        assert len(set(ids)) == len(ids)

    def test_happens_once(self) -> None:
        given(dlr(MT), MESSAGE).when(MESSAGE).then()

    def test_makes_the_same_receipt_a_repeat(self) -> None:
        given(dlr(MT), MESSAGE).when(dlr(MT)).then()

    def test_of_a_free_message_moves_no_money(self) -> None:
        step = given(dlr(MT)).when(MESSAGE._replace(text="RIEN"))
        assert step.fact(DeliveryReceived).ref.charge is None
        assert not step.book.facts(ChargeCaptured, ChargeReleased)

    def test_leaves_the_charge_where_a_file_decides(self) -> None:
        step = given(dlr(MT)).when(MESSAGE._replace(short_code=ON_FILE))
        step.then(*SOLD, DeliveryReceived)


class TestRaced:
    """A receipt and its own message at the same moment."""

    def test_of_which_the_message_comes_first_captures_once(self) -> None:
        book = in_memory()
        overtaken(book, lambda: book.report(dlr(MT)), by=lambda: book.receive(MESSAGE))
        assert [type(fact) for fact in book.facts()[-6:]] == [
            *SOLD,
            DeliveryReceived,
            ChargeCaptured,
        ]
        assert book.facts(DeliveryOrphaned) == []

    def test_of_which_the_receipt_comes_first_captures_once(self) -> None:
        book = in_memory()
        overtaken(book, lambda: book.receive(MESSAGE), by=lambda: book.report(dlr(MT)))
        assert len(book.facts(DeliveryOrphaned)) == len(book.facts(ChargeCaptured)) == 1

    @pytest.mark.parametrize("turned", [False, True])
    def test_in_one_batch_captures_once(self, *, turned: bool) -> None:
        book = in_memory()
        stories = [lambda: book.take_in(MESSAGE), lambda: book.be_told(dlr(MT))]
        together(book, *(reversed(stories) if turned else stories))
        assert len(book.facts(ChargeCaptured)) == 1
        assert len(book.facts(DeliveryOrphaned)) == turned
