"""The life of subscriptions, of both legs and of findings, against a model of the design.

The same as `test_charge_life.py`, where operators charge messages by themselves and a consumer
may be charged again and again: the real commands, the real folds, and a model beside them.
"""

from collections import Counter
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tests.support import life_subscribed
from tests.support.belgium import BOTH, MO_ONLY, SUBSCRIBED
from tests.support.effort import WHOLE_HISTORIES
from tests.support.life_belgian import (
    PEOPLE,
    charge_of,
    closing,
    ending,
    mt_of,
    opened,
    renewing,
    unlike_subscribed,
)
from tests.support.life_checks import ill_lived, unlike, unsound
from tests.support.life_desk import Life, Seen, Step, asking_for, reporting, sending
from tests.support.life_model import Report
from tests.support.life_money import Asking
from tests.support.life_sales import Who
from tests.support.life_subscribed import Subscribed
from tests.support.machines import STEPS, must_fail

WORDS = [(code, text) for code in (BOTH, MO_ONLY) for text in ("JEU", "BONJOUR", "STOP", "OK")] + [
    (SUBSCRIBED, text)
    for text in ("HORO", "MOP", "MOP", "OK", "OK", "OK", "STOP", "STOP HORO", "JEU", "BONJOUR")
]
ASKINGS = st.builds(
    Asking,
    name=st.sampled_from(["a", "b"]),
    by=st.sampled_from(["operator", "aggregator", "merchant", "unpaid", "clawback"]),
    price=st.sampled_from([None, None, 500_000, 1_000_000]),
    own=st.just(value=False),
)
OUTCOMES = st.sampled_from(["delivered", "failed", "failed"])


class Subscribers(RuleBasedStateMachine):
    """Subscriptions that are offered, begin, are renewed and end; and messages of both legs."""

    forgets: ClassVar[frozenset[str]] = frozenset()

    @initialize()
    def open(self) -> None:
        self.life = Life(opened(), self.forgets)
        self.model = Subscribed()
        self.done: list[tuple[Step, object]] = []
        self.first: dict[str, object] = {}

    def do(self, step: Step) -> Seen:
        """Do something, which can be done again later."""
        seen = self.life.do(step)
        assert unsound(seen.new) == []
        self.done.append((step, seen.said))
        return seen

    @rule(number=st.integers(0, 11), who=st.sampled_from(PEOPLE), words=st.sampled_from(WORDS))
    def send(self, number: int, who: Who, words: tuple[str, str]) -> None:
        name = f"m-{number}"
        wanted = self.model.send(name, who, *words, self.life.book.clock.now)
        seen = self.do(sending(name, who, *words, None))
        if wanted == "in conflict":
            assert seen.said == "ConflictingDuplicate"
        elif wanted == "repeated":
            assert (seen.said, seen.new) == (self.first[name], [])
        else:
            self.first[name] = seen.said
            assert _answered(seen.said) == wanted

    @rule(who=st.sampled_from(PEOPLE), text=st.sampled_from(["HORO", "MOP", "MOP"]))
    def subscribe(self, who: Who, text: str) -> None:
        """Let somebody ask and agree, under names that nothing else has."""
        for words in ((SUBSCRIBED, text), (SUBSCRIBED, "OK")):
            self.send(100 + len(self.first), who, words)

    @rule(who=st.sampled_from(PEOPLE), text=st.sampled_from(["JEU", "JEU", "BONJOUR"]))
    def buy_as_much_as_may_be(self, who: Who, text: str) -> None:
        """Let somebody send so much in a row that it comes to the cap."""
        for words in ("JEU", "JEU", text):
            self.send(100 + len(self.first), who, (BOTH, words))

    @precondition(lambda self: self.model.subscriptions)
    @rule(number=st.integers(0, 1_000), text=st.sampled_from(["STOP", "STOP HORO"]))
    def stop_what_waits(self, number: int, text: str) -> None:
        """Let a consumer stop after a renewal that no gateway has taken."""
        self.renew(number, 24)
        for who in PEOPLE:
            self.send(100 + len(self.first), who, (SUBSCRIBED, text))

    @precondition(lambda self: self.model.sent)
    @rule(number=st.integers(0, 1_000), outcome=OUTCOMES)
    def report(self, number: int, outcome: str) -> None:
        # What was sent last is spoken of most, and what carries a charge.
        charged = [name for name, sent in self.model.sent.items() if sent.charge]
        names = [*reversed(charged or list(self.model.sent))][:6] + list(self.model.sent)[-2:]
        self.hear(names[number % len(names)], outcome)

    @precondition(lambda self: self.tried_again())
    @rule(number=st.integers(0, 1_000))
    def deliver_what_was_tried_again(self, number: int) -> None:
        names = self.tried_again()
        self.hear(names[number % len(names)], "delivered")

    def tried_again(self) -> list[str]:
        """Name the messages of which another one carries the same charge."""
        charges = Counter(sent.charge for sent in self.model.sent.values() if sent.charge)
        return [name for name, sent in self.model.sent.items() if charges[sent.charge] > 1]

    def hear(self, name: str, outcome: str) -> None:
        """Let a receipt come."""
        news = self.model.report(name, outcome, self.life.book.clock.now)
        report = Report("kannel", outcome, "unknown", None)
        assert bool(self.do(reporting(mt_of(name), report)).new) == news

    @precondition(lambda self: self.model.subscriptions)
    @rule(number=st.integers(0, 1_000), hours=st.sampled_from([0, 12, 12, 24, 24]))
    def renew(self, number: int, hours: int) -> None:
        self.life.book.clock.now += timedelta(hours=hours)
        known = self.model.subscriptions
        live = [n for n, one in enumerate(known) if one.state == "live"]
        number = (live or range(len(known)))[number % len(live or known)]
        news = self.model.renew(number, self.life.book.clock.now)
        seen = self.life.do(renewing(self.model.subscriptions[number]))
        assert bool(seen.new) == news
        assert unsound(seen.new) == []

    @precondition(lambda self: self.model.subscriptions)
    @rule(number=st.integers(0, 1_000), hours=st.sampled_from([[12], [12, 12], [24, 24], [24] * 3]))
    def lose(self, number: int, hours: list[int]) -> None:
        """Let the last message fail, and try again: in its cycle, or in the next."""
        for one in hours:
            charged = [name for name, sent in self.model.sent.items() if sent.charge]
            if charged:
                self.hear(charged[-1], "failed")
            self.renew(number, one)

    @precondition(lambda self: any(one.started for one in self.model.subscriptions))
    @rule(number=st.integers(0, 1_000))
    def end(self, number: int) -> None:
        began = [n for n, one in enumerate(self.model.subscriptions) if one.started]
        number = began[number % len(began)]
        news = self.model.end(number)
        assert bool(self.do(ending(self.model.subscriptions[number])).new) == news

    @precondition(lambda self: self.model.charges)
    @rule(number=st.integers(0, 1_000), asking=ASKINGS)
    def ask(self, number: int, asking: Asking) -> None:
        names = list(self.model.charges)
        name = names[number % len(names)]
        asking = asking._replace(price=None if asking.is_write_off else asking.price)
        wanted = self.model.ask(name, asking)
        seen = self.do(asking_for(charge_of(name), asking, None))
        said = {"refused": "RefundNotMade", "refused again": "RefundNotMade"}.get(wanted, wanted)
        assert seen.said == said or (wanted in {"made", "repeated"} and seen.said is not None)
        assert bool(seen.new) == (wanted in {"made", "refused"})

    @precondition(lambda self: self.model.findings)
    @rule(number=st.integers(0, 1_000), how=st.sampled_from(["resolved", "no_fault"]))
    def close(self, number: int, how: str) -> None:
        known = list(self.model.findings)
        finding = known[number % len(known)]
        wanted = self.model.close(finding, how)
        seen = self.do(closing(finding, how))
        assert seen.said == ("closed" if wanted == "repeated" else wanted)
        assert bool(seen.new) == (wanted == "closed")

    @rule(hours=st.sampled_from([1, 13, 49]))
    def wait(self, hours: int) -> None:
        self.life.book.clock.now += timedelta(hours=hours)
        now = self.life.book.clock.now
        for name in list(self.model.charges):
            self.model.grow_old(name, now)
            self.life.do(lambda book, name=name: book.age(charge_of(name), now))

    @rule(number=st.integers(0, 1_000))
    def do_again(self, number: int) -> None:
        if self.done:
            step, said = self.done[number % len(self.done)]
            seen = self.life.do(step)
            assert (seen.said, seen.new) == (said, [])

    @invariant()
    def tells_what_the_model_tells(self) -> None:
        assert unlike(self.life.tables, self.model, charge_of) == []
        assert unlike_subscribed(self.life.tables, self.model) == []

    @invariant()
    def lets_no_charge_live_ill(self) -> None:
        assert ill_lived(self.life.recorded) == []

    def teardown(self) -> None:
        if hasattr(self, "life"):
            assert self.life.unlike_rebuilt() == []


def _answered(said: object) -> str:
    """Tell how a message was answered."""
    assert isinstance(said, tuple), said
    _, mt, _, billing_code = said
    if mt is None:
        return "silent"
    return "free" if billing_code == "FREE" else "charged"


TestSubscribers = Subscribers.TestCase
TestSubscribers.settings = settings(WHOLE_HISTORIES, stateful_step_count=STEPS)


FLAWS = {
    "a decision that forgets STOP": "opted_out.v1",
    "a decision that forgets what was spent": "charge_authorized.v1",
    "a receipt that forgets what was billed": "charge_captured.v1",
    "a renewal that forgets what failed": "charge_released.v1",
    "an offer that forgets what began": "subscription_started.v1",
    "a person who forgets what is closed": "finding_closed.v1",
}


class TestControl:
    """The same on a ledger with one flaw, or against a model with one: both must show."""

    @pytest.mark.parametrize("forgotten", FLAWS.values(), ids=FLAWS.keys())
    def test_fails_on(self, forgotten: str) -> None:
        must_fail(type("Flawed", (Subscribers,), {"forgets": frozenset({forgotten})}))

    def test_fails_where_the_model_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(life_subscribed, "CAP", 8_000_000)
        must_fail(type("Flawed", (Subscribers,), {}))
