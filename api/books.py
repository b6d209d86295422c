"""The books that this process serves: for each its log, keys, rules, and who may come in.

A book is served when `settings/<book>.toml` is there. The folder of settings is named by
OBOLE_SETTINGS (`settings` by default), the master key's file by OBOLE_MASTER_KEY_FILE
(`master.key` in the home by default).
"""

import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Self

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from api.clock import Clock
from api.database import home
from ledger.access import Grants
from ledger.commands.access import read_grants
from ledger.commands.desk import Desk
from ledger.commands.opening import open_book
from ledger.facts.access import AccessGranted
from ledger.facts.registry import Origin
from ledger.keyring import Keyring, Pool, prove
from ledger.log.session import connect
from ledger.log.statements import OPEN_BOOK
from ledger.log.writer import BookWriter
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from ledger.vault import FileMasterKey, MasterKey, MasterKeyMissing

_log = logging.getLogger(__name__)
_OTHERS = 0o077
"""What a file's group and everybody else may do."""

GRANTS_SECONDS = 1.0
"""For how long a key that was just revoked may still be admitted by another process."""
POOL_SECONDS = 2.0
"""How long a request waits for a connection before it is answered that the database is away."""


class NoBooks(LookupError):
    """The folder of settings has no settings of any book."""


class OpenBook:
    """One book as this process serves it."""

    def __init__(self, desk: Desk, writer: BookWriter) -> None:
        self.desk = desk
        self.writer = writer
        self._grants = Grants()
        self._grants_read = float("-inf")

    async def admit(self, presented: str, clock: Clock) -> AccessGranted | None:
        """Give what a presented key opens in this book; None where it opens nothing."""
        if monotonic() - self._grants_read > GRANTS_SECONDS:
            self._grants = await read_grants(self.desk, self._grants)
            self._grants_read = monotonic()
        return self._grants.admits(presented, clock())

    def forget_grants(self) -> None:
        """Read the keys again at the next request, after one was issued or revoked here."""
        self._grants_read = float("-inf")


class Books:
    """Every book served, by name, with the pool that their reads share."""

    def __init__(self, pool: Pool, books: Mapping[str, OpenBook], clock: Clock) -> None:
        self.pool = pool
        self.by_name = books
        self.clock = clock

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        app_url: str,
        rules: Mapping[str, RuleBook],
        master: MasterKey,
        clock: Clock,
        *,
        adopt: bool = False,
    ) -> AsyncGenerator[Self]:
        """Serve the books whose rules are given, for as long as the block runs.

        A book that is not open yet is opened. One that follows other rules than these adopts
        them only if it is told to `adopt`: two processes with different settings would
        otherwise adopt in turn for ever.

        Raises:
            RulesOutdated: a book follows other rules, and is not to adopt these.
            WrongKey: the book's keys were wrapped under another master key.
        """
        async with AsyncExitStack() as stack:
            pool: Pool = AsyncConnectionPool(
                app_url,
                connection_class=AsyncConnection[tuple[object, ...]],
                min_size=1,
                max_size=8,
                timeout=POOL_SECONDS,
                # No growing pauses while the database is away: it is served again at once.
                reconnect_timeout=0,
                open=False,
            )
            await stack.enter_async_context(pool)
            await prove(pool, master)
            books: dict[str, OpenBook] = {}
            for name, rule_book in rules.items():
                async with pool.connection() as connection:
                    await connection.execute(OPEN_BOOK, (name,))
                writer = await stack.enter_async_context(BookWriter(app_url, name))
                desk = Desk(name, writer, await _keyring(pool, name, master), rule_book)
                if adopt or (await desk.refresh()).book is None:
                    await open_book(desk, Origin(name, "system"), clock())
                desk.adopted()
                books[name] = OpenBook(desk, writer)
            yield cls(pool, books, clock)


async def _keyring(pool: Pool, book: str, master: MasterKey) -> Keyring:
    keyring = Keyring(pool, book, master)
    await keyring.create()
    await keyring.open()
    return keyring


def load_rules(environ: Mapping[str, str] = os.environ) -> dict[str, RuleBook]:
    """Read the settings and rule pack of every book.

    Raises:
        NoBooks: there are no settings at all.
        SettingsInvalid: a required value is missing or wrong; the message names each.
        RulePackInvalid: a pack has mistakes; all of them are listed.
    """
    folder = Path(environ.get("OBOLE_SETTINGS") or "settings")
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise NoBooks(f"no settings of any book in {folder}: one file for each, such as fr.toml")
    settings = {file.stem: load_settings(file) for file in files}
    return {book: RuleBook(load_pack(one.pack), one) for book, one in settings.items()}


def load_master_key(app_url: str, environ: Mapping[str, str] = os.environ) -> FileMasterKey:
    """Read the master key, or create it on the first start, and say loudly to keep it.

    None is ever drawn for a database that holds keys already: only the old one opens those.

    Raises:
        MasterKeyMissing: the file holds no key, or is gone although there are keys.
    """
    named = environ.get("OBOLE_MASTER_KEY_FILE")
    path = (Path(named) if named else home(environ) / "master.key").absolute()
    if path.exists():
        if path.stat().st_mode & _OTHERS:
            _log.warning("others can read the master key: chmod 600 %s", path)
        return FileMasterKey.load(path)
    if _holds_keys(app_url):
        raise MasterKeyMissing(
            f"the master key {path} is missing, and this database was opened with one: "
            "put its copy there, or name it in OBOLE_MASTER_KEY_FILE"
        )
    key = FileMasterKey.create(path)
    _log.warning(
        "A NEW MASTER KEY was created in %s. Keep a copy of it apart from the database: "
        "without it no text and no number in the ledger can ever be read again.",
        path,
    )
    return key


def _holds_keys(app_url: str) -> bool:
    """Tell whether anything was ever wrapped under a master key here."""
    with connect(app_url) as connection:
        return connection.execute("SELECT FROM pseudonym_keys LIMIT 1").fetchone() is not None
