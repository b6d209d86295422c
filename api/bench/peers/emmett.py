"""emmett's PostgreSQL event store, run by Node.js as its npm package gives it."""

import json
import subprocess
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import msgspec
from psycopg.conninfo import conninfo_to_dict

from api.bench.measure import Figure, rate, waits
from api.bench.peers.driven import Exchange, named

PACKAGES = ("@event-driven-io/emmett", "@event-driven-io/emmett-postgresql")
NAME = "emmett"
_SECONDS = 180


class _Said(msgspec.Struct, frozen=True):
    seconds: float
    each: list[float]
    """Milliseconds."""
    events: int
    missed: int
    projected: float


def drive_emmett(
    url: str, modules: Path, exchanges: Sequence[Exchange], writers: int
) -> tuple[Figure, Figure]:
    """Append exchanges by so many writers, then project them by its own consumer."""
    script = modules / "emmett.mjs"
    script.write_bytes(resources.files("api.bench.peers").joinpath("emmett.mjs").read_bytes())
    lines = "\n".join(json.dumps([_event(row.type, row.data) for row in one]) for one in exchanges)
    ended = subprocess.run(  # noqa: S603 - our own script, run by the Node.js on the path
        ["node", str(script), _url(url), str(writers)],  # noqa: S607 - the same
        input=lines.encode(),
        capture_output=True,
        timeout=_SECONDS,
        check=True,
    )
    said = msgspec.json.decode(ended.stdout.splitlines()[-1], type=_Said)
    each = [wait / 1000 for wait in said.each]
    figure = waits(named(NAME, writers), "exchanges", len(exchanges), said.seconds, each)
    projected = rate(f"{NAME}'s projector", "facts", said.events, said.projected)
    return figure._replace(missed=said.missed), projected


def _event(kind: str, data: bytes) -> dict[str, object]:
    return {"type": kind, "data": json.loads(data)}


def _url(url: str) -> str:
    """Write a connection string as Node's driver reads it: a socket's folder as the host."""
    parts = conninfo_to_dict(url)
    host, name = parts.get("host", "localhost"), parts["dbname"]
    return f"socket://{parts['user']}@{host}?db={name}"
