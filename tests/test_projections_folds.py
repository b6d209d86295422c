"""Folds: every fact is named, and rows do not depend on how the facts are batched."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.charges import ChargeAuthorized
from ledger.facts.registry import REGISTRY, AnyFact, stored_name
from ledger.facts.traffic import MoReceived
from ledger.log.rows import StoredRow
from ledger.words import local_day
from projections.days import day_of
from projections.fold import AnyFold, Context, Fold, UnknownToTheFold
from projections.known import PROJECTIONS
from projections.quick import PLAIN, QUICK
from projections.source import Unreadable, decoded
from projections.together import Together
from tests.support.history import NOON, History, histories

PARIS = Context("Europe/Paris")
FOLDS = [projection.fold for projection in PROJECTIONS]
ALL: AnyFold = Fold("all", 1, frozenset(), frozenset(), iter, max)
"""One that needs each fact to be read."""


@pytest.mark.parametrize("fold", FOLDS, ids=lambda fold: fold.name)
class TestEveryFold:
    """What holds for each projection's fold."""

    def test_names_each_fact_as_read_or_as_ignored(self, fold: AnyFold) -> None:
        assert fold.forgotten(AnyFact.__args__) == set()
        assert fold.reads | fold.ignores <= set(AnyFact.__args__)

    def test_refuses_a_fact_that_it_names_nowhere(self, fold: AnyFold) -> None:
        blind = Fold(
            fold.name, 1, fold.reads, fold.ignores - {MoReceived}, fold.changes, fold.merge
        )
        history = History()
        history.exchange("a", NOON)
        assert blind.forgotten(AnyFact.__args__) == {MoReceived}
        with pytest.raises(UnknownToTheFold, match="MoReceived"):
            blind.fold(history.recorded, PARIS)

    @given(history=histories(), cuts=st.lists(st.integers(0, 100), max_size=6))
    def test_gives_the_same_rows_for_any_ranges(
        self, fold: AnyFold, history: History, cuts: Sequence[int]
    ) -> None:
        facts = history.recorded
        ends = [0, *sorted(min(cut, len(facts)) for cut in cuts), len(facts)]
        parts = [fold.fold(facts[a:b], PARIS) for a, b in pairwise(ends)]
        assert reduce(fold.combine, parts) == fold.fold(facts, PARIS)

    @given(history=histories(), cuts=st.tuples(st.integers(0, 60), st.integers(0, 60)))
    def test_combines_associatively_with_no_rows_as_identity(
        self, fold: AnyFold, history: History, cuts: Sequence[int]
    ) -> None:
        facts, (one, two) = history.recorded, sorted(cuts)
        a, b, c = (fold.fold(part, PARIS) for part in (facts[:one], facts[one:two], facts[two:]))
        assert fold.combine(fold.combine(a, b), c) == fold.combine(a, fold.combine(b, c))
        assert fold.combine(a, {}) == a == fold.combine({}, a)

    @given(history=histories())
    def test_leaves_what_it_combines_as_it_was(self, fold: AnyFold, history: History) -> None:
        facts = history.recorded
        middle = len(facts) // 2
        earlier, later = fold.fold(facts[:middle], PARIS), fold.fold(facts[middle:], PARIS)
        before = dict(earlier), dict(later)
        fold.combine(earlier, later)
        assert (earlier, later) == before


class TestTogether:
    """Folding for all projections at once, facts that are alike counted first."""

    @given(history=histories())
    def test_gives_what_each_fold_gives_by_itself(self, history: History) -> None:
        facts = history.recorded
        assert Together(FOLDS).fold(facts, PARIS) == [fold.fold(facts, PARIS) for fold in FOLDS]

    @given(history=histories())
    def test_gives_the_same_of_facts_that_were_read_quickly(self, history: History) -> None:
        facts = decoded(history.rows, FOLDS)
        exact = [REGISTRY.decode(row) for row in history.rows]
        together = Together(FOLDS).fold(facts, PARIS)
        for fold, found in zip(FOLDS, together, strict=True):
            wanted = fold.fold(exact, PARIS)
            assert found.keys() == wanted.keys()
            assert [_shown(one) for one in found.values()] == [
                _shown(one) for one in wanted.values()
            ]

    def test_refuses_a_fact_that_one_of_them_names_nowhere(self) -> None:
        history = History()
        history.exchange("a", NOON)
        (first, *others) = FOLDS
        blind = replace(first, ignores=first.ignores - {MoReceived})
        with pytest.raises(UnknownToTheFold, match="MoReceived"):
            Together([blind, *others]).fold(history.recorded, PARIS)


def _shown(delta: object) -> str:
    """Write a delta out, so that a fact equals the one of the same name that was read quickly."""
    return repr(delta)


class TestReadingQuickly:
    """Reading facts without checking again what was checked when they were written."""

    def test_knows_every_fact_but_those_whose_fields_are_of_several_shapes(self) -> None:
        assert {kind.__name__ for kind in set(AnyFact.__args__) - set(QUICK)} == {"ContractAgreed"}
        assert {PLAIN[quick] for quick in QUICK.values()} == set(QUICK)

    @given(history=histories())
    def test_reads_the_same(self, history: History) -> None:
        facts = decoded(history.rows, [ALL])
        exact = [REGISTRY.decode(row) for row in history.rows]
        assert [repr(one) for one in facts] == [repr(one) for one in exact]

    @pytest.mark.parametrize(
        "data",
        [
            b"{",
            b"{}",
            b'{"id":"x"},{"id":"y"}',
            b'{"id":"x","actor":"a","fact":{"type":"book_opened.v1"}}',
            b'{"id":"\xff"}',
        ],
    )
    def test_leaves_the_others_readable_where_one_is_not(self, data: bytes) -> None:
        history = History()
        history.exchange("a", NOON)
        rows = history.rows
        rows[2] = rows[2]._replace(data=data)
        found = decoded(rows, [ALL])
        assert [one.position for one in found if isinstance(one, Unreadable)] == [3]
        assert len(found) == len(rows)

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [
            (rb'^{"id"', b'{"note":1,"id"'),
            (rb'"fact":{"type"', b'"fact":{"note":1,"type"'),
            (rb'("occurred_at":"[^"]*)Z"', rb'\1"'),
            (rb'"ref":{', b'"ref":{"note":1,'),
            (rb'"captures_on":"delivered"', b'"captures_on":"never"'),
            (rb'"value_day":"[^"]*",', b""),
            (rb'"price":3000000', b'"price":"3000000"'),
        ],
    )
    def test_refuses_what_reading_exactly_refuses(self, was: bytes, becomes: bytes) -> None:
        row = _changed(was, becomes)
        (found,) = decoded([row], [ALL])
        assert isinstance(found, Unreadable)

    @pytest.mark.parametrize(
        ("was", "becomes"),
        [(rb'"mo":"[0-9a-f]*"', b'"mo":"no id"'), (rb'"mo":', b'"other":'), (b"", b"")],
    )
    def test_reads_a_row_alike_whatever_is_beside_it(self, was: bytes, becomes: bytes) -> None:
        """An id is not checked again, and a row of mixed shapes beside it must not change that."""
        row = _changed(was, becomes)
        mixed = row._replace(type="contract_agreed.v1", data=b"{}")
        broken = row._replace(data=b"{")
        (alone,) = decoded([row], [ALL])
        for beside in (mixed, broken):
            for rows in ([row, beside], [beside, row]):
                found = decoded(rows, [ALL])[rows.index(row)]
                assert repr(found) == repr(alone)

    def test_does_not_take_two_halves_for_two_rows(self) -> None:
        row = _changed(b"", b"")
        halves = row.data.partition(b',"fact"')
        first = row._replace(data=row.data + b"," + halves[0])
        second = row._replace(data=b'"fact"' + halves[2])
        assert {type(one) for one in decoded([first, second], [ALL])} == {Unreadable}


def _changed(was: bytes, becomes: bytes) -> StoredRow:
    """Give a stored charge with something in its data replaced, if it is there."""
    history = History()
    history.exchange("a", NOON)
    row = next(row for row in history.rows if row.type == stored_name(ChargeAuthorized))
    data, changes = re.subn(was, becomes, row.data, count=1)
    assert changes == 1
    return row._replace(data=data)


class TestDays:
    """Telling local days quickly."""

    @given(
        at=st.datetimes(
            min_value=datetime(1980, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
            max_value=datetime(2037, 12, 31),  # noqa: DTZ001 - the same
            timezones=st.just(UTC),
        ),
        zone=st.sampled_from(["Europe/Paris", "Europe/London", "America/St_Johns", "Asia/Beirut"]),
    )
    def test_are_the_local_ones(self, at: datetime, zone: str) -> None:
        assert day_of(at, zone) == local_day(at, zone)
