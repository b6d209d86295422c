"""Tries mutants in forks of one pytest session, so that nothing is imported or collected again.

A fork puts the mutant's code in the place of the function's own, and runs tests until one fails.
The session's server, if tests have begun one, is shared; databases get names of the fork's own.
"""

import gc
import os
import select
import signal
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import _lru_cache_wrapper, cache
from itertools import count
from pathlib import Path
from time import monotonic
from types import FunctionType
from typing import NamedTuple

import pytest

from tests.mutation.mutants import Mutant, codes_of
from tests.support import database

FAILED, SURVIVED, NOT_ONE = -1, -2, -3
"""What a fork says at its end: a test failed, none did, or the change is none.

Before each test it says that test's number.
"""
SILENT = -4
"""The fork ended without an answer."""
WORD = struct.Struct("i")
FIRST_SECONDS = 60.0
"""How long a fork may take to begin with its first test."""
LEAST_SECONDS = 6.0
TIMES = 6
"""A test may take this many times as long as it took before, and `LEAST_SECONDS` beside that."""
PATIENCE = 4
"""What was over its time is tried once more, for it may only have been kept waiting: so much as
long."""


class Trial(NamedTuple):
    """A mutant, and the numbers of the tests to run, in order."""

    mutant: Mutant
    tests: Sequence[int]
    patience: int = 1

    def again(self, last: int | None) -> "Trial":
        """Give what is left to be tried of it, from the test on that took too long."""
        done = 0 if last is None else self.tests.index(last)
        return Trial(self.mutant, self.tests[done:], PATIENCE)


class Tried(NamedTuple):
    """What came of a trial, and the last test that was begun."""

    trial: Trial
    answer: int
    last: int | None
    timed_out: bool


@dataclass
class _Child:
    """A fork that runs tests, each of which has its own time."""

    pid: int
    reader: int
    patience: int
    until: float
    last: int | None = None

    def hear(self, seconds: Mapping[int, float]) -> int | None:
        """Take in one word; none if that was only the number of the next test."""
        said = os.read(self.reader, WORD.size)
        if len(said) < WORD.size:
            return SILENT
        (word,) = WORD.unpack(said)
        if word < 0:
            return word
        self.last = word
        least = LEAST_SECONDS + TIMES * seconds.get(word, 0)
        self.until = monotonic() + self.patience * least
        return None

    def end(self) -> None:
        """Let neither it nor what it began go on."""
        os.close(self.reader)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


class Only:
    """Stands for a next test that shares nothing but the session: pytest tears down the rest."""

    def __init__(self, session: pytest.Session) -> None:
        self._session = session

    def listchain(self) -> list[pytest.Session]:
        return [self._session]


def run_test(item: pytest.Item) -> bool:
    """Run a test as pytest does, and tear down all but the session; tell whether it passed."""
    reports: list[pytest.TestReport] = []
    listening = _Listening(reports)
    item.config.pluginmanager.register(listening)
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=Only(item.session))
    finally:
        item.config.pluginmanager.unregister(listening)
    return not any(report.failed for report in reports)


class _Listening:
    def __init__(self, reports: list[pytest.TestReport]) -> None:
        self._reports = reports

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)


def empty_caches() -> None:
    """Forget what functions remember, so that a test runs all that it would run alone."""
    for one in _caches():
        one.cache_clear()


@cache
def _caches() -> list["_lru_cache_wrapper[object]"]:
    ours = {"ledger", "projections", "api", "tests"}
    return [
        one
        for one in gc.get_objects()
        if isinstance(one, _lru_cache_wrapper)
        and (one.__module__ or "").partition(".")[0] in ours
        and one.__wrapped__.__qualname__ != "_caches"
    ]


def functions_of(paths: Iterable[str], root: Path) -> Mapping[tuple[str, str, int], FunctionType]:
    """Find the loaded functions of files, by path, qualified name and first line."""
    files = {str(root / path): path for path in paths}
    return {
        (path, one.__code__.co_qualname, one.__code__.co_firstlineno): one
        for one in gc.get_objects()
        if isinstance(one, FunctionType) and (path := files.get(one.__code__.co_filename))
    }


class Forks:
    """Runs trials, some at once; `seconds` is how long each test took."""

    def __init__(
        self,
        items: Sequence[pytest.Item],
        seconds: Mapping[int, float],
        root: Path,
        paths: Iterable[str],
    ) -> None:
        self._items = items
        self._seconds = seconds
        self._functions = functions_of(paths, root)
        self._root = root
        self._children: dict[int, tuple[Trial, _Child]] = {}
        gc.collect()
        gc.freeze()

    def failing(self) -> set[int]:
        """Run every test with nothing changed: the control. Gives those that fail or hang."""
        failing: set[int] = set()
        left = [*self._seconds]
        while left:
            child = self._fork(lambda say, left=left: self._run_all(left, say), PATIENCE)
            answer = None
            while answer in {None, FAILED} and self._ready([child]):
                answer = child.hear(self._seconds)
                if answer == FAILED and child.last is not None:
                    failing.add(child.last)
            child.end()
            if answer == SURVIVED or child.last is None:
                break
            failing.add(child.last)  # It hung, or ended the fork.
            left = left[left.index(child.last) + 1 :]
        return failing

    def run(self, trials: Iterator[Trial], workers: int) -> Iterator[Tried]:
        """Try each, at most `workers` at a time, and tell of it as it ends."""
        for trial in trials:
            self._begin(trial)
            if len(self._children) >= workers:
                yield from self._ended()
        while self._children:
            yield from self._ended()

    def _begin(self, trial: Trial) -> None:
        child = self._fork(lambda say: self._answer(trial, say), trial.patience)
        self._children[child.reader] = trial, child

    def _ended(self) -> Iterator[Tried]:
        """Wait for one at least to end, or to be over its time."""
        ended: list[Tried] = []
        while not ended:
            ready = self._ready([child for _, child in self._children.values()])
            for trial, child in [*self._children.values()]:
                answer = child.hear(self._seconds) if child.reader in ready else None
                late = child.reader not in ready and child.until <= monotonic()
                if answer is None and not late:
                    continue
                child.end()
                del self._children[child.reader]
                if late and trial.patience < PATIENCE:
                    self._begin(trial.again(child.last))
                else:
                    ended.append(Tried(trial, answer or SILENT, child.last, late))
        yield from ended

    @staticmethod
    def _ready(children: Sequence[_Child]) -> list[int]:
        """Wait until one says something, or is over its time: then none may be given."""
        first = min(child.until for child in children)
        readers = [child.reader for child in children]
        return select.select(readers, [], [], max(0.0, first - monotonic()))[0]

    def _fork(self, live: Callable[[Callable[[int], object]], int], patience: int) -> _Child:
        """Begin a fork, which says what `live` says, and at the end what that gives."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid:
            os.close(writer)
            return _Child(pid, reader, patience, monotonic() + patience * FIRST_SECONDS)
        answer = SILENT
        try:
            self._be_apart()
            answer = live(lambda word: os.write(writer, WORD.pack(word)))
        finally:
            os.write(writer, WORD.pack(answer))
            os._exit(0)

    def _be_apart(self) -> None:
        """Share nothing with other forks that one could spoil for another."""
        os.setpgid(0, 0)
        database._numbers = count(os.getpid() * 1000)  # noqa: SLF001 - names of the fork's own
        empty_caches()

    def _run_all(self, tests: Sequence[int], say: Callable[[int], object]) -> int:
        for number in tests:
            say(number)
            if not run_test(self._items[number]):
                say(FAILED)
        return SURVIVED

    def _answer(self, trial: Trial, say: Callable[[int], object]) -> int:
        if not self._put_in_place(trial.mutant):
            return NOT_ONE
        for number in trial.tests:
            say(number)
            if not run_test(self._items[number]):
                return FAILED
        return SURVIVED

    def _put_in_place(self, mutant: Mutant) -> bool:
        """Give the function the mutant's code; none if that is no Python, or no other code."""
        source = mutant.applied((self._root / mutant.path).read_text())
        try:
            codes = [*codes_of(source, str(self._root / mutant.path))]
        except SyntaxError:
            return False
        for code in codes:
            key = mutant.path, code.co_qualname, code.co_firstlineno
            function = self._functions.get(key)
            if function is not None and code.co_qualname == mutant.function:
                changed = function.__code__ != code
                function.__code__ = code
                return changed
        raise LookupError(mutant.name)
