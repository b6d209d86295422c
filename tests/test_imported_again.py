"""Exchanges that another platform decided, told again, in any company and at any moment."""

import pytest

from ledger.commands.imported import TakenOver
from ledger.decisions.refusals import ConflictingDuplicate
from ledger.facts.charges import (
    ChargeCaptured,
)
from ledger.facts.findings import FindingOpened
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    MoReceived,
)
from tests.support.book import Book, in_memory, overtaken
from tests.support.builders import mo
from tests.support.given import given, some
from tests.support.told import capped, charged, exchange, findings, take_over, told


class TestRepeated:
    """The same message told again."""

    def test_changes_nothing(self) -> None:
        happened = given(told()).when(told())
        happened.then()

    def test_says_so(self) -> None:
        book = given(told()).book
        (again,) = take_over(book, exchange())
        assert isinstance(again, TakenOver)
        assert again.repeated

    def test_in_one_batch_is_one(self) -> None:
        book = in_memory()
        first, second = take_over(book, exchange(), exchange())
        assert isinstance(first, TakenOver)
        assert isinstance(second, TakenOver)
        assert (first.repeated, second.repeated) == (False, True)
        assert len(book.facts(MoReceived)) == 1

    @pytest.mark.parametrize("text", ["JEU 42", "JEU 43"])
    def test_after_its_key_was_destroyed_is_the_same_whatever_it_says(self, text: str) -> None:
        book = given(told()).book
        book.desk.keys.keys.clear()
        happened = given(book=book).when(told(text=text))
        happened.then()
        (again,) = take_over(book, exchange(text=text))
        assert isinstance(again, TakenOver)
        assert again.repeated

    def test_after_its_key_was_destroyed_with_another_end_is_found(self) -> None:
        book = given(told()).book
        book.desk.keys.keys.clear()
        other = told(charges=[charged("released")], receipts=[])
        given(book=book).when(other).refused(ConflictingDuplicate).left(
            some(FindingOpened, kind="told_otherwise")
        )

    def test_with_another_end_is_found_once(self) -> None:
        other = told(charges=[charged("released")], receipts=[])
        first = given(told()).when(other).refused(ConflictingDuplicate)
        first.left(some(FindingOpened, kind="told_otherwise"))
        given(book=first.book).when(other).refused(ConflictingDuplicate).left()

    def test_with_another_text_is_kept_as_a_conflict(self) -> None:
        given(told()).when(told(text="JEU 43")).refused(ConflictingDuplicate).left(
            ConflictingDuplicateReceived
        )

    def test_with_another_text_and_end_is_one_conflict_however_often(self) -> None:
        other = told(text="JEU 43", charges=[charged("released")], receipts=[])
        first = given(told()).when(other).refused(ConflictingDuplicate)
        first.left(ConflictingDuplicateReceived)
        given(book=first.book).when(other).refused(ConflictingDuplicate).left()

    def test_under_the_id_of_many_others_is_one_more_conflict(self) -> None:
        # Each was sealed under its own consumer's key, and it is held against all of them.
        others = [told(sender=f"alias-{n}") for n in range(2, 9)]
        book = given(told()).book
        for other in others:
            given(book=book).when(other).refused(ConflictingDuplicate)
        given(book=book).when(told(sender="alias-9")).refused(ConflictingDuplicate).left(
            ConflictingDuplicateReceived
        )

    def test_that_was_decided_here_is_found(self) -> None:
        book = in_memory()
        book.receive(mo("JEU 42"))
        given(book=book).when(told()).refused(ConflictingDuplicate).left(
            some(FindingOpened, kind="told_otherwise")
        )


class TestRaced:
    """What comes between reading and writing."""

    def test_by_itself_happens_once(self) -> None:
        book = in_memory()
        overtaken(book, lambda: take_over(book, exchange()), lambda: take_over(book, exchange()))
        assert len(book.facts(MoReceived)) == len(book.facts(ChargeCaptured)) == 1

    def test_by_a_charge_that_reaches_the_cap_is_found(self) -> None:
        book = capped()
        live = mo("JEU", gateway_message_id="m-2")
        overtaken(book, lambda: take_over(book, exchange()), lambda: book.receive(live))
        assert findings(book) == ["billed_above_cap"]


class TestInAnyChunks:
    """However many go together."""

    def test_gives_the_same_facts(self) -> None:
        lines = [exchange(id=f"m-{n}", sender=f"alias-{n % 3}") for n in range(9)]
        lines += [
            exchange(id="m-4", sender="alias-1"),
            exchange(id="x", text="STOP", stopped=True, match=None),
        ]
        together, apart = in_memory(), in_memory()
        take_over(together, *lines)
        for line in lines:
            take_over(apart, line)
        assert _told(together) == _told(apart)


def _told(book: Book) -> list[tuple[str, str]]:
    return [(one.id, type(one.fact).__name__) for one in book.recorded]
