"""What a log promises, told once and kept by the log in memory and the one in PostgreSQL."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from api.database import Database
from ledger.log.batch import Outcome, Proposal
from ledger.log.errors import RowRefused
from ledger.log.memory import MemoryLog
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Interest, Row, StoredRow, entry_bytes
from tests.support.log import (
    BOOK,
    NOON,
    SlotTaken,
    about,
    appended,
    counting,
    noting,
    once,
    opened,
    refusing,
    row,
    taking,
)

Log = MemoryLog | PostgresLog


@pytest.fixture(params=["memory", "postgres"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """Give an open, empty book."""
    if request.param == "memory":
        yield MemoryLog(BOOK, lambda: NOON)
    else:
        database: Database = request.getfixturevalue("database")
        with opened(database.app_url) as log:
            yield log


class TestAppending:
    """Deciding and appending."""

    def test_counts_positions_from_one_without_a_gap(self, log: Log) -> None:
        outcomes = [*log.submit([noting("a:1"), noting("a:2")]), *log.submit([noting("a:3")])]
        assert appended(outcomes) == [[1], [2], [3]]
        assert [stored.position for stored in log.follow(0, 10)] == [1, 2, 3]

    def test_keeps_every_byte(self, log: Log) -> None:
        kept = Row("noted.v1", ("a:1", "b:é"), bytes(range(256)))
        outcome = log.decide((), lambda _: [kept])
        (stored,) = log.follow(0, 10)
        assert (stored.type, stored.tags, stored.data) == kept
        assert outcome.appended == (stored,)
        assert entry_bytes(outcome.appended[0]) == entry_bytes(stored)

    def test_keeps_tags_that_only_bytes_put_in_order(self, log: Log) -> None:
        kept = row("Z:1", "_:1", "a-b:1", "a:1", "ab:1", "é:1", "x" * 2_046)
        log.decide((), lambda _: [kept])
        assert log.follow(0, 10)[0].tags == kept.tags

    def test_keeps_a_row_without_tags(self, log: Log) -> None:
        log.decide((), lambda _: [row()])
        assert log.follow(0, 10)[0].tags == ()

    def test_refused_writes_nothing(self, log: Log) -> None:
        with pytest.raises(SlotTaken):
            log.decide(about("a:1"), refusing(SlotTaken("a")))
        assert log.head()[0] == 0

    def test_refused_beside_others_fails_alone(self, log: Log) -> None:
        refused, other = log.submit([Proposal((), refusing(SlotTaken("a"))), noting("b:1")])
        assert isinstance(refused, SlotTaken)
        assert appended([other]) == [[1]]

    def test_repeated_in_a_batch_or_later_finds_the_first(self, log: Log) -> None:
        first, repeat = log.submit([once("mo:1"), once("mo:1")])
        (later,) = log.submit([once("mo:1")])
        assert isinstance(first, Outcome)
        assert isinstance(repeat, Outcome)
        assert isinstance(later, Outcome)
        assert first.appended == repeat.history == later.history
        assert repeat.appended == later.appended == ()

    def test_raced_in_a_batch_lets_one_win(self, log: Log) -> None:
        won, lost = log.submit([taking("slot:1", "by:x"), taking("slot:1", "by:y")])
        assert appended([won]) == [[1]]
        assert isinstance(lost, SlotTaken)

    def test_sees_each_earlier_row_once_though_two_interests_name_it(self, log: Log) -> None:
        log.submit([noting("a:1", "b:1"), noting("b:1"), noting("a:1")])
        outcome = log.decide(about("b:1", "a:1"), lambda _: [])
        assert [stored.position for stored in outcome.history] == [1, 2, 3]

    def test_in_one_batch_is_recorded_at_one_time(self, log: Log) -> None:
        log.submit([noting("a:1"), noting("a:2")])
        first, second = log.follow(0, 10)
        assert first.recorded_at == second.recorded_at == log.head()[1]

    def test_of_nothing_leaves_the_head_alone(self, log: Log) -> None:
        head = log.head()
        assert appended(log.submit([Proposal((), lambda _: [])])) == [[]]
        assert log.submit([]) == []
        assert log.head() == head


class TestABadRow:
    """One row that cannot be stored, in a batch of good ones."""

    rule_and_row = pytest.mark.parametrize(
        ("rule", "bad"),
        [
            ("type_is_one_line", row(type="two\nlines")),
            ("type_is_one_line", row(type="")),
            ("tags_are_single_words", row("two words")),
            ("tags_are_single_words", row("two\nlines")),
            ("no_tag_is_empty", row("", "a:1")),
            ("tags_are_unique_and_sorted", Row("noted.v1", ("a:1", "a:1"), b"{}")),
            ("tags_are_unique_and_sorted", Row("noted.v1", ("b:1", "a:1"), b"{}")),
            ("tags_are_unique_and_sorted", Row("noted.v1", ("a:1", "Z:1"), b"{}")),
            ("a_tag_is_at_most_2046_bytes", row("é" * 1023 + "x")),
            ("entry_is_at_most_60000_bytes", row(data=b"x" * 60_000)),
            ("22021", row("nul:\0")),
            ("utf-8", row("half:\ud83d")),
        ],
    )

    @rule_and_row
    def test_fails_alone(self, log: Log, rule: str, bad: Row) -> None:
        good, refused, other = log.submit(
            [counting("a:1"), Proposal((), lambda _: [row("a:1"), bad]), counting("a:1")]
        )
        assert isinstance(refused, RowRefused | UnicodeEncodeError)
        assert rule == (refused.rule if isinstance(refused, RowRefused) else refused.encoding)
        assert isinstance(refused, UnicodeEncodeError) or str(refused) == rule
        assert appended([good, other]) == [[1], [2]]
        assert [stored.data for stored in log.follow(0, 10)] == [b"0", b"1"]

    def test_is_not_one_whose_tag_has_the_most_bytes(self, log: Log) -> None:
        (outcome,) = log.submit([Proposal((), lambda _: [row("é" * 1023)])])
        assert appended([outcome]) == [[1]]

    def test_in_a_question_finds_nothing(self, log: Log) -> None:
        assert log.read(about("nul:\0", "half:\ud83d", "a:1")) == ((), 0)

    @pytest.mark.parametrize("before", [0, 8, 9])
    @pytest.mark.parametrize(("spare", "fits"), [(0, True), (-1, False)])
    def test_is_one_byte_over_the_limit(
        self,
        log: Log,
        spare: int,
        fits: bool,  # noqa: FBT001 - a column
        before: int,
    ) -> None:
        """Its position counts by its digits, of which the tenth has one more."""
        log.submit([noting("a:1")] * before)
        empty = StoredRow(BOOK, before + 1, NOON, *row("a:1", "b:é", data=b""))
        data = b"x" * (60_000 - len(entry_bytes(empty)) - spare)
        (outcome,) = log.submit([Proposal((), lambda _: [row("a:1", "b:é", data=data)])])
        assert isinstance(outcome, Outcome) == fits


class TestReading:
    """Asking without deciding."""

    @pytest.fixture(autouse=True)
    def filled(self, log: Log) -> None:
        """Put five rows there."""
        log.submit(
            [
                noting("a:1"),
                noting("a:1", "b:1"),
                Proposal((), lambda _: [row("a:1", type="other.v1"), row("c:1", type="other.v1")]),
                noting("b:1"),
            ]
        )

    @pytest.mark.parametrize(
        ("query", "positions"),
        [
            (about("a:1"), [1, 2, 3]),
            (about("a:1", "b:1"), [1, 2, 3, 5]),
            (about("nobody:1"), []),
            ((), []),
            ((Interest(("a:1", "b:1")),), [2]),
            ((Interest(("a:1",), frozenset({"other.v1"})),), [3]),
            ((Interest(("a:1",), frozenset({"other.v1", "noted.v1"})),), [1, 2, 3]),
            ((Interest(("a:1",), after=1),), [2, 3]),
            ((Interest(("a:1",), after=2), Interest(("b:1",))), [2, 3, 5]),
            ((Interest((), frozenset({"other.v1"})),), [3, 4]),
            ((Interest((), after=3),), [4, 5]),
            ((Interest(()), Interest(("a:1",))), [1, 2, 3, 4, 5]),
            ((Interest(("a:1",), after=99),), []),
        ],
    )
    def test_finds_what_the_query_means(
        self, log: Log, query: tuple[Interest, ...], positions: list[int]
    ) -> None:
        rows, head = log.read(query)
        assert [stored.position for stored in rows] == positions
        assert head == 5

    def test_begins_and_ends_where_it_is_told(self, log: Log) -> None:
        rows, head = log.read(about("a:1", "b:1"), after=1, limit=2)
        assert [stored.position for stored in rows] == [2, 3]
        assert head == 5

    def test_follows_page_by_page(self, log: Log) -> None:
        pages = [[stored.position for stored in log.follow(after, 2)] for after in (0, 2, 4, 5)]
        assert pages == [[1, 2], [3, 4], [5], []]

    def test_picks_rows_in_order(self, log: Log) -> None:
        assert [stored.position for stored in log.rows_at([4, 9, 2, 5, 0, 4])] == [2, 4, 5]

    @pytest.mark.parametrize(
        "odd", ['a:"', "a:\\", "a:{,}", "a:',E'", "NULL", "a:%s", "é:1", "a:\t", 'a:\\"', "(", "$1"]
    )
    def test_finds_any_tag_and_type_that_may_be_written(self, log: Log, odd: str) -> None:
        kept = row(odd, "z:1", type=odd)
        log.submit([Proposal((), lambda _: [kept])])
        interests = (
            Interest((odd,)),
            Interest(("z:1", odd)),
            Interest(("z:1",), frozenset({odd, "other.v1"})),
        )
        for query in ((one,) for one in interests):
            rows, _ = log.read(query)
            assert [(stored.type, stored.tags) for stored in rows] == [(odd, kept.tags)]
        assert log.read((Interest((odd + odd,)), Interest(("a:1",), frozenset({odd})))) == ((), 6)

    def test_takes_each_interest_from_where_it_begins(self, log: Log) -> None:
        query = (Interest(("a:1",), after=2), Interest(("b:1",), after=4), Interest(("c:1",)))
        assert [stored.position for stored in log.read(query)[0]] == [3, 4, 5]
        assert [stored.position for stored in log.read(query, after=3)[0]] == [4, 5]

    def test_gives_the_head_with_its_time(self, log: Log) -> None:
        assert log.head() == (5, log.follow(4, 1)[0].recorded_at)


class TestALongBook:
    """More than is read in one go."""

    def test_is_looked_through_whole(self, log: Log) -> None:
        kinds = ["even.v1", "odd.v1"]
        log.submit(
            [Proposal((), lambda _: [row(f"n:{n}", type=kinds[n % 2]) for n in range(1, 2_502)])]
        )
        odd = (Interest((), frozenset({"odd.v1"})),)
        assert [stored.position for stored in log.read(odd)[0]] == list(range(1, 2_502, 2))
        rows, head = log.read((Interest((), frozenset({"even.v1"}), after=1_500),), limit=3)
        assert ([stored.position for stored in rows], head) == ([1_502, 1_504, 1_506], 2_501)


class TestTheClockInMemory:
    """The time that the log in memory records."""

    @pytest.mark.parametrize("ticks", [[0, 0, -5], [0, 3, 1]])
    def test_never_runs_back(self, ticks: list[int]) -> None:
        times = iter(ticks)
        clock: Callable[[], datetime] = lambda: NOON + timedelta(seconds=next(times))  # noqa: E731 - told in one line
        log = MemoryLog(BOOK, clock)
        log.submit([noting("a:1")])
        log.submit([noting("a:2")])
        first, second = log.follow(0, 2)
        assert NOON <= first.recorded_at <= second.recorded_at
