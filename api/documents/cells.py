"""Writes CSV that a spreadsheet shows and never runs.

A cell that begins with `=`, `+`, `-` or `@` is a formula to a spreadsheet, also behind blanks,
and in some countries what stands behind a semicolon inside a cell is a cell of its own. An
apostrophe before the sign makes it a text. Source: OWASP, "CSV Injection".
"""

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Nothing of this shows, and a tab or a line's end would begin another cell."""

_BLANK = "\\s\u200b-\u200f\u2060\ufeff"
_FORMULA = re.compile(f"((?:^|[;,|\"'])[{_BLANK}]*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20\u2212])")
"""Where a cell begins, whatever sign some program takes for the end of one."""

_PLAIN = re.compile("[A-Za-z0-9][A-Za-z0-9_.:-]*")
"""What nearly all cells are: names, numbers and times, which need no further look."""


def safe(value: object) -> str:
    """Write a value as a cell that is no formula in any program; None is an empty one."""
    text = "" if value is None else str(value)
    if not text or _PLAIN.fullmatch(text):
        return text
    return _FORMULA.sub(r"\1'", _CONTROLS.sub(" ", text))


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """Write rows as lines of CSV, each with its end: commas between, quotes where needed.

    Source: RFC 4180, with a line feed alone at a line's end.
    """
    for row in rows:
        line = StringIO()
        csv.writer(line, lineterminator="\n").writerow([safe(cell) for cell in row])
        yield line.getvalue()
