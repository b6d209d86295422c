"""What reaches us in another order than it happened, or where nobody expects it."""

from datetime import timedelta

from ledger.facts.charges import ChargeAuthorized, ChargeRefused, ChargeReleased
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.findings import FindingOpened
from ledger.facts.handover import MtCancelled
from ledger.facts.notices import NoticeDue
from ledger.facts.subscriptions import SubscriptionRefused, SubscriptionStopped
from ledger.facts.traffic import (
    DeliveryOrphaned,
    DeliveryReceived,
    DuplicateSuspected,
    KeywordMatched,
    KeywordUnmatched,
    MoReceived,
    MtEmitted,
)
from ledger.rules.inforce import Cap
from ledger.spans import Window
from tests.support.belgium import BELGIAN, BOTH, MO_ONLY, be_mo, belgian
from tests.support.book import ChangedRules, in_memory
from tests.support.builders import NOON, dlr, mo, service, tariff
from tests.support.given import given, some
from tests.support.subscribers import on, renew, sms, subscriber

CONTENT_FREE = some(MtEmitted, kind="content", billing_code="FREE", ref__charge=None)
MO_LEG = some(ChargeAuthorized, ref__leg="mo")
CONFIRMED = some(MtEmitted, kind="opt_out_confirmation")


class TestReceiptBeforeItsMessage:
    """A receipt that ends a charge before the message is known to us."""

    def test_releases_the_charge_once_the_message_appears(self) -> None:
        message = mo("JEU", gateway_message_id="m-7")
        mt = in_memory().receive(message).mt
        assert mt is not None
        book = in_memory()
        given(dlr(mt, "rejected"), book=book).when(message).then(
            MoReceived,
            KeywordMatched,
            ChargeAuthorized,
            MtEmitted,
            DeliveryReceived,
            ChargeReleased,
        )
        assert len(book.facts(DeliveryOrphaned)) == 1
        given(book=book).when(message).then()


class TestStopOfARenewal:
    """STOP alone, while a renewal waits for its gateway."""

    def test_cancels_the_message_and_releases_its_charge(self) -> None:
        book = given(on("2026-07-17T12:00"), renew(), book=subscriber()).book
        given(book=book).when(sms("STOP")).then(
            MoReceived,
            OptedOut,
            some(MtCancelled, reason="opted_out"),
            some(ChargeReleased, reason="cancelled"),
            SubscriptionStopped,
            CONFIRMED,
        )


class TestRepeatedForNothing:
    """The same words again, where the first ones brought nothing that was paid."""

    WINDOW = service("jeu", "ludobel", duplicate_window_seconds=60)

    def test_are_refused_again_where_a_cap_refused_the_answer(self) -> None:
        cap = Cap(
            name="a day",
            amount=2_500_000,
            window=Window(kind="rolling", n=1, unit="day"),
            counted_per="consumer",
        )
        book = belgian(self.WINDOW, rules=ChangedRules(BELGIAN, caps=(cap,)))
        happened = given(be_mo(), book=book).when(be_mo())
        assert happened.fact(ChargeRefused).rule == "spending_cap"
        assert not book.facts(DuplicateSuspected)

    def test_are_a_repeat_only_of_what_was_bought_and_not_of_each_other(self) -> None:
        book = belgian(self.WINDOW)
        for seconds in (0, 50, 100):
            book.clock.now = NOON + timedelta(seconds=seconds)
            book.receive(be_mo(gateway_message_id=f"m-{seconds}"))
        # The third comes 50 seconds after a repeat, but 100 after what was bought.
        assert len(book.facts(DuplicateSuspected)) == 1
        legs = [fact.ref.leg for fact in book.facts(ChargeAuthorized)]
        assert legs == ["mo", "mt", "mo", "mo", "mt"]

    def test_are_a_purchase_where_the_first_message_failed(self) -> None:
        book = in_memory(service("quiz", duplicate_window_seconds=60))
        mt = book.receive(mo("JEU", gateway_message_id="m-7")).mt
        assert mt is not None
        given(dlr(mt, "failed"), book=book).when(mo("JEU")).then(
            MoReceived, KeywordMatched, ChargeAuthorized, some(MtEmitted, kind="content")
        )


class TestOkAfterStop:
    """A word that confirms, from a consumer who stopped."""

    def test_lifts_nothing_and_is_answered_by_silence(self) -> None:
        book = given(sms("STOP"), book=subscriber()).book
        given(book=book).when(sms("OK")).then(
            MoReceived, KeywordUnmatched, some(SubscriptionRefused, rule="nothing_to_confirm")
        )
        assert not book.facts(OptOutLifted)


class TestNoticeOfMessages:
    """Notices where operators charge the consumer's own message: each 10.00, in Belgium."""

    def test_fall_due_by_messages_alone(self) -> None:
        # Twenty at 0.50 are 10.00.
        book = belgian()
        for number in range(20):
            assert not book.facts(NoticeDue)
            book.receive(be_mo(short_code=MO_ONLY, gateway_message_id=f"m-{number}"))
        (due,) = book.facts(NoticeDue)
        assert (due.threshold, due.spent) == (10_000_000, 10_000_000)


class TestUnknownPrice:
    """A message on a code whose price nobody told us, where operators charge messages."""

    def test_is_found(self) -> None:
        given(book=belgian()).when(be_mo(short_code="3999")).then(
            MoReceived,
            KeywordUnmatched,
            some(FindingOpened, kind="leg_not_booked", leg="mo", amount=None),
        )


class TestLateStop:
    """A STOP that was sent before the message that lifted an earlier one, and came after it."""

    def test_is_kept_and_stops_nothing(self) -> None:
        book = in_memory()
        for minutes, text in ((0, "STOP"), (5, "JEU")):
            book.clock.now = NOON + timedelta(minutes=minutes)
            book.receive(mo(text, gateway_message_id=f"m-{minutes}"))
        late = mo("STOP", gateway_message_id="m-9", stated_at=NOON + timedelta(minutes=1))
        given(book=book).when(late).then(MoReceived, OptedOut)
        given(book=book).when(mo("VOTE")).then(
            MoReceived, KeywordMatched, ChargeAuthorized, some(MtEmitted, kind="content")
        )


class TestPriceTold:
    """The price that an answer tells."""

    def test_is_that_of_message_and_answer(self) -> None:
        # 1.00 for the message and 2.00 for its answer.
        book = belgian(tariff(BOTH, 2_000_000, mo_price=1_000_000))
        book.receive(be_mo("JEU 7"))
        (sent,) = book.facts(MtEmitted)
        assert "3.00 EUR" in book.text_of(sent)
