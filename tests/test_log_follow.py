"""Following a book: everything in order, then whatever comes."""

import asyncio

import pytest

from api.database import Database
from ledger.log.errors import LogUnavailable
from ledger.log.follow import follow, follow_async
from ledger.log.rows import StoredRow
from tests.support.log import BOOK, end_sessions, noting, opened


def positions(page: list[StoredRow]) -> list[int]:
    """Give the positions of a page."""
    return [row.position for row in page]


class TestFollowing:
    """With a patience so long that only a notification can wake it in time."""

    PATIENCE = 60.0

    def test_reads_page_by_page_then_waits_for_more(self, database: Database) -> None:
        with opened(database.app_url) as log:
            log.submit([noting("a:1")] * 5)
            pages = follow(database.app_url, BOOK, 1, page=2, quiet_seconds=self.PATIENCE)
            assert [positions(next(pages)) for _ in range(3)] == [[2, 3], [4, 5], []]
            log.submit([noting("a:1")])
            assert positions(next(pages)) == [6]
            pages.close()

    def test_says_when_all_is_quiet(self, database: Database) -> None:
        with opened(database.app_url):
            pages = follow(database.app_url, BOOK, quiet_seconds=0.01)
            assert [next(pages), next(pages)] == [[], []]
            pages.close()

    def test_ends_with_the_database(self, database: Database) -> None:
        with opened(database.app_url):
            pass
        pages = follow(database.app_url, BOOK)
        assert next(pages) == []
        end_sessions(database.owner_url)
        with pytest.raises(LogUnavailable):
            next(pages)

    def test_ends_with_the_database_inside_an_event_loop(self, database: Database) -> None:
        async def story() -> None:
            pages = follow_async(database.app_url, BOOK)
            assert await anext(pages) == []
            end_sessions(database.owner_url)
            with pytest.raises(LogUnavailable):
                await anext(pages)

        asyncio.run(story())

    def test_works_inside_an_event_loop(self, database: Database) -> None:
        async def story() -> list[list[int]]:
            with opened(database.app_url) as log:
                log.submit([noting("a:1")] * 3)
                pages = follow_async(database.app_url, BOOK, page=2, quiet_seconds=self.PATIENCE)
                seen = [positions(await anext(pages)) for _ in range(3)]
                log.submit([noting("a:1")])
                seen.append(positions(await anext(pages)))
                await pages.aclose()
                return seen

        assert asyncio.run(story()) == [[1, 2], [3], [], [4]]
