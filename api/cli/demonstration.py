"""One run of the demonstration, from an empty folder to the report."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from api.books import load_rules
from api.cli.demo_documents import write_tables
from api.cli.demo_json import report_json
from api.cli.demo_tables import show_report
from api.cli.refused import CommandRefused
from api.cli.show import aside, print_json
from api.database import Database
from api.demo.books import DEMO_BOOKS
from api.demo.documents import FolderTaken, prepare, write_documents
from api.demo.gateway import SimulatedGateway
from api.demo.kannel import KannelGateway
from api.demo.play import play
from api.demo.report import Report, report
from api.demo.stage import set_stage
from api.embedded import Embedded
from ledger.vault import FileMasterKey
from migrations.roles import APPLICATION

Tell = Callable[[str], None]


def demonstrate(fallback: str | None, folder: Path, *, keep: bool, as_json: bool) -> bool:
    """Perform, print the report, and tell whether all is right.

    `fallback` is why the gateway is not the real one, None where it is; the documents go into
    `folder`. The database is a new one, whatever the environment names, and `keep` leaves it.

    Raises:
        CommandRefused: the folder cannot be written, or holds something else.
        GatewayFailed: something did not come, or was not taken, in its time.
    """
    logging.basicConfig(level=logging.ERROR)  # the script's own mishaps are no news
    started = monotonic()
    try:
        prepare(folder)
    except (FolderTaken, OSError) as error:
        raise CommandRefused(f"the documents cannot be written: {error}; see --out") from error
    with _home(keep=keep) as home:
        made = _perform(home, fallback, folder, _silent if as_json else aside)
    seconds = monotonic() - started
    if as_json:
        print_json(report_json(made, seconds))
    else:
        show_report(made)
        aside(f"{seconds:.1f} s")
    return made.ok


def _perform(home: Path, fallback: str | None, folder: Path, tell: Tell) -> Report:
    known = load_rules()
    missing = [book for book in DEMO_BOOKS if book not in known]
    if missing:
        raise CommandRefused(f"there are no settings of {', '.join(missing)}")
    rules = {book: known[book] for book in DEMO_BOOKS}
    tell(f"starting an embedded PostgreSQL in {home}")
    with Embedded(home) as server:
        database = Database(server.url(APPLICATION), server.url())
        tell("migrating, opening both books, loading their catalogues, issuing keys")
        with set_stage(database, rules, FileMasterKey.create(home / "master.key")) as stage:
            kind = SimulatedGateway if fallback else KannelGateway
            with kind(*stage.endpoints) as gateway:
                tell(f"playing traffic through {gateway.name}")
                plays = play(stage, gateway)
                name = gateway.name
            tell(f"writing the documents into {folder}")
            documents = write_documents(stage, folder)
            write_tables(documents)
            tell("comparing live projections with a rebuild, and every message with its facts")
            return report(stage, plays, name, fallback, documents)


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
