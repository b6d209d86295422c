"""Both legs: a message that the operator charges, and an answer that we may charge."""

import msgspec
import pytest

from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
)
from ledger.facts.consent import OptedOut
from ledger.facts.findings import FindingClosed, FindingOpened
from ledger.facts.traffic import (
    DeliveryReceived,
    DuplicateSuspected,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)
from ledger.money import Rate, Waterfall
from ledger.postings import Account, Line, postings
from ledger.rules.inforce import Cap, CodeRange, MoCharge
from ledger.spans import Window
from tests.support.belgium import BELGIAN, BOTH, MO_ONLY, PROXIMUS, be_mo, belgian
from tests.support.book import Book, ChangedRules
from tests.support.builders import NOON, dlr, service, tariff
from tests.support.given import given, some

MO_LEG = some(ChargeAuthorized, ref__leg="mo", ref__merchant="ludobel", amounts__price=1_000_000)
MT_LEG = some(ChargeAuthorized, ref__leg="mt", ref__merchant="ludobel", amounts__price=2_000_000)
MO_CAPTURED = some(ChargeCaptured, ref__leg="mo", was="authorized")
NOBODYS = some(
    ChargeAuthorized, ref__leg="mo", ref__merchant=None, ref__service=None, ref__keyword=None
)
UNATTRIBUTED = some(FindingOpened, kind="unattributed", leg="mo", amount=1_000_000)
CONTENT = some(MtEmitted, kind="content", billing_code="P2000000")
ERROR = some(MtEmitted, kind="error", billing_code="FREE", ref__charge=None)


def changed(**changes: object) -> Book:
    """Open a Belgian book some of whose rules are others."""
    return belgian(rules=ChangedRules(BELGIAN, **changes))


def ranges(**changes: object) -> tuple[CodeRange, ...]:
    """Give the Belgian ranges, something of the one with the code of both legs changed."""
    known = BELGIAN.at(NOON)
    found = known.range_of(BOTH)
    assert found is not None
    other = msgspec.structs.replace(found, **changes)
    return tuple(other if one is found else one for one in known.code_ranges)


class TestMatched:
    """A message that asks for a service, where operators charge both legs."""

    def test_is_two_charges_the_message_captured_at_once_and_the_answer_pending(self) -> None:
        given(book=belgian()).when(be_mo()).then(
            MoReceived, KeywordMatched, MO_LEG, MO_CAPTURED, MT_LEG, CONTENT
        )

    def test_divides_each_leg_by_itself(self) -> None:
        # With 21 % tax. The message: 1.00 = 0.173554 tax (1 - 1/1.21), net 0.826446. Proximus owes
        # 60 %: 0.495868 and keeps 0.330578. Ludobel's fixed 0.40 leaves 0.095868 ours; the micro
        # that rounding down leaves over goes to the largest remainder, and they sum to 1.000000.
        # The answer: 2.00 = 0.347107 tax, net 1.652893; Proximus owes 0.991736 and keeps 0.661157;
        # Ludobel 0.40, ours 0.591736.
        happened = given(book=belgian()).when(be_mo())
        legs = [
            one.fact.amounts for one in happened.appended if isinstance(one.fact, ChargeAuthorized)
        ]
        assert legs == [
            Waterfall(
                price=1_000_000, tax=173_554, operator=330_578, aggregator=95_868, merchant=400_000
            ),
            Waterfall(
                price=2_000_000, tax=347_107, operator=661_157, aggregator=591_736, merchant=400_000
            ),
        ]

    def test_on_a_code_that_charges_the_message_alone_is_answered_free(self) -> None:
        given(book=belgian()).when(be_mo(short_code=MO_ONLY)).then(
            MoReceived,
            KeywordMatched,
            some(ChargeAuthorized, ref__leg="mo", amounts__price=500_000),
            MO_CAPTURED,
            some(MtEmitted, kind="content", billing_code="FREE", ref__charge=None),
        )

    def test_that_came_before_is_not_charged_again(self) -> None:
        given(be_mo(gateway_message_id="m-7"), book=belgian()).when(
            be_mo(gateway_message_id="m-7")
        ).then()

    def test_whose_answer_is_refused_leaves_the_message_charged_and_is_found(self) -> None:
        book = belgian(tariff(BOTH, 3_500_000, mo_price=1_000_000))
        happened = given(book=book).when(be_mo())
        # 3.50 and 1.00 are together more than the 4.00 of this range: neither leg has a price that
        # may be charged, so the operator's is not booked either.
        happened.then(
            MoReceived,
            KeywordMatched,
            some(ChargeRefused, leg="mo", rule="price_above_ceiling", limit=4_000_000),
            some(FindingOpened, kind="leg_not_booked", leg="mo"),
            some(ChargeRefused, leg="mt", rule="price_above_ceiling", limit=4_000_000),
            some(FindingOpened, kind="leg_failed", leg="mt"),
            ERROR,
        )


class TestUnmatched:
    """A message that asks for nothing, where operators charge it all the same."""

    def test_is_charged_to_nobodys_account_and_found(self) -> None:
        given(book=belgian()).when(be_mo("BONJOUR")).then(
            MoReceived, KeywordUnmatched, NOBODYS, MO_CAPTURED, UNATTRIBUTED, ERROR
        )

    def test_posts_all_that_the_operator_owes_to_unattributed(self) -> None:
        # 1.00 less 0.173554 tax; Proximus owes 60 % of the rest: 0.495868.
        happened = given(book=belgian()).when(be_mo("BONJOUR"))
        captured = happened.fact(ChargeCaptured)
        day = captured.value_day
        assert postings(captured) == (
            Line(Account.OPERATOR_RECEIVABLE_ACCRUED, PROXIMUS, 495_868, 0, "EUR", day),
            Line(Account.UNATTRIBUTED, PROXIMUS, 0, 495_868, "EUR", day),
        )

    def test_never_charges_its_answer(self) -> None:
        happened = given(book=belgian()).when(be_mo("BONJOUR"))
        assert not [
            one
            for one in happened.appended
            if isinstance(one.fact, ChargeAuthorized) and one.fact.ref.leg == "mt"
        ]

    def test_goes_free_where_the_pack_says_so(self) -> None:
        free = MoCharge(taxed_as="content", free=frozenset({"unmatched"}))
        given(book=changed(mo_charge=free)).when(be_mo("BONJOUR")).then(
            MoReceived, KeywordUnmatched, ERROR
        )

    def test_of_an_operator_without_terms_is_found_and_not_booked(self) -> None:
        book = belgian()
        capture = {
            key: on
            for key, on in BELGIAN.at(book.clock.now).capture_rules.items()
            if key[2] == "mt"
        }
        given(book=changed(capture_rules=capture)).when(be_mo("BONJOUR")).then(
            MoReceived,
            KeywordUnmatched,
            some(ChargeRefused, leg="mo", rule="no_capture_setting", merchant=None),
            some(FindingOpened, kind="leg_not_booked", amount=1_000_000),
            ERROR,
        )

    def test_waits_for_the_operators_file_where_that_captures_it(self) -> None:
        book = belgian()
        capture = {
            **BELGIAN.at(book.clock.now).capture_rules,
            (PROXIMUS, "*", "mo"): "operator_file",
        }
        given(book=changed(capture_rules=capture)).when(be_mo("BONJOUR")).then(
            MoReceived, KeywordUnmatched, NOBODYS, UNATTRIBUTED, ERROR
        )

    def test_is_taxed_as_its_range_says_where_that_has_one_category(self) -> None:
        game = ranges(tax_category="donation")
        rates = {**BELGIAN.at(NOON).tax_rates, "donation": Rate(0, 1)}
        happened = given(book=changed(code_ranges=game, tax_rates=rates)).when(be_mo("BONJOUR"))
        made = happened.fact(ChargeAuthorized)
        assert (made.ref.category, made.amounts.tax) == ("donation", 0)

    def test_has_no_tax_where_no_rule_says_how_it_is_taxed(self) -> None:
        given(book=changed(mo_charge=None)).when(be_mo("BONJOUR")).then(
            MoReceived,
            KeywordUnmatched,
            some(ChargeRefused, leg="mo", rule="no_tax_rate", category="unknown"),
            some(FindingOpened, kind="leg_not_booked"),
            ERROR,
        )


class TestLegNotChargedHere:
    """An answer with a price, on a range where only messages are charged."""

    def test_is_refused_by_name(self) -> None:
        given(book=changed(code_ranges=ranges(billing_point="mo"))).when(be_mo()).then(
            MoReceived,
            KeywordMatched,
            MO_LEG,
            MO_CAPTURED,
            some(ChargeRefused, leg="mt", rule="leg_not_charged_here"),
            some(FindingOpened, kind="leg_failed"),
            ERROR,
        )


class TestStop:
    """STOP, where operators charge the message that says so."""

    def test_is_charged_to_nobodys_account_and_confirmed_free(self) -> None:
        given(book=belgian()).when(be_mo("STOP")).then(
            MoReceived,
            OptedOut,
            NOBODYS,
            MO_CAPTURED,
            UNATTRIBUTED,
            some(MtEmitted, kind="opt_out_confirmation", billing_code="FREE", ref__charge=None),
        )


class TestRepeated:
    """The same words again under another id, within the service's window."""

    WINDOW = service("jeu", "ludobel", duplicate_window_seconds=60)

    def test_charge_the_message_but_not_the_answer(self) -> None:
        book = belgian(self.WINDOW)
        given(be_mo(), book=book).when(be_mo()).then(
            MoReceived,
            KeywordMatched,
            some(DuplicateSuspected, window_seconds=60),
            MO_LEG,
            MO_CAPTURED,
            some(MtEmitted, kind="content", billing_code="FREE", ref__charge=None),
        )

    def test_of_another_consumer_are_a_purchase(self) -> None:
        given(be_mo(), book=belgian(self.WINDOW)).when(be_mo(sender="32470000002")).then(
            MoReceived, KeywordMatched, MO_LEG, MO_CAPTURED, MT_LEG, CONTENT
        )

    def test_other_words_are_a_purchase(self) -> None:
        given(be_mo(), book=belgian(self.WINDOW)).when(be_mo("JEU 2")).then(
            MoReceived, KeywordMatched, MO_LEG, MO_CAPTURED, MT_LEG, CONTENT
        )

    def test_without_a_window_are_a_purchase_each(self) -> None:
        given(be_mo(), book=belgian()).when(be_mo()).then(
            MoReceived, KeywordMatched, MO_LEG, MO_CAPTURED, MT_LEG, CONTENT
        )


class TestCap:
    """A spending cap, where the operator charges the message by itself."""

    CAP = Cap(
        name="a week",
        amount=2_500_000,
        window=Window(kind="rolling", n=1, unit="week"),
        counted_per="consumer",
    )

    def test_refuses_the_answer_and_finds_that_the_message_was_charged(self) -> None:
        # 1.00 for the message and 2.00 for its answer are more than 2.50 together.
        given(book=changed(caps=(self.CAP,))).when(be_mo()).then(
            MoReceived,
            KeywordMatched,
            MO_LEG,
            MO_CAPTURED,
            some(ChargeRefused, leg="mt", rule="spending_cap", cap="a week", spent=1_000_000),
            some(FindingOpened, kind="leg_failed"),
            ERROR,
        )

    def test_of_one_range_counts_nothing_of_another(self) -> None:
        # 0.50 on 2014 does not count; 2.00 alone, beside the 1.00 of its message, stays at 3.00.
        here = msgspec.structs.replace(self.CAP, amount=3_000_000, codes="3xxx")
        given(be_mo(short_code=MO_ONLY), book=changed(caps=(here,))).when(be_mo()).then(
            MoReceived, KeywordMatched, MO_LEG, MO_CAPTURED, MT_LEG, CONTENT
        )

    def test_forbids_no_message_but_finds_what_went_beyond_it(self) -> None:
        small = msgspec.structs.replace(self.CAP, amount=500_000)
        given(book=changed(caps=(small,))).when(be_mo("BONJOUR")).then(
            MoReceived,
            KeywordUnmatched,
            NOBODYS,
            MO_CAPTURED,
            UNATTRIBUTED,
            some(FindingOpened, kind="billed_above_cap", amount=1_000_000),
            ERROR,
        )


class TestFailedAnswer:
    """A receipt says that the answer failed, and the message was charged."""

    @pytest.fixture
    def sold(self) -> tuple[Book, str]:
        book = belgian()
        answer = book.receive(be_mo(gateway_message_id="m-7"))
        assert answer.mt is not None
        return book, answer.mt

    def test_leaves_the_message_charged_and_opens_a_finding(self, sold: tuple[Book, str]) -> None:
        book, mt = sold
        given(book=book).when(dlr(mt, "failed")).then(
            DeliveryReceived,
            some(ChargeReleased, ref__leg="mt"),
            some(FindingOpened, kind="leg_failed", leg="mt"),
        )

    def test_told_twice_opens_it_once(self, sold: tuple[Book, str]) -> None:
        book, mt = sold
        given(dlr(mt, "failed"), book=book).when(dlr(mt, "failed")).then()

    def test_that_was_delivered_after_all_closes_it(self, sold: tuple[Book, str]) -> None:
        book, mt = sold
        given(dlr(mt, "failed"), book=book).when(dlr(mt, "delivered")).then(
            some(DeliveryReceived, contradicts=True),
            some(ChargeCaptured, ref__leg="mt", was="released"),
            some(FindingClosed, kind="leg_failed", how="resolved"),
        )
