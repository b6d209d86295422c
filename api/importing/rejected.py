"""The lines that were not taken: a file of number and reason, without what stood in them."""

import json
from pathlib import Path
from typing import TextIO


class Rejected:
    """Writes what was rejected; the file is made with the first line of it, or never."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: TextIO | None = None

    def begin(self, lines: int) -> None:
        """Keep what a run before wrote of the first `lines` lines, and nothing else."""
        if self.path is None or not self.path.exists():
            return
        kept = self.path.with_suffix(".kept")
        with self.path.open(encoding="utf-8") as old, kept.open("w", encoding="utf-8") as new:
            new.writelines(line for line in old if _number(line) <= lines)
        if kept.stat().st_size:
            kept.replace(self.path)
        else:
            kept.unlink()
            self.path.unlink()

    def write(self, number: int, reason: str) -> None:
        """Tell of one line."""
        if self.path is None:
            return
        if self._file is None:
            self._file = self.path.open("a", encoding="utf-8")
        told = json.dumps({"line": number, "reason": reason}, ensure_ascii=False)
        self._file.write(told + "\n")

    def flush(self) -> None:
        """See that what was written is in the file."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Be done."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _number(line: str) -> int:
    """Give the number of a line; one that was cut off by a kill is not kept."""
    try:
        return int(json.loads(line)["line"])
    except (ValueError, KeyError, TypeError):
        return 1 << 62
