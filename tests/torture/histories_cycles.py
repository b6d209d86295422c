"""Whether transactions that read lists and append to them can have happened one after another.

An element is appended once, so a list that was read tells in which order its elements were
written. From that follows who came before whom: `ww` wrote before, `wr` wrote what the other read,
`rw` read before the other wrote. In a serializable history these never run in a circle.

Source: Adya, "Weak Consistency" (1999): G0, G1a, G1c, G2; Elle, section 4 (list-append).
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from tests.torture.histories import Operation

Edges = dict[int, dict[int, set[str]]]
"""Who comes before whom, and by which of the three it is known; by place in the history."""

Key = object


def cycle_failures(done: Sequence[Operation], *, strict: bool = True) -> list[str]:
    """Judge transactions, each a list of `["append", key, element]` and `["r", key, list]`.

    `strict`: also that one which had ended before another began comes before it.
    """
    committed = {place: one for place, one in enumerate(done) if one.type != "fail"}
    writers = {
        (key, element): place
        for place, one in committed.items()
        for kind, key, element in one.told or one.asked
        if kind == "append"
    }
    reads = {place: _reads(one) for place, one in committed.items() if one.type == "ok"}
    orders, failures = _orders(reads.values())
    failures += [
        f"{element!r} was read in {key!r}, and nobody committed it (G1a)"
        for key, order in orders.items()
        for element in order
        if (key, element) not in writers
    ]
    failures += _unread(committed, reads)
    edges = _edges(reads, orders, writers)
    if strict:
        _add_time(edges, committed)
    return failures + [_named(cycle, edges, done) for cycle in circles(edges)]


def circles(edges: Mapping[int, Mapping[int, object]]) -> Iterator[list[int]]:
    """Give what comes before itself: the strongly connected sets of more than one."""
    search = _Search(edges)
    for root in list(edges):
        yield from search.below(root)


class _Search:
    """A search for circles that goes as deep as it has to without calling itself (Tarjan)."""

    def __init__(self, edges: Mapping[int, Mapping[int, object]]) -> None:
        self._edges = edges
        self._index: dict[int, int] = {}
        self._low: dict[int, int] = {}
        self._stack: list[int] = []
        self._on_stack: set[int] = set()
        self._work: list[tuple[int, Iterator[int]]] = []

    def below(self, root: int) -> Iterator[list[int]]:
        """Search what can be reached from here and was not yet."""
        if root not in self._index:
            self._enter(root)
        while self._work:
            one, following = self._work[-1]
            for to in following:
                if to not in self._index:
                    self._enter(to)
                    break
                if to in self._on_stack:
                    self._low[one] = min(self._low[one], self._index[to])
            else:
                yield from self._leave(one)

    def _enter(self, one: int) -> None:
        self._index[one] = self._low[one] = len(self._index)
        self._stack.append(one)
        self._on_stack.add(one)
        self._work.append((one, iter(list(self._edges.get(one, ())))))

    def _leave(self, one: int) -> Iterator[list[int]]:
        self._work.pop()
        if self._work:
            parent = self._work[-1][0]
            self._low[parent] = min(self._low[parent], self._low[one])
        if self._low[one] == self._index[one]:
            place = self._stack.index(one)
            found = self._stack[place:]
            del self._stack[place:]
            self._on_stack.difference_update(found)
            if len(found) > 1:
                yield sorted(found)


def _reads(one: Operation) -> list[tuple[Key, list[object]]]:
    """Give what was read, each list as it stood before the transaction's own writes."""
    return [(key, value) for kind, key, value in one.told if kind == "r"]


def _orders(
    reads: Iterable[Sequence[tuple[Key, list[object]]]],
) -> tuple[dict[Key, list[object]], list[str]]:
    """Give each list in full, as the longest read has it; every other must begin it."""
    longest: dict[Key, list[object]] = {}
    failures: list[str] = []
    every = [one for each in reads for one in each]
    for key, value in every:
        if len(value) > len(longest.get(key, ())):
            longest[key] = value
    failures += [
        f"{key!r} was read as {value[-3:]!r}, which does not begin the longest read of it"
        for key, value in every
        if value != longest.get(key, [])[: len(value)]
    ]
    failures += [
        f"{key!r} was read with an element twice"
        for key, order in longest.items()
        if len(set(order)) < len(order)
    ]
    return longest, failures


class _Graph:
    """Who comes before whom, as it becomes known."""

    def __init__(self) -> None:
        self.edges: Edges = defaultdict(lambda: defaultdict(set))

    def precedes(self, one: int | None, other: int | None, how: str) -> None:
        """Note that one comes before another; nobody, or itself, is not noted."""
        if one is not None and other is not None and one != other:
            self.edges[one][other].add(how)


def _edges(
    reads: Mapping[int, Sequence[tuple[Key, list[object]]]],
    orders: Mapping[Key, Sequence[object]],
    writers: Mapping[tuple[Key, object], int],
) -> Edges:
    graph = _Graph()
    for key, order in orders.items():
        for one, other in pairwise(order):
            graph.precedes(writers.get((key, one)), writers.get((key, other)), "ww")
    every = [(place, key, value) for place, each in reads.items() for key, value in each]
    for place, key, value in every:
        order = orders.get(key, ())
        if value:
            graph.precedes(writers.get((key, value[-1])), place, "wr")
        if len(value) < len(order):
            graph.precedes(place, writers.get((key, order[len(value)])), "rw")
    return graph.edges


def _unread(
    committed: Mapping[int, Operation], reads: Mapping[int, Sequence[tuple[Key, list[object]]]]
) -> list[str]:
    """Name what was appended, and is missing from a read that began after that."""
    last: dict[Key, tuple[int, list[object]]] = {}
    for place, each in reads.items():
        for key, value in each:
            last[key] = max((committed[place].began, value), last.get(key, (-1, [])))
    return [
        f"{element!r} was appended to {key!r} and is lost"
        for one in committed.values()
        if one.type == "ok" and one.ended is not None
        for kind, key, element in one.told
        if kind == "append" and key in last
        if one.ended < last[key][0] and element not in last[key][1]
    ]


def _add_time(edges: Edges, committed: Mapping[int, Operation]) -> None:
    """Let who ended before another began come before it; only the latest of those is named.

    Those that ended before the latest began come before that in turn, so a chain says it of all.
    """
    ended = sorted((one.ended or 0, place) for place, one in committed.items() if one.type == "ok")
    for place, one in committed.items():
        newest_began = -1
        for end, other in reversed(ended[: bisect_left(ended, (one.began, 0))]):
            if end < newest_began:
                break
            newest_began = max(newest_began, committed[other].began)
            edges[other][place].add("time")


def _named(cycle: Sequence[int], edges: Edges, done: Sequence[Operation]) -> str:
    inside = set(cycle)
    pairs = [(one, other) for one in cycle for other in edges[one].keys() & inside]
    kinds = {how for one, other in pairs for how in edges[one][other]}
    name = "G2" if "rw" in kinds else "G1c" if "wr" in kinds else "G0"
    timed = ", told by the time" if "time" in kinds else ""
    lines = ", ".join(str(done[one].began) for one in cycle[:5])
    return f"{len(cycle)} transactions come before themselves ({name}{timed}), begun at {lines}"
