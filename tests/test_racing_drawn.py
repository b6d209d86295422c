"""Commands about one charge that interleave in any way on the library's own log in memory.

Each reads, decides, and appends on condition that nothing it rests on came since; whoever is
refused by that decides again. Whatever the turns, it ends as if each had happened at one moment.
The control appends without the condition; what breaks there is made as small as it can be.
"""

from collections.abc import Coroutine, Generator, Sequence
from typing import Any, NamedTuple

from eventsourcing.dcb.api import DCBAppendCondition, DCBEvent, DCBQuery, DCBQueryItem
from eventsourcing.dcb.popo import InMemoryDCBRecorder
from eventsourcing.persistence import IntegrityError
from hypothesis import find, given, settings
from hypothesis import strategies as st

from ledger.log.batch import Decide, Outcome, Proposal, belongs, decide_all
from ledger.log.memory import AsyncMemoryLog, MemoryLog
from ledger.log.rows import Query, Row, StoredRow
from tests.support.racing import COMMANDS, Came, kept, one_by_one, refusal, told
from tests.support.refunding import Sold, asked

MOST = 4


class Drawn(NamedTuple):
    """Some commands, and who has each turn; whoever is left when those are over goes in order."""

    captured: bool
    names: list[str]
    turns: list[int]


DRAWN = st.builds(
    Drawn,
    captured=st.booleans(),
    names=st.lists(st.sampled_from(list(COMMANDS)), min_size=2, max_size=MOST),
    turns=st.lists(st.integers(0, MOST - 1), max_size=30),
)


class Pause:
    """Lets somebody else have a turn."""

    def __await__(self) -> Generator[None]:
        yield


class LibraryLog:
    """The library's recorder in memory, as the commands use a log; `blind` is the control."""

    def __init__(self, log: MemoryLog, *, blind: bool) -> None:
        self.turn = 0
        self.moments: list[int] = []
        """Whose decision took effect, in order: as it was written, or read if it wrote nothing."""
        self.again = 0
        self._book, self._blind = log.book, blind
        self._recorded_at = log.head()[1]
        self._recorder = InMemoryDCBRecorder()
        self._begin = log.head()[0]
        self._recorder.append([_event(row) for row in log.follow(0, self._begin)])

    async def read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        await Pause()
        return self._read(query)

    async def submit(self, query: Query, decide: Decide) -> Outcome:
        while True:
            await Pause()
            rows, head = self._read(query)
            (decided,) = decide_all([Proposal(query, decide)], [rows])
            if decided.failure is not None or not decided.rows:
                self.moments.append(self.turn)
            if decided.failure is not None:
                raise decided.failure
            await Pause()
            if not decided.rows or self._appended(query, head, decided.rows):
                new = self._read_after(self._recorder.events[-1].position - len(decided.rows))
                return Outcome(rows, new if decided.rows else (), head + len(decided.rows))
            self.again += 1

    def new(self) -> list[Row]:
        """Give what was appended since the beginning."""
        return [Row(row.type, row.tags, row.data) for row in self._read_after(self._begin)]

    def _appended(self, query: Query, head: int, rows: Sequence[Row]) -> bool:
        """Append on condition that nothing came since that the decision rests on."""
        unless = DCBAppendCondition(_query(query), after=head)
        try:
            # An empty query of theirs means everything; a decision that rests on nothing has none.
            condition = unless if query and not self._blind else None
            self._recorder.append([_event(row) for row in rows], condition)
        except IntegrityError:
            return False
        self.moments.append(self.turn)
        return True

    def _read(self, query: Query) -> tuple[tuple[StoredRow, ...], int]:
        found = self._recorder.read(_query(query)) if query else ()
        rows = (self._stored(one.position, one.event) for one in found)
        mine = tuple(row for row in rows if any(belongs(interest, row) for interest in query))
        return mine, self._recorder.events[-1].position

    def _read_after(self, position: int) -> tuple[StoredRow, ...]:
        found = self._recorder.read(after=position)
        return tuple(self._stored(one.position, one.event) for one in found)

    def _stored(self, position: int, event: DCBEvent) -> StoredRow:
        tags = tuple(event.tags)
        return StoredRow(self._book, position, self._recorded_at, event.type, tags, event.data)


def _event(row: Row | StoredRow) -> DCBEvent:
    return DCBEvent(row.type, row.data, list(row.tags))


def _query(query: Query) -> DCBQuery:
    return DCBQuery([DCBQueryItem(sorted(one.types), list(one.tags)) for one in query])


def interleaved(sold: Sold, drawn: Drawn, *, blind: bool = False) -> tuple[Came, list[int]]:
    """Let commands take turns; gives what came of them, and in what order they took effect."""
    kept_log = sold.book.desk.log
    assert isinstance(kept_log, AsyncMemoryLog)
    log = LibraryLog(kept_log.log, blind=blind)
    stories = [COMMANDS[name](sold) for name in drawn.names]
    sold.book.desk.log = log
    try:
        results = _run(stories, drawn.turns, log)
    finally:
        sold.book.desk.log = kept_log
    kept_log.log.decide((), lambda _: log.new())
    last = {place: moment for moment, place in enumerate(log.moments)}
    order = sorted(range(len(results)), key=lambda place: last.get(place, -1))
    return Came(told(sold.book), [refusal(one) for one in results]), order


def _run(
    stories: Sequence[Coroutine[Any, Any, object]], turns: Sequence[int], log: LibraryLog
) -> list[object]:
    results: dict[int, object] = {}
    queue = list(turns)
    while len(results) < len(stories):
        left = [place for place in range(len(stories)) if place not in results]
        log.turn = left[queue.pop(0) % len(left)] if queue else left[0]
        try:
            stories[log.turn].send(None)
        except StopIteration as end:
            results[log.turn] = end.value
        except Exception as error:  # noqa: BLE001 - `refusal` raises what is none
            results[log.turn] = error
    return [results[place] for place in range(len(stories))]


def as_one_by_one(drawn: Drawn, *, blind: bool = False) -> bool:
    """Tell whether it ends as it does one by one, and no money was made."""
    sold = asked(captured=drawn.captured)
    came, order = interleaved(sold, drawn, blind=blind)
    return kept(sold) and came == one_by_one(asked(captured=drawn.captured), drawn.names, order)


@given(drawn=DRAWN)
def test_ends_as_if_one_came_after_the_other(drawn: Drawn) -> None:
    assert as_one_by_one(drawn)


class TestControl:
    """Turns that matter, and a log without its condition."""

    PARTS = Drawn(
        captured=True, names=["refunded in part", "refunded in another part"], turns=[0, 1] * 9
    )

    def test_whoever_is_overtaken_decides_again(self) -> None:
        sold = asked()
        came, order = interleaved(sold, self.PARTS)
        assert (came.refused.count(""), order) == (1, [0, 1])
        assert kept(sold)

    def test_without_the_condition_money_is_made(self) -> None:
        sold = asked()
        interleaved(sold, self.PARTS, blind=True)
        assert not kept(sold)

    def test_what_breaks_there_is_made_small(self) -> None:
        hard = settings(derandomize=True, database=None, max_examples=200)
        smallest = find(DRAWN, lambda drawn: not as_one_by_one(drawn, blind=True), settings=hard)
        assert len(smallest.names) == 2
