"""A pytest plugin that runs every test once to see what it covers, and then tries the mutants."""

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, process_time
from typing import TextIO

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.forks import (
    NOT_ONE,
    SURVIVED,
    Forks,
    Trial,
    Tried,
    empty_caches,
    run_test,
)
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.report import Kind, Outcome

NEEDS_A_SERVER = {"server", "durable_server", "lone_database", "obole_home"}
OF_THE_LOG = ("test_log_", "test_archive.py", "test_archive_raced")
LATEST_KILLERS = 8
"""How many tests that killed a function's other mutants are tried first."""


@dataclass(frozen=True)
class Plan:
    """What to mutate, and how much of it."""

    root: Path
    paths: Sequence[str]
    part: float = 1.0
    """Which part of each module's mutants is tried, drawn by `seed`."""
    seed: int = 1
    workers: int = 2
    budget: float = 6.0
    """How many seconds of work one mutant is worth, in this process: others may use the machine."""


@dataclass
class Covered:
    """What the tests cover: test numbers by path and line; how long each takes, and its work."""

    by_line: dict[tuple[str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[int, float] = field(default_factory=dict)
    work: dict[int, float] = field(default_factory=dict)
    """Seconds of the processor."""


class Mutating:
    """The plugin: takes the place of pytest's own loop over the tests."""

    def __init__(self, plan: Plan, say: TextIO) -> None:
        self.outcomes: list[Outcome] = []
        self.failed: list[str] = []
        """Tests that fail without any mutant; they are left out."""
        self._plan, self._say = plan, say
        self._killers: dict[tuple[str, str], list[int]] = defaultdict(list)
        self._kills: dict[str, Counter[int]] = defaultdict(Counter)

    def pytest_configure(self) -> None:
        """Draw the same examples each time; a test runs in its session and again in a fork."""
        settings.register_profile(
            "mutation",
            max_examples=50,
            deadline=None,
            derandomize=True,
            phases=(Phase.explicit, Phase.generate),  # that it fails is enough: no smallest example
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
        )
        settings.load_profile("mutation")

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep what can reach the modules inside this process: the log's tests use databases."""
        of_log = any(path.startswith("ledger/log/") for path in self._plan.paths)
        items[:] = [
            item
            for item in items
            if not NEEDS_A_SERVER & set(getattr(item, "fixturenames", ()))
            or (of_log and item.path.name.startswith(OF_THE_LOG))
        ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """See what each test covers, then try each mutant."""
        covered = self._see(session.items)
        forks = Forks(session.items, covered.seconds, self._plan.root, self._plan.paths)
        self._leave_out(forks.failing(), session.items, covered)
        trials = self._trials(session.items, covered)
        for number, tried in enumerate(forks.run(trials, self._plan.workers), start=1):
            self._judge(tried)
            if number % 200 == 0:
                self._tell(f"{number} tried")
        return True

    def _leave_out(self, failing: set[int], items: Sequence[pytest.Item], covered: Covered) -> None:
        """Take out the tests that fail in a fork where nothing is changed: they prove nothing."""
        again = failing & covered.seconds.keys()
        self.failed += [items[number].nodeid for number in sorted(again)]
        for tests in covered.by_line.values():
            tests.difference_update(again)
        self._tell(f"{len(again)} more fail in a fork without a mutant")

    def _tell(self, line: str) -> None:
        print(line, file=self._say, flush=True)

    def _see(self, items: Sequence[pytest.Item]) -> Covered:
        started, covered = monotonic(), Covered()
        files = {str(self._plan.root / path): path for path in self._plan.paths}
        coverage = Coverage(data_file=None, config_file=False, include=[*files])
        coverage.start()
        for number, item in enumerate(items):
            empty_caches()
            coverage.switch_context(str(number))
            begun, working = monotonic(), process_time()
            if run_test(item):
                covered.seconds[number] = monotonic() - begun
                covered.work[number] = process_time() - working
            else:
                self.failed.append(item.nodeid)
        coverage.stop()
        data = coverage.get_data()
        for file, path in files.items():
            for line, contexts in data.contexts_by_lineno(file).items():
                tests = {int(one) for one in contexts if one}
                covered.by_line[path, line] = tests & covered.seconds.keys()
        self._tell(
            f"{len(items)} tests took {monotonic() - started:.0f} s, {len(self.failed)} failed"
        )
        return covered

    def _trials(self, items: Sequence[pytest.Item], covered: Covered) -> Iterator[Trial]:
        """Give the mutants that a test reaches; of the others, take note."""
        for path in self._plan.paths:
            ranks = _ranks(items, Path(path).stem, covered.work)
            for mutant in self._drawn(path):
                tests = covered.by_line.get((path, mutant.line)) or {
                    one for line in mutant.lines for one in covered.by_line.get((path, line), ())
                }
                if not tests:
                    self.outcomes.append(Outcome(mutant, Kind.UNREACHED, ""))
                    continue
                yield self._trial(mutant, tests, ranks, covered.work)

    def _drawn(self, path: str) -> list[Mutant]:
        """Draw the plan's part of a file's mutants."""
        found = mutants_of(path, self._plan.root)
        if self._plan.part >= 1:
            return found
        wanted = max(1, round(len(found) * self._plan.part)) if found else 0
        draw = random.Random(f"{self._plan.seed} {path}")  # noqa: S311 - no secret
        drawn = draw.sample(found, wanted)
        return sorted(drawn, key=lambda one: one.number)

    def _trial(
        self,
        mutant: Mutant,
        tests: set[int],
        ranks: Sequence[tuple[object, ...]],
        work: Mapping[int, float],
    ) -> Trial:
        """Order the tests: what killed this function's others, then this file's, then by rank."""
        killers = self._killers[mutant.path, mutant.function][-LATEST_KILLERS:][::-1]
        first = [one for one in killers if one in tests]
        kills = self._kills[mutant.path]
        rest = sorted(tests - set(first), key=lambda one: (-min(kills[one], 3), ranks[one]))
        chosen: list[int] = []
        spent = 0.0
        for one in [*first, *rest]:
            if chosen and spent + work[one] > self._plan.budget:
                continue
            chosen.append(one)
            spent += work[one]
        return Trial(mutant, chosen)

    def _judge(self, tried: Tried) -> None:
        mutant = tried.trial.mutant
        if tried.answer == NOT_ONE:
            return
        if tried.last is None:
            raise LookupError(mutant.name)
        kind = (
            Kind.TIMED_OUT
            if tried.timed_out
            else Kind.SURVIVED
            if tried.answer == SURVIVED
            else Kind.KILLED
        )
        if kind is not Kind.SURVIVED:
            self._kills[mutant.path][tried.last] += 1
            killers = self._killers[mutant.path, mutant.function]
            killers[:] = [*(one for one in killers if one != tried.last), tried.last]
        self.outcomes.append(Outcome(mutant, kind, ""))


def _ranks(
    items: Sequence[pytest.Item], module: str, work: Mapping[int, float]
) -> list[tuple[object, ...]]:
    """Rank tests: of files named for the module, one example of each before the seconds, quick."""
    seen: dict[str, int] = defaultdict(int)
    ranks: list[tuple[object, ...]] = []
    for number, item in enumerate(items):
        function = item.nodeid.partition("[")[0]
        ranks.append((module not in item.path.stem, seen[function], work.get(number, 0.0)))
        seen[function] += 1
    return ranks


def quiet() -> TextIO:
    """Send what tests print nowhere, and give a way to the terminal."""
    terminal = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return terminal
