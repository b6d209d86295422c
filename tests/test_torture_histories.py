"""The judges of histories: what is right passes, and each wrong is found by what it is."""

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from tests.torture.histories import (
    History,
    Line,
    Operation,
    Type,
    bank_failures,
    operations,
    set_failures,
)
from tests.torture.histories_cycles import circles, cycle_failures

Step = tuple[int, Type, str, object]
"""A process, and what it says."""


def done(*steps: Step) -> list[Operation]:
    history = History()
    for process, kind, f, value in steps:
        history.say(kind, f, value, process)
    return operations(history.lines)


def alone(f: str, asked: object, told: object = None, kind: Type = "ok") -> list[Step]:
    """Do one thing while nobody else does anything."""
    return [(0, "invoke", f, asked), (0, kind, f, told if told is not None else asked)]


def txns(*each: Sequence[Sequence[object]]) -> list[Operation]:
    """Let transactions all begin before any of them ends."""
    asked = [
        [[kind, key, None if kind == "r" else value] for kind, key, value in one] for one in each
    ]
    begun: list[Step] = [(n, "invoke", "txn", one) for n, one in enumerate(asked)]
    return done(*begun, *((n, "ok", "txn", one) for n, one in enumerate(each)))


class TestHistory:
    """Lines, and the operations that they tell."""

    def test_is_written_a_line_to_each(self, tmp_path: Path) -> None:
        history = History(clock=iter(range(10)).__next__)
        history.say("invoke", "add", 7, 0)
        history.say("ok", "add", 7, 0)
        history.write(tmp_path / "some" / "add.jsonl")
        first, second = (tmp_path / "some" / "add.jsonl").read_text().splitlines()
        assert first == '{"type":"invoke","f":"add","value":7,"process":0,"index":0,"time":1}'
        assert msgspec.json.decode(second, type=Line) == history.lines[1]

    def test_leaves_unknown_what_never_ended(self) -> None:
        (one,) = done((0, "invoke", "add", 7))
        assert (one.type, one.ended) == ("info", None)

    @pytest.mark.parametrize("kinds", [["ok"], ["invoke", "invoke"]])
    def test_refuses_what_no_process_can_do(self, kinds: list[Type]) -> None:
        with pytest.raises(ValueError, match="process 0 cannot"):
            done(*((0, kind, "add", 7) for kind in kinds))


class TestSet:
    """Elements that are added, and read."""

    def test_passes_what_is_right(self) -> None:
        steps = [*alone("add", 1), *alone("add", 2, kind="fail"), *alone("add", 3, kind="info")]
        assert set_failures(done(*steps, *alone("read", None, [1, 3]))) == []

    def test_lets_a_read_miss_what_was_being_added(self) -> None:
        steps: list[Step] = [(0, "invoke", "add", 1), *alone_by(1, []), (0, "ok", "add", 1)]
        assert set_failures(done(*steps, *alone("read", None, [1]))) == []

    @pytest.mark.parametrize(
        ("reads", "found"),
        [
            ([[]], "are lost"),
            ([[1], []], "are lost"),
            ([[], [1]], "missing from a read that began after"),
            ([[1, 1]], "read twice"),
            ([[1, 9]], "never added"),
        ],
    )
    def test_finds_what_is_wrong(self, reads: list[list[int]], found: str) -> None:
        steps = [step for read in reads for step in alone("read", None, read)]
        (failure,) = set_failures(done(*alone("add", 1), *steps))
        assert found in failure


def alone_by(process: int, read: list[int]) -> list[Step]:
    return [(process, "invoke", "read", None), (process, "ok", "read", read)]


class TestBank:
    """Accounts that add up to nothing."""

    def test_passes_what_balances(self) -> None:
        assert bank_failures(done(*alone("read", None, {"a": 5, "b": -5}))) == []

    def test_finds_a_read_that_does_not(self) -> None:
        (failure,) = bank_failures(done(*alone("read", None, {"a": 5, "b": -4})))
        assert "1 reads do not add up to 0" in failure


class TestCycles:
    """Lists that transactions append to and read."""

    def test_passes_what_happened_one_after_another(self) -> None:
        one = alone(
            "txn", [["r", "x", None], ["append", "x", 1]], [["r", "x", []], ["append", "x", 1]]
        )
        two = alone("txn", [["r", "x", None]], [["r", "x", [1]]])
        assert cycle_failures(done(*one, *two)) == []

    def test_finds_lists_written_in_two_orders(self) -> None:
        found = cycle_failures(
            txns(
                [["append", "x", 1], ["append", "y", 1]],
                [["append", "x", 2], ["append", "y", 2]],
                [["r", "x", [1, 2]], ["r", "y", [2, 1]]],
            )
        )
        assert any("(G0" in one for one in found) or any("(G2" in one for one in found)

    def test_finds_two_that_read_each_other(self) -> None:
        (failure,) = cycle_failures(
            txns([["append", "x", 1], ["r", "y", [2]]], [["append", "y", 2], ["r", "x", [1]]])
        )
        assert "(G1c)" in failure

    def test_finds_two_that_did_not_see_each_other(self) -> None:
        (failure,) = cycle_failures(
            txns(
                [["r", "y", []], ["append", "x", 1]],
                [["r", "x", []], ["append", "y", 2]],
                [["r", "x", [1]], ["r", "y", [2]]],
            )
        )
        assert "2 transactions come before themselves (G2)" in failure

    def test_finds_a_lost_update(self) -> None:
        found = cycle_failures(
            txns(
                [["r", "x", []], ["append", "x", 1]],
                [["r", "x", []], ["append", "x", 2]],
                [["r", "x", [1, 2]]],
            )
        )
        assert len(found) == 1
        assert "(G2)" in found[0]

    def test_finds_what_was_aborted_and_read(self) -> None:
        wrote = alone("txn", [["append", "x", 1]], kind="fail")
        (failure,) = cycle_failures(
            done(*wrote, *alone("txn", [["r", "x", None]], [["r", "x", [1]]]))
        )
        assert "nobody committed it (G1a)" in failure

    def test_finds_what_was_appended_and_lost(self) -> None:
        wrote = alone("txn", [["append", "x", 1]])
        (failure,) = cycle_failures(
            done(*wrote, *alone("txn", [["r", "x", None]], [["r", "x", []]]))
        )
        assert "1 was appended to 'x' and is lost" in failure

    def test_finds_a_read_of_the_past(self) -> None:
        """Serializable, but not in the order in which it came about."""
        old = alone("txn", [["r", "x", None]], [["r", "x", []]])
        steps = [*alone("txn", [["append", "x", 1]]), *old, *alone("txn", [], [["r", "x", [1]]])]
        (failure,) = cycle_failures(done(*steps))
        assert "told by the time" in failure
        assert cycle_failures(done(*steps), strict=False) == []

    def test_finds_a_list_that_is_not_the_beginning_of_another(self) -> None:
        writes = [["append", "x", n] for n in (1, 2)]
        found = cycle_failures(txns(writes, [["r", "x", [1, 2]]], [["r", "x", [2]]]))
        assert any("does not begin the longest read" in one for one in found)

    def test_finds_the_same_circles_as_a_search_of_all_ways(self) -> None:
        chance = random.Random(7)  # noqa: S311 - chance that can be repeated
        for _ in range(200):
            size = chance.randrange(2, 9)
            edges = {n: dict.fromkeys(chance.sample(range(size), chance.randrange(3) % size))
                     for n in range(size)}  # fmt: skip
            ways = {n: _reached(edges, n) for n in edges}
            mutual = {tuple(sorted({m for m in ways[n] if n in ways[m]} | {n})) for n in edges}
            assert {tuple(one) for one in circles(edges)} == {one for one in mutual if len(one) > 1}


def _reached(edges: dict[int, dict[int, None]], start: int) -> set[int]:
    found: set[int] = set()
    left = [start]
    while left:
        new = edges[left.pop()].keys() - found
        found |= new
        left += new
    return found
