"""Where markets are played: a PostgreSQL of their own, two databases that begin as one.

The second is a copy of the first once its books are open, so both name consumers alike and their
facts can be compared by id.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from api.books import Books, load_master_key
from api.catalogue_file import read_catalogue
from api.embedded import Embedded
from api.market.calendars import Calendar, moment
from api.market.goods import SHOPS
from api.market.simulate import FIRST_DAY, Files
from ledger.commands.access import Wanted, issue_key
from ledger.commands.catalogue import load_catalogue
from ledger.facts.registry import Origin
from ledger.rules.resolve import RuleBook
from migrations.roles import APPLICATION
from migrations.runner import migrate

IMPORTED, LIVED = "imported", "lived"
_ORIGIN = "market"


class Place(NamedTuple):
    """A server with both databases, and what gateways come in by."""

    owner: Mapping[str, str]
    """By database, how to log in as who may do everything."""
    application: Mapping[str, str]
    environ: Mapping[str, str]
    """For commands, without the database."""
    keys: Mapping[tuple[str, str], str]
    """By book and gateway."""
    begins: datetime
    """Before the first line."""

    def run(self, database: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the program on one database, to its end."""
        environ = {**self.environ, "OBOLE_DATABASE_URL": self.owner[database]}
        return subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "api.cli.main", *arguments],
            check=False,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
        )


@contextmanager
def place(
    home: Path, rules: Mapping[str, RuleBook], files: Mapping[str, Files]
) -> Generator[Place]:
    """Start a server in `home`, open the books and load their catalogues."""
    with Embedded(home) as server:
        yield _prepared(server, home, rules, files)


def _prepared(
    server: Embedded, home: Path, rules: Mapping[str, RuleBook], files: Mapping[str, Files]
) -> Place:
    for name in (IMPORTED, LIVED):
        _again(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    _again(server, "CREATE DATABASE {}", IMPORTED)
    migrate(server.url(name=IMPORTED))
    environ = {
        **os.environ,
        "OBOLE_HOME": str(home.absolute()),
        "OBOLE_SETTINGS": str(_settings(home, rules)),
    }
    environ.pop("OBOLE_MASTER_KEY_FILE", None)
    keys = asyncio.run(_open(server.url(APPLICATION, IMPORTED), environ, rules, files))
    _again(server, "CREATE DATABASE {} TEMPLATE imported", LIVED)
    names = (IMPORTED, LIVED)
    return Place(
        owner={name: server.url(name=name) for name in names},
        application={name: server.url(APPLICATION, name) for name in names},
        environ=environ,
        keys=keys,
        begins=_day_before(),
    )


def _settings(home: Path, books: Iterable[str]) -> Path:
    """Give a folder with the settings of these books alone, so that nothing opens another one."""
    folder = home.absolute() / "settings"
    folder.mkdir(exist_ok=True)
    for book in books:
        shutil.copy(Path(os.environ.get("OBOLE_SETTINGS") or "settings") / f"{book}.toml", folder)
    return folder


def _again(server: Embedded, statement: str, name: str) -> None:
    with psycopg.connect(server.url(name="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))  # pyright: ignore[reportArgumentType] - three literals of this module


async def _open(
    url: str, environ: Mapping[str, str], rules: Mapping[str, RuleBook], files: Mapping[str, Files]
) -> dict[tuple[str, str], str]:
    """Open the books as of the day before, and let their gateways in."""
    keys: dict[tuple[str, str], str] = {}
    master = load_master_key(url, environ)
    begins = _day_before()
    async with Books.open(url, rules, master, lambda: begins) as books:
        for book, own in files.items():
            desk, shop, origin = books.by_name[book].desk, SHOPS[book], Origin(book, _ORIGIN)
            raw = own.catalogue.read_bytes()
            asked = read_catalogue(raw, own.catalogue.name, book, rules[book].pack.zone)
            await load_catalogue(desk, asked, origin, begins, has_traffic=False)
            for gateway in (shop.gateway, shop.other_gateway):
                wanted = Wanted("gateway", "market", begins + timedelta(days=120), gateway=gateway)
                keys[book, gateway] = (await issue_key(desk, wanted, origin, begins)).text
    return keys


def _day_before() -> datetime:
    return moment(Calendar("UTC", FIRST_DAY, 1).midnight(0)) - timedelta(days=1)
