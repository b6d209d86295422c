"""Write-offs: what the operator does not pay us, and who bears it. Figures are worked out by hand.

Of 3.00 EUR Orange owes us 1.25: the merchant's 1.00 and our 0.25.
"""

from datetime import date

import pytest

from ledger.commands.refunds import WrittenOff, write_off_charge
from ledger.decisions.refusals import (
    OtherContent,
    RefundNotMade,
    UnknownCharge,
    UnknownFinding,
)
from ledger.facts.charges import ChargeRefunded, ChargeWrittenOff, RefundRefused
from ledger.facts.findings import FindingClosed
from ledger.postings import Account, postings
from tests.support.book import ORIGIN, in_memory, together
from tests.support.builders import paris
from tests.support.given import given, some
from tests.support.refunding import (
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


def lines(fact: ChargeWrittenOff) -> list[tuple[str, str, int]]:
    """Give what a fact moves: account, party, and micros, credits less than nothing."""
    return [(line.account, line.party, line.debit - line.credit) for line in postings(fact)]


class TestWriteOff:
    """The operator does not pay a captured charge."""

    @pytest.mark.parametrize("reason", ["unpaid", "clawback"])
    def test_is_borne_by_us_if_nothing_else_is_agreed(self, reason: str) -> None:
        book, charge = asked()
        happened = given(book=book).when(writing_off(write_off_of(charge, reason=reason)))
        happened.then(
            some(ChargeWrittenOff, ref__charge=charge, reason=reason, borne_by="aggregator")
        )
        # The merchant keeps its 1.00, so all of the 1.25 is our loss.
        assert lines(happened.fact(ChargeWrittenOff)) == [
            (Account.UNPAID_BY_OPERATOR, "20801", 1_250_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]

    def test_is_borne_by_the_merchant_for_its_part_where_its_contract_says_so(self) -> None:
        book, charge = asked(unpaid_borne_by="merchant")
        happened = given(book=book).when(writing_off(write_off_of(charge)))
        assert lines(happened.fact(ChargeWrittenOff)) == [
            (Account.UNPAID_BY_OPERATOR, "20801", 250_000),
            (Account.MERCHANT_ACCRUED, "ludotel", 1_000_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]

    def test_is_borne_by_us_as_principal_less_what_the_merchant_costs_no_more(self) -> None:
        book, charge = asked(principal=True, unpaid_borne_by="merchant")
        happened = given(book=book).when(writing_off(write_off_of(charge)))
        # Revenue of 1.25 is lost, and 1.00 of cost is saved.
        assert lines(happened.fact(ChargeWrittenOff)) == [
            (Account.UNPAID_BY_OPERATOR, "20801", 1_250_000),
            (Account.MERCHANT_ACCRUED, "ludotel", 1_000_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
            (Account.MERCHANT_COST, "", -1_000_000),
        ]

    def test_takes_what_stands_unattributed(self) -> None:
        book, charge = nobodys()
        happened = given(book=book).when(writing_off(write_off_of(charge)))
        assert lines(happened.fact(ChargeWrittenOff)) == [
            (Account.UNATTRIBUTED, "20801", 1_250_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]

    def test_of_what_nobody_sold_is_our_loss_where_we_gave_it_back_already(self) -> None:
        book, charge = nobodys()
        # We gave 1.00 back out of the 1.25 that Orange was to pay, so 0.25 still stand there.
        refund = refunding(transfer(charge, 1_000_000))
        happened = given(refund, book=book).when(writing_off(write_off_of(charge)))
        assert lines(happened.fact(ChargeWrittenOff)) == [
            (Account.UNATTRIBUTED, "20801", 250_000),
            (Account.UNPAID_BY_OPERATOR, "20801", 1_000_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]

    def test_counts_on_the_local_day_on_which_it_is_recorded(self) -> None:
        book, charge = asked()
        book.clock.now = paris("2026-09-30T23:59:59")
        fact = given(book=book).when(writing_off(write_off_of(charge))).fact(ChargeWrittenOff)
        assert (fact.value_day, fact.captured_day) == (date(2026, 9, 30), date(2026, 7, 10))

    def test_may_follow_what_was_given_back_directly(self) -> None:
        book, charge = asked()
        refund = refunding(transfer(charge, 1_000_000))
        given(refund, book=book).when(writing_off(write_off_of(charge))).then(ChargeWrittenOff)

    @pytest.mark.parametrize("kind", ["unattributed", "billed_twice"])
    def test_closes_what_was_found_about_the_charge(self, kind: str) -> None:
        sold = nobodys()
        opened = found(sold, kind)
        happened = given(book=sold.book).when(writing_off(write_off_of(sold.charge)))
        happened.then(
            ChargeWrittenOff,
            some(FindingClosed, finding=opened.finding, how="written_off", refund=None),
        )

    def test_closes_what_it_names(self) -> None:
        sold = asked()
        opened = found(sold, "billed_above_cap")
        named = write_off_of(sold.charge, finding=opened.finding)
        given(book=sold.book).when(writing_off(named)).then(
            ChargeWrittenOff, some(FindingClosed, finding=opened.finding)
        )


class TestRefused:
    """What a rule forbids, and what leaves nothing."""

    def test_before_the_charge_is_captured(self) -> None:
        book, charge = asked(captured=False)
        happened = given(book=book).when(writing_off(write_off_of(charge)))
        happened.refused(RefundNotMade).left(
            some(RefundRefused, rule="not_captured", by=None, price=3_000_000, left=0)
        )

    def test_a_second_time(self) -> None:
        book, charge = asked()
        other = write_off_of(charge, id="w-2", reason="clawback")
        happened = given(writing_off(write_off_of(charge)), book=book).when(writing_off(other))
        happened.refused(RefundNotMade).left(some(RefundRefused, rule="already_taken_back"))

    def test_after_the_operator_refunded_it(self) -> None:
        book, charge = asked()
        refund = refunding(refund_of(charge))
        happened = given(refund, book=book).when(writing_off(write_off_of(charge)))
        happened.refused(RefundNotMade).left(some(RefundRefused, rule="already_taken_back"))

    def test_of_a_charge_that_this_book_does_not_know(self) -> None:
        step = writing_off(write_off_of("f" * 32))
        given(book=in_memory()).when(step).refused(UnknownCharge).left()

    def test_for_a_finding_that_is_not_about_the_charge(self) -> None:
        book, charge = asked()
        step = writing_off(write_off_of(charge, finding="f" * 32))
        given(book=book).when(step).refused(UnknownFinding).left()


class TestRepeated:
    """The same write-off told again."""

    def test_changes_nothing_and_is_answered_as_before(self) -> None:
        book, charge = asked()
        step = writing_off(write_off_of(charge))
        first = step(book)
        given(book=book).when(step).then()
        assert step(book) == first._replace(repeated=True)

    @pytest.mark.parametrize("other", [{"reason": "clawback"}, {"note": "another file"}])
    def test_with_other_content_is_a_conflict(self, other: dict[str, str]) -> None:
        book, charge = asked()
        step = writing_off(write_off_of(charge, **other))
        given(writing_off(write_off_of(charge)), book=book).when(step).refused(OtherContent).left()

    def test_once_it_was_refused_stays_refused(self) -> None:
        book, charge = asked(captured=False)
        step = writing_off(write_off_of(charge))
        given(book=book).when(step).refused(RefundNotMade).left(RefundRefused)
        given(book=book).when(step).refused(RefundNotMade).left()

    def test_is_apart_from_a_refund_of_the_same_name(self) -> None:
        book, charge = asked()
        refund = refunding(transfer(charge, 1, id="x"))
        given(refund, book=book).when(writing_off(write_off_of(charge, id="x"))).then(
            ChargeWrittenOff
        )


class TestRaced:
    """A write-off at the same moment as something else."""

    def test_by_another_happens_once(self) -> None:
        book, charge = asked()
        now = book.clock.now
        results = together(
            book,
            lambda: write_off_charge(book.desk, write_off_of(charge), ORIGIN, now),
            lambda: write_off_charge(book.desk, write_off_of(charge, id="w-2"), ORIGIN, now),
        )
        assert sorted(type(one).__name__ for one in results) == [
            RefundNotMade.__name__,
            WrittenOff.__name__,
        ]
        assert len(book.facts(ChargeWrittenOff)) == 1

    def test_by_the_operators_refund_leaves_one_of_them(self) -> None:
        book, charge = asked()
        now = book.clock.now
        together(
            book,
            lambda: write_off_charge(book.desk, write_off_of(charge), ORIGIN, now),
            beside(book, refund_of(charge)),
        )
        assert len(book.facts(ChargeWrittenOff, ChargeRefunded)) == 1
        assert len(book.facts(RefundRefused)) == 1
