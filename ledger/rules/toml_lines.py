"""Find the line that each table and key of a TOML file stands on.

Python's own reader forgets lines. This looks only for headers and keys at the start of a
statement, which is how people write these files; what stands inline in a longer value has
its key's line.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

Place = tuple[str | int, ...]
"""Keys and entry numbers (from 0) that lead to a value, as pydantic gives them."""

# None of these looks at a character more often than a few times, however long the line.
_HEADER = re.compile(r"(\[\[?)([^\[\]]+)\]")
_KEY = re.compile(r"([A-Za-z0-9_\-.\s\"']+)=")
_QUOTED_OR_COMMENT = re.compile(r"\"(?:[^\"\\]|\\.?)*+\"?|'[^']*+'?|#.*")
_LONG_QUOTES = re.compile(r"\"{3}|'{3}")


def lines_of(text: str) -> dict[Place, int]:
    """Give the line, counted from 1, of each table and key that begins a statement."""
    lines: dict[Place, int] = {}
    entries: Counter[Place] = Counter()
    table: Place = ()
    for number, whole in _statements(text):
        line = whole.lstrip()
        if header := _HEADER.match(line):
            table = _table(_steps(header[2]), entries, repeated=header[1] == "[[")
            lines[table] = number
        elif key := _KEY.match(line):
            lines.setdefault((*table, *_steps(key[1])), number)
    return lines


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Give the lines that begin a statement, leaving out what continues a long value."""
    quoted, depth = False, 0
    for number, line in enumerate(text.split("\n"), start=1):
        if not quoted and depth == 0:
            yield number, line
        toggles = len(_LONG_QUOTES.findall(line)) % 2 == 1
        if not quoted and not toggles:
            bare = _QUOTED_OR_COMMENT.sub("", line)
            depth += sum(bare.count(c) for c in "[{") - sum(bare.count(c) for c in "]}")
        quoted = quoted != toggles


def _table(steps: Sequence[str], entries: Counter[Place], *, repeated: bool) -> Place:
    """Give the place of a header; a repeated one is one more entry of its list."""
    place: Place = ()
    for step in steps[:-1]:
        place = (*place, step)
        place = (*place, entries[place] - 1) if entries[place] else place
    place = (*place, steps[-1])
    if not repeated:
        return place
    entries[place] += 1
    return (*place, entries[place] - 1)


def _steps(dotted: str) -> Sequence[str]:
    return [step.strip().strip("\"'") for step in dotted.split(".")]
