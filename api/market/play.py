"""Plays a market live: over HTTP, by a clock that follows the lines, the worker's turns between.

Lines of a few minutes go out together, over many connections, each consumer's in their order. A
line of which the ledger takes the time of arrival goes out alone, at its instant.
"""

import asyncio
import subprocess
import sys
from array import array
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from api.books import load_master_key
from api.desks import keyed_desk
from api.importing.turning import Turning
from api.market.catalogue import TOLERANCE_SECONDS
from api.market.gateway import Answered, Connection, RequestFailed
from api.market.hand import Hand
from api.market.place import LIVED, Place
from api.market.simulate import Files
from ledger.commands.desk import Desk
from ledger.rules.resolve import RuleBook

CONNECTIONS = 64
SPAN = timedelta(seconds=TOLERANCE_SECONDS - 60)
"""How much of the market goes out together: by the clock at its end, every message's own time is
still within what is taken from a gateway."""
_TOLERANCE = timedelta(seconds=TOLERANCE_SECONDS)
_PATHS = {"mo": "messages", "receipt": "receipts", "solicitation": "solicitations"}
_OK, _CONFLICT = 200, 409
_BATCH = 8_192


class Line(NamedTuple):
    """One line as it is played."""

    lane: int
    kind: str
    came: datetime
    alone: bool
    """Whether the clock must stand at its very instant."""
    fields: dict[str, Any]


def read(files: Files) -> Iterator[Line]:
    """Read a market's lines, each with whose it is."""
    decoder = msgspec.json.Decoder(dict[str, Any])
    with files.lines.open("rb") as lines, files.lanes.open("rb") as lanes:
        whose = array("I")
        for number, raw in enumerate(lines):
            if number % _BATCH == 0:
                whose = array("I", lanes.read(_BATCH * whose.itemsize))
            yield _line(whose[number % _BATCH], decoder.decode(raw))


def _line(lane: int, fields: dict[str, Any]) -> Line:
    kind = fields.pop("kind")
    stated = fields.get("sent_at") or fields.get("occurred_at") or fields.get("at")
    told = datetime.fromisoformat(stated) if stated else None
    arrived = fields.pop("arrived_at", None)
    came = datetime.fromisoformat(arrived) if arrived else told
    assert came is not None
    own = told is not None and came - _TOLERANCE <= told <= came
    return Line(lane, kind, came, kind not in {"mo", "receipt"} or not own, fields)


class Player:
    """Plays one book's lines."""

    def __init__(self, book: str, place: Place, port: int, clock: Hand) -> None:
        self._book, self._place = book, place
        self._connections = [Connection(port) for _ in range(CONNECTIONS)]
        self._clock = clock
        self._encoder = msgspec.json.Encoder()
        self._chains: dict[int, list[Line]] = {}
        self._until: datetime | None = None
        self._last: datetime | None = None

    async def play(
        self, files: Files, turning: Turning, desk: Desk, show: Callable[[int], None]
    ) -> int:
        """Play every line; gives how many there were."""
        done = 0
        for line in read(files):
            done += 1
            if line.alone or (self._until is not None and line.came > self._until):
                await self._flush()
                show(done)
            if line.kind == "turn":
                self._clock.go_to(line.came)
                await turning.pass_until(desk, line.came, pushed="kept")
            elif line.alone:
                self._clock.go_to(line.came)
                await self._send(self._connections[0], line)
            else:
                self._until = self._until or line.came + SPAN
                self._last = line.came
                self._chains.setdefault(line.lane, []).append(line)
        await self._flush()
        show(done)
        return done

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.close()

    async def _flush(self) -> None:
        """Send what is held, each consumer's lines in order."""
        if self._last is None:
            return
        self._clock.go_to(self._last)
        waiting = iter(self._chains.values())

        async def carry(connection: Connection) -> None:
            for chain in waiting:
                for line in chain:
                    await self._send(connection, line)

        async with asyncio.TaskGroup() as group:
            for connection in self._connections[: len(self._chains)]:
                group.create_task(carry(connection))
        self._chains, self._until, self._last = {}, None, None

    async def _send(self, connection: Connection, line: Line) -> None:
        fields = line.fields
        text = fields.pop("text", None) if line.kind == "solicitation" else None
        answered = await self._post(connection, fields["gateway"], _PATHS[line.kind], fields)
        if text is not None and line.kind == "solicitation":
            told = msgspec.json.decode(answered.body)
            if told["allowed"]:
                path = f"solicitations/{told['solicitation']}/message"
                await self._post(connection, fields["gateway"], path, {"text": text})

    async def _post(
        self, connection: Connection, gateway: str, path: str, body: dict[str, Any]
    ) -> Answered:
        key = self._place.keys[self._book, gateway]
        where = f"/v1/books/{self._book}/{path}"
        answered = await connection.post(where, key, self._encoder.encode(body))
        conflict = path == "messages" and answered.status == _CONFLICT
        if answered.status != _OK and not conflict:
            raise RequestFailed(f"{where}: {answered.status} {answered.body.decode()}")
        return answered


def live(
    book: str, rules: RuleBook, files: Files, where: Place, show: Callable[[int], None]
) -> int:
    """Play one book live into its database; gives how many lines there were."""
    path = Path(where.environ["OBOLE_HOME"]) / f"{book}.clock"
    with _served(where, path) as port:
        return asyncio.run(_live(book, rules, files, where, (port, path, show)))


async def _live(
    book: str,
    rules: RuleBook,
    files: Files,
    where: Place,
    how: tuple[int, Path, Callable[[int], None]],
) -> int:
    port, path, show = how
    url = where.application[LIVED]
    master = load_master_key(url, where.environ)
    async with keyed_desk(url, book, rules, master) as desk:
        await desk.refresh()
        player = Player(book, where, port, Hand(path))
        try:
            return await player.play(files, Turning(url, book), desk, show)
        finally:
            player.close()


@contextmanager
def _served(where: Place, clock: Path) -> Generator[int]:
    """Serve the lived database in a process of its own; gives its port."""
    Hand(clock).go_to(where.begins)
    command = [sys.executable, "-m", "api.market.host", where.application[LIVED], str(clock)]
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(where.environ),
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()
