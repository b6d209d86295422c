"""Very many exchanges, quickly: a decided one written again and again under other names.

Deciding twenty million messages would take an hour; what grows is the log, and that does not mind
whose message it holds. Ids, consumers and tags differ as they would.
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from ledger.log.batch import AnyRow, Proposal
from ledger.log.postgres import PostgresLog
from ledger.log.rows import Row

_NAME = re.compile(rb"[0-9a-f]{32}")
A_CONSUMER = 10
"""Exchanges that one consumer has, on the average."""
A_BATCH = 1_000
"""Exchanges appended in one transaction."""


class _Part(NamedTuple):
    """A row with its names cut out: the pieces between them, and which name stands where."""

    type: str
    pieces: tuple[bytes, ...]
    names: tuple[int, ...]


class Pattern:
    """One exchange, to be written again under other names."""

    def __init__(self, first: Sequence[Row], second: Sequence[Row]) -> None:
        """Learn from two exchanges which names belong to one of them alone."""
        own = [name for name in _names(first) if name not in _names(second)]
        consumer = next(tag for row in first for tag in row.tags if tag.startswith("consumer:"))
        self._consumer = own.index(consumer.rpartition("_")[2].encode())
        self._count = len(own)
        places = {name: place for place, name in enumerate(own)}
        self._parts = [_part(row, places) for row in first]

    def rows(self, number: int) -> list[Row]:
        """Give the exchange of a number; the same number is the same exchange."""
        digests = blake2b(number.to_bytes(8, "big"), digest_size=32).hexdigest().encode()
        names = [b"%032x" % (int(digests[:32], 16) ^ place) for place in range(self._count)]
        names[self._consumer] = self.consumer(number).encode()
        return [_row(part, names) for part in self._parts]

    def consumer(self, number: int) -> str:
        """Give the name, without its version, of the consumer of an exchange."""
        return blake2b(b"consumer %d" % (number // A_CONSUMER), digest_size=16).hexdigest()


def _names(rows: Sequence[Row]) -> list[bytes]:
    return list(dict.fromkeys(name for row in rows for name in _NAME.findall(_whole(row))))


def _whole(row: Row) -> bytes:
    return " ".join(row.tags).encode() + b"\n" + row.data


def _part(row: Row, places: dict[bytes, int]) -> _Part:
    pieces, names, end = list[bytes](), list[int](), 0
    whole = _whole(row)
    for found in _NAME.finditer(whole):
        if found[0] in places:
            pieces.append(whole[end : found.start()])
            names.append(places[found[0]])
            end = found.end()
    pieces.append(whole[end:])
    return _Part(row.type, tuple(pieces), tuple(names))


def _row(part: _Part, names: Sequence[bytes]) -> Row:
    written = [part.pieces[0]]
    for name, piece in zip(part.names, part.pieces[1:], strict=True):
        written += (names[name], piece)
    tags, _, data = b"".join(written).partition(b"\n")
    return Row(part.type, tuple(sorted(tags.decode().split(" "))), data)


def fill(log: PostgresLog, pattern: Pattern, numbers: range) -> Iterator[int]:
    """Append the exchanges of these numbers; gives, after each batch, how many are there."""
    for start in range(numbers.start, numbers.stop, A_BATCH):
        batch = range(start, min(start + A_BATCH, numbers.stop))
        rows = [row for number in batch for row in pattern.rows(number)]
        (outcome,) = log.submit([as_it_is(rows)])
        if isinstance(outcome, Exception):
            raise outcome
        yield batch.stop


def as_it_is(rows: Sequence[Row]) -> Proposal:
    """Give a decision that rests on nothing and appends these rows."""

    def decide(_: Sequence[AnyRow]) -> Sequence[Row]:
        return rows

    return Proposal((), decide)
