"""The three documents of each book, written for people to open: payouts, audit export, statement.

All of it is asked for over HTTP, as the readers of a ledger do; that an audit export was handed
out is recorded by the ledger itself.
"""

import json
import shutil
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from api.clock import system_clock
from api.demo.ahead import reach_head
from api.demo.books import DEMO_BOOKS
from api.demo.play import facts_of, fetch
from api.demo.stage import Stage
from api.documents.verify import Verified, verify
from ledger.facts.base import Recorded
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefunded

FOLDER = Path("obole-demo-documents")
PAYOUTS, STATEMENT, AUDIT = "payouts", "statement", "audit"
LINES = ("pending", "unresolved", "earned", "refunded", "written_off")
"""What payouts and statements both tell of a merchant."""
_MARK = "written-by-obole-demo.txt"
_MARK_TEXT = """\
Written by `obole demo`, which replaces it the next time. Of each book, fr and be:

payouts.json         what is due to each merchant, month by month
payouts.txt          the same as a table
statement.json       one merchant's statement of the first month
statement.csv        the same for a spreadsheet
audit/               the export for an audit: `obole audit verify` checks it
"""


class FolderTaken(Exception):
    """The folder holds something that the demonstration did not write."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds what the demonstration did not write: name another one")


class BookDocuments(NamedTuple):
    """What was written of one book."""

    book: str
    folder: Path
    merchant: str
    payouts: list[dict[str, Any]]
    """A month each."""
    statement: dict[str, Any]
    csv: str
    verified: Verified
    agree: bool
    """Whether the merchant has the same on every line of both documents."""


class Documents(NamedTuple):
    """What was written."""

    folder: Path
    books: tuple[BookDocuments, ...]


def prepare(folder: Path) -> None:
    """Make the folder, or empty the one that an earlier demonstration wrote.

    Raises:
        FolderTaken: it holds something else.
        OSError: it cannot be made.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARK).exists():
        raise FolderTaken(folder)
    for book in DEMO_BOOKS:
        shutil.rmtree(folder / book, ignore_errors=True)
        (folder / book).mkdir(parents=True)
    (folder / _MARK).write_text(_MARK_TEXT)


def write_documents(stage: Stage, folder: Path) -> Documents:
    """Write the documents of both books into a folder that is prepared.

    Raises:
        GatewayFailed: the API does not give one.
    """
    made = tuple(_write(stage, book, folder / book) for book in DEMO_BOOKS)
    for book in DEMO_BOOKS:
        reach_head(stage, book)
    return Documents(folder, made)


def _write(stage: Stage, book: str, folder: Path) -> BookDocuments:
    reach_head(stage, book)
    merchant, months = DEMO_BOOKS[book].merchant, _months(facts_of(stage, book))
    payouts = [json.loads(fetch(stage, book, "finance", f"payouts/{month}")) for month in months]
    (folder / f"{PAYOUTS}.json").write_text(_pretty(payouts))
    path = f"merchants/{merchant}/statements/{months[0]}"
    statement = json.loads(fetch(stage, book, "merchant", path))
    csv = fetch(stage, book, "merchant", f"{path}.csv")
    (folder / f"{STATEMENT}.json").write_text(_pretty(statement))
    (folder / f"{STATEMENT}.csv").write_bytes(csv)
    verified = _export(stage, book, folder / AUDIT)
    agree = _lines(payouts[0]["payouts"], merchant) == _states(statement)
    return BookDocuments(book, folder, merchant, payouts, statement, csv.decode(), verified, agree)


def _export(stage: Stage, book: str, folder: Path) -> Verified:
    """Export what was recorded so far, unpack it, and check what was unpacked."""
    began = facts_of(stage, book)[0].recorded_at or system_clock()
    zone = stage.rules[book].pack.zone
    today = system_clock().astimezone(ZoneInfo(zone)).date()
    wish = {
        "first_day": began.astimezone(ZoneInfo(zone)).date().isoformat(),
        "last_day": today.isoformat(),
    }
    archive = fetch(stage, book, "regulator", "audit-exports", wish)
    with zipfile.ZipFile(BytesIO(archive)) as files:
        files.extractall(folder)
    return verify(folder)


def _months(facts: Iterable[Recorded]) -> list[str]:
    """Name the months in which money moved."""
    moving = (ChargeAuthorized, ChargeCaptured, ChargeRefunded)
    days = {one.fact.value_day for one in facts if isinstance(one.fact, moving)}
    return sorted({f"{day:%Y-%m}" for day in days})


def _lines(payouts: Iterable[dict[str, Any]], merchant: str) -> list[tuple[int, str]]:
    """Give how many facts each line of a merchant has, and what they come to."""
    lines = next(one["lines"] for one in payouts if one["merchant"] == merchant)
    return [(lines[name]["facts"], lines[name]["share"]["amount"]) for name in LINES]


def _states(statement: dict[str, Any]) -> list[tuple[int, str]]:
    """Give the same of a statement, in its own words."""
    states = statement["totals"][0]["states"]
    return [(states[name]["charges"], states[name]["share"]["amount"]) for name in LINES]


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"
