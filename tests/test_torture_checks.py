"""What is held against a book after a fault: each check finds what it is for."""

from collections.abc import Generator, Iterator
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from psycopg import Connection

from ledger.facts.base import Recorded
from ledger.log.session import connect
from tests.support.api import Api, serving
from tests.support.database import TestDatabase
from tests.torture import checks
from tests.torture.checks import is_projected, log_failures, projection_failures
from tests.torture.load import Told


@pytest.fixture
def api(database: TestDatabase) -> Generator[Api]:
    with serving(database) as served:
        yield served


@pytest.fixture
def told(api: Api) -> Told:
    """Hand one message and its receipt over, project, and say what its client was told."""
    answer = api.mo(id="one")
    assert api.receipt(answer, kind=1).status_code == 200
    api.project()
    (mt,) = parse_qs(urlsplit(answer.headers["X-Kannel-DLR-Url"]).query)["mt"]
    return Told(attempted={"one"}, messages={"one": mt}, receipts={mt})


@pytest.fixture
def connection(database: TestDatabase) -> Generator[Connection]:
    with connect(database.app_url) as connected:
        yield connected


def wrong(connection: Connection, told: Told) -> str:
    """Say what is wrong with the log; one thing at a time."""
    (failure,) = log_failures(connection, told)[1]
    return failure


class TestLog:
    """The log against what clients were told."""

    def test_is_right_where_nothing_happened(self, connection: Connection, told: Told) -> None:
        assert log_failures(connection, told)[1] == []

    def test_lacks_a_message_that_was_acknowledged(
        self, connection: Connection, told: Told
    ) -> None:
        told.messages["two"] = ""
        assert wrong(connection, told).startswith("1 messages were acknowledged and are lost")

    def test_lacks_a_receipt_that_was_acknowledged(
        self, connection: Connection, told: Told
    ) -> None:
        told.receipts.add("f" * 32)
        assert wrong(connection, told).startswith("1 receipts were acknowledged and are lost")

    def test_has_a_message_that_nobody_sent(self, connection: Connection, told: Told) -> None:
        told.attempted.clear()
        assert wrong(connection, told) == "1 messages were recorded that nobody sent, such as one"

    def test_answers_otherwise_than_the_client_was_told(
        self, connection: Connection, told: Told
    ) -> None:
        told.messages["one"] = "f" * 32
        assert "answered by another MT" in wrong(connection, told)


class TestOrder:
    """Positions, times and ids, in a log that is changed on its way to the check."""

    @pytest.fixture
    def facts(self, connection: Connection, told: Told) -> list[Recorded]:
        assert told.acknowledged == 2
        return list(checks._facts(connection))  # noqa: SLF001 - what the check itself reads

    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch, facts: list[Recorded]) -> list[Recorded]:
        """Give the facts as the check is going to read them."""

        def given(_connection: Connection) -> Iterator[Recorded]:
            return iter(facts)

        monkeypatch.setattr(checks, "_facts", given)
        return facts

    def test_misses_a_position(
        self, read: list[Recorded], connection: Connection, told: Told
    ) -> None:
        del read[1]
        assert log_failures(connection, told)[1] == ["position 2 is missing: 3 follows"]

    def test_misses_the_last_one(
        self, read: list[Recorded], connection: Connection, told: Told
    ) -> None:
        last = read.pop()
        assert f"the head says {last.position}" in str(log_failures(connection, told)[1])

    def test_finds_an_id_twice(
        self, read: list[Recorded], connection: Connection, told: Told
    ) -> None:
        read[1] = read[1]._replace(id=read[0].id)
        assert wrong(connection, told).startswith("1 facts have an id twice")

    def test_finds_time_that_runs_backwards(
        self, read: list[Recorded], connection: Connection, told: Told
    ) -> None:
        before = read[0].recorded_at
        assert before is not None
        read[1] = read[1]._replace(recorded_at=before - timedelta(hours=1))
        assert wrong(connection, told) == "recorded_at runs backwards at position 2"

    def test_finds_a_message_twice(
        self, read: list[Recorded], connection: Connection, told: Told
    ) -> None:
        (received,) = [one for one in read if type(one.fact).__name__ == "MoReceived"]
        head = read[-1]
        read[-1] = received._replace(position=head.position, recorded_at=head.recorded_at)
        found = str(log_failures(connection, told)[1])
        assert "1 messages were recorded twice, such as one" in found
        assert "1 exchanges began twice" in found
        assert "1 facts have an id twice" in found


class TestProjections:
    """What is derived, against a replay."""

    def test_are_right_where_nothing_happened(self, connection: Connection, told: Told) -> None:
        assert told.acknowledged == 2
        assert is_projected(connection)
        assert projection_failures(connection) == []

    @pytest.mark.usefixtures("told")
    def test_differ_where_an_amount_was_changed(
        self, connection: Connection, database: TestDatabase
    ) -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute("UPDATE balances SET debit = debit + 1 WHERE debit > 0")
        found = projection_failures(connection)
        assert any(one.startswith("balances differs from a replay") for one in found)
        assert any("micros of EUR" in one for one in found)

    def test_are_behind_after_another_message(
        self, api: Api, connection: Connection, told: Told
    ) -> None:
        assert told.acknowledged == 2
        api.mo(id="two")
        assert not is_projected(connection)
