"""Findings: one row each from the opening to the closing, in pages, and summed up by kind."""

from collections.abc import Generator

import psycopg
import pytest

from ledger.log.session import connect
from projections.findings.fold import FINDINGS
from projections.findings.read import LAST_POSITION, Kind, by_kind, findings, one
from projections.findings.table import PROJECTION
from projections.fold import Context
from projections.reading import answer
from projections.rebuild import compare
from tests.support.database import TestDatabase
from tests.support.history import LAST, LATER, NOON, History
from tests.support.projected import project

PARIS = Context("Europe/Paris")


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


def billed(*names: str, **terms: object) -> History:
    """Make a history in which an operator billed what nobody sold, 3.00 each time."""
    history = History()
    for name in names:
        history.unauthorized(name, NOON, **terms)
    return history


class TestFold:
    """Findings after some history."""

    def test_keep_what_they_are_about_once_they_are_closed(self) -> None:
        history = billed("a")
        opened = history.found("a", LATER)
        history.closed(opened, LAST)
        (finding,) = FINDINGS.fold(history.recorded, PARIS).values()
        assert (finding.opened, finding.opened_position, finding.position) == (opened, 3, 4)
        assert finding.closed is not None
        assert (finding.closed.how, finding.closed.at) == ("refunded", LAST)

    def test_are_the_same_whatever_range_closes_them(self) -> None:
        history = billed("a")
        history.closed(history.found("a", LATER), LAST)
        facts = history.recorded
        whole = FINDINGS.fold(facts, PARIS)
        for cut in range(len(facts) + 1):
            parts = FINDINGS.fold(facts[:cut], PARIS), FINDINGS.fold(facts[cut:], PARIS)
            assert FINDINGS.combine(*parts) == whole


class TestList:
    """Asking for findings."""

    def test_comes_newest_first_page_by_page(self, connection: psycopg.Connection) -> None:
        history = billed("a", "b", "c")
        wanted = [history.found(name, LATER).finding for name in ("a", "b", "c")]
        project(connection, history)
        first = answer(connection, "fr", findings(2)).value
        second = answer(connection, "fr", findings(2, after=first.end or LAST_POSITION)).value
        assert [found.finding for found in (*first.findings, *second.findings)] == wanted[::-1]
        assert (len(first.findings), second.end) == (2, None)

    def test_is_of_one_kind_and_state(self, connection: psycopg.Connection) -> None:
        history = billed("a", "b")
        a, b = history.found("a", LATER), history.found("b", LATER, "billed_twice")
        history.closed(a, LAST)
        project(connection, history)

        def asked(**wanted: str) -> list[str]:
            page = answer(connection, "fr", findings(10, **wanted)).value
            return [found.finding for found in page.findings]

        assert asked(state="open") == asked(kind="billed_twice") == [b.finding]
        assert asked(state="closed") == asked(kind="unattributed") == [a.finding]
        assert asked(kind="unattributed", state="open") == []
        assert asked() == [b.finding, a.finding]

    def test_tells_what_each_is_about_and_how_it_was_closed(
        self, connection: psycopg.Connection
    ) -> None:
        history = billed("a")
        opened = history.found("a", LATER)
        project(connection, history)
        found = answer(connection, "fr", one(opened.finding)).value
        assert found is not None
        assert (found.state, found.closed_at, found.how) == ("open", None, None)
        assert (found.charge, found.amount, found.currency) == (opened.charge, 3_000_000, "EUR")
        # The closing comes in a batch of its own.
        history.closed(opened, LAST, "no_fault")
        project(connection, history)
        found = answer(connection, "fr", one(opened.finding)).value
        assert found is not None
        assert (found.state, found.closed_at, found.how) == ("closed", LAST, "no_fault")
        assert (found.charge, found.note) == (opened.charge, "looked at")
        assert answer(connection, "fr", one("f" * 32)).value is None

    def test_equals_a_rebuild(self, connection: psycopg.Connection) -> None:
        history = billed("a", "b")
        opened = history.found("a", LATER)
        history.found("b", LATER)
        project(connection, history)
        history.closed(opened, LAST)
        project(connection, history)
        assert compare(connection, "fr", PROJECTION) == []


class TestByKind:
    """Asking what findings come to."""

    def test_counts_and_sums_up_open_and_closed(self, connection: psycopg.Connection) -> None:
        history = billed("a", "b")
        history.unauthorized("cheap", NOON, 50_000)
        opened = [history.found(name, LATER) for name in ("a", "b", "cheap")]
        history.found("a", LATER, "billed_twice")
        history.closed(opened[0], LAST)
        project(connection, history)
        # Of 3.00, 3.00 and 0.05 unattributed, the first is closed.
        assert answer(connection, "fr", by_kind()).value == [
            Kind("billed_twice", "EUR", 1, 3_000_000, 0, 0),
            Kind("unattributed", "EUR", 2, 3_050_000, 1, 3_000_000),
        ]

    def test_leaves_test_numbers_out(self, connection: psycopg.Connection) -> None:
        history = billed("a", test=True)
        history.found("a", LATER)
        project(connection, history)
        assert answer(connection, "fr", by_kind()).value == []
        assert len(answer(connection, "fr", findings(10)).value.findings) == 1
