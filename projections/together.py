"""Folds a range of facts for many projections at once: each fact is looked at once.

What goes wrong here is for `projections.apply` to find, projection by projection and fact by fact.
"""

from collections.abc import Sequence
from typing import Any

from ledger.facts.base import Fact, Recorded
from projections.alike import tally
from projections.fold import AnyFold, Context, Deltas, UnknownToTheFold
from projections.quick import QUICK


class Together:
    """Some folds, by the facts that each of them reads."""

    def __init__(self, folds: Sequence[AnyFold]) -> None:
        self._folds = folds
        self._lists: dict[type[Fact], list[AnyFold]] = {}
        self._sums: set[type[Fact]] = set()
        known = frozenset[type[Fact]].intersection(*(fold.reads | fold.ignores for fold in folds))
        for kind in known:
            readers = [fold for fold in folds if kind in fold.reads]
            for alias in (kind, QUICK.get(kind, kind)):
                self._lists[alias] = [fold for fold in readers if not fold.sums]
                if any(fold.sums for fold in readers):
                    self._sums.add(alias)

    def fold(self, facts: Sequence[Recorded], context: Context) -> list[Deltas[Any, Any]]:
        """Give what facts do to each projection, in the order in which the folds were named.

        Raises:
            UnknownToTheFold: a fact is not named by each of the folds.
        """
        deltas: dict[str, dict[Any, Any]] = {fold.name: {} for fold in self._folds}
        try:
            self._gather(deltas, facts, context)
        except KeyError as unknown:
            raise UnknownToTheFold(f"one of the folds: {unknown}") from unknown
        sums = self._sums
        counted = tally((one for one in facts if type(one.fact) in sums), context).values()
        return [
            fold.fold_counted(counted, context) if fold.sums else deltas[fold.name]
            for fold in self._folds
        ]

    def _gather(
        self, deltas: dict[str, dict[Any, Any]], facts: Sequence[Recorded], context: Context
    ) -> None:
        readers = {
            kind: [(fold.changes, fold.merge, deltas[fold.name]) for fold in folds]
            for kind, folds in self._lists.items()
        }
        for recorded in facts:
            for changes, merge, rows in readers[type(recorded.fact)]:
                for key, change in changes(recorded, context):
                    known = rows.get(key)
                    rows[key] = change if known is None else merge(known, change)
