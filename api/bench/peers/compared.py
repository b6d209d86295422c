"""Takes every peer's figures in one run: the same exchanges, the same server, fsync on."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from api.bench.measure import Figure
from api.bench.peers import emmett, library, library_projecting, message_db, ours, plain
from api.bench.peers.driven import Exchange, Peer, drive
from ledger.log.batch import Proposal

WRITERS = (1, 8, 64)
BATCH = 64
PACKAGES = (message_db.PACKAGE, *emmett.PACKAGES)
_INSTALL_SECONDS = 120


def compared(
    urls: tuple[str, str], book: str, proposals: Sequence[Proposal], progress: Console
) -> Iterator[Figure]:
    """Give the figures of our log and of each peer, peers of npm where they can be had.

    `urls` are the application's and the owner's: peers make tables of their own.
    """
    app_url, owner_url = urls
    share = len(proposals) // len(WRITERS)
    for place, writers in enumerate(WRITERS):
        progress.print(f"Obole, writers: {writers} …")
        own = proposals[place * share : (place + 1) * share]
        yield ours.drive_ours(app_url, book, own, writers)
    yield ours.project_ours(app_url, book)
    exchanges = [proposal.decide(()) for proposal in proposals[:share]]
    with library.datastore(owner_url, max(WRITERS)) as store:
        for peer in (library.DefaultRecorder(store), library.DcbRecorder(store)):
            yield from _driven(peer, exchanges, progress)
    with plain.PlainSql.opened(owner_url, max(WRITERS)) as peer:
        yield from _driven(peer, exchanges, progress)
    progress.print("eventsourcing's projection runner …")
    yield from library_projecting.projected(owner_url, exchanges)
    yield from _from_npm(owner_url, exchanges, progress)


def _driven(peer: Peer, exchanges: Sequence[Exchange], progress: Console) -> Iterator[Figure]:
    for writers, batch in (*((writers, 1) for writers in WRITERS), (1, BATCH)):
        progress.print(f"{peer.name}, writers: {writers}, a batch: {batch} …")
        yield drive(peer, exchanges, writers, batch)


def _from_npm(url: str, exchanges: Sequence[Exchange], progress: Console) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="obole-peers-") as folder:
        modules = _installed(Path(folder))
        if modules is None:
            progress.print("message-db and emmett: npm could not install them, left out")
            return
        package = modules / "node_modules" / message_db.PACKAGE
        with message_db.MessageDb.opened(url, max(WRITERS), package) as peer:
            yield from _driven(peer, exchanges, progress)
        projected = None
        for writers in WRITERS:
            progress.print(f"{emmett.NAME}, writers: {writers} …")
            driven, this = emmett.drive_emmett(url, modules, exchanges, writers)
            projected = projected or this
            yield driven
        if projected is not None:
            yield projected


def _installed(folder: Path) -> Path | None:
    """Install the peers of npm into a folder; none where that cannot be done."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return None
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
    try:
        subprocess.run(  # noqa: S603 - npm, with names that stand above
            command, cwd=folder, check=True, capture_output=True, timeout=_INSTALL_SECONDS
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return folder
