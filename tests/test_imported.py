"""Exchanges that another platform decided: recorded as they were, and judged, not refused."""

import pytest
from msgspec import structs

from ledger.commands.imported import TakenOver
from ledger.decisions.charging import charge_id
from ledger.decisions.finding import finding_id
from ledger.decisions.refusals import UnknownGateway, UnknownLink
from ledger.decisions.story import mt_id
from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
)
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.findings import FindingOpened
from ledger.facts.imported import ExchangeImported
from ledger.facts.traffic import (
    DeliveryReceived,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)
from ledger.money import Waterfall
from ledger.postings import postings
from ledger.words import derived_id
from tests.support.book import in_memory
from tests.support.builders import BOOK, CHEAP, FREE, mo
from tests.support.given import given, some
from tests.support.told import (
    DELIVERED,
    MO,
    QUIZ,
    capped,
    charged,
    exchange,
    findings,
    only,
    take_over,
    told,
)

WHOLE = (
    MoReceived,
    ExchangeImported,
    KeywordMatched,
    ChargeAuthorized,
    ChargeCaptured,
    MtEmitted,
    DeliveryReceived,
)


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


class TestAsOurs:
    """What is recorded of it, field by field: as if it had been decided here."""

    OURS = mo("JEU 42", gateway_message_id="m-9")

    @pytest.mark.parametrize("kind", [KeywordMatched, ChargeAuthorized, MtEmitted])
    def test_is_told_by_the_same_facts(self, kind: type[Fact]) -> None:
        # What is sealed differs by its nonce, and is compared elsewhere.
        theirs, ours = (
            structs.asdict(only(given(step).book, kind)) | {"text": None}
            for step in (told(id="m-9"), self.OURS)
        )
        assert theirs == ours

    def test_a_charge_that_was_refused_names_all_that_it_would_have_rested_on(self) -> None:
        story = told(charges=[charged("refused")], receipts=[])
        refused = structs.asdict(only(given(story).book, ChargeRefused))
        made = only(given(told()).book, ChargeAuthorized)
        ref = structs.asdict(made.ref)
        assert {name: refused[name] for name in refused.keys() & ref.keys()} == {
            name: ref[name] for name in refused.keys() & ref.keys()
        }
        assert (refused["amount"], refused["currency"]) == (3_000_000, "EUR")
        assert (refused["value_day"], refused["occurred_at"]) == (made.value_day, made.occurred_at)

    def test_an_answer_without_a_charge_is_free_under_its_tariff(self) -> None:
        sent = only(given(told(charges=[])).book, MtEmitted)
        assert (sent.billing_code, sent.tariff, sent.ref.charge) == ("FREE", "t-81014", None)

    def test_an_answer_to_no_keyword_has_no_tariff(self) -> None:
        story = told(match=None, unmatched="unknown_keyword", charges=[], receipts=[])
        sent = only(given(story).book, MtEmitted)
        assert (sent.billing_code, sent.tariff, sent.tariff_version) == ("FREE", None, None)

    def test_a_second_charge_of_a_leg_has_an_id_of_its_own(self) -> None:
        book = given(told(charges=[charged(), charged()])).book
        first, second = (fact.ref.charge for fact in book.facts(ChargeCaptured))
        assert first == charge_id(BOOK, MO, "mt")
        assert second == derived_id(BOOK, "charge", MO, "mt", "told", 1)

    def test_a_finding_says_whom_and_what_it_is_about(self) -> None:
        story = told(match=None, unmatched="unknown_keyword", charges=[charged(category="content")])
        book = given(story).book
        found, message = only(book, FindingOpened), only(book, MoReceived)
        charge = charge_id(BOOK, MO, "mt")
        assert found.finding == finding_id(BOOK, "charged_unmatched", charge)
        assert (found.mo, found.charge, found.leg, found.merchant) == (MO, charge, "mt", None)
        assert (found.amount, found.currency, found.test) == (3_000_000, "EUR", False)
        assert (found.consumer, found.short_code, found.operator) == (
            message.consumer,
            message.short_code,
            message.operator,
        )


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
