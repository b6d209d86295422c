"""A pushed message on its way to its gateway: offered, taken, refused, in doubt, cancelled."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.commands.pushing import offer_mt
from ledger.decisions import handover
from ledger.decisions.opt_out import EVERYTHING, Scope
from ledger.decisions.recall import recall
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeReleased
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.findings import FindingOpened
from ledger.facts.handover import (
    MtCancelled,
    MtHandedOver,
    MtHandoverRefused,
    MtHandoverUnknown,
)
from ledger.facts.solicitations import SolicitationAllowed, SolicitationExpired, SolicitationRef
from ledger.facts.subscriptions import SubscriptionRef, SubscriptionStopped
from ledger.facts.traffic import DeliveryReceived, MtEmitted, MtKind, MtSubmitted
from ledger.spans import Period
from ledger.words import derived_id
from tests.support.book import ORIGIN, Book, in_memory, overtaken, together
from tests.support.builders import NOON, ON_DELIVERED, ORANGE, dlr, mo
from tests.support.given import given, some
from tests.support.pushing import (
    MINUTE,
    REFUSED,
    TAKEN,
    TEXT,
    UNKNOWN,
    doubted,
    emitted,
    offer,
    reply,
    text_key,
    tried,
)

MICROSECOND = timedelta(microseconds=1)
SUBSCRIPTION, SOLICITATION = derived_id("subscription"), derived_id("solicitation")


@pytest.fixture
def book() -> Book:
    return in_memory()


def consumer(book: Book) -> str:
    return book.facts(MtEmitted)[0].ref.consumer


def stop(book: Book, **fields: Any) -> OptedOut:  # noqa: ANN401 - fields of every type
    """Let the consumer stop everything on the code, or what the fields say."""
    defaults = {"short_code": ON_DELIVERED, "operator": ORANGE, "word": "STOP"}
    fact = OptedOut(
        mo=derived_id("stop", str(len(book.rows))),
        consumer=consumer(book),
        occurred_at=book.clock.now,
        **defaults | fields,
    )
    book.add(fact)
    return fact


def allowed(book: Book, **fields: Any) -> SolicitationRef:  # noqa: ANN401 - as above
    """Allow an invitation until an hour from now."""
    ref = SolicitationRef(
        solicitation=SOLICITATION,
        consumer=consumer(book),
        gateway="kannel",
        smsc="orange",
        merchant="ludotel",
        service="quiz",
        short_code=ON_DELIVERED,
        operator=ORANGE,
    )
    fact = SolicitationAllowed(
        ref=ref,
        count=1,
        limit=2,
        charter="a charter",
        expires_at=NOON + 60 * MINUTE,
        occurred_at=NOON,
    )
    book.add(fact, **fields)
    return ref


def invitation(book: Book) -> str:
    book.receive(mo("JEU"))
    allowed(book)
    return emitted(book, "solicitation", solicitation=SOLICITATION)


class TestOffer:
    """Claiming an attempt."""

    def test_gives_what_the_gateway_is_handed(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        push = offer(book, mt)
        assert push is not None
        assert push._asdict() == {
            "mt": mt,
            "attempt": 1,
            "gateway": "kannel",
            "smsc": "orange",
            "address": "alias-1",
            "short_code": ON_DELIVERED,
            "text": TEXT,
            "billing_code": "P3000000",
        }

    def test_claims_it_before_the_gateway_hears_of_it(self, book: Book) -> None:
        mt = emitted(book)
        given(book=book).when(lambda book: offer(book, mt)).then(
            some(MtHandoverUnknown, ref__mt=mt, attempt=1, occurred_at=NOON)
        )

    def test_stands_in_the_chain_of_its_message(self, book: Book) -> None:
        mt = emitted(book)
        offer(book, mt)
        message, claim = book.recorded[-2:]
        assert claim.exchange == message.exchange == derived_id("cycle-1")
        assert claim.caused_by == message.id

    def test_twice_is_one_attempt(self, book: Book) -> None:
        mt = emitted(book)
        assert offer(book, mt)
        given(book=book).when(lambda book: offer(book, mt)).then()

    def test_raced_by_another_worker_is_won_by_one(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        done = together(book, *[lambda: offer_mt(book.desk, mt, ORIGIN, NOON)] * 2)
        assert sorted(one is not None for one in done) == [False, True]
        assert len(book.facts(MtHandoverUnknown)) == 1

    def test_of_an_answer_is_nothing(self, book: Book) -> None:
        answered = book.receive(mo("JEU")).mt
        given(book=book).when(lambda book: offer(book, answered)).then()

    def test_of_an_unknown_message_is_nothing(self, book: Book) -> None:
        assert offer(book, "f" * 32) is None
        assert handover.offer(book.recorded, "f" * 32, book.desk.known(NOON), NOON) == []

    @pytest.mark.parametrize("charged", [True, False])
    def test_of_what_was_taken_is_nothing(self, book: Book, *, charged: bool) -> None:
        mt = emitted(book, charged=charged)
        tried(book, mt, TAKEN)
        given(book=book).when(lambda book: offer(book, mt, NOON + 600 * MINUTE)).then()

    def test_waits_while_the_clock_is_before_the_message(self, book: Book) -> None:
        mt = emitted(book)
        assert offer(book, mt, NOON - MINUTE) is None
        assert offer(book, mt, NOON) is not None


class TestUnknown:
    """An attempt that the gateway never answered."""

    def test_of_a_charged_message_is_never_repeated(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        tried(book, mt, UNKNOWN)
        for days in (0, 1, 2):
            assert offer(book, mt, NOON + timedelta(days=days)) is None
        assert len(book.facts(MtHandoverUnknown)) == 1

    @pytest.mark.parametrize("kind", ["solicitation", "tariff_notice"])
    def test_of_a_free_message_is_never_repeated_either(self, book: Book, kind: MtKind) -> None:
        # An invitation counts as one, so no consumer may get it twice.
        mt = emitted(book, kind)
        tried(book, mt, UNKNOWN)
        for minutes in (1, 5, 240):
            assert offer(book, mt, NOON + minutes * MINUTE) is None
        assert len(book.facts(MtHandoverUnknown)) == 1

    def test_adds_nothing_to_the_claim(self, book: Book) -> None:
        mt = emitted(book)
        push = offer(book, mt)
        assert push is not None
        given(book=book).when(lambda book: reply(book, push, UNKNOWN)).then()

    def test_is_proved_by_a_receipt(self, book: Book) -> None:
        mt = emitted(book)
        tried(book, mt, UNKNOWN)
        given(book=book).when(dlr(mt, "submitted")).then(MtSubmitted)
        given(book=book).when(lambda book: offer(book, mt, NOON + 5 * MINUTE)).then()

    def test_is_not_repeated_when_the_clock_goes_back(self, book: Book) -> None:
        mt = emitted(book)
        tried(book, mt, UNKNOWN)
        assert offer(book, mt, NOON - timedelta(days=1)) is None
        assert offer(book, mt, NOON) is None


class TestTaken:
    """The gateway took a message."""

    def test_is_recorded(self, book: Book) -> None:
        mt = emitted(book)
        push = offer(book, mt)
        assert push is not None
        given(book=book).when(lambda book: reply(book, push, TAKEN)).then(
            some(MtHandedOver, ref__mt=mt, attempt=1, raw_status="202 0: Accepted for delivery")
        )

    def test_twice_is_recorded_once(self, book: Book) -> None:
        push = tried(book, emitted(book), TAKEN)
        given(book=book).when(lambda book: reply(book, push, TAKEN)).then()

    def test_cannot_follow_a_refusal_of_the_same_attempt(self, book: Book) -> None:
        push = tried(book, emitted(book), REFUSED)
        given(book=book).when(lambda book: reply(book, push, TAKEN)).then()

    def test_without_a_claim_is_nothing(self, book: Book) -> None:
        push = offer(book, emitted(book))
        assert push is not None
        ahead = push._replace(attempt=2)
        given(book=book).when(lambda book: reply(book, ahead, TAKEN)).then()

    def test_after_its_receipt_is_recorded_all_the_same(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        push = offer(book, mt)
        assert push is not None
        happened = given(book=book).when(dlr(mt))
        happened.then(DeliveryReceived, some(ChargeCaptured, was="authorized"))
        assert [type(one) for one in reply(book, push, TAKEN)] == [MtHandedOver]

    def test_after_a_stop_came_in_between_is_told_as_it_was(self, book: Book) -> None:
        mt = emitted(book)
        push = offer(book, mt)
        assert push is not None
        stop(book)
        assert offer(book, mt, NOON + 5 * MINUTE) is None
        assert [type(one) for one in reply(book, push, TAKEN)] == [MtHandedOver]
        assert book.facts(MtCancelled) == []


class TestNotTaken:
    """The gateway certainly did not take a message."""

    @pytest.mark.parametrize("charged", [True, False])
    def test_is_offered_again_after_a_pause(self, book: Book, *, charged: bool) -> None:
        mt = emitted(book, charged=charged)
        push = offer(book, mt)
        assert push is not None
        given(book=book).when(lambda book: reply(book, push, REFUSED)).then(
            some(MtHandoverRefused, attempt=1, raw_status="403")
        )
        assert offer(book, mt, NOON + MINUTE - MICROSECOND) is None
        again = offer(book, mt, NOON + MINUTE)
        assert again is not None
        assert again.attempt == 2

    def test_waits_longer_each_time(self, book: Book) -> None:
        mt, at = emitted(book), NOON
        for minutes in (1, 4, 16, 64):
            tried(book, mt, REFUSED, at)
            assert offer(book, mt, at + minutes * MINUTE - MICROSECOND) is None
            at += minutes * MINUTE
        assert offer(book, mt, at) is not None

    def test_the_fifth_time_gives_up_and_releases_the_charge(self, book: Book) -> None:
        mt, at = emitted(book, charged=True), NOON
        for minutes in (1, 4, 16, 64):
            tried(book, mt, REFUSED, at)
            at += minutes * MINUTE
        push = offer(book, mt, at)
        assert push is not None
        given(book=book).when(lambda book: reply(book, push, REFUSED, at)).then(
            some(MtHandoverRefused, attempt=5),
            some(MtCancelled, ref__mt=mt, reason="never_taken"),
            some(ChargeReleased, reason="cancelled", mt=mt, was="authorized"),
        )
        assert offer(book, mt, at + 600 * MINUTE) is None

    def test_twice_is_recorded_once(self, book: Book) -> None:
        push = tried(book, emitted(book), REFUSED)
        given(book=book).when(lambda book: reply(book, push, REFUSED)).then()

    def test_against_a_receipt_is_nothing(self, book: Book) -> None:
        mt = emitted(book)
        push = offer(book, mt)
        assert push is not None
        book.report(dlr(mt))
        given(book=book).when(lambda book: reply(book, push, REFUSED)).then()

    def test_is_not_offered_again_where_the_next_attempt_is_unknown(self, book: Book) -> None:
        mt = emitted(book)
        tried(book, mt, REFUSED)
        tried(book, mt, UNKNOWN, NOON + MINUTE)
        assert offer(book, mt, NOON + 600 * MINUTE) is None
        # It may have come, so nobody says that it was never taken.
        assert book.facts(MtCancelled) == []


class TestForbidden:
    """What must not go out any more is cancelled when its turn comes."""

    @pytest.mark.parametrize(
        "scope",
        [{}, {"service": "quiz"}, {"everywhere": True, "short_code": "99999"}],
        ids=["the code", "the service", "everything"],
    )
    @pytest.mark.parametrize("kind", ["renewal", "solicitation", "tariff_notice"])
    def test_after_a_stop_that_covers_it(self, book: Book, kind: str, scope: dict) -> None:
        mt = emitted(book, kind)
        stop(book, **scope)
        given(book=book).when(lambda book: offer(book, mt)).then(
            some(MtCancelled, ref__mt=mt, reason="opted_out")
        )

    @pytest.mark.parametrize(
        "scope", [{"service": "vote"}, {"short_code": "82014"}], ids=["service", "code"]
    )
    def test_not_after_a_stop_of_something_else(self, book: Book, scope: dict) -> None:
        mt = emitted(book, "tariff_notice")
        stop(book, **scope)
        assert offer(book, mt) is not None

    def test_also_when_the_stop_was_lifted_for_replies(self, book: Book) -> None:
        mt = emitted(book)
        stopped = stop(book)
        book.add(
            OptOutLifted(
                mo=derived_id("again"),
                consumer=stopped.consumer,
                short_code=ON_DELIVERED,
                operator=ORANGE,
                occurred_at=NOON,
            )
        )
        offer(book, mt)
        assert [one.reason for one in book.facts(MtCancelled)] == ["opted_out"]

    def test_not_after_a_stop_that_came_before_it_was_decided(self, book: Book) -> None:
        book.receive(mo("JEU"))
        stop(book)
        assert offer(book, emitted(book)) is not None

    def test_releases_the_charge_that_it_carries(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        stop(book)
        charge = book.facts(ChargeAuthorized)[-1]
        given(book=book).when(lambda book: offer(book, mt)).then(
            MtCancelled,
            some(ChargeReleased, ref=charge.ref, amounts=charge.amounts, reason="cancelled"),
        )
        cancelled, released = book.recorded[-2:]
        assert released.caused_by == cancelled.id
        assert released.exchange == cancelled.exchange == derived_id("cycle-1")

    def test_happens_once(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        stop(book)
        offer(book, mt)
        given(book=book).when(lambda book: offer(book, mt)).then()

    def test_raced_by_another_worker_happens_once(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        stop(book)
        together(book, *[lambda: offer_mt(book.desk, mt, ORIGIN, NOON)] * 2)
        assert len(book.facts(MtCancelled)) == len(book.facts(ChargeReleased)) == 1

    def test_is_seen_when_the_stop_comes_at_the_last_moment(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        push = overtaken(book, lambda: offer(book, mt), by=lambda: stop(book))
        assert push is None
        assert book.facts(MtHandoverUnknown) == []
        assert len(book.facts(MtCancelled)) == 1

    def test_of_a_charged_one_in_doubt_is_not_undone(self, book: Book) -> None:
        # It may have been billed already, so its charge stays until somebody knows.
        mt = emitted(book, charged=True)
        tried(book, mt, UNKNOWN)
        stop(book)
        given(book=book).when(lambda book: offer(book, mt, NOON + 600 * MINUTE)).then()

    def test_after_the_end_of_its_subscription(self, book: Book) -> None:
        mt = emitted(book, charged=True, subscription=SUBSCRIPTION)
        book.add(_stopped(book))
        offer(book, mt)
        assert [one.reason for one in book.facts(MtCancelled)] == ["subscription_stopped"]

    def test_after_its_allowance_ran_out(self, book: Book) -> None:
        mt = invitation(book)
        assert offer(book, mt, NOON + 60 * MINUTE) is None
        assert [one.reason for one in book.facts(MtCancelled)] == ["expired"]

    def test_not_while_its_allowance_lasts(self, book: Book) -> None:
        assert offer(book, invitation(book), NOON + 60 * MINUTE - MICROSECOND) is not None

    def test_after_its_allowance_was_noticed_to_be_over(self, book: Book) -> None:
        mt = invitation(book)
        ref = book.facts(SolicitationAllowed)[0].ref
        book.add(SolicitationExpired(ref=ref, allowed_at=NOON, occurred_at=NOON + 60 * MINUTE))
        offer(book, mt)  # the clock has gone back an hour
        assert [one.reason for one in book.facts(MtCancelled)] == ["expired"]

    def test_outside_the_hours_of_invitations(self, book: Book) -> None:
        # 12:00 in Paris is NOON; ten hours later nobody may be invited any more.
        mt = emitted(book, "solicitation")
        assert offer(book, mt, NOON + 600 * MINUTE) is None
        assert [one.reason for one in book.facts(MtCancelled)] == ["expired"]

    def test_once_its_charge_was_given_up(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        charge = book.facts(ChargeAuthorized)[-1].ref.charge
        late = NOON + timedelta(hours=72)
        book.age(charge, late)
        given(book=book).when(lambda book: offer(book, mt, late)).then(
            some(MtCancelled, reason="expired"),
            some(ChargeReleased, was="unresolved", reason="cancelled"),
        )

    @pytest.mark.parametrize("lost", ["address", "key"])
    def test_once_its_consumer_was_forgotten(self, book: Book, lost: str) -> None:
        mt = emitted(book, charged=True)
        if lost == "address":
            book.desk.keys.addresses.clear()
        else:
            del book.desk.keys.keys[text_key(book, mt)]
        given(book=book).when(lambda book: offer(book, mt)).then(
            some(MtCancelled, reason="forgotten"), ChargeReleased
        )
        given(book=book).when(lambda book: offer(book, mt)).then()

    def test_once_the_key_in_its_place_is_another(self, book: Book) -> None:
        mt = emitted(book)
        book.desk.keys.keys[text_key(book, mt)] = b"\1" * 32
        offer(book, mt)
        assert [one.reason for one in book.facts(MtCancelled)] == ["forgotten"]


class TestRecall:
    """A STOP calls back what it reaches and no gateway has taken."""

    def recalled(self, book: Book, scope: Scope = EVERYTHING) -> list[tuple[str, str]]:
        rules = book.desk.known(NOON).rules
        drafts = recall(book.facts(), scope, rules, NOON + MINUTE)
        return [(type(one.fact).__name__, one.fact.subject) for one in drafts]

    def test_cancels_what_waits_and_what_was_refused(self, book: Book) -> None:
        waiting = emitted(book, charged=True)
        refused = emitted(book, name="cycle-2")
        tried(book, refused, REFUSED)
        charge = book.facts(ChargeAuthorized)[-1].ref.charge
        assert self.recalled(book) == [
            ("MtCancelled", waiting),
            ("ChargeReleased", charge),
            ("MtCancelled", refused),
        ]

    @pytest.mark.parametrize("charged", [True, False])
    def test_leaves_what_was_taken_and_what_is_in_doubt(self, book: Book, *, charged: bool) -> None:
        tried(book, emitted(book, charged=charged), TAKEN)
        tried(book, emitted(book, name="cycle-2", charged=charged), UNKNOWN)
        assert self.recalled(book) == []

    def test_reaches_no_other_code_or_service(self, book: Book) -> None:
        emitted(book)
        assert self.recalled(book, Scope("82014", None)) == []
        assert self.recalled(book, Scope(ON_DELIVERED, "vote")) == []

    def test_after_itself_finds_nothing_left(self, book: Book) -> None:
        emitted(book, charged=True)
        drafts = recall(book.facts(), EVERYTHING, book.desk.known(NOON).rules, NOON)
        book.run(book.desk.settle((), lambda _: drafts, ORIGIN))
        assert self.recalled(book) == []

    def test_releases_a_charge_that_was_tried_again_under_another_id(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        first = book.facts(ChargeAuthorized)[-1]
        drafts = recall(book.facts(), EVERYTHING, book.desk.known(NOON).rules, NOON)
        book.run(book.desk.settle((), lambda _: drafts, ORIGIN))
        book.add(first, n=1)
        again = emitted(book, name="cycle-1 again", charge=first.ref.charge)
        assert mt != again
        more = recall(book.facts(), EVERYTHING, book.desk.known(NOON).rules, NOON)
        assert [(type(one.fact), one.n) for one in more][1] == (ChargeReleased, 1)


class TestDoubt:
    """A charged message that may or may not have reached its gateway."""

    def test_becomes_a_finding_after_ten_minutes(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        tried(book, mt, UNKNOWN)
        assert doubted(book, mt, NOON + 10 * MINUTE - MICROSECOND) == []
        given(book=book).when(lambda book: doubted(book, mt, NOON + 99 * MINUTE)).then(
            some(
                FindingOpened,
                kind="handover_unknown",
                mt=mt,
                amount=3_000_000,
                currency="EUR",
                occurred_at=NOON + 10 * MINUTE,
            )
        )

    def test_happens_once(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        tried(book, mt, UNKNOWN)
        doubted(book, mt, NOON + 10 * MINUTE)
        assert doubted(book, mt, NOON + 20 * MINUTE) == []

    @pytest.mark.parametrize("said", [TAKEN, REFUSED])
    def test_is_none_where_the_gateway_answered(self, book: Book, said: Any) -> None:  # noqa: ANN401 - as above
        mt = emitted(book, charged=True)
        tried(book, mt, said)
        assert doubted(book, mt, NOON + 10 * MINUTE) == []

    def test_is_none_once_a_receipt_came(self, book: Book) -> None:
        mt = emitted(book, charged=True)
        tried(book, mt, UNKNOWN)
        book.report(dlr(mt, "submitted"))
        assert doubted(book, mt, NOON + 10 * MINUTE) == []

    def test_is_none_of_a_free_message(self, book: Book) -> None:
        mt = emitted(book)
        tried(book, mt, UNKNOWN)
        assert doubted(book, mt, NOON + 10 * MINUTE) == []

    def test_is_none_of_a_message_that_nobody_knows(self, book: Book) -> None:
        assert doubted(book, "f" * 32, NOON) == []


def _stopped(book: Book) -> SubscriptionStopped:
    ref = SubscriptionRef(
        subscription=SUBSCRIPTION,
        consumer=consumer(book),
        gateway="kannel",
        smsc="orange",
        merchant="ludotel",
        service="quiz",
        category="content",
        keyword="JEU",
        short_code=ON_DELIVERED,
        operator=ORANGE,
        tariff="t-81014",
        tariff_version=derived_id("tariff"),
        billing_code="P3000000",
        price=3_000_000,
        currency="EUR",
        every=Period(1, "month"),
    )
    return SubscriptionStopped(ref=ref, by="merchant", occurred_at=NOON)
