"""What waits too long, or is sold no more, does not go out; its charge is released."""

import pytest

from ledger.facts.base import Fact
from ledger.facts.catalogue import ServiceResumed, ServiceSuspended, ShortCodeClosed
from ledger.facts.charges import ChargeAuthorized, ChargeReleased
from ledger.facts.handover import MtCancelled
from ledger.facts.traffic import MtEmitted
from tests.support.belgium import PROXIMUS, SUBSCRIBED
from tests.support.book import Book, in_memory, overtaken
from tests.support.builders import NOON, ON_DELIVERED, ORANGE
from tests.support.given import given, some
from tests.support.pushing import MINUTE, REFUSED, emitted, offer, tried
from tests.support.solicited import adding
from tests.support.subscribers import last_mt, on, renew, subscriber


def renewed(*days: str) -> tuple[Book, list[str]]:
    """Let each day's cycle be renewed at noon, and nobody hand anything over; gives the MTs."""
    book, waiting = subscriber(text="MOP"), list[str]()
    for day in days:
        given(on(f"{day}T12:00"), renew(), book=book)
        waiting.append(last_mt(book))
    return book, waiting


def reasons(book: Book) -> list[str]:
    return [fact.reason for fact in book.facts(MtCancelled)]


class TestACycle:
    """A renewal's message whose cycle is over, which is never caught up."""

    def test_goes_out_until_its_end(self) -> None:
        book, (mt,) = renewed("2026-07-11")
        given(on("2026-07-12T11:59"), book=book)
        assert offer(book, mt) is not None

    def test_is_cancelled_from_its_end_on(self) -> None:
        book, (mt,) = renewed("2026-07-11")
        charge = book.facts(ChargeAuthorized)[-1].ref.charge
        given(on("2026-07-12T12:00"), book=book).when(lambda book: offer(book, mt)).then(
            some(MtCancelled, ref__mt=mt, reason="expired"),
            some(ChargeReleased, ref__charge=charge, was="authorized", reason="cancelled"),
        )

    def test_is_cancelled_also_where_the_gateway_refused_it_before(self) -> None:
        book, (mt,) = renewed("2026-07-11")
        tried(book, mt, REFUSED)
        given(on("2026-07-12T12:00"), book=book).when(lambda book: offer(book, mt)).then(
            some(MtCancelled, reason="expired"), ChargeReleased
        )

    def test_of_several_only_the_one_that_runs_goes_out(self) -> None:
        book, (one, two, running) = renewed("2026-07-11", "2026-07-12", "2026-07-13")
        given(on("2026-07-13T12:30"), book=book)
        assert offer(book, one) is None
        assert offer(book, two) is None
        assert offer(book, running) is not None
        assert reasons(book) == ["expired", "expired"]

    def test_is_over_once_a_later_one_began_whatever_the_clock_says(self) -> None:
        book, (earlier, _) = renewed("2026-07-11", "2026-07-12")
        given(on("2026-07-11T13:00"), book=book)
        assert offer(book, earlier) is None
        assert reasons(book) == ["expired"]


SUSPENDED = ServiceSuspended(
    service="quiz", merchant="ludotel", reason="complaints", effective_from=NOON
)
CLOSED = ShortCodeClosed(short_code=ON_DELIVERED, operator=ORANGE, effective_from=NOON)


class TestWithdrawn:
    """What waits while its service is suspended, or its code closed."""

    @pytest.mark.parametrize("fact", [SUSPENDED, CLOSED], ids=["suspended", "closed"])
    def test_releases_the_charge(self, fact: Fact) -> None:
        book = in_memory()
        mt = emitted(book, charged=True)
        given(adding(fact), book=book).when(lambda book: offer(book, mt)).then(
            some(MtCancelled, ref__mt=mt, reason="withdrawn"),
            some(ChargeReleased, was="authorized", reason="cancelled"),
        )

    @pytest.mark.parametrize("fact", [SUSPENDED, CLOSED], ids=["suspended", "closed"])
    def test_invites_nobody(self, fact: Fact) -> None:
        book = in_memory()
        mt = emitted(book, "solicitation")
        given(adding(fact), book=book).when(lambda book: offer(book, mt)).then(
            some(MtCancelled, ref__mt=mt, reason="withdrawn")
        )

    @pytest.mark.parametrize("fact", [SUSPENDED, CLOSED], ids=["suspended", "closed"])
    def test_still_warns_of_what_was_spent(self, fact: Fact) -> None:
        book = in_memory()
        mt = emitted(book, "tariff_notice")
        given(adding(fact), book=book)
        assert offer(book, mt) is not None

    def test_is_judged_at_the_moment_it_would_go_out(self) -> None:
        book = in_memory()
        mt = emitted(book, charged=True)
        resumed = ServiceResumed(
            service="quiz", merchant="ludotel", effective_from=NOON + 5 * MINUTE
        )
        given(adding(SUSPENDED, resumed), book=book)
        assert offer(book, mt, NOON + 5 * MINUTE) is not None

    def test_is_seen_when_the_suspension_comes_at_the_last_moment(self) -> None:
        book = in_memory()
        mt = emitted(book, charged=True)

        def suspend() -> None:
            book.beside().add(SUSPENDED)

        assert overtaken(book, lambda: offer(book, mt), by=suspend) is None
        assert reasons(book) == ["withdrawn"]

    def test_renews_no_subscription_of_it(self) -> None:
        book = subscriber()
        given(on("2026-07-17T12:00"), renew(), on("2026-07-17T12:01"), book=book)
        emitted_last = book.facts(MtEmitted)[-1]
        closing = ShortCodeClosed(
            short_code=SUBSCRIBED, operator=PROXIMUS, effective_from=book.clock.now
        )
        given(adding(closing), book=book)
        assert offer(book, emitted_last.ref.mt) is None
        assert reasons(book) == ["withdrawn"]
