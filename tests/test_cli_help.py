"""What `--help` says: lines that are as long as they can be, and every choice there is."""

import os
from collections.abc import Iterator
from itertools import pairwise

import pytest
import typer

from api.bench.main import PARTS
from api.cli.main import app
from tests.support.cli import Obole

WIDTH = 80
SHOWN = Obole({"PATH": os.environ["PATH"], "COLUMNS": str(WIDTH)})


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Give every command of the program by its words."""
    yield path
    for name, inside in getattr(command, "commands", {}).items():
        yield from commands(inside, (*path, name))


def introduction(path: tuple[str, ...]) -> list[str]:
    """Give the lines of a command's help above its options."""
    lines = SHOWN(*path, "--help").out.splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith("╭"))
    return [line.strip() for line in lines[:first]]


class TestHelp:
    """The help of each command."""

    @pytest.mark.parametrize("path", [*commands(typer.main.get_command(app))], ids=" ".join)
    def test_breaks_no_line_before_it_is_full(self, path: tuple[str, ...]) -> None:
        for line, following in pairwise(introduction(path)):
            word = following.partition(" ")[0]
            assert not line or not following or len(f"{line} {word}") > WIDTH - 2, line

    def test_is_looked_at_for_all_of_them(self) -> None:
        found = {*commands(typer.main.get_command(app))}
        assert {(), ("import",), ("audit", "export"), ("simulate", "prove")} < found

    def test_of_the_benchmark_lists_its_parts(self) -> None:
        shown = " ".join(SHOWN("bench", "--help").out.replace("│", " ").split())
        assert f"Only this part: {', '.join(PARTS)};" in shown
