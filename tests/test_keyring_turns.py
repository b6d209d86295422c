"""Callers of the keyring that come at the very moment at which a turn of it ends."""

import asyncio

import pytest
from psycopg_pool import AsyncConnectionPool

from ledger.keyring import Keyring
from ledger.vault import DataKeyId, FileMasterKey
from tests.support.database import TestDatabase

MASTER = FileMasterKey(bytes(range(32)))


def key_id(consumer: str) -> DataKeyId:
    """Name a data key."""
    return DataKeyId(f"1_{consumer * 32}", "2026-07", "text")


class TestEnsure:
    """A key that is made or found."""

    @pytest.mark.timeout(20)
    def test_joins_no_turn_that_has_ended(self, database: TestDatabase) -> None:
        """A turn is done before its own callbacks run; joining it then would spin for ever."""

        async def story() -> tuple[bytes, bytes]:
            async with AsyncConnectionPool(database.app_url, min_size=1, open=False) as pool:
                keyring = Keyring(pool, "fr", MASTER)
                first = asyncio.create_task(keyring.ensure(key_id("a"), "33000100001"))
                await asyncio.sleep(0)
                turn = keyring._turn  # noqa: SLF001 - the moment cannot be told from outside
                assert turn is not None
                while not turn.done():  # noqa: ASYNC110 - every step of the loop counts
                    await asyncio.sleep(0)
                assert keyring._turn is turn, "its callbacks have not run yet"  # noqa: SLF001
                second = await keyring.ensure(key_id("b"), "33000100002")
                return await first, second

        one, other = asyncio.run(story())
        assert len(one) == len(other) == 32
        assert one != other
