"""The command line in tests: run inside the test, or as a process of its own."""

import asyncio
import contextlib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from api.books import Books, load_master_key, load_rules
from api.cli.logs import CONFIGURED
from api.cli.main import app
from api.cli.refused import told
from api.clock import system_clock
from api.demo.stage import GATEWAY, load_demonstration
from ledger.commands.traffic import Answer, IncomingMo, IncomingReceipt, receive_mo, receive_receipt
from ledger.facts.registry import Origin
from tests.support.database import TestDatabase

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "api/demo/catalogue.toml"
ORIGIN = Origin("fr", "test", "request-1")


class Done(NamedTuple):
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever a command printed
        """What it printed, for a program."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Obole:
    """The program, with the environment that it is to find."""

    environ: Mapping[str, str]

    def __call__(self, *arguments: str) -> Done:
        """Run a command inside the test."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environ, clear=True),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            _logging_as_it_was(),
        ):
            try:
                told(lambda: app(list(arguments), prog_name="obole"))
            except SystemExit as end:
                return Done(int(end.code or 0), out.getvalue(), err.getvalue())
        raise AssertionError("a command ends by saying how")

    def run(self, *arguments: str, timeout: float = 60) -> Done:
        """Run a command as a process of its own, to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "api.cli.main", *arguments],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=self.environ,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command as a process of its own; whoever starts it ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=self.environ,
        )

    def trade(self, database: TestDatabase, *messages: "Sms") -> list[Answer]:
        """Open the book, load the demonstration catalogue, and take messages in."""
        with patch.dict(os.environ, self.environ, clear=True):
            return asyncio.run(_trade(database, messages))


@contextlib.contextmanager
def _logging_as_it_was() -> Generator[None]:
    """Undo what a command set for its own process: later tests would log more than they say."""
    loggers = [logging.getLogger(), *map(logging.getLogger, CONFIGURED)]
    before = [(one, one.level, list(one.handlers)) for one in loggers]
    try:
        yield
    finally:
        for one, level, handlers in before:
            one.setLevel(level)
            one.handlers[:] = handlers


class Sms(NamedTuple):
    """A message at its time, and whether it is confirmed as delivered."""

    id: str
    at: datetime
    text: str = "JEU"
    delivered: bool = False


def obole_at(database: TestDatabase, folder: Path, **more: str) -> Obole:
    """Give the program with a database, and a folder for its home."""
    environ = {
        "PATH": os.environ["PATH"],
        "OBOLE_DATABASE_URL": database.owner_url,
        "OBOLE_HOME": str(folder / "home"),
        "OBOLE_SETTINGS": str(ROOT / "settings"),
    }
    return Obole(environ | more)


async def _trade(database: TestDatabase, messages: tuple[Sms, ...]) -> list[Answer]:
    rules, master = load_rules(), load_master_key(database.app_url)
    async with Books.open(database.app_url, rules, master, system_clock) as books:
        desk = books.by_name["fr"].desk
        if not desk.catalogue.versions:
            await load_demonstration(desk)
        answers: list[Answer] = []
        for sms in messages:
            sender = ("orange-fr", sms.id, "33000100001", "81014", sms.text)
            incoming = IncomingMo(GATEWAY, *sender, sms.at)
            answer = await receive_mo(desk, incoming, ORIGIN, sms.at)
            if sms.delivered:
                assert answer.mt is not None
                receipt = IncomingReceipt(answer.mt, GATEWAY, "delivered", "unknown", "1", sms.at)
                await receive_receipt(desk, receipt, ORIGIN, sms.at)
            answers.append(answer)
        return answers


def gateway_key(obole: Obole) -> str:
    """Open the French book and load the catalogue; gives its gateway's key."""
    assert obole("book", "open", "fr").status == 0
    assert obole("catalogue", "load", str(CATALOGUE)).status == 0
    asked = ("--role", "gateway", "--label", "kannel", "--only", "kannel-fr")
    return obole("key", "issue", *asked, "--json").json["key"]
