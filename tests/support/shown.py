"""Output that the documents show: run again to be compared, or to be written anew.

A document marks what it shows like this, the command in the comment and its output below:

    <!-- shown: obole rules show fr --at 2026-11-22 -->
    ```text
    ...
    ```

`python tests/support/shown.py` writes every block anew; a test compares them, what differs from
run to run (ids, times, durations) left aside.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
WIDTH = 100
BLOCK = re.compile(
    r"(?P<head><!-- shown: (?P<command>.+?) -->\n```text\n)(?P<output>.*?)(?P<end>```\n)", re.DOTALL
)
VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "DAY"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?\b"), "TIME"),
    (re.compile(r"(\d+_)?[0-9a-f]{8,}…?"), "ID"),
    (re.compile(r"^ *\d+ +(?=TIME)", re.MULTILINE), "POSITION "),
    (re.compile(r"\bposition \d+"), "position N"),
    (re.compile(r"\b\d+(\.\d+)? (s|ms)\b"), "SPAN"),
    (re.compile(r"[ ─━]+"), " "),
)


class Shown(NamedTuple):
    """One block of one document."""

    document: str
    command: str
    output: str


def documents() -> list[Path]:
    """Give every document of the project."""
    found = ROOT.rglob("*.md")
    return sorted(path for path in found if ".venv" not in path.parts)


def blocks() -> Iterator[Shown]:
    """Give every block that shows a command's output."""
    for document in documents():
        for found in BLOCK.finditer(document.read_text()):
            yield Shown(document.name, found["command"], found["output"])


def run(command: str) -> str:
    """Run a command as a reader would, in a home of its own, and give what it printed."""
    with tempfile.TemporaryDirectory(prefix="obole-shown-") as home:
        Path(home).chmod(0o755)
        done = subprocess.run(
            ["sh", "-c", command],  # noqa: S607 - the shell on PATH, as a reader has it
            cwd=ROOT,
            env={
                **os.environ,
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "OBOLE_HOME": home,
                "COLUMNS": str(WIDTH),
                "NO_COLOR": "1",
            },
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.strip("\n").splitlines())


def steady(output: str) -> str:
    """Leave aside what differs from run to run."""
    for pattern, word in VARYING:
        output = pattern.sub(word, output)
    return "\n".join(line.strip() for line in output.splitlines())


def write() -> None:
    """Write every block anew."""
    for document in documents():
        text = document.read_text()
        anew = BLOCK.sub(lambda found: found["head"] + run(found["command"]) + found["end"], text)
        if anew != text:
            document.write_text(anew)


if __name__ == "__main__":
    write()
