"""Folds: every fact is named, and rows do not depend on how the facts are batched."""

from collections.abc import Sequence
from functools import reduce
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.facts.registry import AnyFact
from ledger.facts.traffic import MoReceived
from projections.fold import AnyFold, Context, Fold, UnknownToTheFold
from projections.known import PROJECTIONS
from tests.support.history import NOON, History, histories

PARIS = Context("Europe/Paris")
FOLDS = [projection.fold for projection in PROJECTIONS]


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
