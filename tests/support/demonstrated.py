"""The demonstration performed in a test's database, and what its report is asked for."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from api.books import load_rules
from api.demo.documents import Documents, prepare, write_documents
from api.demo.gateway import SimulatedGateway
from api.demo.play import Plays, play
from api.demo.report import Report, report
from api.demo.stage import Stage, set_stage
from api.embedded import Embedded
from ledger.vault import FileMasterKey
from tests.support.cli import ROOT
from tests.support.database import clone

Shown = dict[str, Any]


class Performed(NamedTuple):
    """A demonstration that has been played, its stage still standing."""

    stage: Stage
    plays: Plays
    documents: Documents

    def report(self, plays: Plays | None = None) -> Report:
        """Judge what was played, or what is said to have been."""
        return report(self.stage, plays or self.plays, "simulated", None, self.documents)


@contextmanager
def performing(server: Embedded, folder: Path) -> Generator[Performed]:
    """Play everything once."""
    rules = load_rules({"OBOLE_SETTINGS": str(ROOT / "settings")})
    ordered = {book: rules[book] for book in ("fr", "be")}
    master = FileMasterKey(bytes(32))
    prepare(folder)
    with clone(server) as database, set_stage(database, ordered, master) as stage:
        with SimulatedGateway(*stage.endpoints) as gateway:
            plays = play(stage, gateway)
        yield Performed(stage, plays, write_documents(stage, folder))


def book_of(shown: Shown, name: str) -> Shown:
    """Give the part of one book."""
    return shown["books"][name]


def merchant(shown: Shown, book: str, name: str) -> Shown:
    """Give one merchant's states."""
    (found,) = [one for one in book_of(shown, book)["merchants"] if one["merchant"] == name]
    return found


def told(shown: Shown, book: str) -> set[tuple[str, str]]:
    """Give what else happened in a book, and what came of it."""
    return {(one["what"], one["detail"]) for one in book_of(shown, book)["events"]}


def euro(amount: str) -> dict[str, str]:
    """Write an amount as the report does."""
    return {"amount": amount, "currency": "EUR"}


def share(charges: int, amount: str) -> Shown:
    """Write how many charges there are, and the merchant's share of them."""
    return {"charges": charges, "share": euro(amount)}
