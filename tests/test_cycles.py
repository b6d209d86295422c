"""A subscription's life told from its facts: what each cycle of it brought."""

from datetime import timedelta

from msgspec.structs import replace

from ledger.decisions.cycles import FAILED, Attempted, Life, life_of, refused_before
from ledger.facts.base import Fact
from ledger.facts.charges import (
    ChargeAuthorized,
    ChargeCaptured,
    ChargeRefused,
    ChargeReleased,
    ChargeUnresolved,
)
from ledger.facts.subscriptions import (
    RenewalRefused,
    SubscriptionRenewed,
    SubscriptionRequested,
    SubscriptionStarted,
    SubscriptionStopped,
)
from tests.support.subscribers import subscriber

BOOK = subscriber()
FACTS = BOOK.facts()
(STARTED,) = BOOK.facts(SubscriptionStarted)
(AUTHORIZED,) = BOOK.facts(ChargeAuthorized)
(CAPTURED,) = BOOK.facts(ChargeCaptured)
assert isinstance(STARTED, SubscriptionStarted)
assert isinstance(AUTHORIZED, ChargeAuthorized)
assert isinstance(CAPTURED, ChargeCaptured)
NAME = STARTED.ref.subscription
DAY = AUTHORIZED.ref.cycle
OTHER = "ab" * 16
LATER = AUTHORIZED.occurred_at + timedelta(days=1)
UNTIL_AUTHORIZED = FACTS[: FACTS.index(AUTHORIZED) + 1]


def lived(*facts: Fact, name: str = NAME) -> Life:
    """Give the life that these facts tell."""
    found = life_of(facts, name)
    assert found is not None
    return found


def released(charge: ChargeAuthorized) -> ChargeReleased:
    """Release a charge."""
    return ChargeReleased(
        ref=charge.ref,
        amounts=charge.amounts,
        currency="EUR",
        authorized_day=charge.value_day,
        was="authorized",
        reason="failed",
        value_day=charge.value_day,
        occurred_at=LATER,
    )


class TestACycle:
    """Where it stands after each fact about its charge."""

    def test_is_pending_once_it_is_charged(self) -> None:
        at = AUTHORIZED.occurred_at
        assert lived(*UNTIL_AUTHORIZED).cycles == {DAY: Attempted("authorized", at, (AUTHORIZED,))}

    def test_is_paid_once_it_is_captured(self) -> None:
        assert lived(*FACTS).cycles == {
            DAY: Attempted("captured", CAPTURED.occurred_at, (AUTHORIZED,), 0)
        }
        assert lived(*FACTS).renewed == {DAY}

    def test_is_in_doubt_once_nobody_answers(self) -> None:
        doubted = ChargeUnresolved(
            ref=AUTHORIZED.ref,
            amounts=AUTHORIZED.amounts,
            currency="EUR",
            authorized_day=AUTHORIZED.value_day,
            value_day=AUTHORIZED.value_day,
            occurred_at=LATER,
        )
        life = lived(*UNTIL_AUTHORIZED, doubted)
        assert life.cycles == {DAY: Attempted("unresolved", LATER, (AUTHORIZED,), 0)}
        assert life.cycles[DAY].state not in FAILED

    def test_is_lost_once_it_is_released_and_tried_once_more(self) -> None:
        again = replace(AUTHORIZED, occurred_at=LATER + timedelta(days=1))
        lost = [*UNTIL_AUTHORIZED, released(AUTHORIZED)]
        assert lived(*lost).cycles == {DAY: Attempted("released", LATER, (AUTHORIZED,), 0)}
        assert lived(*lost).cycles[DAY].state in FAILED
        second = lived(*lost, again).cycles[DAY]
        assert second == Attempted("authorized", again.occurred_at, (AUTHORIZED, again), 0)
        assert second.attempts == 2


class TestOthers:
    """Facts of another subscription, or from before the start, tell nothing of this one."""

    def test_leave_it_as_it_is(self) -> None:
        whole = lived(*FACTS)
        theirs = [
            replace(fact, ref=replace(fact.ref, subscription=OTHER))
            for fact in FACTS
            if isinstance(
                fact,
                SubscriptionRequested
                | SubscriptionStarted
                | SubscriptionRenewed
                | ChargeAuthorized
                | ChargeCaptured,
            )
        ]
        stopped = SubscriptionStopped(
            ref=replace(STARTED.ref, subscription=OTHER), by="merchant", occurred_at=LATER
        )
        assert lived(*FACTS, *theirs, stopped) == whole
        assert lived(*theirs, *FACTS, stopped) == whole
        assert lived(*theirs, *FACTS, stopped, name=OTHER).stopped == stopped

    def test_of_nothing_tell_no_life(self) -> None:
        assert life_of([], NAME) is None
        assert life_of(FACTS, OTHER) is None

    def test_are_charges_that_belong_to_no_cycle(self) -> None:
        loose = replace(AUTHORIZED, ref=replace(AUTHORIZED.ref, cycle=None, mo="cd" * 16))
        assert lived(*UNTIL_AUTHORIZED, loose).cycles.keys() == {DAY}


class TestRefused:
    """A charge that was not allowed is an attempt too, if the subscription had begun."""

    REFUSED = ChargeRefused(
        charge=AUTHORIZED.ref.charge,
        leg="mt",
        subscription=NAME,
        cycle=DAY,
        consumer=AUTHORIZED.ref.consumer,
        category="content",
        short_code=AUTHORIZED.ref.short_code,
        operator=AUTHORIZED.ref.operator,
        tariff=AUTHORIZED.ref.tariff,
        tariff_version=AUTHORIZED.ref.tariff_version,
        rules=AUTHORIZED.ref.rules,
        rule="spending_cap",
        amount=2_000_000,
        currency="EUR",
        value_day=AUTHORIZED.value_day,
        occurred_at=LATER,
    )
    BEGUN = FACTS[: FACTS.index(STARTED) + 1]
    OFFERED = FACTS[: FACTS.index(STARTED)]

    def test_counts_each_time(self) -> None:
        assert lived(*self.BEGUN, self.REFUSED).cycles == {DAY: Attempted("refused", LATER, (), 1)}
        twice = lived(*self.BEGUN, self.REFUSED, self.REFUSED).cycles[DAY]
        assert (twice, twice.attempts) == (Attempted("refused", LATER, (), 2), 2)

    def test_counts_beside_what_was_allowed(self) -> None:
        after = lived(*UNTIL_AUTHORIZED, released(AUTHORIZED), self.REFUSED).cycles[DAY]
        assert (after, after.attempts) == (Attempted("refused", LATER, (AUTHORIZED,), 1), 2)
        before = lived(*self.BEGUN, self.REFUSED, AUTHORIZED).cycles[DAY]
        at = AUTHORIZED.occurred_at
        assert (before, before.attempts) == (Attempted("authorized", at, (AUTHORIZED,), 1), 2)

    def test_before_the_start_began_no_cycle(self) -> None:
        assert lived(*self.OFFERED, self.REFUSED).cycles == {}

    def test_of_another_is_not_its_own(self) -> None:
        other = replace(self.REFUSED, subscription=OTHER)
        assert lived(*self.BEGUN, other, replace(self.REFUSED, cycle=None)).cycles == {}

    def test_is_counted_by_its_charge(self) -> None:
        other = replace(self.REFUSED, charge=OTHER)
        facts = [*self.BEGUN, self.REFUSED, other, self.REFUSED, AUTHORIZED]
        assert refused_before(facts, AUTHORIZED.ref.charge) == 2
        assert refused_before(FACTS, AUTHORIZED.ref.charge) == 0


class TestItsEnd:
    """What is known of it beside its cycles."""

    def test_is_kept(self) -> None:
        stopped = SubscriptionStopped(ref=STARTED.ref, by="merchant", occurred_at=LATER)
        life = lived(*FACTS, stopped)
        assert (life.ref, life.started, life.stopped) == (STARTED.ref, STARTED, stopped)
        assert lived(*FACTS).stopped is None

    def test_lets_requests_be_refused(self) -> None:
        refused = RenewalRefused(ref=STARTED.ref, request="r-1", rule="not_due", occurred_at=LATER)
        other = replace(refused, ref=replace(STARTED.ref, subscription=OTHER), request="r-2")
        assert lived(*FACTS, refused, other, refused).refusals == {"r-1"}
