"""`obole api --workers 2`: processes at one address, on one book, and what they share."""

import os
import re
import signal
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from itertools import pairwise
from pathlib import Path
from threading import Barrier
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode

import httpx2
import pytest

from ledger.facts.registry import REGISTRY
from ledger.facts.traffic import ConflictingDuplicateReceived, MoReceived, MtEmitted
from ledger.log.postgres import PostgresLog
from ledger.log.rows import StoredRow
from ledger.log.session import connect
from tests.support.cli import Obole, gateway_key, obole_at
from tests.support.database import TestDatabase
from tests.support.running import Running
from tests.support.telling import figures, free_port

MO = "/v1/books/fr/kannel/kannel-fr/mo"
TWO = ("api", "--workers", "2", "--port", "0")


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


@pytest.fixture
def key(obole: Obole) -> str:
    """Give a gateway's key to an open book."""
    return gateway_key(obole)


class Told(NamedTuple):
    """What a message was answered."""

    status: int
    text: str
    mt: str


class Line:
    """A connection that is kept, so that always the same process answers."""

    def __init__(self, connection: HTTPConnection, key: str) -> None:
        self._connection = connection
        self._key = key

    def mo(self, name: str, text: str = "JEU") -> Told:
        asked = {"key": self._key, "id": name, "smsc": "orange-fr", "from": f"3360{name}"}
        query = urlencode(asked | {"to": "81014", "text": text})
        self._connection.request("GET", f"{MO}?{query}")
        answer = self._connection.getresponse()
        url = answer.getheader("X-Kannel-DLR-Url") or ""
        return Told(answer.status, answer.read().decode(), parse_qs(url).get("mt", [""])[0])


def processes(api: Running) -> list[int]:
    """Give the processes that answer, in the order of their start."""
    listed = Path(f"/proc/{api.pid}/task/{api.pid}/children").read_text()
    return [int(one) for one in listed.split()]


@contextmanager
def stopped(pid: int) -> Generator[None]:
    """Let a process do nothing for as long as the block runs."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def lines(api: Running, key: str, each: int) -> Generator[list[Line]]:
    """Give connections, so many to each of two processes, in turn."""
    one, other = processes(api)
    with ExitStack() as stack:
        found: list[list[Line]] = []
        for away in (other, one):
            with stopped(away):
                found.append([_line(stack, api, key) for _ in range(each)])
        yield [line for pair in zip(*found, strict=True) for line in pair]


def _line(stack: ExitStack, api: Running, key: str) -> Line:
    connection = stack.enter_context(closing(HTTPConnection("127.0.0.1", api.port, timeout=60)))
    connection.request("GET", "/livez")
    assert connection.getresponse().read()
    return Line(connection, key)


def stored(database: TestDatabase) -> Sequence[StoredRow]:
    with connect(database.app_url) as connection:
        return PostgresLog(connection, "fr").follow(0, 100_000)


def in_order(rows: Sequence[StoredRow]) -> bool:
    """Tell whether positions run without a gap, and times never back."""
    dense = [row.position for row in rows] == list(range(1, len(rows) + 1))
    return dense and all(one.recorded_at <= next_.recorded_at for one, next_ in pairwise(rows))


def race(connections: Sequence[Line], names: Sequence[str]) -> Iterator[tuple[str, list[Told]]]:
    """Send each message by every connection at the same moment."""
    barrier = Barrier(len(connections))

    def sent(line: Line, name: str) -> Told:
        barrier.wait()
        return line.mo(name)

    with ThreadPoolExecutor(len(connections)) as pool:
        for name in names:
            yield name, list(pool.map(sent, connections, [name] * len(connections)))


class TestOneBook:
    """Two processes that take the same gateway's messages."""

    def test_answer_a_message_that_comes_to_both_at_once_alike_and_keep_it_once(
        self, obole: Obole, key: str, database: TestDatabase
    ) -> None:
        names = [str(number) for number in range(1000, 1020)]
        with Running(obole, *TWO) as api, lines(api.serves(), key, 3) as connections:
            told = dict(race(connections, names))
            again = {name: connections[n % 6].mo(name) for n, name in enumerate(names)}
            conflict = [line.mo(names[0], "JEU autre") for line in connections[:2]]
            assert api.stop(signal.SIGTERM) == 0
        rows = stored(database)
        facts = [REGISTRY.decode(row).fact for row in rows]
        assert in_order(rows)
        received = [one for one in facts if isinstance(one, MoReceived)]
        emitted = [one for one in facts if isinstance(one, MtEmitted) and not one.pushed]
        assert len(received) == len({one.mo for one in received}) == len(names)
        assert len(emitted) == len(names)
        assert {answers[0].mt for answers in told.values()} == {one.ref.mt for one in emitted}
        for name, answers in told.items():
            assert answers[0].status == 200
            assert answers[0].text
            assert set(answers) == {again[name]}
        assert conflict == [Told(200, "", "")] * 2
        assert sum(isinstance(one, ConflictingDuplicateReceived) for one in facts) == 1

    def test_take_what_differs_side_by_side(
        self, obole: Obole, key: str, database: TestDatabase
    ) -> None:
        with Running(obole, *TWO) as api, lines(api.serves(), key, 4) as connections:
            with ThreadPoolExecutor(len(connections)) as pool:
                told = list(
                    pool.map(
                        lambda line, n: [line.mo(f"{n}{count:03}") for count in range(30)],
                        connections,
                        range(10, 10 + len(connections)),
                    )
                )
            assert api.stop(signal.SIGTERM) == 0
        rows = stored(database)
        assert {one.status for answers in told for one in answers} == {200}
        assert in_order(rows)
        assert sum(row.type.startswith("mo_received.") for row in rows) == 8 * 30


class TestProcesses:
    """The processes behind one address."""

    def test_answer_each_while_the_other_does_nothing(self, obole: Obole, key: str) -> None:
        with Running(obole, *TWO) as api:
            api.serves()
            for number, pid in enumerate(processes(api)):
                with stopped(pid):
                    answers = [api.get(f"{MO}?{_query(key, f'{number}-{n}')}") for n in range(5)]
                    assert [one.status for one in answers] == [200] * 5
            assert api.stop(signal.SIGINT) == 0
        assert "stopped serving" in api.output

    def test_are_started_again_one_by_one(self, obole: Obole, key: str) -> None:
        with Running(obole, *TWO) as api:
            before = processes(api.serves())
            os.kill(before[0], signal.SIGKILL)
            api.says("process 1 of the API has ended with status -9; starting it again")
            assert api.get_until(f"{MO}?{_query(key, 'one')}").status == 200
            with stopped(before[1]):
                # Only the new one is there to answer.
                assert api.get_until(f"{MO}?{_query(key, 'one')}").status == 200
            assert before[1] in processes(api)
            assert api.stop(signal.SIGTERM) == 0

    def test_end_when_the_one_that_started_them_is_killed(self, obole: Obole, key: str) -> None:
        assert key
        with Running(obole, *TWO) as api:
            api.serves()
            # What all write to has an end only once all have ended.
            assert api.stop(signal.SIGKILL) == -signal.SIGKILL

    def test_are_at_most_as_many_as_the_database_has_room_for(self, obole: Obole) -> None:
        done = obole.run("api", "--workers", "9")
        assert done.status == 2
        assert "less than or equal to 8" in done.err

    def test_are_refused_once_under_rules_that_the_book_did_not_adopt(
        self, obole: Obole, tmp_path: Path
    ) -> None:
        assert obole("book", "open", "fr").status == 0
        text = Path(obole.environ["OBOLE_SETTINGS"], "fr.toml").read_text()
        (tmp_path / "fr.toml").write_text(text.replace("after_hours = 72", "after_hours = 48"))
        other = Obole({**obole.environ, "OBOLE_SETTINGS": str(tmp_path)})
        done = other.run(*TWO)
        assert done.status == 1
        assert done.err.count("in unresolved_after_hours (adopted 72, loaded 48).") == 1


class TestFigures:
    """What several processes tell of themselves."""

    def test_are_added_up_and_stay_when_one_of_them_is_gone(self, obole: Obole, key: str) -> None:
        port = free_port()
        with Running(obole, *TWO, "--metrics", f"127.0.0.1:{port}") as api:
            with lines(api.serves(), key, 1) as (one, other):
                assert [line.mo(name).status for line, name in ((one, "1"), (other, "2"))] == [
                    200,
                    200,
                ]
            os.kill(processes(api)[0], signal.SIGKILL)
            api.says("process 1 of the API has ended with status -9; starting it again")
            told = figures(port)
            text = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
            assert api.stop(signal.SIGTERM) == 0
        assert told['obole_facts_appended_total{book="fr",type="mo_received.v1"}'] == 2
        route = "/v1/books/{book}/kannel/{gateway}/mo"
        assert told[f'obole_http_request_seconds_count{{route="{route}",status="200"}}'] == 2
        assert told["obole_database_up"] == 1
        there = re.findall(r'^process_resident_memory_bytes\{process="(\w+)"\}', text, re.MULTILINE)
        assert {"main", "2"} <= set(there)


def _query(key: str, name: str) -> str:
    asked = {"key": key, "id": name, "smsc": "orange-fr", "from": "33000100001", "to": "81014"}
    return urlencode(asked | {"text": "JEU"})
