"""The `eventsourcing` library's own recorder case, on our log and on the library's in memory."""

import threading
from collections.abc import Iterator

import pytest
from eventsourcing.dcb.api import (
    DCBAppendCondition,
    DCBEvent,
    DCBQuery,
    DCBQueryItem,
    DCBRecorder,
)
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.dcb.tests import DCBRecorderTestCase
from eventsourcing.persistence import IntegrityError, ProgrammingError

from api.database import Database
from ledger.log.recorder import LogRecorder
from tests.support.log import BOOK, opened


@pytest.fixture(params=["the library's", "ours"])
def recorder(request: pytest.FixtureRequest) -> Iterator[DCBRecorder]:
    """Give an empty recorder."""
    if request.param == "the library's":
        yield InMemoryDCBRecorder()
        return
    database: Database = request.getfixturevalue("database")
    with opened(database.app_url), LogRecorder(database.app_url, BOOK) as recorder:
        yield recorder


class TestTheLibrarysCase:
    """Its methods are called by name, or nothing would be collected."""

    def test_append_and_read(self, recorder: DCBRecorder) -> None:
        DCBRecorderTestCase()._test_append_read(recorder)  # noqa: SLF001 - named so by the library

    def test_append_and_subscribe(self, recorder: DCBRecorder) -> None:
        DCBRecorderTestCase()._test_append_subscribe(recorder)  # noqa: SLF001 - as above

    def test_has_no_method_that_is_not_called_here(self) -> None:
        stories = [name for name in vars(DCBRecorderTestCase) if name.startswith("_test_")]
        assert stories == ["_test_append_read", "_test_append_subscribe"]


class TestAppending:
    """What the library's case leaves out."""

    def test_of_nothing_is_a_mistake(self, recorder: DCBRecorder) -> None:
        with pytest.raises(ProgrammingError):
            recorder.append([])

    def test_lets_one_of_many_threads_through(self, recorder: DCBRecorder) -> None:
        taken = DCBEvent("taken", b"{}", ["slot"])
        condition = DCBAppendCondition(DCBQuery([DCBQueryItem(["taken"], ["slot"])]))
        outcomes: list[str] = []
        start = threading.Barrier(4)

        def take() -> None:
            start.wait()
            try:
                recorder.append([taken], condition)
                outcomes.append("taken")
            except IntegrityError:
                outcomes.append("refused")

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["refused", "refused", "refused", "taken"]

    def test_minds_where_a_condition_begins_and_what_it_names(self, recorder: DCBRecorder) -> None:
        recorder.append([DCBEvent("a", b"", ["x"]), DCBEvent("b", b"", ["y"])])
        of_x = DCBQuery([DCBQueryItem(["a"], ["x"])])
        of_either = DCBQuery([DCBQueryItem(["c"], ["x"]), DCBQueryItem([], ["y"])])
        any_b = DCBQuery([DCBQueryItem(["b"], [])])
        for query, after in ((of_x, None), (of_x, 0), (of_either, 1), (any_b, 1), (DCBQuery(), 1)):
            with pytest.raises(IntegrityError):
                recorder.append([DCBEvent("c", b"", ["z"])], DCBAppendCondition(query, after))
        heads = [
            recorder.append([DCBEvent("c", b"", ["z"])], DCBAppendCondition(query, after))
            for query, after in ((of_x, 1), (of_either, 2), (any_b, 2), (DCBQuery(), 5))
        ]
        assert heads == [3, 4, 5, 6]

    def test_keeps_what_an_event_says(self, recorder: DCBRecorder) -> None:
        recorder.append([DCBEvent("a", b"\0\xff", ["y", "x"]), DCBEvent("b", b"", [])])
        first, second = recorder.read()
        assert (first.event.type, first.event.data, sorted(first.event.tags), first.position) == (
            *("a", b"\0\xff"),
            ["x", "y"],
            1,
        )
        assert (second.event.type, second.event.data, second.event.tags) == ("b", b"", [])


class TestReading:
    """What the library's case leaves out."""

    def test_of_nothing_has_no_head(self, recorder: DCBRecorder) -> None:
        for response in (recorder.read(), recorder.read(limit=3), recorder.read(after=4)):
            assert (list(response), response.head) == ([], None)

    @pytest.mark.parametrize("tags", [["x"], []])
    def test_says_up_to_where_it_is_complete(self, recorder: DCBRecorder, tags: list[str]) -> None:
        recorder.append([DCBEvent("a", b"", ["x"])] * 3 + [DCBEvent("b", b"", ["y"])])
        query = DCBQuery([DCBQueryItem(["a"], tags)])
        found = [
            (recorder.read(query, after=after, limit=limit), after, limit)
            for after, limit in ((None, None), (1, None), (1, 1), (None, 2), (3, None), (3, 1))
        ]
        told = [([one.position for one in response], response.head) for response, _, _ in found]
        assert told == [([1, 2, 3], 4), ([2, 3], 4), ([2], 2), ([1, 2], 2), ([], 4), ([], None)]

    def test_of_several_items_gives_each_event_once(self, recorder: DCBRecorder) -> None:
        recorder.append([DCBEvent("a", b"", ["x", "y"]), DCBEvent("b", b"", ["y"])])
        recorder.append([DCBEvent("b", b"", ["x"]), DCBEvent("c", b"", [])])
        both = DCBQuery([DCBQueryItem([], ["x"]), DCBQueryItem(["a", "b"], ["y"])])
        mixed = DCBQuery([DCBQueryItem(["c"], []), DCBQueryItem([], ["x", "y"])])
        assert [event.position for event in recorder.read(both)] == [1, 2, 3]
        assert [event.position for event in recorder.read(mixed)] == [1, 4]
        assert [event.position for event in recorder.read(mixed, after=1)] == [4]

    def test_reads_long_books_whole_or_in_part(self, recorder: DCBRecorder) -> None:
        types = ["even", "odd"]
        recorder.append([DCBEvent(types[n % 2], b"%d" % n, [f"n{n}"]) for n in range(2_500)])
        odd = DCBQuery([DCBQueryItem(types=["odd"])])
        assert [event.position for event in recorder.read()] == list(range(1, 2_501))
        assert [event.position for event in recorder.read(odd)] == list(range(2, 2_501, 2))
        response = recorder.read(odd, after=10, limit=2)
        assert [event.position for event in response] == [12, 14]
        assert response.head == 14


class TestSubscribing:
    """What the library's case leaves out."""

    def test_gives_only_what_was_asked_for(self, recorder: DCBRecorder) -> None:
        recorder.append([DCBEvent("a", b"", ["x"]), DCBEvent("b", b"", ["x"])])
        recorder.append([DCBEvent("b", b"", ["y"]), DCBEvent("b", b"", ["x", "z"])])
        query = DCBQuery([DCBQueryItem(["b"], ["x"])])
        with recorder.subscribe(query, after=1) as subscription:
            assert [next(subscription).position, next(subscription).position] == [2, 4]
        with recorder.subscribe(after=2) as subscription:
            assert [next(subscription).position, next(subscription).position] == [3, 4]
        with recorder.subscribe() as subscription:
            assert [next(subscription).position for _ in range(4)] == [1, 2, 3, 4]
            recorder.append([DCBEvent("c", b"x", ["y"])])
            assert (last := next(subscription)).position == 5
            assert (last.event.type, last.event.data, last.event.tags) == ("c", b"x", ["y"])

    def test_ends_when_it_is_stopped_while_it_waits(self, recorder: DCBRecorder) -> None:
        received: list[int] = []
        with recorder.subscribe() as subscription:
            thread = threading.Thread(
                target=lambda: received.extend(event.position for event in subscription)
            )
            thread.start()
            recorder.append([DCBEvent("a", b"", [])])
        thread.join(timeout=10)
        assert not thread.is_alive()
        assert received in ([], [1])
