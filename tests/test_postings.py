"""Postings: what each fact moves between accounts, always balanced."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.base import Fact
from ledger.facts.charges import ChargeCaptured, ChargeRefunded, ChargeWrittenOff
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


def refunded(amounts: Waterfall = AMOUNTS, **fields: object) -> ChargeRefunded:
    """Give a charge back, by default all 3.00 by the operator; `fields` of fact or reference."""
    whole = {"by": "operator", "channel": "bill", "borne_by": "each_its_part", "unattributed": 0}
    fact, ref = _split_fields({"price": amounts.price, **whole, **fields})
    taken_back = amounts if fact["by"] == "operator" else None
    return ChargeRefunded(
        refund="a" * 32,
        ref=msgspec.structs.replace(CHARGE_REF, **ref),
        taken_back=taken_back,
        reason="asked for",
        currency="EUR",
        captured_day=date(2026, 7, 31),
        value_day=DAY,
        occurred_at=captured().occurred_at,
        **fact,
    )


def written_off(amounts: Waterfall = AMOUNTS, **fields: object) -> ChargeWrittenOff:
    """Let an operator not pay a charge; `fields` of fact or reference."""
    fact, ref = _split_fields({"reason": "unpaid", "borne_by": "aggregator", **fields})
    return ChargeWrittenOff(
        write_off="b" * 32,
        ref=msgspec.structs.replace(CHARGE_REF, **ref),
        amounts=amounts,
        note="the operator's file",
        currency="EUR",
        captured_day=date(2026, 7, 31),
        value_day=DAY,
        occurred_at=captured().occurred_at,
        **fact,
    )


def _split_fields(fields: dict[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    ref = {name: fields.pop(name) for name in ("acting", "merchant", "test") if name in fields}
    return fields, ref


def moved(fact: Fact) -> list[tuple[str, str, int]]:
    """Give what a fact moves: account, party, and micros, credits less than nothing."""
    return [(line.account, line.party, line.debit - line.credit) for line in postings(fact)]


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


class TestRefund:
    """The lines of a refund of 3.00, of which the operator owes 1.25: 0.25 ours, 1.00 theirs."""

    @pytest.mark.parametrize("acting", ["agent", "principal"])
    def test_by_the_operator_undoes_the_capture(self, acting: str) -> None:
        before, after = moved(captured(acting=acting)), moved(refunded(acting=acting))
        assert after == [(account, party, -micros) for account, party, micros in before]
        assert len(after) >= 3

    def test_by_the_operator_of_nobodys_takes_what_stood_unattributed(self) -> None:
        assert moved(refunded(merchant=None)) == [
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
            (Account.UNATTRIBUTED, "20801", 1_250_000),
        ]

    @pytest.mark.parametrize("acting", ["agent", "principal"])
    def test_by_us_borne_by_the_merchant_is_its_loss(self, acting: str) -> None:
        fact = refunded(by="aggregator", borne_by="merchant", price=2_000_000, acting=acting)
        assert moved(fact) == [
            (Account.REFUNDS_BORNE_BY_MERCHANT, "ludotel", 2_000_000),
            (Account.PAYOUTS_IN_TRANSIT, "consumers", -2_000_000),
        ]

    @pytest.mark.parametrize("acting", ["agent", "principal"])
    def test_by_us_borne_by_us_is_our_loss(self, acting: str) -> None:
        fact = refunded(by="aggregator", borne_by="aggregator", acting=acting)
        assert moved(fact) == [
            (Account.REFUNDS_BORNE_BY_AGGREGATOR, "", 3_000_000),
            (Account.PAYOUTS_IN_TRANSIT, "consumers", -3_000_000),
        ]

    def test_by_the_merchant_borne_by_us_is_owed_to_it(self) -> None:
        assert moved(refunded(by="merchant", borne_by="aggregator", price=1)) == [
            (Account.REFUNDS_BORNE_BY_AGGREGATOR, "", 1),
            (Account.MERCHANT_ACCRUED, "ludotel", -1),
        ]

    def test_by_the_merchant_borne_by_it_moves_nothing_of_ours(self) -> None:
        assert moved(refunded(by="merchant", borne_by="merchant")) == []

    def test_directly_of_nobodys_is_met_first_from_what_stands_there(self) -> None:
        # Of 3.00 given back 1.25 stand unattributed, and 1.75 are lost.
        fact = refunded(
            by="aggregator", borne_by="aggregator", merchant=None, unattributed=1_250_000
        )
        assert moved(fact) == [
            (Account.UNATTRIBUTED, "20801", 1_250_000),
            (Account.REFUNDS_BORNE_BY_AGGREGATOR, "", 1_750_000),
            (Account.PAYOUTS_IN_TRANSIT, "consumers", -3_000_000),
        ]

    def test_stands_on_the_day_of_the_refund(self) -> None:
        assert {(line.currency, line.value_day) for line in postings(refunded())} == {EUR}


class TestWriteOff:
    """The lines of what the operator does not pay: 1.25 of 3.00, 0.25 ours and 1.00 theirs."""

    @pytest.mark.parametrize("reason", ["unpaid", "clawback"])
    @pytest.mark.parametrize("acting", ["agent", "principal"])
    def test_borne_by_us_is_our_loss(self, reason: str, acting: str) -> None:
        assert moved(written_off(reason=reason, acting=acting)) == [
            (Account.UNPAID_BY_OPERATOR, "20801", 1_250_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]

    @pytest.mark.parametrize("reason", ["unpaid", "clawback"])
    def test_borne_by_the_merchant_as_agent_is_each_ones_own(self, reason: str) -> None:
        assert moved(written_off(reason=reason, borne_by="merchant", acting="agent")) == [
            (Account.UNPAID_BY_OPERATOR, "20801", 250_000),
            (Account.MERCHANT_ACCRUED, "ludotel", 1_000_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]

    @pytest.mark.parametrize("reason", ["unpaid", "clawback"])
    def test_borne_by_the_merchant_as_principal_saves_its_cost(self, reason: str) -> None:
        assert moved(written_off(reason=reason, borne_by="merchant", acting="principal")) == [
            (Account.UNPAID_BY_OPERATOR, "20801", 1_250_000),
            (Account.MERCHANT_ACCRUED, "ludotel", 1_000_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
            (Account.MERCHANT_COST, "", -1_000_000),
        ]

    @pytest.mark.parametrize("nobodys", [{"merchant": None}, {"test": True}])
    def test_of_nobodys_takes_what_stands_there_and_the_rest_is_lost(
        self, nobodys: dict[str, object]
    ) -> None:
        # 1.00 of the 1.25 was given back already.
        assert moved(written_off(unattributed=250_000, **nobodys)) == [
            (Account.UNATTRIBUTED, "20801", 250_000),
            (Account.UNPAID_BY_OPERATOR, "20801", 1_000_000),
            (Account.OPERATOR_RECEIVABLE_ACCRUED, "20801", -1_250_000),
        ]


class TestBalance:
    """What is given back and written off, whatever the amounts."""

    @given(
        parts=st.lists(st.integers(0, MAX_MICROS // 4), min_size=4, max_size=4),
        acting=st.sampled_from(["agent", "principal"]),
        merchant=st.sampled_from(["ludotel", None]),
        share=st.integers(0, 100),
    )
    def test_holds(self, parts: list[int], acting: str, merchant: str | None, share: int) -> None:
        tax, operator, ours, theirs = parts
        amounts = Waterfall(
            price=sum(parts), tax=tax, operator=operator, aggregator=ours, merchant=theirs
        )
        terms = {"acting": acting, "merchant": merchant}
        # As much of it as an unattributed reversement could cover.
        price = amounts.price * share // 100
        covered = 0 if merchant else min(price, amounts.reversement)
        bearers = ("merchant", "aggregator") if merchant else ("aggregator",)
        facts: list[Fact] = [refunded(amounts, **terms)]
        for borne_by in bearers:
            direct = {"price": price, "borne_by": borne_by, "unattributed": covered, **terms}
            facts += [refunded(amounts, by=by, **direct) for by in ("aggregator", "merchant")]
            facts.append(written_off(amounts, borne_by=borne_by, unattributed=covered, **terms))
        for fact in facts:
            lines = postings(fact)
            assert sum(line.debit - line.credit for line in lines) == 0
            assert all(min(line.debit, line.credit) == 0 for line in lines)
            assert all(max(line.debit, line.credit) > 0 for line in lines)


class TestEveryFact:
    """The books and the facts."""

    def test_is_named_once_as_posting_or_not(self) -> None:
        assert not POSTING & NOT_POSTING
        assert set(REGISTRY.by_name.values()) == POSTING | NOT_POSTING

    @pytest.mark.parametrize(("name", "fact"), [*examples()])
    def test_posts_only_if_named_so(self, name: str, fact: Fact) -> None:
        posts = bool(postings(fact))
        assert posts == (type(fact) in POSTING), (stored_name(type(fact)), name)
