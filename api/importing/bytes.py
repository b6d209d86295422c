"""From bytes as they come to numbered lines: in memory that does not grow with the file.

Decoding takes off what a file is wrapped in (a byte order mark, gzip) and refuses what is no UTF-8
at all by its first bytes. Splitting holds no more than one line.
"""

import hashlib
import zlib
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from api.importing.lines import MAX_LINE_BYTES

CHUNK_BYTES = 1 << 17
_GZIP = b"\x1f\x8b"
_UTF8_MARK = b"\xef\xbb\xbf"
_OTHER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_HEAD_BYTES = 4
_WITH_GZIP_HEADER = 31


class SourceRefused(ValueError):
    """What is to be imported is nothing that can be read as lines; the text says why."""


class Unpacks(Protocol):
    """What `zlib.decompressobj` gives."""

    @property
    def eof(self) -> bool:
        """Whether the end was found."""
        ...

    @property
    def unconsumed_tail(self) -> bytes:
        """What was not unpacked yet, so that not too much was at once."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What comes after the end."""
        ...

    def decompress(self, data: bytes, _most: int = ..., /) -> bytes:
        """Unpack some of it."""
        ...


class Hashes(Protocol):
    """What `hashlib.sha256` gives."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take further bytes in."""
        ...

    def hexdigest(self) -> str:
        """Give the digest of all so far."""
        ...


class Decoding:
    """Takes off what the lines are wrapped in, chunk by chunk."""

    def __init__(self) -> None:
        self._head: bytes | None = b""
        self._gzip: Unpacks | None = None
        self._begins: bytes | None = b""
        """The first bytes of the text, held back until there are enough to tell what it is."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Give what a chunk holds, in pieces of bounded size.

        Raises:
            SourceRefused: it is no UTF-8, or broken gzip.
        """
        if self._head is not None:
            self._head += chunk
            if len(self._head) < _HEAD_BYTES:
                return
            chunk, self._head = self._head, None
            self._begin(chunk)
        yield from self._unpacked(chunk)

    def end(self) -> Iterator[bytes]:
        """Give what was held back because so little came.

        Raises:
            SourceRefused: it is no UTF-8, or its gzip ends in its middle; all that it held
                was given before.
        """
        if self._head:
            chunk, self._head = self._head, None
            self._begin(chunk)
            yield from self._unpacked(chunk)
        if self._begins:
            yield self._text(self._begins)
        if self._gzip is not None and not self._gzip.eof:
            raise SourceRefused("the gzip file is cut off: what it held up to there was taken")

    def _begin(self, head: bytes) -> None:
        if head.startswith(_GZIP):
            self._gzip = zlib.decompressobj(_WITH_GZIP_HEADER)

    def _unpacked(self, chunk: bytes) -> Iterator[bytes]:
        packed = self._gzip
        if packed is None:
            yield self._checked(chunk)
            return
        try:
            while chunk:
                if packed.eof:  # gzip files may be put one behind the other
                    packed = self._gzip = zlib.decompressobj(_WITH_GZIP_HEADER)
                yield self._checked(packed.decompress(chunk, CHUNK_BYTES))
                chunk = packed.unconsumed_tail or packed.unused_data
        except zlib.error as error:
            raise SourceRefused("the gzip file is broken") from error

    def _checked(self, piece: bytes) -> bytes:
        if self._begins is None:
            return piece
        self._begins += piece
        return self._text(self._begins) if len(self._begins) >= _HEAD_BYTES else b""

    def _text(self, piece: bytes) -> bytes:
        """Take the mark off where the text begins."""
        self._begins = None
        if piece.startswith(_OTHER_MARKS) or b"\x00" in piece[:_HEAD_BYTES]:
            raise SourceRefused("this is UTF-16 or UTF-32, and lines are read as UTF-8")
        return piece.removeprefix(_UTF8_MARK)


class Numbered(NamedTuple):
    """One line; `raw` is None for one that was too long to be held."""

    number: int
    raw: bytes | None


class Place(NamedTuple):
    """How far a source was read: whole lines, and what tells that it is the same source."""

    offset: int = 0
    lines: int = 0
    digest: str = ""
    """SHA-256 of all bytes up to the offset, as decoded."""


class Splitter:
    """Cuts bytes into lines; empty ones count, and are passed over."""

    def __init__(self, begun: Place | None = None, hashed: Hashes | None = None) -> None:
        self._offset, self._number = (begun.offset, begun.lines) if begun else (0, 0)
        self._hash: Hashes = hashed or hashlib.sha256()
        self._rest = b""
        self._dropping = False

    def feed(self, chunk: bytes) -> list[Numbered]:
        """Give the lines that a chunk completes."""
        data = self._rest + chunk
        *whole, self._rest = data.split(b"\n")
        self._consumed(memoryview(data)[: len(data) - len(self._rest)])
        found = [self._line(raw) for raw in whole]
        if self._dropping or len(self._rest) > MAX_LINE_BYTES:
            self._consumed(memoryview(self._rest))
            self._rest, self._dropping = b"", True
        return [line for line in found if line.raw is None or line.raw.strip()]

    def end(self) -> list[Numbered]:
        """Give the last line where no line feed ends it; it is not counted as read."""
        if not self._dropping and not self._rest.strip():
            return []
        return [Numbered(self._number + 1, None if self._dropping else self._rest)]

    @property
    def lines(self) -> int:
        """How many lines were completed, the empty ones too."""
        return self._number

    @property
    def place(self) -> Place | None:
        """How far whole lines were read; None in the middle of one that is too long."""
        if self._dropping:
            return None
        return Place(self._offset, self._number, self._hash.hexdigest())

    def _line(self, raw: bytes) -> Numbered:
        self._number += 1
        too_long = self._dropping or len(raw) > MAX_LINE_BYTES
        self._dropping = False
        return Numbered(self._number, None if too_long else raw)

    def _consumed(self, data: memoryview) -> None:
        self._hash.update(data)
        self._offset += len(data)
