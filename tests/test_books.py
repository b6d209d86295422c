"""The books of a process: under one master key, by rules that only a command changes."""

import asyncio
from collections.abc import Generator
from datetime import timedelta

import pytest

from api.books import Books, RulesDiffer
from api.clock import system_clock
from ledger.facts.access import AccessGranted
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.rules.resolve import RuleBook
from ledger.vault import FileMasterKey, WrongKey
from projections import positions
from tests.support.api import Api, serving
from tests.support.book import FRENCH, rule_book
from tests.support.builders import SETTINGS
from tests.support.database import TestDatabase

ONE, OTHER = FileMasterKey(bytes(32)), FileMasterKey(bytes(range(32)))
CHANGED = rule_book(SETTINGS.replace('"agent"', '"principal"'))


async def opening(
    database: TestDatabase, master: FileMasterKey, *names: str, rules: RuleBook = FRENCH
) -> int:
    """Open books; gives how often the first of them has adopted rules."""
    asked = dict.fromkeys(names, rules)
    async with Books.open(database.app_url, asked, master, system_clock) as books:
        return len(books.by_name[names[0]].desk.catalogue.rules)


async def raced(*openings: object) -> list[object]:
    """Open books at the same moment; gives what came of each, refusals last."""
    found = await asyncio.gather(*openings, return_exceptions=True)  # type: ignore[call-overload]
    return sorted(found, key=lambda one: isinstance(one, Exception))


class TestOpening:
    """Opening books."""

    def test_under_another_key_makes_nothing(self, database: TestDatabase) -> None:
        asyncio.run(opening(database, ONE, "fr"))
        with pytest.raises(WrongKey):
            asyncio.run(opening(database, OTHER, "aa", "fr"))
        with connect(database.app_url) as connection:
            assert positions.books(connection) == ["fr"]
        assert asyncio.run(opening(database, ONE, "aa", "fr")) == 1

    def test_for_the_first_time_at_once_leaves_one_key(self, database: TestDatabase) -> None:
        ours, theirs = opening(database, ONE, "fr", "be"), opening(database, OTHER, "be", "fr")
        stood, refused = asyncio.run(raced(ours, theirs))
        assert stood == 1
        assert isinstance(refused, WrongKey)

    def test_for_the_first_time_at_once_adopts_the_rules_of_one(
        self, database: TestDatabase
    ) -> None:
        ours, theirs = opening(database, ONE, "fr"), opening(database, ONE, "fr", rules=CHANGED)
        stood, refused = asyncio.run(raced(ours, theirs))
        assert stood == 1
        assert isinstance(refused, RulesDiffer)
        with connect(database.app_url) as connection:
            assert PostgresLog(connection, "fr").head()[0] == 2

    def test_by_other_rules_names_what_differs_and_adopts_nothing(
        self, database: TestDatabase
    ) -> None:
        asyncio.run(opening(database, ONE, "fr"))
        with pytest.raises(RulesDiffer, match="obole book open fr") as refused:
            asyncio.run(opening(database, ONE, "fr", rules=CHANGED))
        assert refused.value.differing == ["acting (adopted 'agent', loaded 'principal')"]
        assert asyncio.run(opening(database, ONE, "fr")) == 1


class TestAdmit:
    """A key that was admitted is known from then on, and no longer than its facts say."""

    @pytest.fixture
    def api(self, database: TestDatabase) -> Generator[Api]:
        with serving(database) as served:
            yield served

    @staticmethod
    def admitted(api: Api, key: str) -> AccessGranted | None:
        return api.portal.call(api.books.by_name["fr"].admit, key, api.clock)

    def test_gives_the_same_each_time(self, api: Api) -> None:
        first, again = (self.admitted(api, api.keys["gateway"]) for _ in range(2))
        assert first is not None
        assert first is again

    def test_ends_with_the_key_to_the_moment(self, api: Api) -> None:
        key = api.issue("gateway", days=1)
        api.now += timedelta(days=1, microseconds=-1)
        assert self.admitted(api, key)
        api.now += timedelta(microseconds=1)
        assert self.admitted(api, key) is None
        assert self.admitted(api, api.keys["gateway"])

    def test_ends_when_the_key_is_revoked(self, api: Api) -> None:
        key, other = api.keys["gateway"], api.keys["admin"]
        assert self.admitted(api, key)
        assert self.admitted(api, other)
        api.revoke(key)
        assert self.admitted(api, key) is None
        assert self.admitted(api, other)

    def test_does_not_take_a_key_for_another_that_begins_alike(self, api: Api) -> None:
        key = api.keys["gateway"]
        assert self.admitted(api, key)
        for wrong in (key[:-1], f"{key}a", key.upper(), ""):
            assert self.admitted(api, wrong) is None
