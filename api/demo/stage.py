"""Where the demonstration plays: two books of its own, their API on this machine, their worker.

Everything is the real thing, in threads of one process: the API that `obole api` runs, behind a
link that can be made to fail, and the projections as `obole work` keeps them.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib.resources import files
from typing import NamedTuple, Self, TypeVar

from api.books import Books
from api.catalogue_file import read_catalogue
from api.clock import system_clock
from api.database import Database
from api.demo.books import DEMO_BOOKS, FRENCH
from api.demo.faults import FaultyLink
from api.demo.messages import Endpoint
from api.demo.traffic import TRAFFIC
from api.demo.traffic_be import TRAFFIC_BE
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

BOOK = FRENCH.book
GATEWAY = FRENCH.gateway
ROLES: tuple[Role, ...] = ("gateway", "merchant", "finance", "regulator", "admin")
KEY_DAYS = 90
"""How long the keys of one run last: its clock is set months ahead."""
_START_SECONDS = 60


class StageClock:
    """The ledger's clock, which the plot sets ahead and never back."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def __call__(self) -> datetime:
        """Give the instant that the ledger takes it to be."""
        return system_clock() + self._ahead

    def go_to(self, at: datetime) -> None:
        """Set it ahead, if that instant has not come yet."""
        self._ahead = max(self._ahead, at - system_clock())


class Stage(NamedTuple):
    """A demonstration that is running."""

    database: Database
    rules: Mapping[str, RuleBook]
    api: "ApiThread"
    clock: StageClock
    keys: Mapping[str, Mapping[Role, IssuedKey]]
    """By book, then by role."""

    def endpoint(self, book: str) -> Endpoint:
        """Say where a book's gateway finds the API."""
        key = self.keys[book]["gateway"].text
        return Endpoint(self.api.port, key, book, DEMO_BOOKS[book].gateway)

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Say so for each book."""
        return tuple(self.endpoint(book) for book in self.rules)


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

    def do(self, what: Callable[[Desk], Awaitable[T]], book: str = BOOK) -> T:
        """Have something done at a book's desk, in the API's own loop."""

        async def there() -> T:
            return await what(self._books.by_name[book].desk)

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
def set_stage(
    database: Database, rules: Mapping[str, RuleBook], master: MasterKey
) -> Generator[Stage]:
    """Prepare an empty database and serve it for as long as the block runs."""
    migrate(database.owner_url)
    clock = StageClock()
    setup = Setup(database.app_url, rules, master, clock)
    messages = (*TRAFFIC, *TRAFFIC_BE)
    with ApiThread(setup, lambda app: FaultyLink(app, messages)) as api:
        for book in rules:
            api.do(load_demonstration, book)
        keys = {book: _keys(api, book) for book in rules}
        with _projecting(database, rules):
            yield Stage(database, rules, api, clock, keys)


def _keys(api: ApiThread, book: str) -> Mapping[Role, IssuedKey]:
    """Issue a key for each role."""
    return {
        role: api.do(lambda desk, role=role: issue(desk, role, days=KEY_DAYS), book)
        for role in ROLES
    }


@contextmanager
def _projecting(database: Database, books: Iterable[str]) -> Generator[None]:
    halt = threading.Event()
    threads = [
        threading.Thread(
            target=worker.run, args=(database.app_url, book, halt), name=f"projections {book}"
        )
        for book in books
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        halt.set()
        for thread in threads:
            thread.join()


async def load_demonstration(desk: Desk) -> int:
    """Load a book's demonstration catalogue where there is no traffic; gives how many facts."""
    name = DEMO_BOOKS[desk.book].catalogue
    raw = files("api.demo").joinpath(name).read_bytes()
    requested = read_catalogue(raw, name, desk.book, desk.rules.pack.zone)
    origin = Origin(desk.book, "demo")
    now = system_clock()
    settled = await load_catalogue(desk, requested, origin, now, has_traffic=False)
    return len(settled.appended)


async def issue(desk: Desk, role: Role, merchant: str = "", days: int = 1) -> IssuedKey:
    """Issue a demonstration key; a merchant's for the one that is named, or the book's own."""
    now = system_clock()
    home = DEMO_BOOKS.get(desk.book, FRENCH)
    wanted = Wanted(
        role,
        f"demonstration, {role}",
        now + timedelta(days=days),
        merchant=(merchant or home.merchant) if role == "merchant" else None,
        gateway=home.gateway if role == "gateway" else None,
    )
    return await issue_key(desk, wanted, Origin(desk.book, "demo"), now)
