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
            log.submit([noting("a:1")] * 6)
            pages = follow(database.app_url, BOOK, 1, page=3, quiet_seconds=self.PATIENCE)
            assert [positions(next(pages)) for _ in range(3)] == [[2, 3, 4], [5, 6], []]
            log.submit([noting("a:1")])
            assert positions(next(pages)) == [7]
            assert next(pages) == []
            log.submit([noting("a:1")] * 2)
            assert positions(next(pages)) == [8, 9]
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
        with pytest.raises(LogUnavailable, match="connection"):
            next(pages)

    def test_ends_with_the_database_inside_an_event_loop(self, database: Database) -> None:
        async def story() -> None:
            pages = follow_async(database.app_url, BOOK)
            assert await anext(pages) == []
            end_sessions(database.owner_url)
            with pytest.raises(LogUnavailable, match="connection"):
                await anext(pages)

        asyncio.run(story())

    def test_says_when_all_is_quiet_inside_an_event_loop(self, database: Database) -> None:
        async def story() -> None:
            with opened(database.app_url) as log:
                pages = follow_async(database.app_url, BOOK, quiet_seconds=0.01)
                assert [await anext(pages), await anext(pages)] == [[], []]
                log.submit([noting("a:1")])
                assert positions(await anext(pages)) == [1]
                await pages.aclose()

        asyncio.run(asyncio.wait_for(story(), self.PATIENCE / 2))

    def test_works_inside_an_event_loop(self, database: Database) -> None:
        async def story() -> list[list[int]]:
            with opened(database.app_url) as log:
                log.submit([noting("a:1")] * 5)
                pages = follow_async(database.app_url, BOOK, page=3, quiet_seconds=self.PATIENCE)
                seen = [positions(await anext(pages)) for _ in range(3)]
                for _ in range(2):
                    log.submit([noting("a:1")])
                    seen += [positions(await anext(pages)) for _ in range(2)]
                await pages.aclose()
                return seen

        assert asyncio.run(story()) == [[1, 2, 3], [4, 5], [], [6], [], [7], []]
