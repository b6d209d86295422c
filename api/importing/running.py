"""One import from its first line to its last: read, taken, counted, and the place kept."""

import hashlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, suppress
from pathlib import Path
from time import monotonic
from typing import BinaryIO, NamedTuple

from api.importing.bytes import CHUNK_BYTES, Decoding, Numbered, Place, SourceRefused, Splitter
from api.importing.collecting import collected_seldom
from api.importing.conveying import Takes, conveyed, in_turn
from api.importing.places import HEAD_BYTES, Counts, Places, Saved, source_name
from api.importing.rejected import Rejected
from api.importing.results import Result

SAVE_SECONDS = 1.0
"""How often the place is kept: what was done since is done again after a kill, and repeats."""
MOST_REASONS = 200
"""How many reasons are told apart in the summary."""
OTHERS = "other reasons"


class Shown(NamedTuple):
    """How far an import is."""

    bytes_read: int
    """Of the file as it lies there."""
    lines: int


class Summary(NamedTuple):
    """What an import came to."""

    counts: Counts
    lines: int
    reasons: Counter[str]
    """Of what was rejected in this run."""
    began_at: Place | None
    """Where a run before had come to, if this one went on from there."""

    @property
    def without_effect(self) -> int:
        """How many lines brought nothing about: turns at which nothing was due, empty lines."""
        return self.lines - sum(self.counts)


class Run:
    """One run over one source."""

    def __init__(
        self,
        takes: Takes,
        rejected: Rejected,
        places: Places | None = None,
        show: Callable[[Shown], None] = lambda _: None,
        chunk: int = CHUNK_BYTES,
    ) -> None:
        self._takes = takes
        self._rejected = rejected
        self._places = places
        self._show = show
        self._chunk = chunk
        self._counts = Counts()
        self._reasons: Counter[str] = Counter()
        self._source: str | None = None
        self._saved_at = monotonic()

    async def file(self, path: Path, *, from_start: bool = False) -> Summary:
        """Import a file, from where a run before was cut off.

        Raises:
            SourceRefused: it is not made of lines of UTF-8.
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            saved = await self._begun(path)
            decoded = _decoded(file, self._chunk)
            splitter, rest = Splitter(), b""
            if saved is not None and not from_start:
                found = _found_again(decoded, saved.place)
                if found is None:
                    file.seek(0)
                    decoded, saved = _decoded(file, self._chunk), None
                else:
                    splitter, rest = found
                    self._counts = saved.counts
            else:
                saved = None
            self._rejected.begin(saved.place.lines if saved else 0)
            with collected_seldom():
                return await self._lines(_from(rest, decoded), splitter, saved, file)

    async def stream(self, file: BinaryIO) -> Summary:
        """Import what a pipe brings; only a file can be gone on with later."""
        self._rejected.begin(0)
        with collected_seldom():
            return await self._lines(_decoded(file, whole=False), Splitter(), None, None)

    async def _begun(self, path: Path) -> Saved | None:
        if self._places is None:
            return None
        with path.open("rb") as file:
            self._source = source_name(_head(file))
        return await self._places.find(self._source)

    async def _lines(
        self,
        decoded: Iterator[bytes],
        splitter: Splitter,
        begun: Saved | None,
        file: BinaryIO | None,
    ) -> Summary:
        lines = begun.place.lines if begun else 0
        last, read = 0, deque[_Read]()
        batches = _batches(decoded, splitter, file, read)
        # A pipe may be long in bringing the next line, and what it brought is not to wait for that.
        results = (conveyed if file else in_turn)(self._takes, batches)
        async with aclosing(results):
            async for one in results:
                place, offset, last = read.popleft()
                self._count(one)
                lines = place.lines if place else lines
                self._show(Shown(offset, lines))
                await self._keep(place)
        if self._places is not None and self._source is not None:
            await self._places.finish(self._source)
        place = begun.place if begun else None
        return Summary(self._counts, lines + last, self._reasons, place)

    def _count(self, results: list[Result]) -> None:
        counted = Counter[str]()
        for result in results:
            counted[result.status] += 1
            if result.status in {"rejected", "conflict"}:
                self._reject(result)
        before = self._counts
        self._counts = Counts(
            before.recorded + counted["recorded"],
            before.repeated + counted["repeated"],
            before.rejected + counted["rejected"] + counted["conflict"],
        )

    def _reject(self, result: Result) -> None:
        why = result.why or result.status
        full = len(self._reasons) >= MOST_REASONS and why not in self._reasons
        self._reasons[OTHERS if full else why] += 1
        self._rejected.write(result.number, result.reason or why)

    async def _keep(self, place: Place | None) -> None:
        if self._places is None or self._source is None or place is None:
            return
        if monotonic() - self._saved_at >= SAVE_SECONDS:
            self._rejected.flush()
            await self._places.save(self._source, Saved(place, self._counts))
            self._saved_at = monotonic()


class _Read(NamedTuple):
    """How far a source was read with one batch of lines."""

    place: Place | None
    """None where that is no place to go on from."""
    offset: int
    """In bytes of the file as it lies there."""
    last: int = 0
    """Lines that no line feed ends: one at the most, and in the last batch."""


async def _batches(
    decoded: Iterator[bytes], splitter: Splitter, file: BinaryIO | None, read: deque[_Read]
) -> AsyncGenerator[list[Numbered]]:
    """Give the lines of each piece; tells in `read` how far that is."""
    offset = 0
    for piece in decoded:
        lines, place = splitter.feed(piece), splitter.place
        offset = file.tell() if file else place.offset if place else 0
        read.append(_Read(place, offset))
        yield lines
    last = splitter.end()
    read.append(_Read(None, offset, len(last)))
    yield last


def _decoded(
    file: BinaryIO, chunk_bytes: int = CHUNK_BYTES, *, whole: bool = True
) -> Iterator[bytes]:
    decoding = Decoding()
    read = file.read if whole else getattr(file, "read1", file.read)
    while chunk := read(chunk_bytes):
        yield from decoding.feed(chunk)
    yield from decoding.end()


def _head(file: BinaryIO) -> bytes:
    """Read the first bytes; what is wrong with them is told when they are taken in."""
    head = b""
    with suppress(SourceRefused):
        for piece in _decoded(file):
            head += piece
            if len(head) >= HEAD_BYTES:
                break
    return head


def _found_again(decoded: Iterator[bytes], place: Place) -> tuple[Splitter, bytes] | None:
    """Read up to a place again; None where other bytes lie before it than did then."""
    hashed, left = hashlib.sha256(), place.offset
    for piece in decoded:
        hashed.update(piece[:left])
        if len(piece) >= left:
            if hashed.hexdigest() != place.digest:
                return None
            return Splitter(place, hashed), piece[left:]
        left -= len(piece)
    return None


def _from(rest: bytes, decoded: Iterator[bytes]) -> Iterator[bytes]:
    if rest:
        yield rest
    yield from decoded
