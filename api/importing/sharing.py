"""Shares lines out among processes, so that nothing of one consumer or message is overtaken.

A message goes where its sender goes, wherever it was decided, and a receipt where its message
went. What belongs to neither, or to a message that was too long ago to be remembered, is taken by
itself, all before it done.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from zlib import crc32

import msgspec

from api.importing.bytes import Numbered
from ledger.commands.imported import answer_of

REMEMBERED = 200_000
"""Messages whose process is remembered, for their receipts."""
BY_ITSELF = -1


class _Peek(msgspec.Struct):
    """What tells whose a line is."""

    kind: str = ""
    gateway: str = ""
    id: str = ""
    sender: str = ""
    mt: msgspec.Raw = msgspec.Raw(b'""')
    """Of a receipt the message's id; of an exchange what was answered, which says nothing here."""


class Share(NamedTuple):
    """Lines that may be taken at once: by process, each in order."""

    lines: dict[int, list[Numbered]]
    alone: bool = False
    """Whether all before it has to be done first, and it before all after."""


class Sharing:
    """Remembers which process a message went to."""

    def __init__(
        self,
        book: str,
        processes: int,
        form: Callable[[str], str],
        recycles_ids: Callable[[str], bool],
    ) -> None:
        self._book = book
        self._processes = processes
        self._form = form
        self._recycles_ids = recycles_ids
        self._decoder = msgspec.json.Decoder(_Peek)
        self._went: OrderedDict[bytes, int] = OrderedDict()

    def shares(self, lines: Iterable[Numbered]) -> Iterator[Share]:
        """Cut lines into shares that are to be taken one after another."""
        share: dict[int, list[Numbered]] = {}
        alone = False
        for line in lines:
            process = self._process(line)
            if share and alone != (process == BY_ITSELF):
                yield Share(share, alone)
                share = {}
            alone = process == BY_ITSELF
            share.setdefault(max(process, 0), []).append(line)
        if share:
            yield Share(share, alone)

    def _process(self, line: Numbered) -> int:
        try:
            peek = self._decoder.decode(line.raw or b"{}")
            match peek.kind:
                case "mo" | "exchange":
                    return self._of_message(peek)
                case "receipt":
                    return self._went.get(_short(_ID.decode(peek.mt)), BY_ITSELF)
                case _:
                    return BY_ITSELF
        except (msgspec.DecodeError, ValueError):
            return 0  # it will be refused there

    def _of_message(self, peek: _Peek) -> int:
        process = crc32(self._form(peek.sender).encode()) % self._processes
        if self._recycles_ids(peek.gateway):
            return process  # its answer is named by the day too; receipts go by themselves
        self._went[_short(answer_of(self._book, peek.gateway, peek.id))] = process
        if len(self._went) > REMEMBERED:
            self._went.popitem(last=False)
        return process


_ID = msgspec.json.Decoder(str)


def _short(mt: str) -> bytes:
    return mt.encode()
