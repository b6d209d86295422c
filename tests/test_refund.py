"""Refunds: who may give what back, how often, and who bears it. Figures are worked out by hand.

3.00 EUR with 20 % tax in it: 2.50 net and 0.50 tax. Orange owes us half the net, 1.25, and keeps
1.25. Of ours the merchant has four fifths, 1.00, and we keep 0.25.
"""

from datetime import date, timedelta

import msgspec
import pytest

from ledger.commands.refunds import Refunded
from ledger.decisions import finding
from ledger.decisions.finding import Closing, about_charge, closed
from ledger.decisions.refusals import (
    FindingAlreadyClosed,
    OtherContent,
    OtherCurrency,
    RefundNotMade,
    SoldByNobody,
    UnknownCharge,
    UnknownFinding,
)
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefunded, RefundRefused
from ledger.facts.findings import FindingClosed
from ledger.money import Waterfall
from ledger.postings import Account, postings
from ledger.words import derived_id
from tests.support.book import in_memory, overtaken, together
from tests.support.builders import BOOK, paris, percent, with_merchant
from tests.support.given import given, some
from tests.support.refunding import (
    NOBODY,
    asked,
    beside,
    found,
    nobodys,
    refund_of,
    refunding,
    transfer,
    write_off_of,
    writing_off,
)

WHOLE = Waterfall(
    price=3_000_000, tax=500_000, operator=1_250_000, aggregator=250_000, merchant=1_000_000
)


def lines(fact: ChargeRefunded) -> list[tuple[str, str, int]]:
    """Give what a fact moves: account, party, and micros, credits less than nothing."""
    return [(line.account, line.party, line.debit - line.credit) for line in postings(fact)]


class TestByOperator:
    """The operator gives the consumer the price back, on the bill."""

    def test_happens_and_takes_back_every_part(self) -> None:
        book, charge = asked()
        given(book=book).when(refunding(refund_of(charge))).then(
            some(
                ChargeRefunded,
                refund=derived_id(BOOK, "refund", charge, "r-1"),
                by="operator",
                channel="bill",
                price=3_000_000,
                taken_back=WHOLE,
                borne_by="each_its_part",
                unattributed=0,
                ref__charge=charge,
                captured_day=date(2026, 7, 10),
                value_day=date(2026, 7, 10),
            )
        )

    def test_reverses_the_capture_to_the_micro(self) -> None:
        book, charge = asked()
        refunded = given(book=book).when(refunding(refund_of(charge))).fact(ChargeRefunded)
        # Orange owed 1.25, of which 1.00 was the merchant's and 0.25 ours; now it owes nothing.
        assert lines(refunded) == [
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
            (Account.AGGREGATOR_REVENUE, "", 250_000),
            (Account.MERCHANT_ACCRUED, "ludotel", 1_000_000),
        ]

    def test_reverses_revenue_and_cost_where_we_are_the_principal(self) -> None:
        book, charge = asked(principal=True)
        refunded = given(book=book).when(refunding(refund_of(charge))).fact(ChargeRefunded)
        # All 1.25 was our revenue and the merchant's 1.00 its cost.
        assert lines(refunded) == [
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
            (Account.AGGREGATOR_REVENUE, "", 1_250_000),
            (Account.MERCHANT_COST, "", -1_000_000),
            (Account.MERCHANT_ACCRUED, "ludotel", 1_000_000),
        ]

    def test_follows_from_the_capture_in_its_exchange(self) -> None:
        book, charge = asked()
        (refunded,) = given(book=book).when(refunding(refund_of(charge))).appended
        (captured,) = [one for one in book.recorded if isinstance(one.fact, ChargeCaptured)]
        assert refunded.caused_by == captured.id
        assert refunded.exchange == captured.exchange is not None

    def test_counts_on_the_local_day_on_which_it_is_recorded(self) -> None:
        book, charge = asked()
        book.clock.now = paris("2026-08-01T00:00:01")
        refunded = given(book=book).when(refunding(refund_of(charge))).fact(ChargeRefunded)
        assert (refunded.value_day, refunded.captured_day) == (date(2026, 8, 1), date(2026, 7, 10))

    def test_is_never_before_the_capture_though_a_clock_jumps_back(self) -> None:
        book, charge = asked()
        captured = book.facts(ChargeCaptured)[0]
        book.clock.now = captured.occurred_at - timedelta(days=2)
        refunded = given(book=book).when(refunding(refund_of(charge))).fact(ChargeRefunded)
        assert refunded.occurred_at == captured.occurred_at
        assert refunded.value_day == captured.value_day

    def test_of_a_part_is_refused(self) -> None:
        book, charge = asked()
        part = refund_of(charge, price=1_000_000)
        happened = given(book=book).when(refunding(part))
        happened.refused(RefundNotMade, "operator refunds whole").left(
            some(RefundRefused, rule="operator_refunds_whole", price=1_000_000, left=3_000_000)
        )

    def test_after_a_part_was_given_back_directly_is_refused(self) -> None:
        book, charge = asked()
        happened = given(refunding(transfer(charge, 1_000_000)), book=book).when(
            refunding(refund_of(charge, id="r-2"))
        )
        happened.refused(RefundNotMade).left(
            some(RefundRefused, rule="above_what_is_left", price=3_000_000, left=2_000_000)
        )

    @pytest.mark.parametrize("reason", ["unpaid", "clawback"])
    def test_of_what_it_did_not_pay_us_is_refused(self, reason: str) -> None:
        book, charge = asked()
        happened = given(writing_off(write_off_of(charge, reason=reason)), book=book).when(
            refunding(refund_of(charge))
        )
        happened.refused(RefundNotMade).left(some(RefundRefused, rule="already_taken_back"))


class TestDirectly:
    """We or the merchant give some of the price back, tax included."""

    def test_by_us_is_borne_by_us_if_nothing_else_is_agreed(self) -> None:
        book, charge = asked()
        happened = given(book=book).when(refunding(transfer(charge, 3_000_000)))
        happened.then(
            some(
                ChargeRefunded,
                by="aggregator",
                channel="transfer",
                price=3_000_000,
                taken_back=None,
                borne_by="aggregator",
            )
        )
        # The consumer gets all 3.00, tax and the operator's part included; nobody pays us for it.
        assert lines(happened.fact(ChargeRefunded)) == [
            (Account.REFUNDS_BORNE_BY_AGGREGATOR, "", 3_000_000),
            (Account.PAYOUTS_IN_TRANSIT, "consumers", -3_000_000),
        ]

    def test_by_us_is_borne_by_the_merchant_where_its_contract_says_so(self) -> None:
        book, charge = asked(refunds_borne_by="merchant")
        happened = given(book=book).when(refunding(transfer(charge, 3_000_000)))
        # It earned 1.00 of these 3.00, and loses all of them.
        assert lines(happened.fact(ChargeRefunded)) == [
            (Account.REFUNDS_BORNE_BY_MERCHANT, "ludotel", 3_000_000),
            (Account.PAYOUTS_IN_TRANSIT, "consumers", -3_000_000),
        ]

    def test_by_the_merchant_that_bears_it_moves_nothing_of_ours(self) -> None:
        book, charge = asked(refunds_borne_by="merchant")
        voucher = transfer(charge, 3_000_000, by="merchant", channel="voucher")
        refunded = given(book=book).when(refunding(voucher)).fact(ChargeRefunded)
        assert (refunded.borne_by, refunded.channel) == ("merchant", "voucher")
        assert lines(refunded) == []

    def test_by_the_merchant_for_us_is_owed_to_it(self) -> None:
        book, charge = asked()
        voucher = transfer(charge, 1_000_000, by="merchant", channel="voucher")
        refunded = given(book=book).when(refunding(voucher)).fact(ChargeRefunded)
        assert lines(refunded) == [
            (Account.REFUNDS_BORNE_BY_AGGREGATOR, "", 1_000_000),
            (Account.MERCHANT_ACCRUED, "ludotel", -1_000_000),
        ]

    def test_that_a_merchant_records_itself_moves_nothing_of_ours(self) -> None:
        # Its contract says that we bear refunds: only we may record one that makes us owe it 3.00.
        book, charge = asked(refunds_borne_by="aggregator")
        own = transfer(charge, 3_000_000, by="merchant", channel="voucher", merchant="ludotel")
        refunded = given(book=book).when(refunding(own)).fact(ChargeRefunded)
        assert (refunded.by, refunded.borne_by, refunded.price) == (
            "merchant",
            "merchant",
            3_000_000,
        )
        assert lines(refunded) == []

    def test_that_a_merchant_records_itself_leaves_as_much_less(self) -> None:
        book, charge = asked()
        own = transfer(charge, 3_000_000, id="r-1", by="merchant", merchant="ludotel")
        step = refunding(transfer(charge, 1, id="r-2"))
        given(refunding(own), book=book).when(step).refused(RefundNotMade, r"0\.00 EUR")

    def test_goes_by_the_contract_of_the_charge_and_not_by_a_later_one(self) -> None:
        book, charge = asked(refunds_borne_by="merchant")
        later = with_merchant(
            "ludotel",
            percent(80, "reversement"),
            refunds_borne_by="aggregator",
            effective_from=book.facts(ChargeCaptured)[0].occurred_at,
        )
        book.add(msgspec.structs.replace(later, contract="c-ludotel-later"))
        refunded = given(book=book).when(refunding(transfer(charge, 1))).fact(ChargeRefunded)
        assert refunded.borne_by == "merchant"

    def test_may_happen_in_parts_until_nothing_is_left(self) -> None:
        book, charge = asked()
        parts = [
            transfer(charge, 1_000_000, id="r-1"),
            transfer(charge, 500_000, id="r-2", channel="voucher"),
            transfer(charge, 1_500_000, id="r-3", by="merchant"),
        ]
        happened = given(*map(refunding, parts), book=book).when(
            refunding(transfer(charge, 1, id="r-4"))
        )
        happened.refused(RefundNotMade, r"0\.00 EUR").left(
            some(RefundRefused, rule="above_what_is_left", by="aggregator", price=1, left=0)
        )
        assert sum(one.price for one in book.facts(ChargeRefunded)) == 3_000_000

    def test_above_what_is_left_is_refused_whole(self) -> None:
        book, charge = asked()
        happened = given(refunding(transfer(charge, 2_000_000)), book=book).when(
            refunding(transfer(charge, 1_000_001, id="r-2"))
        )
        happened.refused(RefundNotMade).left(
            some(RefundRefused, rule="above_what_is_left", price=1_000_001, left=1_000_000)
        )

    def test_after_the_operator_gave_it_back_is_refused(self) -> None:
        book, charge = asked()
        happened = given(refunding(refund_of(charge)), book=book).when(
            refunding(transfer(charge, 1, id="r-2"))
        )
        happened.refused(RefundNotMade).left(some(RefundRefused, rule="already_taken_back", left=0))

    def test_of_what_nobody_paid_is_refused(self) -> None:
        book, charge = asked()
        happened = given(writing_off(write_off_of(charge)), book=book).when(
            refunding(transfer(charge, 1))
        )
        happened.refused(RefundNotMade).left(some(RefundRefused, rule="above_what_is_left", left=0))

    def test_of_what_the_operator_took_back_from_us_happens(self) -> None:
        book, charge = asked()
        clawback = writing_off(write_off_of(charge, reason="clawback"))
        happened = given(clawback, book=book).when(refunding(transfer(charge, 3_000_000)))
        happened.then(some(ChargeRefunded, price=3_000_000))


class TestOfNobodys:
    """A charge that nobody earns: what nobody sold, and what a test number bought."""

    def test_is_met_first_from_what_stands_unattributed(self) -> None:
        book, charge = nobodys()
        happened = given(book=book).when(refunding(transfer(charge, 3_000_000)))
        # Orange owes us 1.25 of these 3.00, which nobody earned; the other 1.75 is our loss.
        assert lines(happened.fact(ChargeRefunded)) == [
            (Account.UNATTRIBUTED, "20801", 1_250_000),
            (Account.REFUNDS_BORNE_BY_AGGREGATOR, "", 1_750_000),
            (Account.PAYOUTS_IN_TRANSIT, "consumers", -3_000_000),
        ]

    def test_in_parts_uses_up_what_stands_there(self) -> None:
        book, charge = nobodys()
        for number, (price, unattributed) in enumerate(
            [(1_000_000, 1_000_000), (1_000_000, 250_000), (1_000_000, 0)]
        ):
            step = refunding(transfer(charge, price, id=f"r-{number}"))
            given(book=book).when(step).then(some(ChargeRefunded, unattributed=unattributed))

    def test_by_the_operator_takes_back_what_stood_there(self) -> None:
        book, charge = nobodys()
        refunded = given(book=book).when(refunding(refund_of(charge))).fact(ChargeRefunded)
        assert lines(refunded) == [
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
            (Account.UNATTRIBUTED, "20801", 1_250_000),
        ]

    def test_after_a_clawback_finds_nothing_there(self) -> None:
        book, charge = nobodys()
        clawback = writing_off(write_off_of(charge, reason="clawback"))
        happened = given(clawback, book=book).when(refunding(transfer(charge, 3_000_000)))
        happened.then(some(ChargeRefunded, unattributed=0, borne_by="aggregator"))

    def test_of_a_test_number_is_borne_by_us_whatever_the_contract_says(self) -> None:
        sold = {"merchant": "ludotel", "service": "quiz"}
        book, charge = nobodys(test=True, **sold)
        happened = given(book=book).when(refunding(transfer(charge, 1_250_000)))
        happened.then(some(ChargeRefunded, borne_by="aggregator", unattributed=1_250_000))

    @pytest.mark.parametrize("face", [{}, {"merchant": "ludotel"}])
    def test_of_a_test_number_by_a_merchant_is_refused(self, face: dict[str, str]) -> None:
        book, charge = nobodys(test=True, merchant="ludotel", service="quiz")
        step = refunding(transfer(charge, 1, by="merchant", **face))
        given(book=book).when(step).refused(SoldByNobody).left()

    def test_by_a_merchant_is_refused(self) -> None:
        book, charge = nobodys()
        step = refunding(transfer(charge, 1, by="merchant"))
        given(book=book).when(step).refused(SoldByNobody).left()


class TestRefused:
    """What leaves nothing, and what leaves a refusal."""

    def test_before_the_charge_is_captured(self) -> None:
        book, charge = asked(captured=False)
        happened = given(book=book).when(refunding(refund_of(charge)))
        happened.refused(RefundNotMade, "not captured").left(
            some(RefundRefused, rule="not_captured", left=0, by="operator")
        )

    def test_of_a_charge_that_this_book_does_not_know(self) -> None:
        for step in (refund_of("f" * 32), transfer("f" * 32, 1)):
            given(book=in_memory()).when(refunding(step)).refused(UnknownCharge).left()

    def test_of_another_merchants_charge_as_if_it_were_not_there(self) -> None:
        book, charge = asked()
        step = refunding(transfer(charge, 1, by="merchant", merchant="voxpop"))
        given(book=book).when(step).refused(UnknownCharge).left()

    def test_in_another_currency(self) -> None:
        book, charge = asked()
        step = refunding(transfer(charge, 1, currency="USD"))
        given(book=book).when(step).refused(OtherCurrency, "USD, not in EUR").left()


class TestRepeated:
    """The same refund asked for again."""

    def test_changes_nothing_and_is_answered_as_before(self) -> None:
        book, charge = asked()
        first = refunding(transfer(charge, 1_000_000))(book)
        again = refunding(transfer(charge, 1_000_000))
        given(book=book).when(again).then()
        assert again(book) == first._replace(repeated=True)
        assert not first.repeated

    @pytest.mark.parametrize(
        "other",
        [
            {"price": 1_000_001},
            {"by": "merchant"},
            {"channel": "voucher"},
            {"reason": "something else"},
            {"finding": "f" * 32},
        ],
    )
    def test_with_other_content_is_a_conflict(self, other: dict[str, object]) -> None:
        book, charge = asked()
        given(refunding(transfer(charge, 1_000_000)), book=book).when(
            refunding(transfer(charge, **{"price": 1_000_000, **other}))
        ).refused(OtherContent).left()

    @pytest.mark.parametrize(
        "faces", [({}, {"merchant": "ludotel"}), ({"merchant": "ludotel"}, {})]
    )
    def test_by_whom_it_is_not_borne_alike_is_a_conflict(
        self, faces: tuple[dict[str, str], dict[str, str]]
    ) -> None:
        book, charge = asked(refunds_borne_by="aggregator")
        first, then = (
            refunding(transfer(charge, 1_000_000, by="merchant", **face)) for face in faces
        )
        given(first, book=book).when(then).refused(OtherContent).left()

    def test_once_it_was_refused_stays_refused(self) -> None:
        book, charge = asked()
        step = refunding(transfer(charge, 3_000_001))
        given(book=book).when(step).refused(RefundNotMade).left(RefundRefused)
        given(book=book).when(step).refused(RefundNotMade).left()
        other = refunding(transfer(charge, 3_000_000))
        given(book=book).when(other).refused(OtherContent).left()


class TestRaced:
    """Two refunds of one charge at the same moment."""

    def test_are_not_both_made(self) -> None:
        book, charge = asked()
        one, other = transfer(charge, 2_000_000), transfer(charge, 2_000_000, id="r-2")
        results = together(book, beside(book, one), beside(book, other))
        assert sorted(type(one).__name__ for one in results) == ["RefundNotMade", "Refunded"]
        assert len(book.facts(ChargeRefunded)) == len(book.facts(RefundRefused)) == 1

    def test_are_both_made_where_there_is_enough_for_both(self) -> None:
        book, charge = asked()
        one, other = transfer(charge, 1_500_000), transfer(charge, 1_500_000, id="r-2")
        results = together(book, beside(book, one), beside(book, other))
        assert all(isinstance(result, Refunded) for result in results)

    def test_under_one_id_are_one(self) -> None:
        book, charge = asked()
        same = transfer(charge, 1_000_000)
        results = together(book, beside(book, same), beside(book, same))
        assert sorted(result.repeated for result in results) == [False, True]
        assert len(book.facts(ChargeRefunded)) == 1

    def test_overtaken_by_another_goes_by_what_is_left_then(self) -> None:
        book, charge = asked()
        first = refunding(transfer(charge, 2_000_000, id="r-2"))
        second = refunding(transfer(charge, 2_000_000))
        with pytest.raises(RefundNotMade, match=r"1\.00 EUR"):
            overtaken(book, lambda: second(book), by=lambda: first(book))


class TestAttempts:
    """A charge that was tried more than once."""

    def test_gives_back_what_the_last_attempt_captured(self) -> None:
        book, charge = asked(captured=False)
        first = book.facts(ChargeAuthorized)[0]
        # The terms have changed meanwhile: the operator keeps 0.10 more of it.
        amounts = msgspec.structs.replace(WHOLE, operator=1_350_000, merchant=900_000)
        again = msgspec.structs.replace(
            first, amounts=amounts, was="released", released_day=first.value_day
        )
        book.add(again, n=1)
        captured = ChargeCaptured(
            ref=again.ref,
            amounts=amounts,
            currency="EUR",
            authorized_day=again.value_day,
            was="authorized",
            value_day=again.value_day,
            occurred_at=again.occurred_at,
        )
        book.add(captured)
        given(book=book).when(refunding(refund_of(charge))).then(
            some(ChargeRefunded, taken_back=amounts)
        )

    def test_stays_captured_whatever_is_recorded_of_it_later(self) -> None:
        book, charge = asked()
        late = msgspec.structs.replace(book.facts(ChargeAuthorized)[0], was="released")
        book.add(late, n=1)
        happened = given(book=book).when(refunding(refund_of(charge)))
        happened.then(some(ChargeRefunded, price=3_000_000))
        (captured,) = [one for one in book.recorded if isinstance(one.fact, ChargeCaptured)]
        assert happened.appended[0].caused_by == captured.id


class TestFindings:
    """What a refund answers."""

    def test_that_was_opened_before_the_charge_is_known_is_answered_too(self) -> None:
        book, _ = asked()
        like = book.facts(ChargeCaptured)[0]
        ref = msgspec.structs.replace(like.ref, charge="c" * 32, **NOBODY)
        about = about_charge(ref, 3_000_000, "EUR")
        opened = finding.opened(BOOK, "unattributed", ref.charge, about, like.occurred_at)
        other = finding.opened(BOOK, "leg_failed", ref.charge, about, like.occurred_at)
        book.add(opened, other)
        book.add(closed(other, Closing("resolved", "x"), like.occurred_at))
        book.add(msgspec.structs.replace(like, ref=ref, was="unauthorized"))
        given(book=book).when(refunding(refund_of(ref.charge))).then(
            ChargeRefunded, some(FindingClosed, finding=opened.finding)
        )
        step = refunding(refund_of(ref.charge, id="r-2", finding=other.finding))
        given(book=book).when(step).refused(RefundNotMade).left(RefundRefused)

    def test_named_beside_others_is_answered_first(self) -> None:
        sold = nobodys()
        one, other = found(sold), found(sold, "billed_twice")
        given(book=sold.book).when(refunding(refund_of(sold.charge, finding=other.finding))).then(
            some(ChargeRefunded, finding=other.finding),
            some(FindingClosed, finding=other.finding),
            some(FindingClosed, finding=one.finding),
        )

    def test_named_among_several_that_are_closed_is_refused(self) -> None:
        sold = nobodys()
        one, other = found(sold), found(sold, "billed_twice")
        shut = Closing("no_fault", "it was sold")
        sold.book.add(closed(one, shut, one.occurred_at), closed(other, shut, one.occurred_at))
        part = transfer(sold.charge, 1, finding=other.finding)
        given(book=sold.book).when(refunding(part)).refused(FindingAlreadyClosed).left()
        stranger = transfer(sold.charge, 1, finding="f" * 32)
        given(book=sold.book).when(refunding(stranger)).refused(UnknownFinding).left()

    def test_of_what_nobody_sold_is_closed_by_it(self) -> None:
        sold = nobodys()
        opened = found(sold)
        happened = given(book=sold.book).when(refunding(refund_of(sold.charge)))
        refund = derived_id(BOOK, "refund", sold.charge, "r-1")
        happened.then(
            some(ChargeRefunded, finding=opened.finding),
            some(
                FindingClosed,
                finding=opened.finding,
                how="refunded",
                refund=refund,
                note="never asked for",
            ),
        )
        refunded, closed = happened.appended
        assert closed.caused_by == refunded.id

    def test_is_closed_only_once_all_of_it_is_given_back(self) -> None:
        sold = nobodys()
        opened = found(sold)
        given(book=sold.book).when(refunding(transfer(sold.charge, 1_000_000))).then(
            some(ChargeRefunded, finding=None)
        )
        given(book=sold.book).when(refunding(transfer(sold.charge, 2_000_000, id="r-2"))).then(
            some(ChargeRefunded, finding=opened.finding), FindingClosed
        )

    def test_of_another_kind_is_closed_where_it_is_named(self) -> None:
        sold = asked()
        opened = found(sold, "leg_failed")
        named = transfer(sold.charge, 3_000_000, id="r-2", finding=opened.finding)
        given(book=sold.book).when(refunding(named)).then(
            some(ChargeRefunded, finding=opened.finding), some(FindingClosed, kind="leg_failed")
        )

    def test_of_the_other_leg_is_closed_where_it_is_named(self) -> None:
        # Orange bills message and answer, and the answer failed: the message is given back.
        book, charge = asked()
        captured = book.facts(ChargeCaptured)[0]
        failed = msgspec.structs.replace(captured.ref, charge="e" * 32, leg="mt")
        opened = finding.opened(
            BOOK, "leg_failed", failed.charge, about_charge(failed, None, None), book.clock.now
        )
        book.add(opened)
        given(refunding(transfer(charge, 1_000_000, id="part", finding=opened.finding)), book=book)
        assert book.facts(FindingClosed) == []
        # Without an amount of its own, it is answered once the whole price is given back.
        rest = transfer(charge, 2_000_000, id="rest", finding=opened.finding)
        given(book=book).when(refunding(rest)).then(
            some(ChargeRefunded, finding=opened.finding),
            some(FindingClosed, finding=opened.finding, charge="e" * 32),
        )

    def test_of_the_other_leg_stays_open_where_it_is_not_named(self) -> None:
        book, charge = asked()
        captured = book.facts(ChargeCaptured)[0]
        other = msgspec.structs.replace(captured.ref, charge="e" * 32)
        about = about_charge(other, None, None)
        book.add(finding.opened(BOOK, "billed_twice", "e" * 32, about, book.clock.now))
        given(book=book).when(refunding(refund_of(charge))).then(ChargeRefunded)

    def test_about_another_message_cannot_be_named(self) -> None:
        book, charge = asked()
        captured = book.facts(ChargeCaptured)[0]
        other = msgspec.structs.replace(captured.ref, charge="e" * 32, mo="d" * 32)
        opened = finding.opened(
            BOOK, "leg_failed", "e" * 32, about_charge(other, None, None), book.clock.now
        )
        book.add(opened)
        step = refunding(refund_of(charge, finding=opened.finding))
        given(book=book).when(step).refused(UnknownFinding).left()

    def test_of_another_kind_stays_open_where_it_is_not(self) -> None:
        sold = asked()
        found(sold, "leg_failed")
        given(book=sold.book).when(refunding(refund_of(sold.charge))).then(ChargeRefunded)

    def test_named_but_not_about_this_charge_is_refused(self) -> None:
        book, charge = asked()
        step = refunding(refund_of(charge, finding="f" * 32))
        given(book=book).when(step).refused(UnknownFinding).left()

    def test_named_but_closed_before_is_refused(self) -> None:
        sold = nobodys()
        opened = found(sold)
        sold.book.add(closed(opened, Closing("no_fault", "it was sold"), opened.occurred_at))
        part = transfer(sold.charge, 1, finding=opened.finding)
        given(book=sold.book).when(refunding(part)).refused(FindingAlreadyClosed).left()

    def test_named_in_what_is_forbidden_anyway_is_not_looked_for(self) -> None:
        book, charge = asked(captured=False)
        step = refunding(refund_of(charge, finding="f" * 32))
        given(book=book).when(step).refused(RefundNotMade).left(RefundRefused)
