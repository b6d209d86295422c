"""The keyring on PostgreSQL: keys made once whoever asks, found again, and gone once destroyed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from ledger import keyring
from ledger.keyring import Keyring, NoPseudonymKey
from ledger.vault import DataKeyId, FileMasterKey, MasterKey, WrongKey
from tests.support.database import TestDatabase
from tests.support.loops import in_a_loop

MASTER = FileMasterKey(bytes(range(32)))


def key_id(consumer: str = "a", month: str = "2026-07") -> DataKeyId:
    """Name a data key."""
    return DataKeyId(f"1_{consumer * 32}", month, "text")


@asynccontextmanager
async def rings(
    database: TestDatabase, *books: str, master: MasterKey = MASTER, options: str = ""
) -> AsyncGenerator[list[Keyring]]:
    """Give a keyring for each of some books, each with connections of its own."""
    url = make_conninfo(database.app_url, options=options)
    pools = [AsyncConnectionPool(url, min_size=1, open=False) for _ in books]
    for pool in pools:
        await pool.open()
    try:
        yield [Keyring(pool, book, master) for pool, book in zip(pools, books, strict=True)]
    finally:
        for pool in pools:
            await pool.close()


def rows(database: TestDatabase, statement: LiteralString) -> list[tuple[object, ...]]:
    """Ask the database itself."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


class TestPseudonymKey:
    """The key that consumers are named by."""

    @in_a_loop
    async def test_is_made_once(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "fr") as (one, other):
            await asyncio.gather(one.create(), other.create())
            await asyncio.gather(one.open(), other.open())
            assert one.pseudonym_key == other.pseudonym_key
            assert (one.pseudonym_version, len(one.pseudonym_key)) == (1, 32)

    @in_a_loop
    async def test_is_each_books_own(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "be") as (one, other):
            for ring in (one, other):
                await ring.create()
                await ring.open()
            assert one.pseudonym_key != other.pseudonym_key

    @in_a_loop
    async def test_is_missing_in_a_book_that_was_never_opened(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            with pytest.raises(NoPseudonymKey, match="fr"):
                await ring.open()

    @in_a_loop
    async def test_does_not_open_under_another_master_key(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.create()
        async with rings(database, "fr", master=FileMasterKey(bytes(32))) as (ring,):
            with pytest.raises(WrongKey):
                await ring.open()

    @in_a_loop
    async def test_of_the_highest_version_is_taken(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.create()
            wrapped = MASTER.wrap(b"k" * 32, "fr/pseudonym/2")
            with psycopg.connect(database.owner_url) as connection:
                connection.execute(
                    "INSERT INTO pseudonym_keys (book, version, wrapped) VALUES ('fr', 2, %s)",
                    (wrapped,),
                )
            await ring.open()
            assert (ring.pseudonym_version, ring.pseudonym_key) == (2, b"k" * 32)


class TestEnsure:
    """A data key that is there afterwards, whoever made it."""

    @in_a_loop
    async def test_gives_racing_keyrings_the_same_keys(self, database: TestDatabase) -> None:
        wanted = [key_id(consumer) for consumer in "abcdef"]
        async with rings(database, "fr", "fr") as (one, other):
            ones = [one.ensure(key, "x") for key in wanted]
            others = [other.ensure(key, "y") for key in reversed(wanted)]
            found = await asyncio.gather(*ones, *others)
        assert found[:6] == found[:5:-1]
        assert len(set(found)) == 6

    @in_a_loop
    async def test_makes_no_key_twice(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            found = await asyncio.gather(*(ring.ensure(key_id(), "x") for _ in range(50)))
            assert {await ring.ensure(key_id(), "x"), *found} == {found[0]}
        assert rows(database, "SELECT count(*) FROM data_keys") == [(1,)]

    @in_a_loop
    async def test_without_an_address_leaves_the_one_that_is_kept(
        self, database: TestDatabase
    ) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.ensure(key_id(month="2026-07"), "x")
            before = rows(database, "SELECT consumer, sealed FROM addresses")
            assert await ring.ensure(key_id(month="2026-08")) == await ring.ensure(
                key_id(month="2026-08")
            )
            assert rows(database, "SELECT consumer, sealed FROM addresses") == before
        assert rows(database, "SELECT count(*) FROM data_keys") == [(2,)]

    @in_a_loop
    async def test_keeps_the_address_of_whoever_knows_it(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await asyncio.gather(ring.ensure(key_id(), "x"), ring.ensure(key_id()))
        assert rows(database, "SELECT count(*) FROM addresses") == [(1,)]

    @in_a_loop
    async def test_of_many_callers_is_one_transaction(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            wanted = [key_id(consumer) for consumer in "abcdefgh"]
            await asyncio.gather(*(ring.ensure(key, "x") for key in wanted))
        assert rows(database, "SELECT count(DISTINCT xmin::text) FROM data_keys") == [(1,)]

    @in_a_loop
    async def test_serves_who_comes_while_a_turn_is_under_way(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            first = asyncio.create_task(ring.ensure(key_id("a"), "x"))
            # Two turns of the loop: the first caller's transaction has begun without the second.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            second = asyncio.create_task(ring.ensure(key_id("b"), "x"))
            assert await first != await second
        assert rows(database, "SELECT count(DISTINCT xmin::text) FROM data_keys") == [(2,)]

    @in_a_loop
    async def test_goes_on_after_one_caller_has_left(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            leaving = asyncio.create_task(ring.ensure(key_id("a"), "x"))
            staying = asyncio.create_task(ring.ensure(key_id("a"), "x"))
            await asyncio.sleep(0)
            leaving.cancel()
            assert len(await staying) == 32
            assert leaving.cancelled()

    @in_a_loop
    async def test_tells_months_consumers_and_books_apart(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "be") as (french, belgian):
            found = [
                await french.ensure(key_id("a"), "x"),
                await french.ensure(key_id("b"), "x"),
                await french.ensure(key_id("a", "2026-08"), "x"),
                await belgian.ensure(key_id("a"), "x"),
            ]
        assert len(set(found)) == 4

    @in_a_loop
    async def test_keeps_the_first_address_sealed(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.ensure(key_id("a"), "+33612345678")
            await ring.ensure(key_id("a", "2026-08"), "another")
        ((consumer, sealed),) = rows(database, "SELECT consumer, sealed FROM addresses")
        assert isinstance(sealed, bytes)
        assert b"33612345678" not in sealed
        assert MASTER.unwrap(sealed, f"fr/address/{consumer}") == b"+33612345678"


class TestAddress:
    """Whom a pseudonym stands for, for those who may write to them."""

    @in_a_loop
    async def test_is_what_the_consumer_wrote_from(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.ensure(key_id(), "+33612345678")
            assert await ring.address(key_id().consumer) == "+33612345678"

    @in_a_loop
    async def test_is_nothing_for_whoever_never_wrote(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "be") as (ring, other):
            await other.ensure(key_id(), "x")
            assert await ring.address(key_id().consumer) is None

    @in_a_loop
    async def test_is_gone_at_once_when_it_was_destroyed(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.ensure(key_id(), "x")
            assert await ring.address(key_id().consumer) == "x"
            rows(database, "DELETE FROM addresses")
            assert await ring.address(key_id().consumer) is None

    @in_a_loop
    async def test_opens_under_its_own_master_key_only(self, database: TestDatabase) -> None:
        async with rings(database, "fr") as (ring,):
            await ring.ensure(key_id(), "x")
        async with rings(database, "fr", master=FileMasterKey(bytes(32))) as (ring,):
            with pytest.raises(WrongKey):
                await ring.address(key_id().consumer)


class TestFind:
    """The data keys that are there."""

    @in_a_loop
    async def test_tells_kinds_of_one_month_apart(self, database: TestDatabase) -> None:
        text = key_id()
        number: Any = text._replace(kind="number")  # a kind that no fact has yet
        async with rings(database, "fr", "fr") as (one, other):
            made = [await one.ensure(wanted, "x") for wanted in (text, number)]
            found = await other.find([text, number])
        assert [found[text], found[number]] == made
        assert made[0] != made[1]

    @in_a_loop
    async def test_reads_again_what_it_had_to_let_go(
        self, database: TestDatabase, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keyring, "CACHED_KEYS", 1)
        async with rings(database, "fr") as (ring,):
            made = {one: await ring.ensure(one, "x") for one in (key_id("a"), key_id("b"))}
            for one, key in made.items():
                assert await ring.find([one]) == {one: key}

    @in_a_loop
    async def test_gives_what_another_keyring_made(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "fr") as (one, other):
            key = await one.ensure(key_id(), "x")
            found = await other.find(one for one in (key_id(), key_id("b")))
            assert found == {key_id(): key}

    @in_a_loop
    async def test_does_not_give_one_that_was_destroyed(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "fr") as (one, other):
            await one.ensure(key_id(), "x")
            rows(database, "DELETE FROM data_keys")
            assert await other.find([key_id()]) == {}

    @in_a_loop
    async def test_does_not_give_another_books(self, database: TestDatabase) -> None:
        async with rings(database, "fr", "be") as (french, belgian):
            await french.ensure(key_id(), "x")
            assert await belgian.find([key_id()]) == {}

    @pytest.mark.parametrize("few", [0, 1, 5])
    @in_a_loop
    async def test_looks_each_key_up_even_by_a_plan_made_while_there_were_few(
        self, database: TestDatabase, few: int
    ) -> None:
        """A connection keeps its plan while keys become many."""
        with psycopg.connect(database.owner_url, autocommit=True) as owner:
            owner.execute(MAKE_KEYS, (1, few))
            owner.execute("ANALYZE data_keys")
            async with rings(database, "fr", options=GENERIC) as (ring,):
                for _ in range(10):
                    assert await ring.find([key_id()]) == {}
                owner.execute(MAKE_KEYS, (few + 1, few + 10_000))
                async with ring._pool.connection() as connection:  # noqa: SLF001 - its own plans
                    plan = await _kept_plan(connection)
        assert "Index Scan using a_consumer_has_one_key_a_month_and_kind" in plan
        assert "Index Cond: ((book = $4) AND (consumer = wanted.consumer))" in plan

    @in_a_loop
    async def test_is_refused_where_a_key_was_moved_to_another_consumer(
        self, database: TestDatabase
    ) -> None:
        async with rings(database, "fr", "fr") as (one, other):
            await one.ensure(key_id("a"), "x")
            rows(database, "UPDATE data_keys SET consumer = '1_' || repeat('b', 32)")
            with pytest.raises(WrongKey):
                await other.find([key_id("b")])


MAKE_KEYS = """
INSERT INTO data_keys (book, consumer, month, kind, wrapped)
SELECT 'fr', '1_' || md5(n::text), '2026-07-01', 'text', 'x' FROM generate_series(%s::int, %s) AS n
"""
GENERIC = "-c plan_cache_mode=force_generic_plan"


async def _kept_plan(connection: psycopg.AsyncConnection[tuple[object, ...]]) -> str:
    """Explain how a connection looks data keys up, by the plan that it made before."""
    cursor = await connection.execute(
        "SELECT name, generic_plans FROM pg_prepared_statements WHERE statement LIKE %s",
        ("%FROM data_keys%",),
    )
    ((name, kept),) = await cursor.fetchall()
    assert kept
    asked = sql.SQL("EXPLAIN EXECUTE {} ('{{a}}', '{{2026-07-01}}', '{{text}}', 'fr')")
    cursor = await connection.execute(asked.format(sql.Identifier(str(name))))
    return "\n".join(str(line) for (line,) in await cursor.fetchall())
