"""A message that is decided, and overtaken by a change of what is sold before it is written."""

import pytest

from ledger.commands.traffic import Answer
from ledger.facts import catalogue as entries
from ledger.facts.base import Fact
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.traffic import KeywordUnmatched, MoReceived, MtEmitted
from tests.support.book import Book, ChangedRules, in_memory, overtaken
from tests.support.builders import NOON, ON_DELIVERED, ORANGE, mo
from tests.support.given import given
from tests.support.long_pasts import cap

SUSPENDED = entries.ServiceSuspended(
    service="quiz", merchant="ludotel", reason="complaints", effective_from=NOON
)
CLOSED = entries.ShortCodeClosed(short_code=ON_DELIVERED, operator=ORANGE, effective_from=NOON)


def overtaken_by(fact: Fact) -> Book:
    """Let a message come, and that fact between its being decided and its being written."""
    book = in_memory()
    overtaken(book, lambda: book.receive(mo("JEU")), by=lambda: book.add(fact, n=1))
    return book


class TestOvertaken:
    """A message to a service that was on sale when it was read."""

    @pytest.mark.parametrize(
        ("fact", "reason"),
        [(SUSPENDED, "suspended"), (CLOSED, "unknown_code")],
        ids=["suspended", "closed"],
    )
    def test_by_the_end_of_its_sale_charges_nothing(self, fact: Fact, reason: str) -> None:
        book = overtaken_by(fact)
        assert [one.reason for one in book.facts(KeywordUnmatched)] == [reason]
        assert book.facts(ChargeAuthorized) == []

    def test_by_its_suspension_is_answered_by_the_free_error(self) -> None:
        (emitted,) = overtaken_by(SUSPENDED).facts(MtEmitted)
        assert (emitted.kind, emitted.billing_code, emitted.ref.charge) == ("error", "FREE", None)

    def test_by_the_closing_of_its_code_is_not_answered(self) -> None:
        assert overtaken_by(CLOSED).facts(MtEmitted) == []

    def test_by_its_number_becoming_one_for_tests_is_flagged(self) -> None:
        consumer = given().when(mo("JEU")).fact(MoReceived).consumer
        book = overtaken_by(
            entries.TestNumberDeclared(consumer=consumer, label="ours", effective_from=NOON)
        )
        (received,) = book.facts(MoReceived)
        (charge,) = book.facts(ChargeAuthorized)
        assert received.consumer == consumer
        assert received.test
        assert charge.ref.test

    def test_by_itself_at_another_process_is_answered_as_that_recorded_it(self) -> None:
        book = in_memory(rules=ChangedRules(caps=(cap(4, 1, "day", "consumer"),)))
        other = book.beside()
        there: list[Answer] = []

        def meanwhile() -> None:
            other.receive(mo("JEU", gateway_message_id="m-2"))
            there.append(other.receive(mo("JEU")))

        here = overtaken(book, lambda: book.receive(mo("JEU")), by=meanwhile)
        assert [one.kind for one in book.facts(MtEmitted)] == ["content", "error"]
        assert there[0].billing_code == "FREE"
        assert here == there[0]._replace(repeated=True)
