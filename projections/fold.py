"""What a projection is: a pure fold from facts to rows of deltas, and the merge of two such rows.

A fold sees facts in the order of their positions and does no I/O. Its merge is associative,
with "no rows" as identity, so that any batching, and any contiguous ranges folded apart and
combined in order, give the same rows.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Generic, NamedTuple, TypeVar

from ledger.facts.base import Fact, Recorded
from ledger.facts.registry import AnyFact
from projections.quick import plain_kind

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Deltas = Mapping[K, V]
"""What a range of facts does to each row that it touches, by the row's key within its book."""


class Context(NamedTuple):
    """What a book says of itself and no single fact repeats."""

    zone: str
    """The IANA time zone in which its days are told, as the book's opening gives it."""


class UnknownToTheFold(LookupError):
    """A fold names this fact neither as read nor as ignored."""


@dataclass(frozen=True)
class Fold(Generic[K, V]):
    """The pure half of a projection; `name` is also the name of its table.

    A new `version` says that the same facts now give other rows, so that what is there has
    to be rebuilt.
    """

    name: str
    version: int
    reads: frozenset[type[Fact]]
    ignores: frozenset[type[Fact]]
    """Every other fact, each one named, so that a new fact cannot be forgotten."""
    changes: Callable[[Recorded, Context], Iterable[tuple[K, V]]]
    """What one fact that is read does: rows' keys, each with its delta."""
    merge: Callable[[V, V], V]
    """The deltas of an earlier and of a later range on one row, as one; associative."""
    sums: bool = False
    """Whether deltas are tuples of numbers that add up, so that facts which are alike may be
    counted first; see `projections.alike`."""

    def fold(self, facts: Sequence[Recorded], context: Context) -> dict[K, V]:
        """Give what facts, in the order of their positions, do together.

        Raises:
            UnknownToTheFold: a fact is named neither as read nor as ignored.
        """
        deltas: dict[K, V] = {}
        for recorded in facts:
            if self.takes(recorded):
                _gather(deltas, self.changes(recorded, context), self.merge)
        return deltas

    def fold_counted(self, counted: Iterable[tuple[Recorded, int]], context: Context) -> dict[K, V]:
        """Give the same for a fold of sums, from the first of alike facts and their number.

        Raises:
            UnknownToTheFold: as `fold`.
        """
        deltas: dict[K, V] = {}
        for recorded, number in counted:
            if self.takes(recorded):
                changes = self.changes(recorded, context)
                _gather(
                    deltas, ((key, _times(change, number)) for key, change in changes), self.merge
                )
        return deltas

    def takes(self, recorded: Recorded) -> bool:
        """Tell whether a fact is read, and not ignored.

        Raises:
            UnknownToTheFold: a fact is named neither as read nor as ignored.
        """
        kind = plain_kind(recorded.fact)
        if kind in self.reads:
            return True
        if kind in self.ignores:
            return False
        raise UnknownToTheFold(f"{self.name}: {kind.__name__}")

    def combine(self, earlier: Deltas[K, V], later: Deltas[K, V]) -> dict[K, V]:
        """Give what two adjoining ranges do together."""
        deltas = dict(earlier)
        _gather(deltas, later.items(), self.merge)
        return deltas

    def forgotten(self, facts: Collection[type[Fact]]) -> set[type[Fact]]:
        """Give those of `facts` that are named in neither or in both of reads and ignores."""
        return {fact for fact in facts if (fact in self.reads) == (fact in self.ignores)}


AnyFold = Fold[Any, Any]


def facts_of(*subjects: ModuleType) -> frozenset[type[Fact]]:
    """Give every fact of a whole subject, such as the catalogue: for a fold that has none of it.

    Within a subject that a fold reads, each fact that it ignores is named by itself.
    """
    names = {subject.__name__ for subject in subjects}
    return frozenset(fact for fact in AnyFact.__args__ if fact.__module__ in names)


def _times(change: Any, number: int) -> Any:  # noqa: ANN401 - any named tuple of numbers
    if number == 1:
        return change
    sums: tuple[int, ...] = change
    return change._replace(**dict(zip(change._fields, [number * one for one in sums], strict=True)))


def _gather(deltas: dict[K, V], changes: Iterable[tuple[K, V]], merge: Callable[[V, V], V]) -> None:
    for key, change in changes:
        known = deltas.get(key)
        deltas[key] = change if known is None else merge(known, change)
