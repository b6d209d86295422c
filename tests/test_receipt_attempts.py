"""Several messages on one charge, and several parts of one message."""

import msgspec
import pytest

from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.findings import FindingOpened
from ledger.facts.traffic import DeliveryOrphaned, DeliveryReceived, MtEmitted, MtSubmitted
from ledger.postings import Account, postings
from tests.support.book import Book, in_memory, together
from tests.support.builders import dlr, mo
from tests.support.given import given, some
from tests.support.subscribers import on, renew, subscriber, told

SECOND = "2" * 32
TWICE = some(ChargeCaptured, was="unauthorized", mt=SECOND, ref__merchant=None, amounts__merchant=0)
FOUND = some(FindingOpened, kind="billed_twice", mt=SECOND, amount=3_000_000)


@pytest.fixture
def retried() -> tuple[Book, str]:
    """Sell something, let its message fail, and send another one on the same charge."""
    book = in_memory()
    first = book.receive(mo("JEU", gateway_message_id="m-7")).mt
    assert first is not None
    book.report(dlr(first, "failed"))
    (sold,) = book.facts(MtEmitted)
    (made,) = book.facts(ChargeAuthorized)
    again = msgspec.structs.replace(sold, ref=msgspec.structs.replace(sold.ref, mt=SECOND))
    retry = msgspec.structs.replace(made, was="released", released_day=made.value_day)
    book.add(retry, n=1)
    book.add(again)
    return book, first


class TestSecondMessage:
    """A retry: another message on a charge whose first one had failed."""

    def test_captures_the_charge(self, retried: tuple[Book, str]) -> None:
        book, _ = retried
        given(book=book).when(dlr(SECOND)).then(
            DeliveryReceived, some(ChargeCaptured, was="authorized", mt=SECOND)
        )

    def test_is_not_undone_by_the_failing_of_the_first(self, retried: tuple[Book, str]) -> None:
        book, first = retried
        given(book=book).when(dlr(first, "rejected")).then(DeliveryReceived)

    def test_that_fails_too_releases_it_again(self, retried: tuple[Book, str]) -> None:
        book, _ = retried
        given(book=book).when(dlr(SECOND, "failed")).then(
            DeliveryReceived, some(ChargeReleased, was="authorized", mt=SECOND)
        )


class TestPushed:
    """A receipt for a message that answers no message."""

    @pytest.mark.parametrize("outcome", ["delivered", "failed"])
    def test_belongs_to_the_exchange_that_sent_it(self, outcome: str) -> None:
        book = given(on("2026-07-17T12:00"), renew(), book=subscriber()).book
        (sent,) = [one for one in book.recorded if one.fact == book.facts(MtEmitted)[-1]]
        happened = given(book=book).when(told(outcome))
        assert len(happened.appended) == 2
        assert {one.exchange for one in happened.appended} == {sent.exchange}
        assert sent.exchange not in {None, sent.fact.ref.subscription}


class TestBilledTwice:
    """Both messages were billed: both are recorded, and the second is to be refunded."""

    def test_is_found_and_earned_by_nobody(self, retried: tuple[Book, str]) -> None:
        book, first = retried
        given(dlr(first), book=book).when(dlr(SECOND)).then(DeliveryReceived, TWICE, FOUND)

    def test_in_either_order(self, retried: tuple[Book, str]) -> None:
        book, first = retried
        given(dlr(SECOND), book=book).when(dlr(first)).then(
            some(DeliveryReceived, contradicts=True),
            some(ChargeCaptured, was="unauthorized", mt=first),
            some(FindingOpened, kind="billed_twice", mt=first),
        )

    def test_told_again_changes_nothing(self, retried: tuple[Book, str]) -> None:
        book, first = retried
        given(dlr(first), dlr(SECOND), book=book).when(dlr(SECOND)).then()
        given(book=book).when(dlr(SECOND, billed="yes")).then(DeliveryReceived)

    def test_by_two_receipts_at_once_captures_once_and_finds_once(
        self, retried: tuple[Book, str]
    ) -> None:
        book, first = retried
        together(book, lambda: book.be_told(dlr(first)), lambda: book.be_told(dlr(SECOND)))
        assert sorted(one.was for one in book.facts(ChargeCaptured)) == [
            "authorized",
            "unauthorized",
        ]
        assert len(book.facts(FindingOpened)) == 1

    def test_posts_what_the_operator_owes_for_it_to_unattributed(
        self, retried: tuple[Book, str]
    ) -> None:
        # Of 3.00 Orange owes 1.25, as for the first; the second is nobody's.
        book, first = retried
        happened = given(dlr(first), book=book).when(dlr(SECOND))
        lines = postings(happened.fact(ChargeCaptured))
        assert [(line.account, line.debit, line.credit) for line in lines] == [
            (Account.OPERATOR_RECEIVABLE_ACCRUED, 1_250_000, 0),
            (Account.UNATTRIBUTED, 0, 1_250_000),
        ]


class TestParts:
    """A message of several parts, whose receipts name the part."""

    @pytest.fixture
    def long(self) -> tuple[Book, str]:
        """Sell a message that took three parts."""
        book = in_memory()
        mt = book.receive(mo("JEU", gateway_message_id="m-7")).mt
        assert mt is not None
        (sold,) = book.facts(MtEmitted)
        three = "3" * 32
        ref = msgspec.structs.replace(sold.ref, mt=three)
        book.add(msgspec.structs.replace(sold, ref=ref, parts=3))
        return book, three

    def test_captures_once_all_are_delivered(self, long: tuple[Book, str]) -> None:
        book, mt = long
        given(book=book).when(dlr(mt, part=1)).then(DeliveryReceived)
        given(book=book).when(dlr(mt, part=3)).then(DeliveryReceived)
        given(book=book).when(dlr(mt, part=2)).then(DeliveryReceived, ChargeCaptured)

    def test_counts_a_part_once(self, long: tuple[Book, str]) -> None:
        book, mt = long
        given(dlr(mt, part=1), book=book).when(dlr(mt, part=1)).then()

    def test_releases_as_soon_as_one_fails(self, long: tuple[Book, str]) -> None:
        book, mt = long
        released = some(ChargeReleased, reason="failed")
        # The message on the charge that counts is the last one emitted, this one.
        given(dlr(mt, part=1), book=book).when(dlr(mt, "failed", part=2)).then(
            some(DeliveryReceived, contradicts=False), released
        )

    def test_captures_by_a_receipt_that_speaks_of_the_whole(self, long: tuple[Book, str]) -> None:
        book, mt = long
        given(book=book).when(dlr(mt)).then(DeliveryReceived, ChargeCaptured)

    def test_contradicts_only_what_was_said_of_the_same_part(self, long: tuple[Book, str]) -> None:
        book, mt = long
        given(dlr(mt, part=1), book=book).when(dlr(mt, "failed", part=1)).then(
            some(DeliveryReceived, contradicts=True), ChargeReleased
        )

    def test_submitted_one_by_one_is_kept_one_by_one(self, long: tuple[Book, str]) -> None:
        book, mt = long
        given(dlr(mt, "submitted", part=1), book=book).when(dlr(mt, "submitted", part=2)).then(
            some(MtSubmitted, part=2)
        )

    def test_before_its_message_is_kept_by_part(self) -> None:
        book = in_memory()
        unknown = "9" * 32
        given(dlr(unknown, part=1), book=book).when(dlr(unknown, part=2)).then(
            some(DeliveryOrphaned, part=2)
        )
