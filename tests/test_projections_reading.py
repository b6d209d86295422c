"""Answers say how old they are, and a reader may wait for what it wants to see."""

import asyncio
from collections import UserDict
from collections.abc import Callable, Generator, KeysView, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import psycopg
import pytest

from ledger.log.session import connect, connect_async
from projections.balances.read import trial_balance
from projections.charges.read import Page, authorized, earned
from projections.charges.table import PROJECTION as CHARGES
from projections.engine import Engine
from projections.merchant_accounts.read import overview
from projections.reading import (
    NotProjected,
    NotReached,
    answer,
    answer_async,
    wait_for,
    wait_for_async,
)
from tests.support.database import TestDatabase
from tests.support.history import NOON, two_charges
from tests.support.projected import failing, project, store


@pytest.fixture
def connection(database: TestDatabase) -> Generator[psycopg.Connection]:
    with connect(database.app_url) as opened:
        yield opened


class Meanwhile(UserDict[str, Any]):
    """Parameters of a question that let something happen just before they are used."""

    def __init__(self, params: Mapping[str, Any], act: Callable[[], object]) -> None:
        super().__init__(params)
        self._acts = [act]

    def keys(self) -> KeysView[str]:
        while self._acts:
            self._acts.pop()()
        return super().keys()


class TestWatermark:
    """What every answer says of its age."""

    def test_is_where_that_projection_stands(self, connection: psycopg.Connection) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        store(connection, rows[8:])
        Engine(connection, "fr", [CHARGES]).catch_up()
        mark = answer(connection, "fr", overview()).watermark
        assert (mark.book, mark.projection, mark.position) == ("fr", "merchant_accounts", 8)
        assert mark.recorded_at == NOON
        assert answer(connection, "fr", earned("acme", 1)).watermark.position == 13

    def test_comes_out_of_the_snapshot_of_the_answer(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        rows = two_charges().rows
        store(connection, rows[:8])
        Engine(connection, "fr").catch_up()
        with connect(database.app_url) as other:
            # The watermark is read first; the table is asked once the engine has gone on.
            ask = trial_balance()

            def meanwhile() -> None:
                store(other, rows[8:])
                Engine(other, "fr").catch_up()

            slow = replace(ask, params=Meanwhile(ask.params, meanwhile))
            found = answer(connection, "fr", slow)
        assert (found.watermark.position, found.value) == (8, [])
        assert answer(connection, "fr", trial_balance()).watermark.position == 13

    def test_is_missing_where_nothing_ever_ran_and_so_is_the_answer(
        self, connection: psycopg.Connection
    ) -> None:
        with pytest.raises(NotProjected):
            answer(connection, "fr", overview())

    def test_is_told_also_without_blocking(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        project(connection, two_charges())

        async def ask() -> tuple[int, Page]:
            async with await connect_async(database.app_url) as own:
                mark = await wait_for_async(own, "fr", "charges", 13, timeout=5)
                found = await answer_async(own, "fr", authorized("acme", 5))
                with pytest.raises(NotReached):
                    await wait_for_async(own, "fr", "charges", 14, timeout=0.02)
                return mark.position, found.value

        position, page = asyncio.run(ask())
        assert (position, len(page.charges)) == (13, 2)


class TestWaitFor:
    """Waiting until a projection has come to a position."""

    def test_answers_at_once_when_it_is_there(self, connection: psycopg.Connection) -> None:
        project(connection, two_charges())
        assert wait_for(connection, "fr", "charges", 13, timeout=0).position == 13

    def test_answers_when_it_gets_there(
        self, connection: psycopg.Connection, database: TestDatabase
    ) -> None:
        found: list[int] = []

        def reader() -> None:
            with connect(database.app_url) as own:
                found.append(wait_for(own, "fr", "charges", 13, timeout=30).position)

        thread = Thread(target=reader)
        thread.start()
        project(connection, two_charges())
        thread.join()
        assert found == [13]

    def test_gives_up_in_time(self, connection: psycopg.Connection) -> None:
        project(connection, two_charges())
        with pytest.raises(NotReached) as caught:
            wait_for(connection, "fr", "charges", 14, timeout=0.02)
        assert (caught.value.at_least, caught.value.watermark.position) == (14, 13)

    def test_gives_up_on_what_never_ran(self, connection: psycopg.Connection) -> None:
        with pytest.raises(NotReached, match="charges is at 0, not at 1"):
            wait_for(connection, "fr", "charges", 1, timeout=0.02)

    def test_does_not_wait_for_what_is_parked(self, connection: psycopg.Connection) -> None:
        store(connection, two_charges().rows)
        Engine(connection, "fr", [failing(CHARGES, 12)]).catch_up()
        began = datetime.now(UTC)  # noqa: TID251 - how long it takes is what is tested
        with pytest.raises(NotReached) as caught:
            wait_for(connection, "fr", "charges", 13, timeout=60)
        assert caught.value.watermark.parked_position == 12
        assert datetime.now(UTC) - began < timedelta(seconds=30)  # noqa: TID251 - as above
