"""`obole counters`: who was solicited, and a check that can fail."""

from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from ledger.facts.solicitations import SolicitationAllowed
from ledger.log.session import connect
from projections.engine import Engine
from tests.support.book import Book, in_memory
from tests.support.builders import mo
from tests.support.cli import Obole, obole_at
from tests.support.database import TestDatabase
from tests.support.given import take
from tests.support.projected import store
from tests.support.solicited import MINUTE, asking, bought, later, sending

STEPS = (
    bought(),
    bought(sender="alias-2"),
    asking("s-1"),
    sending("s-1"),
    later(MINUTE),
    asking("s-2"),
    asking("s-3", sender="alias-2"),
    later(timedelta(minutes=2)),
    mo("JEU", sender="alias-2"),
)


@pytest.fixture
def book(database: TestDatabase) -> Book:
    made = in_memory()
    for step in STEPS:
        take(made, step)
    with connect(database.app_url) as connection:
        store(connection, made.rows)
        Engine(connection, "fr").catch_up()
    return made


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


def change(database: TestDatabase, statement: LiteralString) -> None:
    with psycopg.connect(database.owner_url) as connection:
        assert connection.execute(statement).rowcount == 1


class TestList:
    """`obole counters list`."""

    def test_shows_who_was_ever_solicited(self, obole: Obole, book: Book) -> None:
        done = obole("counters", "list", "--json")
        assert done.status == 0
        first, second = book.facts(SolicitationAllowed)[::2]
        told = {one["consumer"]: one for one in done.json["counters"]}
        # It is long after the hour for which the second allowance was kept.
        one = told[first.ref.consumer]
        assert (one["merchant"], one["short_code"]) == ("ludotel", "81014")
        assert (one["count"], one["reserved"]) == (1, 0)
        assert told[second.ref.consumer]["count"] == 0

    def test_for_a_person_names_each(self, obole: Obole, book: Book) -> None:
        out = obole("counters", "list").out
        assert "ludotel" in out
        assert book.facts(SolicitationAllowed)[0].ref.consumer in out.replace("\n", "")

    def test_of_a_book_without_any_says_so(self, obole: Obole, database: TestDatabase) -> None:
        with connect(database.app_url) as connection:
            store(connection, in_memory().rows)
            Engine(connection, "fr").catch_up()
        assert obole("counters", "list").out == "fr: nobody was ever solicited\n"


@pytest.mark.usefixtures("book")
class TestCheck:
    """`obole counters check`."""

    def test_finds_every_counter_equal_to_the_facts(self, obole: Obole) -> None:
        done = obole("counters", "check")
        assert (done.status, done.out) == (0, "fr: 2 counters compared, equal to the facts\n")
        assert obole("counters", "check", "--json").json == {
            "book": "fr",
            "checked": 2,
            "differences": [],
        }

    @pytest.mark.parametrize(
        "damage",
        [
            "UPDATE solicitation_counters SET used = '{}' WHERE used <> '{}'",
            "UPDATE solicitation_counters SET allowed = '{}' WHERE allowed <> '{}'",
            "UPDATE solicitation_counters SET returned_at = NULL WHERE allowed = '{}'",
            "UPDATE solicitation_counters SET last_allowed_at = now() WHERE allowed = '{}'",
        ],
        ids=["used", "allowed", "returned", "last"],
    )
    def test_tells_what_differs_and_ends_with_one(
        self, obole: Obole, database: TestDatabase, damage: LiteralString
    ) -> None:
        change(database, damage)
        done = obole("counters", "check")
        assert done.status == 1
        assert "but by the facts" in done.out
        assert "1 of 2 counters differ" in done.err
        told = obole("counters", "check", "--json")
        assert told.status == 1
        (one,) = told.json["differences"]
        assert one["projection"] != one["facts"]

    def test_counts_no_fact_that_the_projection_has_not_read(
        self, obole: Obole, database: TestDatabase, book: Book
    ) -> None:
        before = len(book.rows)
        take(book, mo("JEU"))
        with connect(database.app_url) as connection:
            store(connection, book.rows[before:])
        assert obole("counters", "check").status == 0

    def test_of_a_book_that_is_not_open_is_refused(self, obole: Obole) -> None:
        assert obole("counters", "check", "--book", "none").status == 1
