"""Lines that are begun while those before them are written: sooner, and never before their turn."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import pytest

from api.importing.bytes import Numbered
from api.importing.conveying import conveyed, in_turn
from api.importing.results import Result
from ledger.commands.received import Arrived, Receiving
from ledger.facts import catalogue as entries
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured
from ledger.facts.traffic import KeywordUnmatched, MoReceived
from ledger.log.errors import LogUnavailable
from tests.support.book import ORIGIN, Book, in_memory
from tests.support.builders import NOON, dlr, mo

THREE = [[Numbered(number, b"")] for number in (1, 2, 3)]


class Told:
    """Takes lines and tells what it did, in the order in which it did it."""

    def __init__(self, failing: str = "", slow: int = 0) -> None:
        self.did: list[str] = []
        self.slow = slow
        self._failing = failing

    async def begin(self, lines: Sequence[Numbered]) -> "Telling":
        number = lines[0].number
        self.do(f"begin {number}")
        return Telling(self, number)

    def do(self, what: str) -> None:
        if what == self._failing:
            raise LogUnavailable(what)
        self.did.append(what)


class Telling:
    """Lines that were begun."""

    def __init__(self, told: Told, number: int) -> None:
        self._told = told
        self._number = number

    async def finish(self, decided: Callable[[], None]) -> list[Result]:
        for _ in range(self._told.slow):
            await asyncio.sleep(0)
        self._told.do(f"decide {self._number}")
        await asyncio.sleep(0)
        decided()
        for _ in range(10):  # whoever may go on now, does
            await asyncio.sleep(0)
        self._told.do(f"write {self._number}")
        return [Result(self._number, "recorded", self._number)]


async def batches(read: list[int]) -> AsyncGenerator[list[Numbered]]:
    """Give three batches, and note which were asked for."""
    for lines in THREE:
        read.append(lines[0].number)
        yield lines


class TestConveyed:
    """Batches that are begun ahead."""

    @pytest.mark.parametrize("slow", [0, 5])
    def test_are_begun_once_those_before_are_decided_and_finished_in_turn(self, slow: int) -> None:
        told = Told(slow=slow)

        async def story() -> list[int]:
            found = conveyed(told, batches([]))
            return [result.number async for results in found for result in results]

        assert asyncio.run(story()) == [1, 2, 3]
        assert told.did == [
            *("begin 1", "decide 1", "begin 2", "write 1"),
            *("decide 2", "begin 3", "write 2"),
            *("decide 3", "write 3"),
        ]

    @pytest.mark.parametrize(
        ("failing", "taken"),
        [("begin 2", [1]), ("decide 2", [1]), ("write 2", [1]), ("write 1", []), ("begin 1", [])],
    )
    def test_end_with_the_first_that_fails(self, failing: str, taken: list[int]) -> None:
        told, done = Told(failing), list[int]()

        async def story() -> None:
            async for results in conveyed(told, batches([])):
                done.extend(result.number for result in results)

        with pytest.raises(LogUnavailable, match=failing):
            asyncio.run(story())
        assert done == taken
        assert not any(what.endswith("3") and "begin" not in what for what in told.did)

    def test_of_a_pipe_are_asked_for_only_when_nothing_is_under_way(self) -> None:
        read = list[int]()

        async def story() -> list[tuple[int, list[int]]]:
            found = in_turn(Told(), batches(read))
            return [(result.number, [*read]) async for results in found for result in results]

        assert asyncio.run(story()) == [(1, [1]), (2, [1, 2]), (3, [1, 2, 3])]


def begun(book: Book, *what: Arrived) -> Receiving:
    """Begin a batch, before what comes before it is recorded."""
    receiving = Receiving(book.desk, what, ORIGIN)
    book.run(receiving.begin())
    return receiving


def taken(book: Book, receiving: Receiving) -> list[object]:
    """Take in a batch that was begun."""
    return [*book.run(receiving.receive())]


class TestBegun:
    """Messages that were read before those ahead of them were recorded."""

    def test_are_read_again_where_the_catalogue_has_moved_since(self) -> None:
        book = in_memory()
        receiving, known = begun(book, Arrived(mo("JEU"), NOON)), book.desk.catalogue
        book.add(
            entries.ServiceSuspended(
                service="quiz", merchant="ludotel", reason="complaints", effective_from=NOON
            )
        )
        taken(book, receiving)
        assert known.position < book.desk.catalogue.position
        (unmatched,) = book.facts(KeywordUnmatched)
        assert isinstance(unmatched, KeywordUnmatched)
        assert unmatched.reason == "suspended"
        assert book.facts(ChargeAuthorized) == []

    def test_are_the_repeats_of_what_was_recorded_meanwhile(self) -> None:
        book = in_memory()
        receiving = begun(book, Arrived(mo("JEU"), NOON))
        first = book.receive(mo("JEU"))
        (again,) = taken(book, receiving)
        assert again == first._replace(repeated=True)
        assert len(book.facts(MoReceived)) == 1

    def test_are_joined_by_receipts_of_messages_that_came_meanwhile(self) -> None:
        book = in_memory()
        answer = in_memory().receive(mo("JEU"))
        assert answer.mt is not None
        receiving = begun(book, Arrived(dlr(answer.mt), NOON))
        book.receive(mo("JEU"))
        taken(book, receiving)
        assert len(book.facts(ChargeCaptured)) == 1
