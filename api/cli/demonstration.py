"""One run of the demonstration, from an empty folder to the report."""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from api.cli.demo_tables import report_json, show_report
from api.cli.show import aside, print_json
from api.database import Database
from api.demo.gateway import SimulatedGateway
from api.demo.kannel import KannelGateway
from api.demo.play import play
from api.demo.report import Report, report
from api.demo.stage import BOOK, set_stage
from api.embedded import Embedded
from ledger.rules.pack import load_pack
from ledger.rules.resolve import RuleBook
from ledger.rules.settings import load_settings
from ledger.vault import FileMasterKey
from migrations.roles import APPLICATION

Tell = Callable[[str], None]


def demonstrate(fallback: str | None, *, keep: bool, as_json: bool) -> bool:
    """Perform, print the report, and tell whether all is right.

    `fallback` is why the gateway is not the real one, None where it is. The database is a new
    one, whatever the environment names, and `keep` leaves it there.

    Raises:
        GatewayFailed: something did not come, or was not taken, in its time.
    """
    logging.basicConfig(level=logging.ERROR)  # the script's own mishaps are no news
    started = monotonic()
    with _home(keep=keep) as home:
        made = _perform(home, fallback, _silent if as_json else aside)
    seconds = monotonic() - started
    if as_json:
        print_json(report_json(made, seconds))
    else:
        show_report(made)
        aside(f"{seconds:.1f} s")
    return made.ok


def _perform(home: Path, fallback: str | None, tell: Tell) -> Report:
    settings = load_settings(Path(os.environ.get("OBOLE_SETTINGS") or "settings") / f"{BOOK}.toml")
    rules = RuleBook(load_pack(settings.pack), settings)
    tell(f"starting an embedded PostgreSQL in {home}")
    with Embedded(home) as server:
        database = Database(server.url(APPLICATION), server.url())
        tell("migrating, opening the book, loading the demonstration catalogue, issuing keys")
        with set_stage(database, rules, FileMasterKey.create(home / "master.key")) as stage:
            kind = SimulatedGateway if fallback else KannelGateway
            with kind(stage.endpoint) as gateway:
                tell(f"playing traffic through {gateway.name}")
                played = play(stage, gateway)
            tell("comparing live projections with a rebuild, and every message with its facts")
            return report(stage, played, fallback)


@contextmanager
def _home(*, keep: bool) -> Generator[Path]:
    """Give a folder for one run, removed after it; for root, one that `nobody` can enter."""
    home = Path(tempfile.mkdtemp(prefix="obole-demo-"))
    home.chmod(0o755)
    try:
        yield home
    finally:
        if keep:
            aside(f"kept: OBOLE_HOME={home} obole status")
        else:
            for folder in ((home / "postgres").resolve(), home):
                shutil.rmtree(folder, ignore_errors=True)


def _silent(_: str) -> None:
    """Tell nothing: a program reads."""
