"""A receipt: submitted, delivered and billed are three things; what each means for the charge."""

from datetime import date, timedelta

import pytest

from ledger.decisions.refusals import UnknownGateway
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.traffic import DeliveryOrphaned, DeliveryReceived, MtEmitted, MtSubmitted
from ledger.postings import postings
from tests.support.book import Book, in_memory, overtaken, together
from tests.support.builders import (
    NOON,
    ON_ACCEPTED,
    ON_DELIVERED,
    ON_FILE,
    ON_FLAG,
    dlr,
    mo,
    paris,
)
from tests.support.given import Happened, given, some

CODES = {
    "accepted": ON_ACCEPTED,
    "delivered": ON_DELIVERED,
    "flag": ON_FLAG,
    "file": ON_FILE,
}


def sold(on: str = "delivered") -> tuple[Book, str]:
    """Sell something whose charge is captured so; gives the book and the answer's MT."""
    book = in_memory()
    answer = book.receive(mo("JEU", short_code=CODES[on], gateway_message_id="m-7"))
    assert answer.mt is not None
    return book, answer.mt


def told(book: Book, mt: str, *reports: str) -> Happened:
    """Tell receipts such as `delivered` or `delivered/yes`, and give what the last one led to."""
    happened = None
    for report in reports:
        outcome, _, billed = report.partition("/")
        happened = given(book=book).when(dlr(mt, outcome, billed=billed or "unknown"))
    assert happened is not None
    return happened


def state(book: Book) -> str:
    """Say where the only charge stands, by its facts."""
    kinds = (ChargeAuthorized, ChargeCaptured, ChargeReleased, ChargeUnresolved)
    last = book.facts(*kinds)[-1]
    return type(last).__name__.removeprefix("Charge").lower()


class TestEachReceipt:
    """What one receipt makes of a charge, by what captures it."""

    @pytest.mark.parametrize(
        ("report", "accepted", "delivered", "flag", "file"),
        [
            # on:             accepted      delivered     flag          file
            ("submitted", "captured", "authorized", "authorized", "authorized"),
            ("buffered", "captured", "authorized", "authorized", "authorized"),
            ("delivered", "captured", "captured", "authorized", "authorized"),
            ("failed", "authorized", "released", "authorized", "authorized"),
            ("rejected", "released", "released", "released", "authorized"),
            ("delivered/yes", "captured", "captured", "captured", "authorized"),
            ("delivered/no", "captured", "authorized", "released", "authorized"),
            ("failed/yes", "authorized", "released", "captured", "authorized"),
            ("failed/no", "authorized", "released", "released", "authorized"),
        ],
    )
    def test_captures_releases_or_leaves_it(
        self, report: str, accepted: str, delivered: str, flag: str, file: str
    ) -> None:
        wanted = {"accepted": accepted, "delivered": delivered, "flag": flag, "file": file}
        for on, expected in wanted.items():
            book, mt = sold(on)
            told(book, mt, report)
            assert state(book) == expected, on

    @pytest.mark.parametrize("outcome", ["buffered", "delivered", "failed", "rejected"])
    def test_is_recorded_as_it_came(self, outcome: str) -> None:
        book, mt = sold("file")
        happened = given(book=book).when(dlr(mt, outcome, billed="yes", raw_status="stat:X"))
        happened.then(
            some(
                DeliveryReceived,
                outcome=outcome,
                billed="yes",
                raw_status="stat:X",
                contradicts=False,
                ref=book.facts(MtEmitted)[0].ref,
            )
        )

    def test_of_submission_is_neither_delivered_nor_billed(self) -> None:
        book, mt = sold()
        receipt = dlr(mt, "submitted", operator_message_id="op-1")
        given(book=book).when(receipt).then(some(MtSubmitted, operator_message_id="op-1"))

    def test_of_a_free_message_moves_no_money(self) -> None:
        book = in_memory()
        mt = book.receive(mo("RIEN")).mt
        assert mt is not None
        told(book, mt, "delivered/yes").then(DeliveryReceived)

    def test_belongs_to_the_exchange_and_causes_what_it_moves(self) -> None:
        book, mt = sold()
        received, captured = told(book, mt, "delivered").appended
        assert captured.caused_by == received.id
        assert {received.exchange, captured.exchange} == {book.facts(MtEmitted)[0].ref.mo}

    @pytest.mark.parametrize(
        ("report", "on", "reason"),
        [
            ("failed", "delivered", "failed"),
            ("rejected", "accepted", "rejected"),
            ("delivered/no", "flag", "not_billed"),
            ("buffered/no", "flag", "not_billed"),
        ],
    )
    def test_that_releases_says_why(self, report: str, on: str, reason: str) -> None:
        book, mt = sold(on)
        assert told(book, mt, report).fact(ChargeReleased).reason == reason

    def test_keeps_the_gateways_time_within_its_tolerance_only(self) -> None:
        book, mt = sold()
        stated = NOON + timedelta(days=1)
        received = given(book=book).when(dlr(mt, stated_at=stated)).fact(DeliveryReceived)
        assert (received.occurred_at, received.stated_at) == (NOON, stated.isoformat())

    def test_of_a_gateway_that_nobody_declared_is_refused(self) -> None:
        book, mt = sold()
        given(book=book).when(dlr(mt, gateway="stranger")).refused(UnknownGateway).left()


class TestCapture:
    """The capture of a charge."""

    def test_moves_all_that_was_authorized_and_posts_it(self) -> None:
        book, mt = sold()
        captured = told(book, mt, "submitted", "delivered").fact(ChargeCaptured)
        authorized = book.facts(ChargeAuthorized)[0]
        assert (captured.ref, captured.amounts) == (authorized.ref, authorized.amounts)
        assert (captured.mt, captured.was, captured.late) == (mt, "authorized", False)
        # 1.25 from Orange: 0.25 revenue and 1.00 for Ludotel.
        assert [line[1:4] for line in postings(captured)] == [
            ("20801", 1_250_000, 0),
            ("", 0, 250_000),
            ("ludotel", 0, 1_000_000),
        ]

    @pytest.mark.parametrize(
        ("asked", "told_at", "authorized_day", "day"),
        [
            pytest.param(
                "2026-07-31T23:59:50",
                "2026-08-01T00:00:05",
                date(2026, 7, 31),
                date(2026, 8, 1),
                id="over the end of July",
            ),
            pytest.param(
                "2026-03-28T23:59:59",
                "2026-03-29T03:00:00",
                date(2026, 3, 28),
                date(2026, 3, 29),
                id="over the hour that does not exist",
            ),
            pytest.param(
                "2026-10-25T02:59:59",
                "2026-10-25T02:00:00+",
                date(2026, 10, 25),
                date(2026, 10, 25),
                id="over the hour that comes twice",
            ),
            pytest.param(
                "2026-10-25T23:59:59",
                "2026-10-26T00:00:00",
                date(2026, 10, 25),
                date(2026, 10, 26),
                id="over the end of a day of 25 hours",
            ),
        ],
    )
    def test_counts_on_the_local_day_of_the_receipt(
        self, asked: str, told_at: str, authorized_day: date, day: date
    ) -> None:
        book = in_memory()
        book.clock.now = paris(asked)
        mt = book.receive(mo("JEU")).mt
        assert mt is not None
        book.clock.now = paris(told_at)
        captured = told(book, mt, "delivered").fact(ChargeCaptured)
        assert (captured.authorized_day, captured.value_day) == (authorized_day, day)

    def test_late_says_that_it_had_been_released(self) -> None:
        book, mt = sold()
        happened = told(book, mt, "failed", "delivered")
        late = some(ChargeCaptured, was="released")
        happened.then(some(DeliveryReceived, contradicts=True), late)
        assert happened.fact(ChargeCaptured).late


class TestRepeated:
    """A receipt that comes again."""

    @pytest.mark.parametrize("report", ["submitted", "buffered", "delivered", "failed", "rejected"])
    @pytest.mark.parametrize("on", CODES)
    def test_changes_nothing(self, report: str, on: str) -> None:
        book, mt = sold(on)
        told(book, mt, report)
        told(book, mt, report).then()

    def test_with_other_words_for_the_same_changes_nothing(self) -> None:
        book, mt = sold()
        told(book, mt, "delivered")
        later = dlr(mt, raw_status="other", stated_at=NOON + timedelta(seconds=9))
        given(book=book).when(later).then()

    def test_with_the_billing_known_at_last_counts(self) -> None:
        book, mt = sold("flag")
        told(book, mt, "delivered", "delivered/yes").then(
            some(DeliveryReceived, contradicts=False), ChargeCaptured
        )


class TestContradicting:
    """A receipt that says otherwise than one before."""

    @pytest.mark.parametrize(
        ("first", "second"),
        [("delivered", "failed"), ("failed", "delivered"), ("rejected", "delivered")],
    )
    def test_is_recorded_as_such(self, first: str, second: str) -> None:
        book, mt = sold("file")
        told(book, mt, first, second).then(some(DeliveryReceived, contradicts=True))

    @pytest.mark.parametrize(
        ("first", "second"), [("buffered", "failed"), ("delivered", "buffered")]
    )
    def test_is_none_that_only_comes_out_of_order(self, first: str, second: str) -> None:
        book, mt = sold("file")
        told(book, mt, first, second).then(some(DeliveryReceived, contradicts=False))

    @pytest.mark.parametrize("second", ["failed", "rejected"])
    def test_leaves_money_captured(self, second: str) -> None:
        book, mt = sold()
        told(book, mt, "delivered", second).then(some(DeliveryReceived, contradicts=True))
        assert state(book) == "captured"

    def test_by_the_flag_leaves_money_captured(self) -> None:
        book, mt = sold("flag")
        told(book, mt, "delivered/yes", "delivered/no").then(
            some(DeliveryReceived, contradicts=True)
        )
        assert state(book) == "captured"

    def test_of_the_flag_on_acceptance_counts_too(self) -> None:
        book, mt = sold("flag")
        told(book, mt, "submitted", "submitted/yes").then(
            some(MtSubmitted, billed="yes"), ChargeCaptured
        )


class TestRaced:
    """Two receipts at the same moment."""

    def test_that_are_the_same_are_one(self) -> None:
        book, mt = sold()
        receipt = dlr(mt)
        together(book, lambda: book.be_told(receipt), lambda: book.be_told(receipt))
        assert len(book.facts(DeliveryReceived)) == len(book.facts(ChargeCaptured)) == 1

    @pytest.mark.parametrize("order", [("delivered", "failed"), ("failed", "delivered")])
    def test_that_disagree_capture_once_in_either_order(self, order: tuple[str, str]) -> None:
        book, mt = sold()
        first, second = (dlr(mt, outcome) for outcome in order)
        together(book, lambda: book.be_told(first), lambda: book.be_told(second))
        assert len(book.facts(ChargeCaptured)) == 1
        assert state(book) == "captured"
        assert [fact.contradicts for fact in book.facts(DeliveryReceived)] == [False, True]

    def test_of_which_one_overtakes_the_other_see_each_other(self) -> None:
        book, mt = sold()
        delivered, failed = dlr(mt), dlr(mt, "failed")
        added = overtaken(book, lambda: book.report(delivered), by=lambda: book.report(failed))
        assert [type(fact) for fact in added] == [DeliveryReceived, ChargeCaptured]
        assert added[1].was == "released"
        assert book.facts(DeliveryOrphaned) == []
