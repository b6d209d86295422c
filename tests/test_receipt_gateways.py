"""Receipts and the gateway they come from: only the one that took the MO is heard."""

from datetime import timedelta

from ledger.facts.charges import ChargeCaptured
from ledger.facts.traffic import DeliveryOrphaned, DeliveryReceived, MtEmitted
from tests.support.book import in_memory
from tests.support.builders import NOON, dlr, mo
from tests.support.given import given, some


class TestAnotherGateway:
    """A receipt for a message of ours, from a gateway that did not bring its MO."""

    def test_is_kept_and_moves_nothing(self) -> None:
        book = in_memory()
        answer = book.receive(mo("JEU"))
        given(book=book).when(dlr(answer.mt, gateway="recycler")).then(
            some(DeliveryOrphaned, gateway="recycler")
        )
        assert not book.facts(ChargeCaptured)

    def test_before_its_message_is_not_joined(self) -> None:
        book = in_memory()
        message = mo("JEU", gateway_message_id="m-7")
        mt = book.receive(message).mt
        early = in_memory()
        given(dlr(mt, gateway="recycler"), book=early).when(message)
        assert [fact.ref.mt for fact in early.facts(MtEmitted)] == [mt]
        assert not early.facts(DeliveryReceived, ChargeCaptured)


class TestEarly:
    """A receipt of its own gateway that came before its message."""

    def test_counts_from_the_charge_on_and_names_its_orphan(self) -> None:
        message = mo("JEU")
        mt = in_memory().receive(message).mt
        book = in_memory()
        book.clock.now = NOON - timedelta(days=40)
        book.report(dlr(mt))
        book.clock.now = NOON
        book.receive(message)
        captured = book.facts(ChargeCaptured)[0]
        assert (captured.occurred_at, captured.value_day) == (NOON, captured.authorized_day)
        joined = next(one for one in book.recorded if isinstance(one.fact, DeliveryReceived))
        orphan = next(one for one in book.recorded if isinstance(one.fact, DeliveryOrphaned))
        assert joined.caused_by == orphan.id
