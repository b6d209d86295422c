"""The book's keys in PostgreSQL: one for pseudonyms, and a data key a consumer and month.

Callers that wait at the same moment share one round trip. New keys are on the disk before any fact
that needs them, and before they are remembered here: this process may outlive the server, and what
it remembered would else seal texts that nobody can open once it has ended.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import LiteralString, cast

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from ledger.vault import DataKeyId, MasterKey, new_data_key

Pool = AsyncConnectionPool[AsyncConnection[tuple[object, ...]]]

CACHED_KEYS = 100_000

# A row whose other writer has not committed yet is waited for, hence the sorted order:
# two writers that took rows in different orders would wait for each other.
INSERT_DATA_KEYS: LiteralString = """
INSERT INTO data_keys (book, consumer, month, kind, wrapped)
SELECT %(book)s, consumer, month, kind, wrapped
FROM unnest(%(consumers)s::text[], %(months)s::date[], %(kinds)s::text[], %(wrapped)s::bytea[])
    AS wanted (consumer, month, kind, wrapped)
ORDER BY consumer, month, kind
ON CONFLICT DO NOTHING
"""

INSERT_ADDRESSES: LiteralString = """
INSERT INTO addresses (book, consumer, sealed)
SELECT %(book)s, consumer, sealed
FROM unnest(%(consumers)s::text[], %(sealed)s::bytea[]) AS wanted (consumer, sealed)
ORDER BY consumer
ON CONFLICT DO NOTHING
"""

# The disk is waited for: see the module's docstring. And no table is read whole: one that was
# small when a statement was planned may have grown since, and the connection keeps the plan.
SET_FOR_KEYS: LiteralString = """
SELECT set_config('synchronous_commit', 'on', TRUE), set_config('enable_seqscan', 'off', TRUE)
"""

# Each key is looked up by itself: a plan that was made while there were few keys would otherwise
# read all of them for each one wanted. What is written as `IS TRUE` keeps it from the index by age,
# where a month's keys all lie together, and so does the order, which that index does not have.
SELECT_DATA_KEYS: LiteralString = """
SELECT wanted.n, found.wrapped
FROM unnest(%(consumers)s::text[], %(months)s::date[], %(kinds)s::text[])
    WITH ORDINALITY AS wanted (consumer, month, kind, n)
CROSS JOIN LATERAL (
    SELECT data_keys.wrapped
    FROM data_keys
    WHERE
        data_keys.book = %(book)s
        AND data_keys.consumer = wanted.consumer
        AND (data_keys.month = wanted.month AND data_keys.kind = wanted.kind) IS TRUE
    ORDER BY data_keys.month, data_keys.kind
    OFFSET 0
) AS found
"""

SELECT_ADDRESS: LiteralString = """
SELECT sealed FROM addresses WHERE book = %(book)s AND consumer = %(consumer)s
"""

INSERT_PSEUDONYM_KEY: LiteralString = """
INSERT INTO pseudonym_keys (book, version, wrapped) VALUES (%(book)s, %(version)s, %(wrapped)s)
ON CONFLICT DO NOTHING
"""

SELECT_PSEUDONYM_KEYS: LiteralString = """
SELECT version, wrapped FROM pseudonym_keys WHERE book = %(book)s ORDER BY version
"""


SELECT_ALL_PSEUDONYM_KEYS: LiteralString = "SELECT book, version, wrapped FROM pseudonym_keys"


async def prove(connection: AsyncConnection[tuple[object, ...]], master: MasterKey) -> None:
    """Open every book's keys for naming consumers, before anything is made under this master key.

    Raises:
        WrongKey: another master key wrapped one of them.
    """
    cursor = await connection.execute(SELECT_ALL_PSEUDONYM_KEYS)
    prove_on(await cursor.fetchall(), master)


def prove_on(rows: Iterable[tuple[object, ...]], master: MasterKey) -> None:
    """Do as `prove` on the rows that `SELECT_ALL_PSEUDONYM_KEYS` gave."""
    for book, version, wrapped in rows:
        master.unwrap(cast("bytes", wrapped), f"{book}/pseudonym/{version}")


class NoPseudonymKey(LookupError):
    """The book was not opened here: it has no key to name consumers by."""


class Keyring:
    """The keys of one book, unwrapped in memory as far as they were needed lately."""

    def __init__(self, pool: Pool, book: str, master: MasterKey) -> None:
        self._pool = pool
        self._book = book
        self._master = master
        self._known: OrderedDict[DataKeyId, bytes] = OrderedDict()
        self._waiting: dict[DataKeyId, str | None] = {}
        self._turn: asyncio.Task[dict[DataKeyId, bytes]] | None = None
        self.pseudonym_version = 0
        self.pseudonym_key = b""

    async def open(self) -> None:
        """Read the newest pseudonym key.

        Raises:
            NoPseudonymKey: the book has none.
            WrongKey: another master key wrapped it.
        """
        async with self._pool.connection() as connection:
            cursor = await connection.execute(SELECT_PSEUDONYM_KEYS, {"book": self._book})
            rows = await cursor.fetchall()
        if not rows:
            raise NoPseudonymKey(self._book)
        version, wrapped = rows[-1]
        self.pseudonym_version = int(str(version))
        self.pseudonym_key = self._unwrap(wrapped, f"pseudonym/{self.pseudonym_version}")

    async def create(self) -> None:
        """Give the book its first pseudonym key, unless it has one."""
        wrapped = self._wrap(new_data_key(), "pseudonym/1")
        async with self._pool.connection() as connection:
            values = {"book": self._book, "version": 1, "wrapped": wrapped}
            await connection.execute(INSERT_PSEUDONYM_KEY, values)

    async def ensure(self, wanted: DataKeyId, address: str | None = None) -> bytes:
        """Give a data key, made now if it is new; the consumer's `address` is kept beside it.

        Without an address, the one that was kept when the consumer wrote stays the only one.
        """
        while (key := self._recall(wanted)) is None:
            # Whoever knows the address may wait beside somebody who does not.
            self._waiting[wanted] = address or self._waiting.get(wanted)
            await self._take_turn()
        return key

    async def ensure_all(self, wanted: Mapping[DataKeyId, str | None]) -> Mapping[DataKeyId, bytes]:
        """Give many data keys in one round trip, as `ensure` gives each; addresses by key."""
        found: dict[DataKeyId, bytes] = {}
        while missing := [one for one in wanted if not self._found(one, found)]:
            for one in missing:
                self._waiting[one] = wanted[one] or self._waiting.get(one)
            await self._take_turn()
        return found

    async def find(self, wanted: Iterable[DataKeyId]) -> Mapping[DataKeyId, bytes]:
        """Give the data keys that are there; one that was destroyed, or never made, is missing."""
        wanted = tuple(wanted)
        missing = [one for one in wanted if self._recall(one) is None]
        if missing:
            async with self._pool.connection() as connection:
                await connection.execute(SET_FOR_KEYS)
                self._remember(await self._select(connection, missing, {}))
        found = {one: self._recall(one) for one in wanted}
        return {one: key for one, key in found.items() if key is not None}

    async def address(self, consumer: str) -> str | None:
        """Give the number or alias behind a pseudonym; None once it was destroyed.

        It is read each time and kept nowhere, so that what was destroyed is gone at once.
        """
        async with self._pool.connection() as connection:
            values = {"book": self._book, "consumer": consumer}
            cursor = await connection.execute(SELECT_ADDRESS, values)
            row = await cursor.fetchone()
        return None if row is None else self._unwrap(row[0], f"address/{consumer}").decode()

    async def _take_turn(self) -> None:
        """Wait for the turn under way, or begin one; what came too late for it waits again."""
        # Waiting for a turn that has just ended would not yield to the loop, and never end.
        if self._turn is None or self._turn.done():
            self._turn = asyncio.create_task(self._ensure_waiting())
            self._turn.add_done_callback(self._end_turn)
        await asyncio.shield(self._turn)

    def _end_turn(self, ended: object) -> None:
        if self._turn is ended:
            self._turn = None

    async def _ensure_waiting(self) -> dict[DataKeyId, bytes]:
        """Make and read every key waited for, in one transaction."""
        # One yield to the loop lets everybody who is ready now join this turn.
        await asyncio.sleep(0)
        waiting, self._waiting = self._waiting, {}
        wanted = sorted(waiting)
        new = [new_data_key() for _ in wanted]
        fresh = [self._wrap(key, _context(one)) for key, one in zip(new, wanted, strict=True)]
        homes = {one.consumer: home for one in wanted if (home := waiting[one]) is not None}
        sealed = [self._wrap(text.encode(), f"address/{who}") for who, text in homes.items()]
        keys = self._columns(wanted) | {"wrapped": _bytea_array(fresh)}
        addresses = {"consumers": _text_array(homes), "sealed": _bytea_array(sealed)}
        # All of it is sent at once: waiting for each answer took half of the time, here and there.
        async with self._pool.connection() as connection, connection.pipeline():
            await connection.execute(SET_FOR_KEYS)
            await connection.execute(INSERT_DATA_KEYS, keys)
            await connection.execute(INSERT_ADDRESSES, {"book": self._book, **addresses})
            # Nearly every key is the one just made, which need not be opened again.
            found = await self._select(connection, wanted, dict(zip(fresh, new, strict=True)))
        self._remember(found)
        return found

    async def _select(
        self,
        connection: AsyncConnection[tuple[object, ...]],
        wanted: list[DataKeyId],
        opened: Mapping[bytes, bytes],
    ) -> dict[DataKeyId, bytes]:
        """Read keys; `opened` are some of them by what they are wrapped as."""
        cursor = await connection.execute(SELECT_DATA_KEYS, self._columns(wanted), binary=True)
        found: dict[DataKeyId, bytes] = {}
        for number, wrapped in await cursor.fetchall():
            assert isinstance(number, int)
            assert isinstance(wrapped, bytes)
            one = wanted[number - 1]
            found[one] = opened.get(wrapped) or self._unwrap(wrapped, _context(one))
        return found

    def _columns(self, wanted: list[DataKeyId]) -> dict[str, object]:
        return {
            "book": self._book,
            "consumers": _text_array(one.consumer for one in wanted),
            "months": _text_array(f"{one.month}-01" for one in wanted),
            "kinds": _text_array(one.kind for one in wanted),
        }

    def _found(self, one: DataKeyId, found: dict[DataKeyId, bytes]) -> bool:
        """Tell whether a key is known, and keep it aside: the memory may be too small for all."""
        key = found.get(one) or self._recall(one)
        if key is not None:
            found[one] = key
        return key is not None

    def _recall(self, one: DataKeyId) -> bytes | None:
        key = self._known.get(one)
        if key is not None:
            self._known.move_to_end(one)
        return key

    def _remember(self, found: Mapping[DataKeyId, bytes]) -> None:
        self._known.update(found)
        while len(self._known) > CACHED_KEYS:
            self._known.popitem(last=False)

    def _wrap(self, secret: bytes, context: str) -> bytes:
        return self._master.wrap(secret, f"{self._book}/{context}")

    def _unwrap(self, wrapped: object, context: str) -> bytes:
        assert isinstance(wrapped, bytes)
        return self._master.unwrap(wrapped, f"{self._book}/{context}")


def _context(one: DataKeyId) -> str:
    return f"{one.consumer}/{one.month}/{one.kind}"


# Written as PostgreSQL reads them, which is several times as quick as having each converted.
def _text_array(words: Iterable[str]) -> str:
    """Write words of the ledger's own, none of which needs quotes."""
    return f"{{{','.join(words)}}}"


def _bytea_array(values: Iterable[bytes]) -> str:
    written = '","'.join([f"\\\\x{value.hex()}" for value in values])
    return f'{{"{written}"}}' if written else "{}"
