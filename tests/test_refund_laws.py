"""What holds for refunds and write-offs of one charge, whatever is asked for in which order."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ledger.commands.refunds import Refunded, WrittenOff
from ledger.decisions.refund import RefundRequest
from ledger.decisions.refusals import Refusal
from ledger.decisions.write_off import WriteOffRequest
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured, ChargeRefunded, ChargeWrittenOff, RefundRefused
from ledger.postings import Account, postings
from tests.support.effort import WHOLE_HISTORIES
from tests.support.refunding import (
    Sold,
    asked,
    nobodys,
    refund_of,
    refunding,
    write_off_of,
    writing_off,
)

PRICE = 3_000_000

requests = st.lists(
    st.tuples(
        st.integers(0, 3),  # the id: some come again, with the same content or another
        st.sampled_from(["operator", "aggregator", "merchant", "unpaid", "clawback"]),
        st.sampled_from([1, 1_000_000, 1_250_000, PRICE, PRICE + 1]),
    ),
    max_size=8,
)
books = st.sampled_from(
    [
        asked,
        nobodys,
        lambda: asked(refunds_borne_by="merchant", unpaid_borne_by="merchant"),
        lambda: asked(principal=True, unpaid_borne_by="merchant"),
    ]
)


def request(charge: str, number: int, by: str, price: int) -> RefundRequest | WriteOffRequest:
    if by in {"unpaid", "clawback"}:
        return write_off_of(charge, id=f"x-{number}", reason=by)
    return refund_of(charge, id=f"x-{number}", by=by, price=price)


def carry_out(sold: Sold, asked_for: RefundRequest | WriteOffRequest) -> object:
    is_refund = isinstance(asked_for, RefundRequest)
    step = refunding(asked_for) if is_refund else writing_off(asked_for)
    try:
        return step(sold.book)
    except Refusal as refusal:
        return type(refusal), str(refusal)


def taken(sold: Sold) -> list[Fact]:
    facts = sold.book.facts(ChargeRefunded, ChargeWrittenOff, RefundRefused)
    return [one for one in facts if one.ref.charge == sold.charge]


class TestLaws:
    """After any requests."""

    @WHOLE_HISTORIES
    @given(made=books, asking=requests)
    def test_no_more_is_given_back_than_was_paid(self, made: object, asking: list) -> None:
        sold = made()
        for one in asking:
            carry_out(sold, request(sold.charge, *one))
        facts = taken(sold)
        refunds = [one for one in facts if isinstance(one, ChargeRefunded)]
        assert sum(one.price for one in refunds) <= PRICE
        by_operator = sum(one.taken_back is not None for one in refunds)
        written_off = sum(isinstance(one, ChargeWrittenOff) for one in facts)
        # The operator takes its payment back once, in whichever way.
        assert by_operator + written_off <= 1

    @WHOLE_HISTORIES
    @given(made=books, asking=requests)
    def test_no_account_is_left_with_less_than_was_there(self, made: object, asking: list) -> None:
        sold = made()
        for one in asking:
            carry_out(sold, request(sold.charge, *one))
        balance: Counter[str] = Counter()
        captured = [one for one in sold.book.facts(ChargeCaptured) if one.ref.charge == sold.charge]
        for fact in (*captured, *taken(sold)):
            for line in postings(fact):
                balance[line.account] += line.debit - line.credit
        assert sum(balance.values()) == 0
        # What the operator owes, and what stands unattributed, is 1.25 at first, and then less.
        assert 0 <= balance[Account.OPERATOR_RECEIVABLE_ACCRUED] <= 1_250_000
        assert -1_250_000 <= balance[Account.UNATTRIBUTED] <= 0
        assert balance[Account.REFUNDS_BORNE_BY_MERCHANT] <= PRICE

    @WHOLE_HISTORIES
    @given(made=books, asking=requests)
    def test_each_asked_again_is_answered_the_same_and_adds_nothing(
        self, made: object, asking: list
    ) -> None:
        sold = made()
        for one in asking:
            wanted = request(sold.charge, *one)
            first = carry_out(sold, wanted)
            before = len(sold.book.rows)
            again = carry_out(sold, wanted)
            assert len(sold.book.rows) == before
            refused = not isinstance(first, Refunded | WrittenOff)
            assert again == (first if refused else first._replace(repeated=True))
