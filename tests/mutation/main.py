"""Changes money, decisions and the log in small ways, to see whether a test notices: `make mutate`.

The status is 1 if less than the wanted part of what can be noticed was, 2 if it was broken off.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.report import judged, rows, survivors, table, total
from tests.mutation.session import Mutating, Plan, quiet

ROOT = Path(__file__).parents[2]
WANTED = 85.0
"""The least score, in percent."""
LEFT_OUT = (
    "docs",
    "tidy",
    "gates",
    "top_level",
    "torture",
    "market",
    "demo",
    "cli",
    "api",
    "kannel",
)
"""Tests of the project itself, and of what runs in processes of its own."""


def main(arguments: Sequence[str]) -> int:
    """Mutate what was asked for, and tell of it."""
    asked = _parser().parse_args(arguments)
    paths = _paths(asked.modules)
    plan = Plan(ROOT, paths, asked.part, asked.seed, asked.workers, asked.budget)
    say = sys.stdout if asked.loud else quiet()
    mutating = Mutating(plan, say)
    ended = pytest.main([*_options(), *_test_files(asked.tests)], plugins=[mutating])
    if ended not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        print(f"broken off: {ended!r}; --loud tells why", file=say, flush=True)
        return 2
    outcomes = sorted(
        judged(mutating.outcomes), key=lambda one: (one.mutant.path, one.mutant.number)
    )
    counted = rows(outcomes, paths)
    if asked.survivors:
        source = {path: (ROOT / path).read_text() for path in paths}
        print(survivors(outcomes, source), file=say)
    for test in mutating.failed:
        print(f"left out, it fails without a mutant: {test}", file=say)
    print(_data(counted) if asked.json else table(counted), file=say, flush=True)
    return 0 if counted and total(counted, "all").score >= WANTED else 1


def _options() -> list[str]:
    off = ("randomly", "xdist", "cacheprovider", "faulthandler", "pytest_cov")
    early = "ignore::pytest.PytestAssertRewriteWarning"  # the plugin imports Hypothesis first
    return [
        "-s",
        "-qq",
        "--tb=no",
        "-W",
        early,
        f"--rootdir={ROOT}",
        *(f"-pno:{one}" for one in off),
    ]


def _paths(modules: Sequence[str]) -> list[str]:
    """Find the files whose path holds one of the given words; all of them without any."""
    found = ["ledger/money.py"] + [
        str(path.relative_to(ROOT))
        for folder in ("decisions", "log")
        for path in sorted((ROOT / "ledger" / folder).glob("*.py"))
    ]
    return [path for path in found if not modules or any(one in path for one in modules)]


def _test_files(words: Sequence[str]) -> list[str]:
    found = sorted((ROOT / "tests").glob("test_*.py"))
    kept = [path for path in found if not path.stem.split("_", 1)[1].startswith(LEFT_OUT)]
    return [str(path) for path in kept if not words or any(word in path.name for word in words)]


def _data(counted: Sequence[object]) -> str:
    return json.dumps([one._asdict() | {"score": round(one.score, 1)} for one in counted], indent=1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", help="words of paths, such as money or log/batch")
    parser.add_argument("--tests", nargs="*", default=[], help="words of test files")
    parser.add_argument("--part", type=float, default=1.0, help="the part of the mutants to try")
    parser.add_argument("--seed", type=int, default=1, help="draws that part")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--budget", type=float, default=6.0, help="seconds of work for a mutant")
    parser.add_argument("--survivors", action="store_true", help="show each survivor")
    parser.add_argument("--loud", action="store_true", help="let tests print what they print")
    parser.add_argument("--json", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
