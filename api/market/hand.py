"""A clock that somebody else's hand moves: one process sets it, another one reads it.

Eight bytes of a file that both map: microseconds since 1970.
"""

import mmap
from datetime import UTC, datetime, timedelta
from pathlib import Path

_BYTES = 8
_EPOCH = datetime.fromtimestamp(0, UTC)


class Hand:
    """The clock; calling it tells the time."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_BYTES))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), _BYTES)

    def __call__(self) -> datetime:
        """Tell the time."""
        micros = int.from_bytes(self._shared[:_BYTES], "little")
        return _EPOCH + timedelta(microseconds=micros)

    def go_to(self, at: datetime) -> None:
        """Move it."""
        micros = (at - _EPOCH) // timedelta(microseconds=1)
        self._shared[:_BYTES] = micros.to_bytes(_BYTES, "little")
