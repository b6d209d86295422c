"""What holds for every file of the project."""

import ast

import pytest

from tests.support.tidy import (
    FILE_LINES,
    FUNCTION_LINES,
    PACKAGES,
    ROOT,
    Check,
    bare_snapshots,
    floats_and_decimals,
    long_functions,
    places,
    sleeps,
    sql_with_holes,
    tracked,
    trees_below,
)


class TestTheTree:
    """What holds for all files."""

    def test_has_no_money_in_floats_or_decimals(self) -> None:
        assert list(floats_and_decimals(trees_below("ledger"))) == []

    def test_has_no_sql_put_together_from_text(self) -> None:
        assert list(sql_with_holes(trees_below(*PACKAGES))) == []

    def test_begins_no_snapshot_but_by_the_one_that_locks(self) -> None:
        found = [place.partition(":")[0] for place in bare_snapshots(trees_below(*PACKAGES))]
        assert found == ["ledger/log/session.py"]  # SNAPSHOT itself

    def test_has_no_function_of_more_than_forty_lines(self) -> None:
        assert list(long_functions(trees_below(*PACKAGES))) == []

    def test_has_no_file_of_more_than_three_hundred_lines(self) -> None:
        counted = {
            str(path.relative_to(ROOT)): len(path.read_text().splitlines())
            for folder in PACKAGES
            for path in (ROOT / folder).rglob("*.py")
        }
        assert {name: lines for name, lines in counted.items() if lines > FILE_LINES} == {}

    def test_has_no_test_that_sleeps(self) -> None:
        assert list(sleeps(trees_below("tests"))) == []

    def test_names_no_machine_and_no_registry(self) -> None:
        found = {
            str(path.relative_to(ROOT)): hits
            for path in tracked()
            if (hits := places(path.read_text(errors="replace")))
        }
        assert found == {}


class TestTheChecks:
    """Each finds what it is for; without this they might as well find nothing."""

    @pytest.mark.parametrize(
        ("check", "source"),
        [
            (floats_and_decimals, "price = 0.05"),
            (floats_and_decimals, "price = float('3')"),
            (floats_and_decimals, "from decimal import Decimal"),
            (sql_with_holes, "f'SELECT * FROM {table}'"),
            (sql_with_holes, "'DELETE FROM %s' % table"),
            (sql_with_holes, "'SELECT {}'.format(1)"),
            (bare_snapshots, "x = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ'"),
            (bare_snapshots, "x = 'begin isolation level\\n repeatable read'"),
            (bare_snapshots, "x = IsolationLevel.REPEATABLE_READ"),
            (long_functions, "def f():\n" + "    pass\n" * FUNCTION_LINES),
            (sleeps, "import time\ntime.sleep(1)"),
            (sleeps, "from time import sleep\nsleep(0.1)"),
        ],
    )
    def test_find_a_breach(self, check: Check, source: str) -> None:
        assert list(check({"x.py": ast.parse(source)}))

    @pytest.mark.parametrize(
        "line",
        [
            "cd /" + "work/main",
            "see /" + "root/notes",
            "https://" + "pypi" + ".org/p",
            "--index" + "-url x",
        ],
    )
    def test_find_a_place(self, line: str) -> None:
        assert places(line)

    def test_let_a_duration_be_a_float(self) -> None:
        source = "def wait(n: int, *, quiet_seconds: float = 1.5): pass\nLONG_SECONDS = 2.5"
        assert list(floats_and_decimals({"x.py": ast.parse(source)})) == []

    def test_let_a_test_yield(self) -> None:
        assert list(sleeps({"x.py": ast.parse("await asyncio.sleep(0)")})) == []

    @pytest.mark.parametrize("line", ["network/main", "the work/rest ratio", "a/root/b"])
    def test_leave_a_word_alone(self, line: str) -> None:
        assert places(line) == []
