"""Every route is asked what its schema allows, and what it does not, with a key of each role.

The document that is asked by is the one that is served, so a route, a field or an answer that it
does not tell of is found as well.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from api.books import Books, load_master_key, load_rules
from ledger.commands.access import Wanted, issue_key
from ledger.facts.access import Role
from ledger.facts.registry import Origin
from tests.support.cli import ROOT
from tests.support.database import new_server
from tests.torture.load import BOOK, GATEWAY, Load, wall_clock
from tests.torture.processes import (
    Ledger,
    Urls,
    asked,
    awaited,
    free_port,
    serving,
    urls_of,
)
from tests.torture.schemas_asking import PHASES, Asked, Asking
from tests.torture.schemas_known import MERCHANT, known_of
from tests.torture.trial import Say, Scale, Verdict, judged


class Size(NamedTuple):
    """Who asks, and how much."""

    examples: int
    """Requests drawn for each operation, by each role."""
    roles: Mapping[Role, str]
    """Who asks, and the phases of each: to go through every bound of every value takes longest."""


ROLES: tuple[Role, ...] = ("admin", "gateway", "merchant", "finance", "regulator")
IN_TURN: tuple[Role, ...] = ("merchant", "finance", "regulator")
"""Of these one goes through every bound in a short run, by its seed; in a long one all do."""
DRAWN = "examples,fuzzing,stateful"
SIZES = {
    Scale.TINY: Size(1, {"regulator": "examples,fuzzing"}),
    Scale.SHORT: Size(
        2,
        {
            "admin": PHASES,
            "gateway": PHASES,
            "merchant": DRAWN,
            "finance": DRAWN,
            "regulator": DRAWN,
        },
    ),
    Scale.LONG: Size(100, dict.fromkeys(ROLES, PHASES)),
}
AT_ONCE = 2
MESSAGES = 60
"""How many messages and receipts the book holds, at least, before it is asked."""
FOUND = ("violates schema", "Server error", "Schema-valid request rejected")
"""What is said of an answer outside its schema, of a 500, and of a request refused without need."""


class Schemas:
    """Asks whatever the document allows and forbids."""

    name = "schemas"
    promise = "Whatever is asked, with a key of any role, no answer is 5xx or outside its schema"

    def run(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Serve a book with something in it, and ask it as each role."""
        size = SIZES[scale]
        with (
            new_server(durable=False) as server,
            serving(urls_of(server.url)) as ledger,
            tempfile.TemporaryDirectory(prefix="obole-schemas-") as folder,
        ):
            if scale is Scale.SHORT:
                size = size._replace(roles={**size.roles, IN_TURN[seed % len(IN_TURN)]: PHASES})
            askings = _askings(ledger, urls_of(server.url), size, seed)
            with ThreadPoolExecutor(AT_ONCE) as pool:
                done = list(pool.map(lambda one: _told(one, Path(folder), say), askings))
            ended = [one.name for one in (ledger.api, ledger.worker) if one.ended]
        failures = [failure for one in done for failure in one.failures]
        failures += [f"{one} ended by itself" for one in ended]
        return judged(self.name, seed, _counted(done), failures)

    def control(self, scale: Scale, seed: int, say: Say) -> Verdict:
        """Ask an application whose routes lie, fail and refuse: each must be found."""
        del scale
        with _broken() as port, tempfile.TemporaryDirectory(prefix="obole-schemas-") as folder:
            asking = Asking("broken", f"http://127.0.0.1:{port}", 5, seed, phases=DRAWN)
            done = _told(asking, Path(folder), say)
        every = all(any(word in one for one in done.failures) for word in FOUND)
        return judged(self.name, seed, _counted([done]), done.failures if every else [])


def _counted(done: list[Asked]) -> dict[str, int | float | str]:
    return {
        "requests": sum(one.requests for one in done),
        "operations": max(one.operations for one in done),
        "roles": len(done),
    }


def _told(asking: Asking, folder: Path, say: Say) -> Asked:
    done = asking(folder)
    say(f"schemas: {asking.name}, {done.requests:,} requests, {len(done.failures)} failures")
    return done


def _askings(ledger: Ledger, urls: Urls, size: Size, seed: int) -> list[Asking]:
    """Let some messages come in, and make a run for each role."""
    keys = asyncio.run(_keys(ledger, urls))
    with Load(ledger.port, ledger.key, seed) as load:
        assert awaited(lambda: load.told.acknowledged > MESSAGES), load.told.failures
    known = known_of(ledger.port, keys["admin"], f"{wall_clock():%Y-%m}")
    url = f"http://127.0.0.1:{ledger.port}"
    return [
        Asking(role, url, size.examples, seed, keys[role], phases, known)
        for role, phases in size.roles.items()
    ]


async def _keys(ledger: Ledger, urls: Urls) -> dict[Role, str]:
    environ, now = ledger.api.environ, wall_clock()
    master = load_master_key(urls.app, environ)
    given: dict[Role, dict[str, str]] = {
        "merchant": {"merchant": MERCHANT},
        "gateway": {"gateway": GATEWAY},
    }
    keys: dict[Role, str] = {}
    async with Books.open(urls.app, load_rules(environ), master, wall_clock) as books:
        for role in ROLES:
            wanted = Wanted(role, "torture", now + timedelta(days=9), **given.get(role, {}))
            issued = await issue_key(books.by_name[BOOK].desk, wanted, Origin(BOOK, "torture"), now)
            keys[role] = issued.text
    return keys


@contextmanager
def _broken() -> Generator[int]:
    """Serve the broken application; gives its port."""
    port = free_port()
    command = [sys.executable, "-m", "tests.torture.schemas_broken", str(port)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        assert awaited(lambda: asked(port, "/openapi.json") == 200)
        yield port
    finally:
        process.terminate()
        process.wait()
