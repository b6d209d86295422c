"""Tries mutants in forks of one pytest session, so that nothing is imported or collected again.

A fork puts the mutant's code in the place of the function's own, and runs tests until one fails.
The session's server, if tests have begun one, is shared; databases get names of the fork's own.
"""

import gc
import os
import select
import signal
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
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

SURVIVED, NOT_ONE = -1, -2
"""What a fork answers if no test failed, or if the change is none; otherwise the test's number."""
SILENT = -3
"""The fork ended without an answer."""
ANSWER = struct.Struct("i")


class Trial(NamedTuple):
    """A mutant, and the numbers of the tests to run, in order."""

    mutant: Mutant
    tests: Sequence[int]
    seconds: float
    """How long the fork may take."""


class Tried(NamedTuple):
    """What came of a trial."""

    trial: Trial
    answer: int
    timed_out: bool


@dataclass
class _Child:
    trial: Trial
    pid: int
    reader: int
    until: float


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
    """Runs trials, some at once."""

    def __init__(self, items: Sequence[pytest.Item], root: Path, paths: Iterable[str]) -> None:
        self._items = items
        self._functions = functions_of(paths, root)
        self._root = root
        self._children: dict[int, _Child] = {}
        gc.collect()
        gc.freeze()

    def failing(self) -> set[int]:
        """Run every test in one fork with nothing changed: the control. Gives those that fail."""
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._be_apart()
            for number, item in enumerate(self._items):
                if not run_test(item):
                    os.write(writer, ANSWER.pack(number))
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, "rb") as answers:
            said = answers.read()
        os.waitpid(pid, 0)
        return {number for (number,) in ANSWER.iter_unpack(said)}

    def run(self, trials: Iterator[Trial], workers: int) -> Iterator[Tried]:
        """Try each, at most `workers` at a time, and tell of it as it ends."""
        for trial in trials:
            self._begin(trial)
            if len(self._children) >= workers:
                yield from self._ended()
        while self._children:
            yield from self._ended()

    def _begin(self, trial: Trial) -> None:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            self._live(trial, writer)
        os.close(writer)
        self._children[reader] = _Child(trial, pid, reader, monotonic() + trial.seconds)

    def _ended(self) -> Iterator[Tried]:
        """Wait for one at least to end, or to be over its time."""
        first = min(child.until for child in self._children.values())
        ready, _, _ = select.select([*self._children], [], [], max(0.0, first - monotonic()))
        late = [one for one, child in self._children.items() if child.until <= monotonic()]
        for reader in ready or late:
            yield self._end(self._children.pop(reader), timed_out=reader not in ready)

    def _end(self, child: _Child, *, timed_out: bool) -> Tried:
        said = b"" if timed_out else os.read(child.reader, ANSWER.size)
        os.close(child.reader)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        answer = ANSWER.unpack(said)[0] if len(said) == ANSWER.size else SILENT
        return Tried(child.trial, answer, timed_out)

    def _live(self, trial: Trial, writer: int) -> None:
        """Be the fork: never returns."""
        answer = SILENT
        try:
            self._be_apart()
            answer = self._answer(trial)
        finally:
            os.write(writer, ANSWER.pack(answer))
            os._exit(0)

    def _be_apart(self) -> None:
        """Share nothing with other forks that one could spoil for another."""
        os.setpgid(0, 0)
        database._numbers = count(os.getpid() * 1000)  # noqa: SLF001 - names of the fork's own
        empty_caches()

    def _answer(self, trial: Trial) -> int:
        if not self._put_in_place(trial.mutant):
            return NOT_ONE
        for number in trial.tests:
            if not run_test(self._items[number]):
                return number
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
