"""Both legs at once: whatever comes beside it, a message is charged once, and its answer once."""

from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.consent import OptedOut
from ledger.facts.findings import FindingOpened
from ledger.facts.traffic import KeywordMatched, MtEmitted
from tests.support.belgium import be_mo, belgian
from tests.support.book import Book, overtaken, together


def legs(book: Book) -> list[tuple[str, str | None]]:
    """Give the legs that were charged, each with the merchant who sold it."""
    charges = book.facts(ChargeAuthorized)
    return [(one.ref.leg, one.ref.merchant) for one in charges]


class TestMatched:
    """A message that asks for a service, beside others."""

    def test_beside_itself_is_charged_once_on_each_leg(self) -> None:
        book = belgian()
        together(book, *(lambda: book.take_in(be_mo()) for _ in range(2)))
        assert legs(book) == [("mo", "ludobel"), ("mt", "ludobel")]
        assert len(book.facts(ChargeCaptured)) == len(book.facts(MtEmitted)) == 1

    def test_overtaken_by_itself_is_charged_once_on_each_leg(self) -> None:
        book = belgian()
        answer = overtaken(book, lambda: book.receive(be_mo()), by=lambda: book.receive(be_mo()))
        assert answer.repeated
        assert legs(book) == [("mo", "ludobel"), ("mt", "ludobel")]

    def test_overtaken_by_stop_is_a_purchase_after_it(self) -> None:
        book = belgian()
        stop = be_mo("STOP", gateway_message_id="m-stop")
        overtaken(book, lambda: book.receive(be_mo()), by=lambda: book.receive(stop))
        assert len(book.facts(OptedOut)) == len(book.facts(KeywordMatched)) == 1
        assert legs(book) == [("mo", None), ("mo", "ludobel"), ("mt", "ludobel")]


class TestUnmatched:
    """A message that asks for nothing, beside others."""

    def test_beside_itself_is_charged_and_found_once(self) -> None:
        book = belgian()
        together(book, *(lambda: book.take_in(be_mo("BONJOUR")) for _ in range(2)))
        assert legs(book) == [("mo", None)]
        (found,) = book.facts(FindingOpened)
        assert (found.kind, found.amount) == ("unattributed", 1_000_000)

    def test_beside_another_is_a_finding_of_its_own(self) -> None:
        book = belgian()
        one, other = (be_mo("BONJOUR", gateway_message_id=name) for name in ("m-a", "m-b"))
        together(book, lambda: book.take_in(one), lambda: book.take_in(other))
        assert legs(book) == [("mo", None), ("mo", None)]
        assert len({found.charge for found in book.facts(FindingOpened)}) == 2
