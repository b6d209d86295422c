"""The outbox: what is pushed and how far it has come, as the decisions see it too."""

from collections.abc import Generator
from datetime import timedelta

import psycopg
import pytest

from ledger.commands.notices import send_notice
from ledger.decisions.outbound import all_pushed, due_at
from ledger.facts.notices import NoticeDue
from ledger.log.session import connect
from projections.engine import Engine
from projections.fold import Context
from projections.outbox import read
from projections.outbox.fold import OUTBOX
from projections.reading import answer
from tests.support.book import ORIGIN, Book, in_memory
from tests.support.builders import NOON, dlr, mo
from tests.support.database import TestDatabase
from tests.support.projected import store
from tests.support.pushing import MINUTE, REFUSED, TAKEN, UNKNOWN, emitted, offer, tried

PARIS = Context("Europe/Paris")
STATES = {
    "fresh": "waiting",
    "refused": "refused",
    "doubt": "unknown",
    "free doubt": "unknown",
    "taken": "handed_over",
    "proved": "handed_over",
    "cancelled": "cancelled",
}


def mixed() -> tuple[Book, dict[str, str]]:
    """Let a message come into each state; gives their ids by what became of them."""
    book = in_memory()
    charged = {"doubt", "proved", "cancelled"}
    mts = {
        name: emitted(book, "tariff_notice", name=name, charged=name in charged) for name in STATES
    }
    tried(book, mts["refused"], REFUSED)
    tried(book, mts["doubt"], UNKNOWN)
    tried(book, mts["free doubt"], UNKNOWN)
    tried(book, mts["taken"], TAKEN)
    tried(book, mts["proved"], UNKNOWN)
    book.report(dlr(mts["proved"], "submitted"))
    del book.desk.keys.keys[next(iter(book.desk.keys.keys))]
    offer(book, mts["cancelled"])
    return book, mts


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as made:
        yield made


def project(connection: psycopg.Connection, book: Book) -> None:
    store(connection, book.rows)
    Engine(connection, "fr").catch_up()


def due(connection: psycopg.Connection, before: object, limit: int = 10) -> list[str]:
    """Read what is to be offered by then, page by page."""
    found, last = [], None
    while page := answer(connection, "fr", read.waiting(before, limit, last)).value:
        found += [one.item for one in page]
        last = page[-1]
    return found


class TestFold:
    """One row for each pushed message."""

    def test_agrees_with_what_decisions_see(self) -> None:
        book, mts = mixed()
        rows = OUTBOX.fold(book.recorded, PARIS)
        decided = all_pushed(book.facts())
        assert {name: rows[mt].state for name, mt in mts.items()} == STATES
        assert {mt: row.state for mt, row in rows.items()} == {
            mt: one.state for mt, one in decided.items()
        }
        for mt, one in decided.items():
            assert rows[mt].due_at == due_at(one.state, one.attempts, one.since)

    def test_has_no_row_for_an_answer(self) -> None:
        book = in_memory()
        answered = book.receive(mo("JEU")).mt
        book.report(dlr(answered))
        assert OUTBOX.fold(book.recorded, PARIS) == {}

    def test_gives_the_same_rows_wherever_it_is_cut(self) -> None:
        facts = mixed()[0].recorded
        whole = OUTBOX.fold(facts, PARIS)
        for cut in range(len(facts)):
            parts = OUTBOX.fold(facts[:cut], PARIS), OUTBOX.fold(facts[cut:], PARIS)
            assert OUTBOX.combine(*parts) == whole


class TestRead:
    """Asking what is to be done next."""

    def test_gives_what_is_due_by_then_longest_first(self, connection: psycopg.Connection) -> None:
        book, mts = mixed()
        project(connection, book)
        assert due(connection, NOON - MINUTE) == []
        assert due(connection, NOON) == [mts["fresh"]]
        assert due(connection, NOON + MINUTE) == [mts["fresh"], mts["refused"]]
        later = NOON + 600 * MINUTE
        assert due(connection, later) == [mts["fresh"], mts["refused"]]
        assert due(connection, later, limit=1) == due(connection, later)

    def test_gives_charged_ones_in_doubt(self, connection: psycopg.Connection) -> None:
        book, mts = mixed()
        project(connection, book)
        asked = read.unknown_charged(NOON, 10)
        assert [one.item for one in answer(connection, "fr", asked).value] == [mts["doubt"]]
        assert answer(connection, "fr", read.unknown_charged(NOON - MINUTE, 10)).value == []

    def test_counts_each_state(self, connection: psycopg.Connection) -> None:
        project(connection, mixed()[0])
        assert answer(connection, "fr", read.counts()).value == {
            "cancelled": 1,
            "handed_over": 2,
            "refused": 1,
            "unknown": 2,
            "waiting": 1,
        }

    def test_lists_the_newest_first_page_by_page(self, connection: psycopg.Connection) -> None:
        book, mts = mixed()
        project(connection, book)
        first = answer(connection, "fr", read.page(4)).value
        second = answer(connection, "fr", read.page(4, before=first.end)).value
        assert [one.item for one in (*first.entries, *second.entries)] == [*mts.values()][::-1]
        assert second.end is None
        in_doubt = answer(connection, "fr", read.page(9, state="unknown", gateway="kannel")).value
        assert {one.item for one in in_doubt.entries} == {mts["doubt"], mts["free doubt"]}
        assert answer(connection, "fr", read.page(9, gateway="other")).value.entries == []

    def test_gives_a_notice_until_it_is_sent(self, connection: psycopg.Connection) -> None:
        book = in_memory()
        book.receive(mo("JEU 1", gateway_message_id="m-a"))
        book.receive(mo("JEU 2", gateway_message_id="m-b"))
        notice = book.facts(NoticeDue)[0].ref.notice
        project(connection, book)
        (found,) = answer(connection, "fr", read.notices_due(10)).value
        assert (found.item, found.since, found.gateway) == (notice, NOON, "kannel")
        assert answer(connection, "fr", read.notices_due(10, after=found)).value == []
        done = len(book.rows)
        at = NOON + timedelta(seconds=1)
        book.run(send_notice(book.desk, notice, ORIGIN, at))
        store(connection, book.rows[done:])
        Engine(connection, "fr").catch_up()
        assert answer(connection, "fr", read.notices_due(10)).value == []
        assert len(due(connection, at)) == 1
