"""Files to import, into a book with the demonstration's catalogue."""

import gzip
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from api.demo.stage import GATEWAY
from ledger.decisions.story import mo_id, mt_id
from ledger.facts.registry import REGISTRY
from ledger.log.postgres import PostgresLog
from ledger.log.session import connect
from tests.support.cli import Obole, obole_at
from tests.support.database import TestDatabase

BEGIN = datetime(2026, 8, 3, 8, tzinfo=UTC)
"""After the demonstration's catalogue has come into force."""


def at(seconds: int) -> str:
    """Write an instant, so many seconds after the first one."""
    return (BEGIN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def message(n: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
    """Make the line of a message, each of another consumer."""
    defaults = {
        "kind": "mo",
        "gateway": GATEWAY,
        "smsc": "orange-fr",
        "id": f"i-{n}",
        "sender": f"330001{n:06d}",
        "short_code": "81014",
        "text": "JEU",
        "sent_at": at(n),
    }
    return {**defaults, **fields}


def answer(n: int) -> str:
    """Give the id of the answer to a message."""
    return mt_id("fr", mo_id("fr", GATEWAY, f"i-{n}"))


def receipt(n: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of every type
    """Make the line of a receipt: the answer to a message was delivered."""
    defaults = {
        "kind": "receipt",
        "gateway": GATEWAY,
        "mt": answer(n),
        "outcome": "delivered",
        "occurred_at": at(n + 5),
    }
    return {**defaults, **fields}


def ndjson(lines: Iterable[dict[str, Any]]) -> bytes:
    """Write lines."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


class Importing:
    """A book on PostgreSQL, the program beside it, and a folder for files."""

    def __init__(self, database: TestDatabase, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.obole: Obole = obole_at(database, folder)
        self.obole.trade(database)

    def file(self, content: bytes, name: str = "lines.ndjson") -> Path:
        """Put a file there."""
        path = self.folder / name
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    def rejected(self, path: Path) -> dict[int, str]:
        """Give the reasons by number, as they were written beside a file."""
        beside = path.with_name(path.name + ".rejected.ndjson")
        if not beside.exists():
            return {}
        lines = map(json.loads, beside.read_text().splitlines())
        return {line["line"]: line["reason"] for line in lines}

    def told(self) -> list[tuple[str, str]]:
        """Give every fact of the traffic, by its type and id, in order."""
        with connect(self.database.app_url) as connection:
            rows = PostgresLog(connection, "fr").follow(0, 1_000_000)
        return [
            (row.type, REGISTRY.decode(row).id)
            for row in rows
            if "catalogue:trade" not in row.tags and "catalogue:access" not in row.tags
        ]

    def count(self, kind: str) -> int:
        """Count the facts of a type."""
        return sum(1 for one, _ in self.told() if one == kind)

    def saved(self) -> list[tuple[int, int]]:
        """Give how far unfinished imports came: lines, and what was recorded of them."""
        with connect(self.database.app_url) as connection:
            found = connection.execute("SELECT lines_read, recorded FROM imports")
            return [(int(row[0]), int(row[1])) for row in found]
