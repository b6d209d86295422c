"""Where the demonstration plays: a book of its own, its API on this machine, its worker.

Everything is the real thing, in threads of one process: the API that `obole api` runs, behind a
link that can be made to fail, and the projections as `obole work` keeps them.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from typing import NamedTuple, Self, TypeVar

from api.books import Books
from api.catalogue_file import read_catalogue
from api.clock import system_clock
from api.database import Database
from api.demo.faults import FaultyLink
from api.demo.messages import Endpoint
from api.demo.traffic import TRAFFIC
from api.serving import LOOPBACK, Setup, Wrap, listen, loop_factory, serve
from ledger.commands.access import IssuedKey, Wanted, issue_key
from ledger.commands.catalogue import load_catalogue
from ledger.commands.desk import Desk
from ledger.facts.access import Role
from ledger.facts.registry import Origin
from ledger.rules.resolve import RuleBook
from ledger.vault import MasterKey
from migrations.runner import migrate
from projections import worker

T = TypeVar("T")

BOOK = "fr"
GATEWAY = "kannel-fr"
MERCHANT = "ludotel"
ROLES: tuple[Role, ...] = ("gateway", "merchant", "finance", "regulator", "admin")
ORIGIN = Origin(BOOK, "demo")
CATALOGUE = "catalogue.toml"
_START_SECONDS = 60


class Stage(NamedTuple):
    """A demonstration that is running."""

    database: Database
    rules: RuleBook
    api: "ApiThread"
    keys: Mapping[str, IssuedKey]

    @property
    def endpoint(self) -> Endpoint:
        """Say where the gateway finds the API."""
        return Endpoint(self.api.port, self.keys["gateway"].text, BOOK, GATEWAY)


class ApiThread:
    """The API in a thread of its own, from entering to leaving."""

    def __init__(self, setup: Setup, wrap: Wrap) -> None:
        self._setup = setup
        self._wrap = wrap
        self._listener = listen(LOOPBACK, 0)
        self.port: int = self._listener.getsockname()[1]
        self._ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event, Books]] = Future()
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._loop, self._stop, self._books = self._ready.result(_START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def do(self, what: Callable[[Desk], Awaitable[T]]) -> T:
        """Have something done at the book's desk, in the API's own loop."""

        async def there() -> T:
            return await what(self._books.by_name[BOOK].desk)

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result(_START_SECONDS)

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        stop = asyncio.Event()

        async def ready(books: Books) -> None:
            self._ready.set_result((asyncio.get_running_loop(), stop, books))

        await serve(self._setup, self._listener, stop, ready, self._wrap)


@contextmanager
def set_stage(database: Database, rules: RuleBook, master: MasterKey) -> Generator[Stage]:
    """Prepare an empty database and serve it for as long as the block runs."""
    migrate(database.owner_url)
    setup = Setup(database.app_url, {BOOK: rules}, master, system_clock)
    with ApiThread(setup, lambda app: FaultyLink(app, TRAFFIC)) as api:
        api.do(load_demonstration)
        keys = {role: api.do(lambda desk, role=role: issue(desk, role)) for role in ROLES}
        halt = threading.Event()
        projecting = threading.Thread(
            target=worker.run, args=(database.app_url, BOOK, halt), name="projections"
        )
        projecting.start()
        try:
            yield Stage(database, rules, api, keys)
        finally:
            halt.set()
            projecting.join()


async def load_demonstration(desk: Desk) -> int:
    """Load the demonstration catalogue into a book without traffic; gives how many facts."""
    raw = files("api.demo").joinpath(CATALOGUE).read_bytes()
    requested = read_catalogue(raw, CATALOGUE, desk.book, desk.rules.pack.zone)
    origin = Origin(desk.book, "demo")
    now = system_clock()
    settled = await load_catalogue(desk, requested, origin, now, has_traffic=False)
    return len(settled.appended)


async def issue(desk: Desk, role: Role, merchant: str = MERCHANT, days: int = 1) -> IssuedKey:
    """Issue a demonstration key."""
    now = system_clock()
    wanted = Wanted(
        role,
        f"demonstration, {role}",
        now + timedelta(days=days),
        merchant=merchant if role == "merchant" else None,
        gateway=GATEWAY if role == "gateway" else None,
    )
    return await issue_key(desk, wanted, Origin(desk.book, "demo"), now)
