"""A charge's life, whatever comes in whatever order: the book against a model of the design.

The real commands run on the log in memory and the real folds over what they record. A model, told
from the design alone, says what each input leads to, and who then owes whom what.
"""

from datetime import timedelta
from typing import ClassVar

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeCaptured
from tests.support.builders import NOON, ON_DELIVERED, ON_FILE, ON_FLAG, UNKNOWN_CODE
from tests.support.effort import WHOLE_HISTORIES
from tests.support.life_checks import ill_lived, unlike, unsound
from tests.support.life_desk import (
    Life,
    Seen,
    Step,
    Terms,
    asking_for,
    charge_of,
    mt_of,
    opened,
    reporting,
    sending,
    telling,
)
from tests.support.life_model import Model, Report, Told
from tests.support.life_money import Asking
from tests.support.life_sales import CODES, PEOPLE, TEXTS, Who
from tests.support.machines import STEPS, must_fail

SENT, TOLD = [f"m-{n}" for n in range(9)], [f"t-{n}" for n in range(2)]
"""The names of messages: few, so that much happens to each."""
BEARERS = st.sampled_from(["aggregator", "merchant"])
REPORTS = st.builds(
    Report,
    gateway=st.sampled_from(["kannel", "kannel", "kannel", "recycler"]),
    outcome=st.sampled_from(
        ["delivered", "delivered", "submitted", "buffered", "failed", "rejected"]
    ),
    billed=st.sampled_from(["unknown", "yes", "no"]),
    part=st.sampled_from([None, None, 1, 2]),
)
ASKINGS = st.builds(
    Asking,
    name=st.sampled_from(["a", "b", "c"]),
    by=st.sampled_from(["operator", "aggregator", "merchant", "unpaid", "clawback"]),
    price=st.sampled_from([None, 1, 25_000, 1_000_000, 1_250_000, 3_000_001]),
    own=st.booleans(),
)
TELLINGS = st.builds(
    Told,
    code=st.sampled_from([ON_DELIVERED, ON_FLAG, ON_FILE]),
    text=st.sampled_from(["JEU 42", "JEU 42", "ZUT"]),
    state=st.sampled_from(["authorized", "captured", "released", "refused"]),
    parts=st.sampled_from([1, 2]),
)
TELLERS = st.sampled_from([who for who in PEOPLE if who.smsc in {"orange", "sfr"}])


class Lives(RuleBasedStateMachine):
    """Charges that begin, are settled, grow old, are given back, and begin elsewhere."""

    forgets: ClassVar[frozenset[str]] = frozenset()

    @initialize(terms=st.builds(Terms, st.booleans(), BEARERS, BEARERS))
    def open(self, terms: Terms) -> None:
        self.life = Life(opened(terms), self.forgets)
        self.model = Model(terms.refunds, terms.unpaid)
        self.done: list[tuple[Step, object]] = []
        self.first: dict[str, object] = {}

    def do(self, step: Step) -> Seen:
        """Do something, which can be done again later."""
        seen = self.life.do(step)
        assert unsound(seen.new) == []
        if seen.said != "UnknownCharge":  # It may be known by then.
            self.done.append((step, seen.said))
        return seen

    @rule(
        name=st.sampled_from(SENT),
        who=st.sampled_from(PEOPLE),
        code=st.sampled_from(CODES),
        text=st.sampled_from(TEXTS),
        late=st.sampled_from([0, 0, 0, 1, 9]),
    )
    def send(self, name: str, who: Who, code: str, text: str, late: int) -> None:
        if who.smsc != "orange" and code != UNKNOWN_CODE:
            code = ON_DELIVERED
        at = self.life.book.clock.now - timedelta(minutes=late)
        wanted = self.model.send(name, who, code, text, at)
        seen = self.do(sending(name, who, code, text, at if late else None))
        if wanted == "in conflict":
            assert seen.said == "ConflictingDuplicate"
        elif wanted == "repeated":
            assert (seen.said, seen.new) == (self.first[name], [])
        else:
            self.first[name] = seen.said
            assert _answered(seen.said) == (wanted, None if wanted == "silent" else mt_of(name))

    @rule(
        name=st.sampled_from(SENT),
        text=st.sampled_from(["JEU 42", "JEU 42", "STOP", "STOP JEU"]),
        late=st.sampled_from([0, 0, 9]),
    )
    def buy_or_stop(self, name: str, text: str, late: int) -> None:
        """Let one consumer do on one code what matters most."""
        self.send(name, PEOPLE[0], ON_DELIVERED, text, late)

    @rule(
        name=st.sampled_from(TOLD),
        who=TELLERS,
        told=TELLINGS,
        late=st.sampled_from([0, 0, 5, 60 * 30]),
    )
    def tell(self, name: str, who: Who, told: Told, late: int) -> None:
        if who.smsc != "orange":
            told = told._replace(code=ON_DELIVERED)
        at = max(NOON, self.life.book.clock.now - timedelta(minutes=late))
        wanted = self.model.tell(name, who, told, at)
        seen = self.do(telling(name, who, told, at))
        assert (seen.said == "ConflictingDuplicate") == (wanted == "in conflict")
        assert wanted != "repeated" or not seen.new

    @rule(name=st.sampled_from(SENT + TOLD), report=REPORTS)
    def report(self, name: str, report: Report) -> None:
        news = self.model.report(name, report, self.life.book.clock.now)
        assert bool(self.do(reporting(mt_of(name), report)).new) == news

    @rule(number=st.integers(0, 11), asking=ASKINGS)
    def ask(self, number: int, asking: Asking) -> None:
        known = self.model.charges
        paid = [name for name, charge in known.items() if charge.state == "captured"]
        charged = [*(paid or known), *known, "m-none"]
        name = charged[number % len(charged)]
        charge = self.model.charges.get(name)
        own = asking.own and asking.by == "merchant" and charge is not None
        merchant = charge.sale.merchant if own and charge else None
        price = None if asking.is_write_off else asking.price
        asking = asking._replace(own=merchant is not None, price=price)
        wanted = self.model.ask(name, asking)
        seen = self.do(asking_for(charge_of(name), asking, merchant))
        said = {"refused": "RefundNotMade", "refused again": "RefundNotMade"}.get(wanted, wanted)
        if wanted in {"made", "repeated"}:
            said = seen.said if not isinstance(seen.said, str) else "made"
        assert seen.said == said
        assert bool(seen.new) == (wanted in {"made", "refused"})

    @rule(hours=st.sampled_from([0.05, 1, 23, 24, 72]))
    def wait(self, hours: float) -> None:
        self.life.book.clock.now += timedelta(hours=hours)

    @rule(names=st.sets(st.sampled_from(SENT + TOLD), min_size=1))
    def look_for_what_nobody_answered(self, names: set[str]) -> None:
        now = self.life.book.clock.now
        for name in sorted(names):
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
        assert unlike(self.life.tables, self.model) == []

    @invariant()
    def lets_no_charge_live_ill(self) -> None:
        assert ill_lived(self.life.recorded) == []

    def teardown(self) -> None:
        if hasattr(self, "life"):
            assert self.life.unlike_rebuilt() == []


def _answered(said: object) -> tuple[str, object]:
    """Tell how a message was answered, and by which one."""
    assert isinstance(said, tuple), said
    _, mt, text, billing_code = said
    if mt is None:
        assert (text, billing_code) == ("", "")
        return "silent", None
    assert text
    return "free" if billing_code == "FREE" else "charged", mt


TestLives = Lives.TestCase
TestLives.settings = settings(WHOLE_HISTORIES, stateful_step_count=STEPS)


FLAWS = {
    "an intake that forgets messages": "mo_received.v1",
    "a decision that forgets STOP": "opted_out.v1",
    "a decision that forgets what was spent": "charge_authorized.v1",
    "a receipt that forgets the ones before their message": "delivery_orphaned.v1",
    "a receipt that forgets that it was billed": "charge_captured.v1",
}


class TestControl:
    """The same on a ledger with one flaw: a machine that passed there would pass anything."""

    @pytest.mark.parametrize("forgotten", FLAWS.values(), ids=FLAWS.keys())
    def test_fails_on(self, forgotten: str) -> None:
        must_fail(type("Flawed", (Lives,), {"forgets": frozenset({forgotten})}))


class TestChecks:
    """What is held against each fact finds what is wrong."""

    @pytest.fixture
    def captured(self) -> Recorded:
        """Give a charge that was captured."""
        life = Life(opened(Terms()), frozenset())
        life.do(sending("m-0", PEOPLE[0], ON_DELIVERED, "JEU", None))
        *_, last = life.do(reporting(mt_of("m-0"), Report("kannel", "delivered", "yes", None))).new
        assert isinstance(last.fact, ChargeCaptured)
        return last

    def test_a_part_too_much(self, captured: Recorded) -> None:
        amounts = msgspec.structs.replace(captured.fact.amounts, tax=500_001)
        fact = msgspec.structs.replace(captured.fact, amounts=amounts)
        assert unsound([captured]) == []
        assert len(unsound([captured._replace(fact=fact)])) == 1

    def test_a_second_capture_and_a_second_id(self, captured: Recorded) -> None:
        assert ill_lived([captured]) == []
        assert len(ill_lived([captured, captured])) == 2

    def test_more_given_back_than_was_paid(self) -> None:
        life = Life(opened(Terms()), frozenset({"charge_refunded.v1"}))
        life.do(sending("m-0", PEOPLE[0], ON_DELIVERED, "JEU", None))
        life.do(reporting(mt_of("m-0"), Report("kannel", "delivered", "yes", None)))
        for name in ("a", "b"):
            assert ill_lived(life.recorded) == []
            life.do(asking_for(charge_of("m-0"), Asking(name, "operator"), None))
        assert len(ill_lived(life.recorded)) == 1
