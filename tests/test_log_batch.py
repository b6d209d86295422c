"""The pure engine: which decisions of a batch stand, and which rows they append."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.log.batch import AnyRow, Decided, Outcome, Proposal, Recent, decide_all, place, select
from ledger.log.rows import Interest, Query, Row, StoredRow, matches
from tests.support.log import (
    BOOK,
    NOON,
    SlotTaken,
    about,
    appended,
    counting,
    noting,
    once,
    refusing,
    row,
    stored,
    taking,
)


def decided(
    *proposals: Proposal, history: Sequence[StoredRow] = (), tail: Sequence[StoredRow] = ()
) -> list[Outcome | Exception]:
    """Decide a batch as a shell does: once before the lock and, with a tail, again under it."""
    readings = [select(proposal.query, history) for proposal in proposals]
    before = decide_all(proposals, readings)
    after = decide_all(proposals, readings, tail, before)
    return place(BOOK, after, len(history) + len(tail), NOON)


class Counted:
    """A proposal that counts how often it is decided."""

    def __init__(self, proposal: Proposal) -> None:
        self.times = 0
        self._proposal = proposal
        self.proposal = Proposal(proposal.query, self._decide)

    def _decide(self, history: Sequence[AnyRow]) -> Sequence[Row]:
        self.times += 1
        return self._proposal.decide(history)


class TestDeciding:
    """One batch, nobody else appending."""

    def test_appends_densely_in_the_order_of_proposals(self) -> None:
        two = Proposal((), lambda _: [row("a:1"), row("a:2")])
        assert appended(decided(two, noting("a:3"), history=[stored(1)])) == [[2, 3], [4]]

    def test_gives_each_its_own_history(self) -> None:
        history = [stored(1, "a:1"), stored(2, "b:1"), stored(3, "a:1")]
        outcome, _ = decided(once("a:1"), once("b:1"), history=history)
        assert isinstance(outcome, Outcome)
        assert outcome.history == (history[0], history[2])

    def test_says_up_to_where_an_answer_is_complete(self) -> None:
        first, second, third = decided(once("a:1"), noting("b:1"), once("a:1"))
        assert isinstance(first, Outcome)
        assert isinstance(second, Outcome)
        assert isinstance(third, Outcome)
        assert [first.head, second.head, third.head] == [1, 2, 2]

    def test_refused_writes_nothing_and_stops_nobody(self) -> None:
        refusal = SlotTaken("a")
        refused, other = decided(Proposal((), refusing(refusal)), noting("b:1"))
        assert refused is refusal
        assert appended([other]) == [[1]]

    def test_repeated_finds_what_was_written_first(self) -> None:
        first, repeat = decided(once("mo:1"), once("mo:1"))
        assert isinstance(first, Outcome)
        assert isinstance(repeat, Outcome)
        assert first.appended
        assert (repeat.history, repeat.appended) == (first.appended, ())

    def test_makes_a_row_that_cannot_be_prepared_its_own_failure(self) -> None:
        def prepare(row: Row) -> bytes:
            return row.data.decode("ascii").encode()

        bad = Proposal((), lambda _: [row("a:1"), row(data=b"\xff")])
        outcomes = place(BOOK, decide_all([bad, noting("b:1")], [(), ()], prepare=prepare), 0, NOON)
        assert isinstance(outcomes[0], UnicodeDecodeError)
        assert appended(outcomes[1:]) == [[1]]

    def test_tells_rows_apart_that_two_decisions_share(self) -> None:
        shared = row("a:1")
        same = Proposal(about("a:1"), lambda _: [shared])
        _, second, third = decided(same, same, same)
        assert isinstance(second, Outcome)
        assert isinstance(third, Outcome)
        assert [old.position for old in second.history] == [1]
        assert [old.position for old in third.history] == [1, 2]


class TestSharingABatch:
    """Decisions of one batch that rest on the same tags."""

    def test_shows_later_decisions_what_earlier_ones_wrote(self) -> None:
        outcomes = decided(counting("a:1"), counting("b:1"), counting("a:1"))
        assert [
            outcome.appended[0].data for outcome in outcomes if isinstance(outcome, Outcome)
        ] == [
            b"0",
            b"0",
            b"1",
        ]

    def test_gives_one_slot_to_the_first(self) -> None:
        first, second = decided(taking("slot:1", "by:x"), taking("slot:1", "by:y"))
        assert appended([first]) == [[1]]
        assert isinstance(second, SlotTaken)

    def test_shows_nothing_of_one_that_is_refused(self) -> None:
        refused = Proposal(about("a:1"), refusing(SlotTaken("a")))
        outcomes = decided(refused, counting("a:1"))
        assert isinstance(outcomes[1], Outcome)
        assert outcomes[1].appended[0].data == b"0"


class TestOvertaken:
    """Others have appended between the reading and the lock."""

    def test_decides_again_with_the_tail(self) -> None:
        (outcome,) = decided(
            counting("a:1"), history=[stored(1, "a:1")], tail=[stored(2), stored(3, "a:1")]
        )
        assert isinstance(outcome, Outcome)
        assert outcome.appended == (StoredRow(BOOK, 4, NOON, *row("a:1", data=b"2")),)
        assert [old.position for old in outcome.history] == [1, 3]

    def test_leaves_a_decision_alone_that_does_not_rest_on_the_tail(self) -> None:
        once_only = Counted(counting("a:1"))
        decided(once_only.proposal, tail=[stored(1, "b:1")])
        assert once_only.times == 1

    def test_lets_the_slot_go_to_whoever_committed_first(self) -> None:
        (outcome,) = decided(taking("slot:1", "by:x"), tail=[stored(1, "by:y", "slot:1")])
        assert isinstance(outcome, SlotTaken)

    def test_takes_with_it_those_that_saw_its_rows_and_only_those(self) -> None:
        overtaken, witness, bystander = (
            Counted(Proposal(about("slot:1"), lambda h: [] if h else [row("slot:1", "shared:1")])),
            Counted(counting("shared:1")),
            Counted(counting("other:1")),
        )
        outcomes = decided(
            overtaken.proposal, witness.proposal, bystander.proposal, tail=[stored(1, "slot:1")]
        )
        assert [overtaken.times, witness.times, bystander.times] == [2, 2, 1]
        assert appended(outcomes) == [[], [2], [3]]
        assert isinstance(outcomes[1], Outcome)
        assert outcomes[1].appended[0].data == b"0"

    def test_revives_one_that_was_refused_for_what_is_no_longer_so(self) -> None:
        first = Proposal(about("slot:1"), lambda h: [] if h else [row("slot:1", "room:1")])
        outcomes = decided(first, taking("room:1", "by:y"), tail=[stored(1, "slot:1")])
        assert appended(outcomes) == [[], [2]]

    def test_keeps_a_witness_whose_history_comes_out_the_same(self) -> None:
        restless = Proposal(about("a:1"), lambda _: [row("a:1", "b:1")])
        witness = Counted(counting("b:1"))
        outcomes = decided(restless, witness.proposal, tail=[stored(1, "a:1")])
        assert witness.times == 1
        assert isinstance(outcomes[1], Outcome)
        assert [old.position for old in outcomes[1].history] == [2]

    @pytest.mark.parametrize(("after", "data"), [(0, b"1"), (1, b"0")])
    def test_minds_where_an_interest_begins(self, after: int, data: bytes) -> None:
        query = (Interest(("a:1",), after=after),)
        proposal = Proposal(query, lambda history: [row("a:1", data=b"%d" % len(history))])
        (outcome,) = decided(proposal, tail=[stored(1, "a:1")])
        assert isinstance(outcome, Outcome)
        assert outcome.appended[0].data == data

    def test_sees_everything_through_an_interest_without_tags(self) -> None:
        everything = Proposal((Interest(()),), lambda h: [row(data=b"%d" % len(h))])
        outcomes = decided(noting("a:1"), everything, history=[stored(1)], tail=[stored(2)])
        assert isinstance(outcomes[1], Outcome)
        assert outcomes[1].appended[0].data == b"3"


class TestAnyBatch:
    """Laws, whatever is proposed: tags are few, so that proposals meet."""

    tags = st.sampled_from(["a:1", "b:1", "c:1"])
    kinds = st.sampled_from([noting, once, counting, lambda tag: taking(tag, "by:x")])
    proposals = st.lists(st.builds(lambda kind, tag: kind(tag), kinds, tags), max_size=8)
    tagged = st.lists(tags, max_size=4)

    @given(proposals, tagged, tagged)
    def test_comes_out_as_if_decided_one_by_one_after_the_tail(
        self, proposals: list[Proposal], before: list[str], since: list[str]
    ) -> None:
        past = [stored(n, tag) for n, tag in enumerate([*before, *since], 1)]
        history, tail = past[: len(before)], past[len(before) :]
        together = decided(*proposals, history=history, tail=tail)
        log, alone = list(past), list[Outcome | Exception]()
        for proposal in proposals:
            (outcome,) = decided(proposal, history=log)
            alone.append(outcome)
            log += outcome.appended if isinstance(outcome, Outcome) else ()
        assert [_told(outcome) for outcome in together] == [_told(outcome) for outcome in alone]


class TestLookingUpWhatIsRecent:
    """By tag, and never otherwise than by looking at each row."""

    tags = st.sampled_from(["a:1", "b:1", "c:1", "d:1"])
    kinds = st.sampled_from(["noted.v1", "other.v1"])
    tagged = st.lists(tags, max_size=3, unique=True)
    rows = st.lists(st.tuples(tagged, kinds), max_size=8)
    interests = st.builds(
        Interest,
        tagged.map(tuple),
        st.frozensets(kinds, max_size=2),
        st.integers(0, 6),
    )

    @given(rows, st.integers(0, 8), st.lists(interests, max_size=3).map(tuple))
    def test_finds_each_row_that_is_meant_once_in_order(
        self, told: list[tuple[list[str], str]], here: int, query: Query
    ) -> None:
        """The first `here` of them are stored; those of the batch itself have no position yet."""
        rows: list[AnyRow] = [
            stored(n, *tags, type=kind) if n <= here else row(*tags, type=kind)
            for n, (tags, kind) in enumerate(told, 1)
        ]
        meant = [
            one
            for one in rows
            if any(
                matches([interest], one)
                and not (isinstance(one, StoredRow) and one.position <= interest.after)
                for interest in query
            )
        ]
        recent = Recent(rows[:3])
        recent.add(rows[3:])
        found = recent.matching(query)
        assert [id(one) for one in found] == [id(one) for one in meant]
        assert isinstance(found, tuple)


def _told(outcome: Outcome | Exception) -> object:
    return outcome if isinstance(outcome, Outcome) else repr(outcome)


def test_a_decided_proposal_has_rows_or_a_failure() -> None:
    (failed,) = decide_all([Proposal((), refusing(SlotTaken("a")))], [()])
    assert failed == Decided((), (), failure=failed.failure)
