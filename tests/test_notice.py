"""A notice of what a service has cost: due with a charge, sent once, free, or dropped by name."""

from datetime import timedelta
from typing import Any

import pytest

from ledger.commands.notices import send_notice
from ledger.decisions.pushed import pushed_mt_id
from ledger.facts.catalogue import ShortCodeClosed
from ledger.facts.consent import OptedOut
from ledger.facts.notices import NoticeDropped, NoticeDue, NoticeSent
from ledger.facts.traffic import MtEmitted
from tests.support.book import ORIGIN, Book, in_memory, overtaken, together
from tests.support.builders import BOOK, NOON, ON_DELIVERED, ORANGE, code, mo
from tests.support.given import given, some
from tests.support.pushing import offer

LATER = NOON + timedelta(minutes=5)
TOLD = "{service}: {spent} en tout, {price} par SMS. {publisher} {desk} {code}"


def spent(**of_the_code: Any) -> tuple[Book, NoticeDue]:  # noqa: ANN401 - fields of every type
    """Let a consumer spend 3.00 twice, which takes them over the 5.00 of the pack."""
    book = in_memory(*([code(ON_DELIVERED, **of_the_code)] if of_the_code else []))
    book.clock.now = NOON
    book.receive(mo("JEU 1", gateway_message_id="m-a"))
    assert book.facts(NoticeDue) == []
    book.receive(mo("JEU 2", gateway_message_id="m-b"))
    (due,) = book.facts(NoticeDue)
    return book, due


def send(book: Book, due: NoticeDue, at: Any = LATER) -> Any:  # noqa: ANN401 - as above
    """Send a notice if it is still due."""
    return book.run(send_notice(book.desk, due.ref.notice, ORIGIN, at))


def stop(book: Book) -> None:
    book.receive(mo("STOP", gateway_message_id="m-stop"))


class TestSend:
    """Sending a notice that fell due."""

    def test_emits_one_free_message_to_be_pushed(self) -> None:
        book, due = spent()
        given(book=book).when(lambda book: send(book, due)).then(
            some(NoticeSent, ref=due.ref, occurred_at=LATER),
            some(
                MtEmitted,
                kind="tariff_notice",
                pushed=True,
                smsc="orange",
                billing_code="FREE",
                ref__charge=None,
                ref__mo=None,
                ref__notice=due.ref.notice,
                parts=1,
            ),
        )

    def test_goes_to_whom_it_fell_due_for_under_an_id_that_follows_from_it(self) -> None:
        book, due = spent()
        send(book, due)
        (sent,), to = book.facts(NoticeSent), book.facts(MtEmitted)[-1].ref
        assert to.mt == sent.mt == pushed_mt_id(BOOK, due.ref.notice, "tariff_notice")
        for name in ("gateway", "consumer", "short_code", "operator", "merchant", "service"):
            assert getattr(to, name) == getattr(due.ref, name) is not None

    def test_stands_in_the_chain_of_what_made_it_due(self) -> None:
        book, due = spent()
        send(book, due)
        fell_due = next(one for one in book.recorded if isinstance(one.fact, NoticeDue))
        sent, emitted = book.recorded[-2:]
        assert sent.caused_by == fell_due.id
        assert emitted.caused_by == sent.id
        assert sent.exchange == emitted.exchange == fell_due.exchange

    def test_tells_the_sum_and_the_price_in_the_words_of_the_code(self) -> None:
        book, due = spent(notice_text=TOLD)
        send(book, due)
        text = book.text_of(book.facts(MtEmitted)[-1])
        assert text == "Quiz: 6.00 EUR en tout, 3.00 EUR par SMS. Ludotel 0800 ludotel 81014"

    def test_names_the_publisher_where_the_code_has_no_words_for_it(self) -> None:
        book, due = spent()
        send(book, due)
        assert book.text_of(book.facts(MtEmitted)[-1]) == "Edite par Ludotel, 0800 ludotel"

    def test_can_be_handed_to_the_gateway(self) -> None:
        book, due = spent(notice_text=TOLD)
        send(book, due)
        push = offer(book, book.facts(NoticeSent)[0].mt, LATER)
        assert push is not None
        assert (push.address, push.billing_code) == ("alias-1", "FREE")

    def test_is_told_no_earlier_than_it_fell_due(self) -> None:
        book, due = spent()
        send(book, due, NOON - timedelta(days=1))
        assert book.facts(NoticeSent)[0].occurred_at == NOON

    def test_twice_sends_once(self) -> None:
        book, due = spent()
        send(book, due)
        given(book=book).when(lambda book: send(book, due, LATER + timedelta(days=1))).then()

    def test_of_an_unknown_one_is_nothing(self) -> None:
        book = in_memory()
        assert book.run(send_notice(book.desk, "f" * 32, ORIGIN, NOON)) is None

    def test_raced_by_another_worker_sends_once(self) -> None:
        book, due = spent()
        together(book, *[lambda: send_notice(book.desk, due.ref.notice, ORIGIN, LATER)] * 2)
        assert len(book.facts(NoticeSent)) == 1
        assert len([one for one in book.facts(MtEmitted) if one.pushed]) == 1


class TestDropped:
    """A notice that will not be sent."""

    def test_after_the_consumer_said_stop(self) -> None:
        book, due = spent()
        stop(book)
        given(book=book).when(lambda book: send(book, due)).then(
            some(NoticeDropped, ref=due.ref, reason="opted_out")
        )

    def test_not_once_the_consumer_wrote_again(self) -> None:
        book, due = spent()
        stop(book)
        book.receive(mo("JEU 3", gateway_message_id="m-c"))
        send(book, due)
        assert len(book.facts(NoticeSent)) == 1

    def test_on_a_code_that_is_closed(self) -> None:
        book, due = spent()
        closing = ShortCodeClosed(short_code=ON_DELIVERED, operator=ORANGE, effective_from=LATER)
        book.add(closing)
        given(book=book).when(lambda book: send(book, due)).then(
            some(NoticeDropped, reason="code_closed")
        )

    def test_is_dropped_once(self) -> None:
        book, due = spent()
        stop(book)
        send(book, due)
        given(book=book).when(lambda book: send(book, due)).then()

    def test_is_not_sent_after_all(self) -> None:
        book, due = spent()
        stop(book)
        send(book, due)
        book.receive(mo("JEU 3", gateway_message_id="m-c"))
        given(book=book).when(lambda book: send(book, due)).then()

    @pytest.mark.parametrize("at", [NOON, LATER])
    def test_overtaken_by_the_stop(self, at: Any) -> None:  # noqa: ANN401 - as above
        book, due = spent()
        overtaken(book, lambda: send(book, due, at), by=lambda: stop(book))
        assert book.facts(OptedOut)
        assert [one.reason for one in book.facts(NoticeDropped)] == ["opted_out"]
