"""The books that this process serves: for each its log, keys, rules, and who may come in.

A book is served when `settings/<book>.toml` is there. The folder of settings is named by
OBOLE_SETTINGS (`settings` by default), the master key's file by OBOLE_MASTER_KEY_FILE
(`master.key` in the home by default).
"""

import logging
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
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
from ledger.decisions.refusals import RulesOutdated
from ledger.facts.access import AccessGranted
from ledger.facts.book import RulesAdopted
from ledger.facts.registry import Origin
from ledger.keyring import SELECT_ALL_PSEUDONYM_KEYS, Keyring, Pool, prove, prove_on
from ledger.log.session import connect
from ledger.log.statements import OPEN_BOOK
from ledger.log.writer import Batch, BookWriter
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from ledger.vault import FileMasterKey, MasterKey, MasterKeyMissing, WrongKey

_log = logging.getLogger(__name__)
_OPENING = 0x0B01F  # any number that nothing else in the database locks
_OTHERS = 0o077
"""What a file's group and everybody else may do."""

GRANTS_SECONDS = 1.0
"""For how long a key that was just revoked may still be admitted by another process."""
POOL_SECONDS = 2.0
"""How long a request waits for a connection before it is answered that the database is away."""


class NoBooks(LookupError):
    """The folder of settings has no settings of any book."""


class RulesDiffer(ValueError):
    """A book adopted other rules than this process was given, and to start is not to adopt."""

    def __init__(self, book: str, differing: Sequence[str]) -> None:
        super().__init__(
            f"the book {book} follows other rules than settings and pack give here. They differ "
            f"in {'; '.join(differing)}. `obole book open {book}` adopts those given here, and "
            "whatever serves the book must start again then"
        )
        self.book = book
        self.differing = differing


class OpenBook:
    """One book as this process serves it."""

    def __init__(self, desk: Desk, writer: BookWriter) -> None:
        self.desk = desk
        self.writer = writer
        self._grants = Grants()
        self._grants_read = float("-inf")
        self._admitted: dict[str, AccessGranted] = {}
        """What keys opened, as they were presented, for as long as no key is issued or revoked."""

    async def admit(self, presented: str, clock: Clock) -> AccessGranted | None:
        """Give what a presented key opens in this book; None where it opens nothing."""
        if monotonic() - self._grants_read > GRANTS_SECONDS:
            await self._read_grants()
        now = clock()
        grant = self._admitted.get(presented)
        if grant is None:
            grant = self._grants.admits(presented, now)
            if grant is None:
                return None
            self._admitted[presented] = grant
        return grant if grant.expires_at > now else None

    async def _read_grants(self) -> None:
        known = await read_grants(self.desk, self._grants)
        # Of two who read at once, the later to end may have read the earlier state.
        if known.position > self._grants.position:
            self._grants, self._admitted = known, {}
        self._grants_read = monotonic()

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
        told: Callable[[Batch], None] | None = None,
    ) -> AsyncGenerator[Self]:
        """Serve the books whose rules are given, for as long as the block runs.

        A book that is not open yet is opened. One that follows other rules than these adopts
        them only if it is told to `adopt`: two processes with different settings would
        otherwise adopt in turn for ever.

        Raises:
            RulesDiffer: a book follows other rules, and is not to adopt these.
            WrongKey: some book's keys were wrapped under another master key; nothing was made.
        """
        async with AsyncExitStack() as stack:
            pool = await stack.enter_async_context(_pool(app_url))
            books: dict[str, OpenBook] = {}
            async with _turn(pool) as connection:
                await prove(connection, master)
                for name, rule_book in rules.items():
                    async with pool.connection() as other:
                        await other.execute(OPEN_BOOK, (name,))
                    writer = await stack.enter_async_context(BookWriter(app_url, name, told=told))
                    desk = Desk(name, writer, await _keyring(pool, name, master), rule_book)
                    await _follow_rules(desk, clock, adopt=adopt)
                    books[name] = OpenBook(desk, writer)
            yield cls(pool, books, clock)


def _pool(app_url: str) -> Pool:
    return AsyncConnectionPool(
        app_url,
        connection_class=AsyncConnection[tuple[object, ...]],
        min_size=1,
        max_size=8,
        timeout=POOL_SECONDS,
        # No growing pauses while the database is away: it is served again at once.
        reconnect_timeout=0,
        open=False,
    )


@asynccontextmanager
async def _turn(pool: Pool) -> AsyncGenerator[AsyncConnection[tuple[object, ...]]]:
    """Open books alone: two first starts at once would each draw keys and adopt rules."""
    async with pool.connection() as connection:
        await connection.execute("SET LOCAL lock_timeout = '10s'")
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_OPENING,))
        yield connection


async def _follow_rules(desk: Desk, clock: Clock, *, adopt: bool) -> None:
    """Open the book where nothing opened it yet; otherwise see that it follows these rules.

    Raises:
        RulesDiffer: it follows others, and is not to adopt these.
    """
    known = await desk.refresh()
    if adopt or not known.rules:
        await open_book(desk, Origin(desk.book, "system"), clock())
        return
    try:
        desk.adopted()
    except RulesOutdated as outdated:
        fact = known.rules[-1].fact
        assert isinstance(fact, RulesAdopted)
        raise RulesDiffer(desk.book, _differing(fact, desk.rules)) from outdated


def _differing(adopted: RulesAdopted, loaded: RuleBook) -> list[str]:
    """Name what differs, each with what was adopted and what is loaded."""
    before, now = adopted.settings, loaded.settings.values()
    found = [
        f"{name} (adopted {before.get(name)!r}, loaded {now.get(name)!r})"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
    if (adopted.pack, adopted.pack_sha256) != (loaded.pack.country, loaded.pack.sha256):
        old, new = f"{adopted.pack} {adopted.pack_sha256:.8}", f"{loaded.pack.sha256:.8}"
        found.insert(0, f"the rule pack (adopted {old}, loaded {loaded.pack.country} {new})")
    return found


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
        told = "one file for each, such as fr.toml; OBOLE_SETTINGS names another folder"
        raise NoBooks(f"no settings of any book in {folder.absolute()}: {told}")
    settings = {file.stem: load_settings(file) for file in files}
    return {book: RuleBook(load_pack(one.pack), one) for book, one in settings.items()}


def load_master_key(app_url: str, environ: Mapping[str, str] = os.environ) -> FileMasterKey:
    """Read the master key, or create it on the first start, and say loudly to keep it.

    None is ever drawn for a database that holds keys already: only the old one opens those.

    Raises:
        MasterKeyMissing: the file holds no key, or is gone although there are keys.
        WrongKey: the database's keys were wrapped under another one.
    """
    found = find_master_key(app_url, environ)
    if found is not None:
        return found
    path = _master_key_file(environ)
    key = FileMasterKey.create(path)
    _log.warning(
        "A NEW MASTER KEY was created in %s. Keep a copy of it apart from the database: "
        "without it no text and no number in the ledger can ever be read again.",
        path,
    )
    return key


def find_master_key(app_url: str, environ: Mapping[str, str] = os.environ) -> FileMasterKey | None:
    """Read the master key; None where no book was opened yet, so that nothing needs it.

    Raises: as `load_master_key`.
    """
    path = _master_key_file(environ)
    with connect(app_url) as connection:
        stored = connection.execute(SELECT_ALL_PSEUDONYM_KEYS).fetchall()
    if path.exists():
        if path.stat().st_mode & _OTHERS:
            _log.warning(
                "OTHERS CAN READ THE MASTER KEY and with it every text: chmod 600 %s", path
            )
        return _proven(FileMasterKey.load(path), path, stored)
    if stored:
        raise MasterKeyMissing(
            f"the master key {path} is missing, and this database was opened with one: "
            "put its copy there, or name it in OBOLE_MASTER_KEY_FILE"
        )
    return None


def _master_key_file(environ: Mapping[str, str]) -> Path:
    named = environ.get("OBOLE_MASTER_KEY_FILE")
    return (Path(named) if named else home(environ) / "master.key").absolute()


def _proven(key: FileMasterKey, path: Path, stored: Iterable[tuple[object, ...]]) -> FileMasterKey:
    try:
        prove_on(stored, key)
    except WrongKey as wrong:
        raise WrongKey(
            f"the master key {path} is not the one of this database ({wrong})"
        ) from wrong
    return key
