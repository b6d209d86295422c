"""Postings: what each fact moves between accounts, always balanced."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured
from ledger.facts.registry import REGISTRY, stored_name
from ledger.money import MAX_MICROS, Waterfall
from ledger.postings import NOT_POSTING, POSTING, Account, Line, UnknownToTheBooks, postings
from tests.support.exampled import AMOUNTS, CHARGE_REF
from tests.support.examples import examples

DAY = date(2026, 8, 1)
EUR = ("EUR", DAY)


def captured(amounts: Waterfall = AMOUNTS, **terms: str) -> ChargeCaptured:
    """Capture a charge, by default of 3.00, under terms."""
    full = next(fact for _, fact in examples() if isinstance(fact, ChargeCaptured))
    ref = msgspec.structs.replace(CHARGE_REF, **terms)
    return msgspec.structs.replace(full, ref=ref, amounts=amounts)


class Stranger(Fact, frozen=True, kw_only=True, tag="stranger.v1"):
    """A fact that nobody gave a place in the books."""

    @property
    def subject(self) -> str:
        """Nothing."""
        return "nothing"


class TestPostings:
    """The lines of one fact."""

    def test_of_a_capture_as_agent_are_our_share_and_the_merchants(self) -> None:
        # Of 3.00 the operator owes 1.25: 0.25 are our revenue, 1.00 is the merchant's.
        assert postings(captured(acting="agent")) == (
            Line(Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", 1_250_000, 0, *EUR),
            Line(Account.AGGREGATOR_REVENUE, "", 0, 250_000, *EUR),
            Line(Account.MERCHANT_ACCRUED, "ludotel", 0, 1_000_000, *EUR),
        )

    def test_of_a_capture_as_principal_are_all_of_it_and_its_cost(self) -> None:
        # The same 1.25 is all our revenue, and the merchant's 1.00 a cost.
        assert postings(captured(acting="principal")) == (
            Line(Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", 1_250_000, 0, *EUR),
            Line(Account.AGGREGATOR_REVENUE, "", 0, 1_250_000, *EUR),
            Line(Account.MERCHANT_COST, "", 1_000_000, 0, *EUR),
            Line(Account.MERCHANT_ACCRUED, "ludotel", 0, 1_000_000, *EUR),
        )

    def test_of_a_donation_are_no_revenue(self) -> None:
        # 5.00 untaxed: the operator owes all of it, and all of it is the charity's.
        gift = Waterfall(price=5_000_000, tax=0, operator=0, aggregator=0, merchant=5_000_000)
        assert [line[:4] for line in postings(captured(gift))] == [
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", 5_000_000, 0),
            (Account.MERCHANT_ACCRUED, "ludotel", 0, 5_000_000),
        ]

    def test_are_none_where_nothing_is_owed(self) -> None:
        kept = Waterfall(price=100, tax=0, operator=100, aggregator=0, merchant=0)
        assert postings(captured(kept)) == ()

    def test_are_refused_for_a_fact_without_a_place_in_the_books(self) -> None:
        with pytest.raises(UnknownToTheBooks, match="Stranger"):
            postings(Stranger())

    @given(st.lists(st.integers(0, MAX_MICROS // 4), min_size=4, max_size=4))
    def test_balance_whatever_the_amounts(self, parts: list[int]) -> None:
        tax, operator, ours, theirs = parts
        amounts = Waterfall(
            price=sum(parts), tax=tax, operator=operator, aggregator=ours, merchant=theirs
        )
        for acting in ("agent", "principal"):
            lines = postings(captured(amounts, acting=acting))
            assert sum(line.debit - line.credit for line in lines) == 0
            assert all(min(line.debit, line.credit) == 0 for line in lines)
            assert all(max(line.debit, line.credit) > 0 for line in lines)
            assert {(line.currency, line.value_day) for line in lines} <= {EUR}


class TestEveryFact:
    """The books and the facts."""

    def test_is_named_once_as_posting_or_not(self) -> None:
        assert not POSTING & NOT_POSTING
        assert set(REGISTRY.by_name.values()) == POSTING | NOT_POSTING

    @pytest.mark.parametrize(("name", "fact"), [*examples()])
    def test_posts_only_if_named_so(self, name: str, fact: Fact) -> None:
        posts = bool(postings(fact))
        assert posts == (type(fact) in POSTING), (stored_name(type(fact)), name)
