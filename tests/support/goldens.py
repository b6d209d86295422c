"""Golden rows: one stored example of each version of each fact, kept for ever.

`python -m tests.support.goldens` adds rows for facts that have none yet. It never rewrites one:
what is in the file is what books hold, and the code has to go on reading and writing it so.
"""

import json
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ledger.facts.base import Draft, Fact
from ledger.facts.registry import REGISTRY, Origin, stored_name
from ledger.log.rows import StoredRow, entry_bytes
from tests.support.examples import examples

FILE = Path(__file__).parents[1] / "golden" / "facts.jsonl"
ORIGIN = Origin("fr", "gateway:kannel", "request-1")
RECORDED_AT = datetime(2026, 7, 31, 22, 0, 0, 1, tzinfo=UTC)
CAUSE, EXCHANGE = "e" * 32, "1" * 32


class Golden(NamedTuple):
    """One example as it was written the first time."""

    name: str
    example: str
    row: StoredRow
    id: str
    entry_sha256: str


def drafted(fact: Fact) -> Draft:
    """Put a fact into the envelope that all golden rows have."""
    return Draft(fact, n=1, exchange=EXCHANGE, caused_by=CAUSE)


def read() -> list[Golden]:
    """Read the golden rows."""
    goldens = []
    for place, line in enumerate(FILE.read_text(encoding="utf-8").splitlines(), 1):
        one = json.loads(line)
        tags, data = tuple(one["tags"].split(" ")), one["data"].encode()
        row = StoredRow("fr", place, RECORDED_AT, one["type"], tags, data)
        goldens.append(Golden(one["type"], one["example"], row, one["id"], one["entry_sha256"]))
    return goldens


def add_missing() -> int:
    """Append a row for each example that has none; gives how many there were."""
    known = {(one.name, one.example) for one in read()} if FILE.exists() else set()
    place, added = len(known), 0
    with FILE.open("a", encoding="utf-8") as file:
        for example, fact in examples():
            if (stored_name(type(fact)), example) not in known:
                added += 1
                print(_line(fact, example, place + added), file=file)
    return added


def _line(fact: Fact, example: str, place: int) -> str:
    row = StoredRow("fr", place, RECORDED_AT, *REGISTRY.encode(drafted(fact), ORIGIN))
    golden = {
        "type": row.type,
        "example": example,
        "id": REGISTRY.decode(row).id,
        "tags": " ".join(row.tags),
        "data": row.data.decode(),
        "entry_sha256": sha256(entry_bytes(row)).hexdigest(),
    }
    return json.dumps(golden, ensure_ascii=False)


if __name__ == "__main__":
    sys.stdout.write(f"{add_missing()} golden rows added to {FILE.name}\n")
