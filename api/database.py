"""Where the database is: the server that the environment names, or the embedded one.

OBOLE_DATABASE_URL         the server to use; without it the embedded one is started
OBOLE_OWNER_DATABASE_URL   how migrations log in there, when not by the same address
OBOLE_HOME                 the embedded server's folder; `.obole` in the current folder by default
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.embedded import Embedded
from api.reach import SERVER
from migrations.roles import APPLICATION


class AddressRefused(ValueError):
    """A variable that should hold the address of a database does not."""


class Database(NamedTuple):
    """Two ways into one database; each is what `psycopg.connect` takes.

    `owner_url` may migrate. `app_url` acts as `obole_app`, who exists from the first migration on.
    """

    app_url: str
    owner_url: str

    @classmethod
    @contextmanager
    def open(cls, environ: Mapping[str, str] = os.environ) -> Generator[Self]:
        """Give the database for as long as the block runs, starting the embedded server if needed.

        Raises: PostgresFailed or Unreachable when the embedded server cannot be had;
        AddressRefused when a variable holds no address of a server.
        """
        url = environ.get("OBOLE_DATABASE_URL")
        if url:
            owner = environ.get("OBOLE_OWNER_DATABASE_URL") or url
            _check("OBOLE_DATABASE_URL", url)
            _check("OBOLE_OWNER_DATABASE_URL", owner)
            yield cls(as_application(url), owner)
        else:
            with Embedded(home(environ)) as embedded:
                yield cls(embedded.url(APPLICATION), embedded.url())


def _check(variable: str, url: str) -> None:
    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        # What it holds may be a password, so it is not repeated.
        raise AddressRefused(
            f"{variable} is no address such as postgresql://user@host/name"
        ) from None


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder for what this installation keeps on disk: the embedded server, the keys."""
    return Path(environ.get("OBOLE_HOME") or ".obole")


def in_home(environ: Mapping[str, str] = os.environ) -> str:
    """Say in which home the database is, to go behind `the database`; nothing where it is not."""
    return "" if environ.get("OBOLE_DATABASE_URL") else f" in the home {home(environ).absolute()}"


def is_made(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether there is a server to ask: one that is named, or one that a home once got."""
    return bool(environ.get("OBOLE_DATABASE_URL")) or os.path.lexists(home(environ) / SERVER)


def as_application(url: str) -> str:
    """Give an address whose sessions act as `obole_app`, whatever login it names."""
    options = conninfo_to_dict(url).get("options")
    role = f"-c role={APPLICATION}"
    return make_conninfo(url, options=f"{options} {role}" if options else role)
