"""A database that was filled before tags were found by sightings, brought to where they are."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from ledger.log.rows import Interest
from migrations.runner import FOLDER, chain, migrate
from tests.support.database import TestDatabase
from tests.support.log import BOOK, about, appended, noting, opened

BEFORE = 14
LATER = datetime(2200, 1, 1, tzinfo=UTC)


@pytest.fixture
def filled(empty_database: TestDatabase, tmp_path: Path) -> TestDatabase:
    """Give a database of the schema before, with facts of two books."""
    for migration in chain(FOLDER)[:BEFORE]:
        shutil.copy(FOLDER / migration.file, tmp_path)
    migrate(empty_database.owner_url, tmp_path)
    with psycopg.connect(empty_database.app_url) as connection:
        for book in (BOOK, "be"):
            connection.execute("SELECT open_book(%s)", (book,))
            connection.execute(
                """
                INSERT INTO facts
                SELECT %s, n, %s, 'noted.v1', ARRAY['a:' || n %% 7, 'b:1'], ARRAY[1, 2], ''
                FROM generate_series(1, 500) AS n
                """,
                (book, LATER),
            )
    migrate(empty_database.owner_url)
    return empty_database


class TestFactsOfBefore:
    """They are found as those that come after are."""

    def test_are_found_by_their_tags(self, filled: TestDatabase) -> None:
        with opened(filled.app_url) as log:
            rows, head = log.read(about("a:3"))
            assert [row.position for row in rows] == list(range(3, 501, 7))
            assert head == 500
            rows, _ = log.read((Interest(("b:1",), after=490),))
            assert [row.position for row in rows] == list(range(491, 501))

    def test_are_followed_by_new_ones(self, filled: TestDatabase) -> None:
        with opened(filled.app_url) as log:
            assert appended(log.submit([noting("a:3")])) == [[501]]
            rows, _ = log.read(about("a:3"))
            assert rows[-1].position == 501
