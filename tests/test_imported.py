"""Exchanges that another platform decided: recorded as they were, and judged, not refused."""

from typing import Any

import pytest

from ledger.commands.imported import TakenOver
from ledger.decisions.refusals import ConflictingDuplicate, UnknownGateway, UnknownLink
from ledger.decisions.story import mo_id, mt_id
from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
)
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.findings import FindingOpened
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryReceived,
    ExchangeImported,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)
from ledger.money import Waterfall
from ledger.postings import postings
from ledger.rules.inforce import Cap
from ledger.spans import Window
from tests.support.book import Book, ChangedRules, in_memory, overtaken
from tests.support.builders import BOOK, CHEAP, FREE, dlr, mo
from tests.support.given import given, some
from tests.support.told import DELIVERED, MO, QUIZ, charged, exchange, take_over, told

WHOLE = (
    MoReceived,
    ExchangeImported,
    KeywordMatched,
    ChargeAuthorized,
    ChargeCaptured,
    MtEmitted,
    DeliveryReceived,
)


def findings(book: Book) -> list[str]:
    """Give the kinds of what was found, in order."""
    return [one.kind for one in book.facts(FindingOpened) if isinstance(one, FindingOpened)]


def only(book: Book, kind: type[Fact]) -> Any:  # noqa: ANN401 - a fact of that kind
    (found,) = book.facts(kind)
    return found


class TestTakeOver:
    """What was decided as we would have."""

    def test_records_each_step_as_it_was(self) -> None:
        given().when(told()).then(*WHOLE)

    def test_finds_nothing(self) -> None:
        assert findings(given(told()).book) == []

    def test_books_the_price_by_our_terms(self) -> None:
        # 3.00: tax 0.50, net 2.50; the operator owes half, 1.25; ludotel has four fifths, 1.00.
        captured = only(given(told()).book, ChargeCaptured)
        assert captured.amounts == Waterfall(
            price=3_000_000, tax=500_000, operator=1_250_000, aggregator=250_000, merchant=1_000_000
        )
        assert (captured.was, captured.mt) == ("authorized", mt_id(BOOK, MO))

    def test_keeps_what_was_told_beside_it(self) -> None:
        fact = only(given(told()).book, ExchangeImported)
        (charge,) = fact.charges
        assert (charge.price, charge.state, fact.keyword) == (3_000_000, "captured", "JEU")

    def test_seals_both_texts(self) -> None:
        book = given(told()).book
        assert book.text_of(only(book, MoReceived)) == "JEU 42"
        assert book.text_of(only(book, MtEmitted)) == "Merci"

    def test_of_a_failed_answer_releases_its_charge(self) -> None:
        failed = {"outcome": "failed", "occurred_at": "2026-07-10T10:01:00Z"}
        story = told(charges=[charged("released")], receipts=[failed])
        given().when(story).then(
            *WHOLE[:4], some(ChargeReleased, reason="failed"), MtEmitted, DeliveryReceived
        )

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

    def test_of_one_that_was_refused_says_so(self) -> None:
        story = told(charges=[charged("refused")], receipts=[])
        given().when(story).then(
            *WHOLE[:3], some(ChargeRefused, rule="refused_elsewhere"), MtEmitted
        )

    def test_of_what_matched_nothing_has_no_charge(self) -> None:
        story = told(match=None, unmatched="unknown_keyword", charges=[], receipts=[])
        given().when(story).then(MoReceived, ExchangeImported, KeywordUnmatched, MtEmitted)

    def test_of_a_stop_silences_the_consumer_here(self) -> None:
        story = told(text="STOP", match=None, stopped=True, charges=[], receipts=[], mt=None)
        given().when(story).then(MoReceived, ExchangeImported, OptedOut)

    def test_after_a_stop_lifts_it_for_replies(self) -> None:
        given(mo("STOP", gateway_message_id="m-0")).when(told()).then(
            MoReceived, ExchangeImported, OptOutLifted, *WHOLE[2:]
        )

    def test_counts_towards_our_caps(self) -> None:
        given(told(), book=capped()).when(mo("JEU", gateway_message_id="m-2")).then(
            MoReceived, KeywordMatched, some(ChargeRefused, rule="spending_cap"), MtEmitted
        )


CAP = Cap(
    name="a day",
    amount=5_000_000,
    counted_per="consumer",
    window=Window(kind="rolling", n=1, unit="day"),
)


def capped() -> Book:
    """Give a book in which a consumer may spend 5.00 a day."""
    return in_memory(rules=ChangedRules(caps=(CAP,), notices=()))


class TestJudged:
    """What we would not have done: recorded as billed, found, and earned by nobody else."""

    def test_a_charge_without_a_keyword_is_nobodys(self) -> None:
        story = told(match=None, unmatched="unknown_keyword", charges=[charged(category="content")])
        book = given(story).book
        captured = only(book, ChargeCaptured)
        assert findings(book) == ["charged_unmatched"]
        assert (captured.was, captured.ref.merchant) == ("unauthorized", None)
        assert not book.facts(ChargeAuthorized)

    def test_a_charge_of_a_stop(self) -> None:
        book = given(
            told(text="STOP", stopped=True, match=None, charges=[charged(category="content")])
        ).book
        assert findings(book) == ["charged_after_stop"]
        assert only(book, ChargeCaptured).ref.merchant is None

    def test_a_charge_for_what_was_sent_before_a_stop(self) -> None:
        book = in_memory()
        book.receive(mo("STOP", gateway_message_id="m-0"))
        story = told(sent_at="2026-07-10T09:59:00Z", receipts=[DELIVERED])
        assert findings(given(story, book=book).book) == ["charged_after_stop"]

    def test_a_stop_that_was_taken_for_something_else(self) -> None:
        book = given(told(text="STOP", charges=[], receipts=[])).book
        assert findings(book) == ["stop_ignored"]
        assert book.facts(OptedOut)

    def test_a_charge_above_a_cap_stays_the_merchants(self) -> None:
        book = capped()
        given(told(), told(id="m-2"), book=book)
        second = book.facts(ChargeCaptured)[1]
        assert isinstance(second, ChargeCaptured)
        assert findings(book) == ["billed_above_cap"]
        assert (second.was, second.ref.merchant) == ("unauthorized", "ludotel")

    def test_two_charges_of_one_message(self) -> None:
        book = given(told(charges=[charged(), charged()])).book
        one, other = book.facts(ChargeCaptured)
        assert isinstance(one, ChargeCaptured)
        assert isinstance(other, ChargeCaptured)
        assert findings(book) == ["billed_twice"]
        assert one.ref.charge != other.ref.charge
        assert (one.ref.merchant, other.ref.merchant) == ("ludotel", None)

    def test_a_second_attempt_after_one_that_failed_is_none(self) -> None:
        assert findings(given(told(charges=[charged("released"), charged()])).book) == []

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

    def test_another_price_than_the_tariff(self) -> None:
        price = {"amount": "4.50", "currency": "EUR"}
        book = given(told(charges=[charged(price=price)])).book
        # 4.50: tax 0.75, net 3.75; the operator owes 1.875; ludotel has 1.50 of that.
        assert findings(book) == ["price_not_in_force"]
        assert only(book, ChargeCaptured).amounts.merchant == 1_500_000

    @pytest.mark.parametrize(
        "match",
        [
            QUIZ | {"merchant": "voxpop"},
            QUIZ | {"service": "nobody"},
            QUIZ | {"keyword": "INCONNU"},
        ],
    )
    def test_what_this_catalogue_does_not_sell(self, match: dict[str, str]) -> None:
        book = given(told(match=match, charges=[charged(category="content")])).book
        assert findings(book) == ["sold_unknown"]
        assert only(book, ChargeCaptured).ref.merchant is None

    def test_a_capture_without_the_receipt_that_captures_here(self) -> None:
        book = given(told(receipts=[])).book
        assert findings(book) == ["captured_without_receipt"]
        assert only(book, ChargeCaptured).was == "authorized"

    def test_a_price_that_this_code_may_not_have(self) -> None:
        price = {"amount": "5.00", "currency": "EUR"}
        found = findings(given(told(short_code=CHEAP, charges=[charged(price=price)])).book)
        assert found == ["price_not_in_force", "against_code_rules"]

    def test_what_cannot_be_booked_is_told_and_found(self) -> None:
        # With Free nothing is agreed, so nobody knows what it owes.
        book = given(told(smsc="free")).book
        assert findings(book) == ["leg_not_booked"]
        assert only(book, FindingOpened).amount == 3_000_000
        assert not book.facts(ChargeCaptured)
        assert only(book, ExchangeImported).operator == FREE

    def test_what_has_no_terms_with_its_merchant_stands_unattributed(self) -> None:
        match = {"keyword": "NEUF", "merchant": "neuf", "service": "sansbail"}
        book = given(told(match=match)).book
        assert findings(book) == ["leg_not_booked"]
        assert only(book, ChargeCaptured).ref.merchant is None

    def test_another_currency(self) -> None:
        price = {"amount": "3.00", "currency": "USD"}
        assert findings(given(told(charges=[charged(price=price)])).book) == ["leg_not_booked"]

    def test_of_what_was_never_billed_finds_nothing(self) -> None:
        story = told(match=None, unmatched="no_words", charges=[charged("released")], receipts=[])
        assert findings(given(story).book) == []

    def test_balances_whatever_is_wrong(self) -> None:
        book = in_memory()
        stories = [
            told(id="a"),
            told(id="b", match=None, charges=[charged(category="content")]),
            told(id="c", charges=[charged(), charged()]),
            told(id="d", match=QUIZ | {"merchant": "voxpop"}),
        ]
        given(*stories, book=book)
        lines = [line for fact in book.facts() for line in postings(fact)]
        assert sum(line.debit for line in lines) == sum(line.credit for line in lines) > 0


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


class TestRefused:
    """What nobody can place."""

    def test_from_an_unknown_gateway(self) -> None:
        given().when(told(gateway="nobody")).refused(UnknownGateway).left()

    def test_by_an_unknown_link(self) -> None:
        given().when(told(smsc="nobody")).refused(UnknownLink).left()


class TestFailed:
    """What no decision can be made on."""

    @pytest.mark.parametrize("at", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
    def test_leaves_the_others(self, at: str) -> None:
        # At the end of the last year there is no tomorrow, and before the first no yesterday.
        book = in_memory()
        lines = [exchange(id="a"), exchange(id="b", sent_at=at, receipts=[]), exchange(id="c")]
        first, bad, last = take_over(book, *lines)
        assert isinstance(first, TakenOver)
        assert isinstance(bad, Exception)
        assert isinstance(last, TakenOver)
        assert len(book.facts(MoReceived)) == 2


class TestRepeated:
    """The same message told again."""

    def test_changes_nothing(self) -> None:
        happened = given(told()).when(told())
        happened.then()

    def test_says_so(self) -> None:
        book = given(told()).book
        (again,) = take_over(book, exchange())
        assert isinstance(again, TakenOver)
        assert again.repeated

    def test_in_one_batch_is_one(self) -> None:
        book = in_memory()
        first, second = take_over(book, exchange(), exchange())
        assert isinstance(first, TakenOver)
        assert isinstance(second, TakenOver)
        assert (first.repeated, second.repeated) == (False, True)
        assert len(book.facts(MoReceived)) == 1

    @pytest.mark.parametrize("text", ["JEU 42", "JEU 43"])
    def test_after_its_key_was_destroyed_is_the_same_whatever_it_says(self, text: str) -> None:
        book = given(told()).book
        book.desk.keys.keys.clear()
        happened = given(book=book).when(told(text=text))
        happened.then()
        (again,) = take_over(book, exchange(text=text))
        assert isinstance(again, TakenOver)
        assert again.repeated

    def test_after_its_key_was_destroyed_with_another_end_is_found(self) -> None:
        book = given(told()).book
        book.desk.keys.keys.clear()
        other = told(charges=[charged("released")], receipts=[])
        given(book=book).when(other).refused(ConflictingDuplicate).left(
            some(FindingOpened, kind="told_otherwise")
        )

    def test_with_another_end_is_found_once(self) -> None:
        other = told(charges=[charged("released")], receipts=[])
        first = given(told()).when(other).refused(ConflictingDuplicate)
        first.left(some(FindingOpened, kind="told_otherwise"))
        given(book=first.book).when(other).refused(ConflictingDuplicate).left()

    def test_with_another_text_is_kept_as_a_conflict(self) -> None:
        given(told()).when(told(text="JEU 43")).refused(ConflictingDuplicate).left(
            ConflictingDuplicateReceived
        )

    def test_with_another_text_and_end_is_one_conflict_however_often(self) -> None:
        other = told(text="JEU 43", charges=[charged("released")], receipts=[])
        first = given(told()).when(other).refused(ConflictingDuplicate)
        first.left(ConflictingDuplicateReceived)
        given(book=first.book).when(other).refused(ConflictingDuplicate).left()

    def test_under_the_id_of_many_others_is_one_more_conflict(self) -> None:
        # Each was sealed under its own consumer's key, and it is held against all of them.
        others = [told(sender=f"alias-{n}") for n in range(2, 9)]
        book = given(told()).book
        for other in others:
            given(book=book).when(other).refused(ConflictingDuplicate)
        given(book=book).when(told(sender="alias-9")).refused(ConflictingDuplicate).left(
            ConflictingDuplicateReceived
        )

    def test_that_was_decided_here_is_found(self) -> None:
        book = in_memory()
        book.receive(mo("JEU 42"))
        given(book=book).when(told()).refused(ConflictingDuplicate).left(
            some(FindingOpened, kind="told_otherwise")
        )


class TestRaced:
    """What comes between reading and writing."""

    def test_by_itself_happens_once(self) -> None:
        book = in_memory()
        overtaken(book, lambda: take_over(book, exchange()), lambda: take_over(book, exchange()))
        assert len(book.facts(MoReceived)) == len(book.facts(ChargeCaptured)) == 1

    def test_by_a_charge_that_reaches_the_cap_is_found(self) -> None:
        book = capped()
        live = mo("JEU", gateway_message_id="m-2")
        overtaken(book, lambda: take_over(book, exchange()), lambda: book.receive(live))
        assert findings(book) == ["billed_above_cap"]


class TestInAnyChunks:
    """However many go together."""

    def test_gives_the_same_facts(self) -> None:
        lines = [exchange(id=f"m-{n}", sender=f"alias-{n % 3}") for n in range(9)]
        lines += [
            exchange(id="m-4", sender="alias-1"),
            exchange(id="x", text="STOP", stopped=True, match=None),
        ]
        together, apart = in_memory(), in_memory()
        take_over(together, *lines)
        for line in lines:
            take_over(apart, line)
        assert _told(together) == _told(apart)


def _told(book: Book) -> list[tuple[str, str]]:
    return [(one.id, type(one.fact).__name__) for one in book.recorded]
