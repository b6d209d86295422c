"""`obole demo` and `obole bench`: what there is to see, and how fast it is."""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from api.cli.demo_tables import report_json, show_report
from api.cli.refused import REFUSED
from api.cli.show import AsJson, aside, print_json
from api.database import Database
from api.demo.gateway import SimulatedGateway
from api.demo.kannel import KannelGateway, kannel_available
from api.demo.namespace import is_isolated, run_in_namespace
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


def demo(
    *,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Use our simulated gateway even where Kannel is.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the database of this run, and say where it is.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play SMS traffic into a book of its own, and show what became of it.

    Real Kannel traffic where Kannel is installed and a network namespace is allowed. The status
    is 0 only if the books balance, live projections equal a rebuild, and every message is
    accounted for.
    """
    fallback = "--simulated was asked for" if simulated else kannel_available()
    if fallback is None and not is_isolated():
        run_in_namespace([sys.executable, "-m", "api.cli.main", *sys.argv[1:]])
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
    if not made.ok:
        sys.exit(REFUSED)


def bench(*, as_json: AsJson = False) -> None:
    """Measure appends, intake and folds here, beside what bounds them."""
    from api.bench.main import run  # noqa: PLC0415 - only this command needs what it brings in

    run(as_json=as_json)


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
