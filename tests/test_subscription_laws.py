"""What holds of subscriptions whatever consumers, clocks, schedulers and receipts do."""

from collections import defaultdict
from datetime import timedelta

from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized, ChargeRefused, ChargeReleased
from ledger.facts.subscriptions import (
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from ledger.facts.traffic import MtEmitted
from tests.support.belgium import BELGIAN
from tests.support.book import Book
from tests.support.builders import NOON, dlr
from tests.support.given import take
from tests.support.subscribers import end, renew, sms, subscribers

_WORDS = st.sampled_from(["HORO", "MOP", "OK", "OK", "STOP", "STOP HORO", "MOP STOP"])
_HOURS = st.sampled_from([1, 11, 13, 24, 24, 90, 170, -1, -30, -200])
"""How far the clock goes on; it jumps back as well."""
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), _WORDS),
        st.tuples(st.just("wait"), _HOURS),
        st.tuples(st.just("renew"), st.integers(0, 3)),
        st.tuples(st.just("receipt"), st.sampled_from(["delivered", "failed", "failed"])),
        st.tuples(st.just("end"), st.integers(0, 3)),
    ),
    max_size=25,
)


def happen(steps: list[tuple[str, str | int]]) -> Book:
    """Let it all happen: to the subscriptions there are, or to none."""
    book = subscribers()
    take(book, sms("HORO"))
    take(book, sms("OK"))
    for step, what in steps:
        started = book.facts(SubscriptionStarted)
        match step:
            case "write":
                take(book, sms(str(what)))
            case "wait":
                book.clock.now = max(NOON, book.clock.now + timedelta(hours=int(what)))
            case "receipt":
                mt = book.facts(MtEmitted)[-1].ref.mt
                take(book, dlr(mt, str(what)))
            case _:
                name = started[int(what) % len(started)].subject
                take(book, renew(name=name) if step == "renew" else end(name=name))
    return book


class Judge:
    """Reads a history in order, and objects to what may not be."""

    def __init__(self) -> None:
        self.offered: set[str] = set()
        self.live: dict[str, str] = {}
        self.cycles: dict[str, list[int]] = defaultdict(list)
        self.charges: dict[str, list[str]] = defaultdict(list)

    def read(self, fact: Fact) -> None:
        """Judge one fact by those before it."""
        match fact:
            case SubscriptionRequested() | SubscriptionStarted() | SubscriptionStopped():
                self.begins_or_ends(fact)
            case SubscriptionRenewed(ref=ref):
                assert self.live[ref.service] == ref.subscription, "renewed while it is not live"
                numbers = self.cycles[ref.subscription]
                assert all(number < fact.number for number in numbers), "caught up, or twice"
                numbers.append(fact.number)
            case ChargeAuthorized(ref=ref):
                assert ref.service in self.live, "charged while nothing is live"
                self.is_charged(fact)
            case ChargeReleased(ref=ref):
                self.charges[ref.charge].append("released")
            case _:
                assert not isinstance(fact, ChargeRefused), "nothing forbids a charge here"

    def begins_or_ends(
        self, fact: SubscriptionRequested | SubscriptionStarted | SubscriptionStopped
    ) -> None:
        service = fact.ref.service
        match fact:
            case SubscriptionRequested():
                self.offered.add(fact.subject)
            case SubscriptionStarted():
                assert fact.subject in self.offered, "started without an offer"
                assert service not in self.live, "two of one service at once"
                self.live[service] = fact.subject
            case SubscriptionStopped():
                assert self.live.pop(service) == fact.subject, "stopped while it is not live"

    def is_charged(self, fact: ChargeAuthorized) -> None:
        assert self.live[str(fact.ref.service)] == fact.ref.subscription
        states = self.charges[fact.ref.charge]
        assert not states or states[-1] == "released", "charged twice"
        assert (fact.was == "released") == ("authorized" in states)
        states.append("authorized")


@settings(max_examples=60)
@drawn(steps=_STEPS)
def test_laws_of_subscriptions(steps: list[tuple[str, str | int]]) -> None:
    """Each charge has its cause and its moment, and none comes twice or after the end."""
    book, judge = happen(steps), Judge()
    for fact in book.facts():
        judge.read(fact)
    terms = BELGIAN.at(NOON).subscriptions
    assert terms is not None
    assert all(states.count("authorized") <= terms.attempts for states in judge.charges.values())
