"""What holds whatever receipts come, in whatever order, for whatever captures the charge."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.decisions import receipt, unresolved
from ledger.decisions.receipt import Receipt
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.charges import (
    CaptureEvent,
    ChargeAuthorized,
    ChargeCaptured,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.registry import REGISTRY, Origin, fact_id
from ledger.facts.traffic import DeliveryOrphaned, DeliveryReceived, MtEmitted, MtSubmitted
from ledger.postings import postings
from tests.support.builders import NOON
from tests.support.exampled import AMOUNTS, CHARGE_REF, MT, MT_REF

OUTCOMES = st.sampled_from(["submitted", "buffered", "delivered", "failed", "rejected"])
BILLED = st.sampled_from(["yes", "no", "unknown"])
EVENTS = st.sampled_from(["smsc_accepted", "delivered", "billed_flag", "operator_file"])
STEPS = st.lists(st.tuples(OUTCOMES, BILLED) | st.sampled_from(["age", "again"]), max_size=12)
Step = tuple[str, str] | str

NEXT = {
    "authorized": {"captured", "released", "unresolved"},
    "unresolved": {"captured", "released"},
    "released": {"captured"},
    "captured": set(),
}
"""Where a charge may go from each state."""


def sold(on: CaptureEvent) -> list[Fact]:
    """Give the facts of a charge that rides on a message."""
    authorized = ChargeAuthorized(
        ref=CHARGE_REF,
        amounts=AMOUNTS,
        currency="EUR",
        captures_on=on,
        value_day=NOON.date(),
        occurred_at=NOON,
    )
    emitted = MtEmitted(ref=MT_REF, kind="content", billing_code="P", parts=1, occurred_at=NOON)
    return [authorized, emitted]


def reported(step: tuple[str, str]) -> Receipt:
    """Make a receipt."""
    outcome, billed = step
    return Receipt(MT, "kannel", outcome, billed, f"{outcome}/{billed}", None, NOON, None)


def recorded(fact: Fact) -> Recorded:
    """Give a fact as it is read back."""
    return REGISTRY.decode(REGISTRY.encode(Draft(fact, exchange=MT), Origin("fr", "test")), "fr")


def played(steps: list[Step], facts: list[Fact]) -> list[Draft]:
    """Decide on one step after the other, each on the facts of all before it."""
    drafts: list[Draft] = []
    last = ("submitted", "unknown")
    for step in steps:
        known = [*facts, *(draft.fact for draft in drafts)]
        if step == "age":
            drafts += unresolved.age([*map(recorded, known)], 0, "Europe/Paris", NOON)
            continue
        last = last if step == "again" else step
        message = receipt.message(known, MT)
        drafts += receipt.receive(reported(last), message, "fr", "Europe/Paris")
    return drafts


def states(drafts: list[Draft]) -> list[tuple[str, str]]:
    """Give every move of the charge, from where and to where."""
    kinds = {ChargeCaptured: "captured", ChargeReleased: "released", ChargeUnresolved: "unresolved"}
    facts = [draft.fact for draft in drafts]
    return [(fact.was, kinds[type(fact)]) for fact in facts if type(fact) in kinds]


class TestAnyReceipts:
    """Receipts and waiting in any order."""

    @given(STEPS, EVENTS)
    def test_move_a_charge_only_as_it_may_go(self, steps: list[Step], on: CaptureEvent) -> None:
        at = "authorized"
        for was, now in states(played(steps, sold(on))):
            assert was == at
            assert now in NEXT[at]
            at = now

    @given(STEPS, EVENTS)
    def test_capture_at_most_once_and_for_good(self, steps: list[Step], on: CaptureEvent) -> None:
        moves = [now for _, now in states(played(steps, sold(on)))]
        assert moves.count("captured") <= 1
        assert "captured" not in moves[:-1]

    @given(STEPS, EVENTS)
    def test_post_all_of_it_or_nothing(self, steps: list[Step], on: CaptureEvent) -> None:
        drafts = played(steps, sold(on))
        lines = [line for draft in drafts for line in postings(draft.fact)]
        captured = any(isinstance(draft.fact, ChargeCaptured) for draft in drafts)
        assert sum(line.debit - line.credit for line in lines) == 0
        assert sum(line.debit for line in lines) == (AMOUNTS.reversement if captured else 0)

    @given(STEPS, EVENTS)
    def test_change_nothing_by_coming_again(self, steps: list[Step], on: CaptureEvent) -> None:
        facts = sold(on)
        first = played(steps, facts)
        again = played(steps, [*facts, *(draft.fact for draft in first)])
        kinds = (DeliveryReceived, MtSubmitted, ChargeCaptured, ChargeReleased)
        assert not [draft for draft in again if isinstance(draft.fact, kinds)]

    @given(STEPS, EVENTS)
    def test_never_share_an_id(self, steps: list[Step], on: CaptureEvent) -> None:
        drafts = played(steps, sold(on))
        ids = Counter(fact_id("fr", type(d.fact), d.fact.subject, d.n) for d in drafts)
        assert not drafts or max(ids.values()) == 1

    @given(STEPS, EVENTS)
    def test_can_all_be_written_and_read(self, steps: list[Step], on: CaptureEvent) -> None:
        for draft in played(steps, sold(on)):
            row = REGISTRY.encode(draft, Origin("fr", "test"))
            assert REGISTRY.decode(row).fact == draft.fact

    @given(STEPS, EVENTS)
    def test_lead_to_the_same_facts_each_time(self, steps: list[Step], on: CaptureEvent) -> None:
        assert played(steps, sold(on)) == played(steps, sold(on))

    @settings(max_examples=200)
    @given(st.lists(st.tuples(OUTCOMES, BILLED), max_size=8), EVENTS)
    def test_before_their_message_lead_where_they_lead_after_it(
        self, steps: list[Step], on: CaptureEvent
    ) -> None:
        facts = sold(on)
        after = played(steps, facts)
        orphans = [draft.fact for draft in played(steps, [])]
        assert all(isinstance(fact, DeliveryOrphaned) for fact in orphans)
        known = receipt.message([*orphans, *facts], MT)
        joined = receipt.join(known, "fr", "Europe/Paris")
        assert [draft.fact for draft in joined] == [draft.fact for draft in after]
