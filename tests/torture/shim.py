"""Puts `shim.c` between processes and the C library, and turns its two knobs while they run."""

import struct
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from tests.torture.disks import tool
from tests.torture.load import wall_clock
from tests.torture.trial import Skipped

SOURCE = Path(__file__).with_name("shim.c")


class Shim:
    """Slow fsyncs and a clock that is set, for all processes that are started with `environ`.

    Raises:
        Skipped: there is no C compiler, or programs are not linked as on Linux.
    """

    def __init__(self, folder: Path) -> None:
        if sys.platform != "linux":
            raise Skipped("LD_PRELOAD is Linux's")
        self._knobs = folder / "faults"
        self._fsync, self._ahead = timedelta(), timedelta()
        self._turn()
        library = folder / "shim.so"
        tool("gcc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl")
        library.chmod(0o755)
        self._knobs.chmod(0o644)
        self.environ: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "OBOLE_FAULTS": str(self._knobs),
        }

    def slow_down(self, by: timedelta) -> None:
        """Let each fsync take so much longer."""
        self._fsync = by
        self._turn()

    def set_clock(self, to: datetime) -> None:
        """Set the wall clock; it goes on from there."""
        self._ahead = to - wall_clock()
        self._turn()

    def clock(self) -> datetime:
        """Give the time that it is for those processes."""
        return wall_clock() + self._ahead

    def _turn(self) -> None:
        knobs = (self._fsync // timedelta(microseconds=1), self._ahead // timedelta(microseconds=1))
        if not self._knobs.exists():
            self._knobs.write_bytes(struct.pack("qq", *knobs))
        with self._knobs.open("r+b") as file:
            file.write(struct.pack("qq", *knobs))
