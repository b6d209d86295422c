"""Whatever happens to a pushed message in whatever order: it never goes out twice."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from ledger.commands.pushing import Push
from ledger.decisions.outbound import ATTEMPTS
from ledger.facts.charges import ChargeCaptured, ChargeReleased
from ledger.facts.handover import (
    MtCancelled,
    MtHandedOver,
    MtHandoverRefused,
    MtHandoverUnknown,
)
from ledger.facts.traffic import DeliveryReceived, MtEmitted, MtSubmitted
from ledger.postings import postings
from tests.support.book import Book, in_memory
from tests.support.builders import dlr, mo
from tests.support.pushing import MINUTE, REFUSED, TAKEN, UNKNOWN, doubted, emitted, offer, reply

REPLIES = {"taken": TAKEN, "refused": REFUSED, "unknown": UNKNOWN}
RECEIPTS = ("submitted", "delivered", "failed")
OTHERS = ("stop", "age", "doubt")
# Most of what happens are offers, or there would be little to answer.
WHAT = st.sampled_from(["offer", "offer", "offer", *REPLIES, *RECEIPTS, *OTHERS])
STEPS = st.lists(st.tuples(WHAT, st.integers(-90, 600)), max_size=25)
"""Each with the minutes since the step before, for a clock may be set back."""


class Played:
    """One message to which steps happen; replies are to the last attempt that was claimed."""

    def __init__(self, *, charged: bool) -> None:
        self.book: Book = in_memory()
        self.mt = emitted(self.book, charged=charged)
        self.charge = self.book.facts(MtEmitted)[-1].ref.charge
        self.claimed: list[Push] = []

    def step(self, what: str, minutes: int) -> None:
        self.book.clock.now += minutes * MINUTE
        if what in RECEIPTS:
            self.book.report(dlr(self.mt, what))
        elif what in REPLIES:
            for push in self.claimed[-1:]:
                reply(self.book, push, REPLIES[what])
        else:
            getattr(self, what)()

    def offer(self) -> None:
        push = offer(self.book, self.mt)
        self.claimed += [push] if push else []

    def stop(self) -> None:
        self.book.receive(mo("STOP", gateway_message_id=f"stop-{len(self.book.rows)}"))

    def age(self) -> None:
        if self.charge:
            self.book.age(self.charge, self.book.clock.now + timedelta(hours=72))

    def doubt(self) -> None:
        doubted(self.book, self.mt, self.book.clock.now)

    @property
    def steps(self) -> list[object]:
        """What was recorded of the message itself, in order."""
        kinds = (MtHandoverUnknown, MtHandedOver, MtHandoverRefused, MtCancelled)
        of_it = self.book.facts(*kinds, MtSubmitted, DeliveryReceived)
        return [fact for fact in of_it if fact.ref.mt == self.mt]


def played(steps: list[tuple[str, int]], *, charged: bool) -> Played:
    story = Played(charged=charged)
    for step in steps:
        story.step(*step)
    return story


class TestEveryOrder:
    """Offers, answers, receipts, STOP and time, at whatever clock."""

    @given(steps=STEPS, charged=st.booleans())
    def test_a_message_is_offered_again_only_after_a_certain_refusal(
        self, steps: list[tuple[str, int]], *, charged: bool
    ) -> None:
        last: object = None
        for fact in played(steps, charged=charged).steps:
            if isinstance(fact, MtHandoverUnknown):
                assert last is None or isinstance(last, MtHandoverRefused)
            last = fact

    @given(steps=STEPS, charged=st.booleans())
    def test_nothing_is_offered_once_it_was_taken_proved_or_cancelled(
        self, steps: list[tuple[str, int]], *, charged: bool
    ) -> None:
        over = False
        for fact in played(steps, charged=charged).steps:
            assert not (over and isinstance(fact, MtHandoverUnknown))
            over = over or not isinstance(fact, MtHandoverUnknown | MtHandoverRefused)

    @given(steps=STEPS, charged=st.booleans())
    def test_attempts_count_up_and_end(
        self, steps: list[tuple[str, int]], *, charged: bool
    ) -> None:
        story = played(steps, charged=charged)
        attempts = [fact.attempt for fact in story.book.facts(MtHandoverUnknown)]
        assert attempts == [*range(1, len(attempts) + 1)]
        assert len(attempts) <= ATTEMPTS

    @given(steps=STEPS)
    def test_a_charge_that_is_cancelled_was_never_billed(
        self, steps: list[tuple[str, int]]
    ) -> None:
        story = played(steps, charged=True)
        cancelled = [
            fact for fact in story.book.facts(ChargeReleased) if fact.reason == "cancelled"
        ]
        assert len(cancelled) <= 1
        for fact in cancelled:
            assert postings(fact) == ()
            billed = {one.ref.charge for one in story.book.facts(ChargeCaptured)}
            assert fact.ref.charge not in billed or _came_after_all(story)


def _came_after_all(story: Played) -> bool:
    """Tell whether a receipt spoke for it after it was cancelled, which money follows."""
    kinds = [type(fact) for fact in story.steps]
    return MtCancelled in kinds and DeliveryReceived in kinds[kinds.index(MtCancelled) :]
