"""A served API as its callers see it: keys for every role, gateways, receipts, projections."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote_plus

from anyio.from_thread import BlockingPortal, start_blocking_portal
from httpx2 import Response
from starlette.testclient import TestClient

from api.app import create_app
from api.books import Books, load_rules
from api.catalogue_file import read_catalogue
from ledger.commands.access import Wanted, issue_key, revoke_key
from ledger.facts.access import Role
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.registry import REGISTRY, Origin
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from ledger.vault import FileMasterKey
from projections.engine import Engine
from tests.support.database import TestDatabase

ROOT = Path(__file__).parents[2]
BOOK = "fr"
OTHER_BOOK = "other"
GATEWAY = "kannel-fr"
ORIGIN = Origin(BOOK, "test")
START = datetime(2026, 7, 15, 10, 0, tzinfo=UTC)
"""Noon in the book's zone."""
ROLES: tuple[Role, ...] = ("gateway", "merchant", "finance", "regulator", "admin")
MERCHANT = "ludotel"
ORANGE = "orange-fr"


class Options(NamedTuple):
    """What an application may be made with; no test waits for long by default."""

    public_url: str | None = None
    wait_seconds: float = 0.05


DEFAULTS = Options()


class Api:
    """One application over one database, with a clock that stands still unless it is moved."""

    def __init__(self, database: TestDatabase, portal: BlockingPortal) -> None:
        self.database = database
        self.portal = portal
        self.now = START
        self.keys: dict[str, str] = {}
        self.books: Books
        self.client: TestClient

    def clock(self) -> datetime:
        return self.now

    def start(self, books: Books, options: Options) -> None:
        self.books = books
        app = create_app(books, public_url=options.public_url, wait_seconds=options.wait_seconds)
        self.client = TestClient(app, raise_server_exceptions=False)
        # The application's requests run in the loop in which its books were opened.
        self.client.portal = self.portal

    # --- What was agreed before any message ---

    def load_catalogue(self) -> None:
        raw = (ROOT / "api/demo/catalogue.toml").read_bytes()
        asked = read_catalogue(raw, "catalogue.toml", BOOK, "Europe/Paris")
        self.record([one.fact for one in asked])

    def record(self, facts: list[Fact], book: str = BOOK) -> None:
        desk = self.books.by_name[book].desk
        drafts = [Draft(fact) for fact in facts]

        async def settle() -> None:
            await desk.settle((), lambda _: drafts, ORIGIN._replace(book=book))
            await desk.refresh()

        self.portal.call(settle)

    def issue(
        self, role: Role, merchant: str | None = None, *, book: str = BOOK, days: int = 60
    ) -> str:
        """Give a new key, valid for some days."""
        served = self.books.by_name[book]
        gateway = GATEWAY if role == "gateway" else None
        wanted = Wanted(role, "test", self.now + timedelta(days=days), merchant, gateway)
        origin = ORIGIN._replace(book=book)
        issued = self.portal.call(issue_key, served.desk, wanted, origin, self.now)
        served.forget_grants()
        return issued.text

    def revoke(self, key: str) -> None:
        served = self.books.by_name[BOOK]
        name = key.split("_")[1]
        self.portal.call(revoke_key, served.desk, name, "test", ORIGIN, self.now)
        served.forget_grants()

    # --- Requests ---

    def get(self, path: str, role: str | None = None, **params: str | int) -> Response:
        """Ask for what stands below the book."""
        return self.client.get(below_book(path), params=params, headers=self.bearer(role))

    def post(self, path: str, body: Mapping[str, Any], role: str = "gateway") -> Response:
        return self.client.post(below_book(path), json=body, headers=self.bearer(role))

    def bearer(self, role: str | None) -> dict[str, str]:
        """Present the key of a role, or one that is given as it is."""
        return {"Authorization": f"Bearer {self.keys.get(role, role)}"} if role else {}

    def mo(self, text: str | bytes = "JEU abc", **changed: str | bytes | None) -> Response:
        """Ask as Kannel's get-url does; a parameter of None is left out."""
        return self.client.get(self.mo_url(text, **changed))

    def mo_url(self, text: str | bytes = "JEU abc", **changed: str | bytes | None) -> str:
        """Fill Kannel's get-url."""
        given: dict[str, str | bytes | None] = {
            "key": self.keys["gateway"],
            "id": "mo-1",
            "smsc": ORANGE,
            "from": "+33612345678",
            "to": "81014",
            "text": text,
            "ts": str(int(self.now.timestamp())),
            "charset": "UTF-8",
            "binfo": "",
            "meta": "",
        }
        given |= changed
        pairs = (
            f"{name}={quote_plus(value)}" for name, value in given.items() if value is not None
        )
        return f"{below_book('/kannel/')}{GATEWAY}/mo?{'&'.join(pairs)}"

    def receipt(self, answer: Response, kind: int, told: str = "") -> Response:
        """Fill the escapes of an answer's receipt URL, as Kannel does, and call it."""
        url = answer.headers["X-Kannel-DLR-Url"]
        filled = {"d": kind, "T": int(self.now.timestamp()), "i": ORANGE, "F": "f-1", "I": "k-1"}
        for escape, value in (filled | {"A": told, "D": ""}).items():
            url = url.replace(f"%{escape}", quote_plus(str(value)))
        return self.client.get(url)

    # --- What became of it ---

    def project(self) -> None:
        """Bring the projections to the head, as the worker does."""
        for book in self.books.by_name:
            with connect(self.database.app_url) as connection:
                Engine(connection, book).catch_up()

    def facts(self, *kinds: type[Fact]) -> list[Recorded]:
        """Read the log, all of it or the facts of some kinds."""
        with connect(self.database.app_url) as connection:
            rows = PostgresLog(connection, BOOK).follow(0, 100_000)
        found = [REGISTRY.decode(row) for row in rows]
        return [one for one in found if not kinds or isinstance(one.fact, kinds)]

    def only(self, kind: type[Fact]) -> Any:  # noqa: ANN401 - a fact of that kind
        """Give the one fact of a kind."""
        (found,) = self.facts(kind)
        return found.fact


def below_book(path: str) -> str:
    return path if path.startswith("/v1") else f"/v1/books/{BOOK}{path}"


@contextmanager
def serving(database: TestDatabase, options: Options = DEFAULTS) -> Generator[Api]:
    """Serve two books of the same rules, the first with the demonstration's catalogue and keys."""
    rules = load_rules({"OBOLE_SETTINGS": str(ROOT / "settings")})["fr"]
    both = {BOOK: rules, OTHER_BOOK: rules}
    with start_blocking_portal() as portal:
        api = Api(database, portal)
        opening = Books.open(database.app_url, both, FileMasterKey(os.urandom(32)), api.clock)
        with portal.wrap_async_context_manager(opening) as books:
            api.start(books, options)
            api.load_catalogue()
            for role in ROLES:
                api.keys[role] = api.issue(role, MERCHANT if role == "merchant" else None)
            yield api
