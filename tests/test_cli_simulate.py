"""`obole simulate`: what it prints, and what it refuses."""

from pathlib import Path

import pytest

from tests.support.cli import Obole, obole_at
from tests.support.database import TestDatabase


@pytest.fixture
def obole(database: TestDatabase, tmp_path: Path) -> Obole:
    return obole_at(database, tmp_path)


class TestSimulate:
    """A market that is written by the command."""

    def test_says_how_it_is_taken_in_and_that_is_so(self, obole: Obole, tmp_path: Path) -> None:
        out = tmp_path / "market"
        told = obole(
            "simulate", "--book", "fr", "--messages", "40", "--days", "1", "--out", str(out)
        )
        commands = [
            line.split()[1:] for line in told.out.splitlines() if line.startswith("  obole")
        ]
        assert [command[0] for command in commands] == ["catalogue", "import", "simulate"]
        assert obole("book", "open", "fr").status == 0
        load, take, check = [obole(*command) for command in commands]
        assert (load.status, check.status) == (0, 0), load.err + check.err
        assert take.status in {0, 1}  # 1 where a message came under another's id, as some do
        assert "DIFFERS" not in check.out

    def test_refuses_a_folder_that_is_none(self, obole: Obole, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        done = obole("simulate", "--messages", "2", "--days", "1", "--out", str(file))
        assert done.status == 1
        assert f"nothing can be written into {file}: File exists" in done.err

    @pytest.mark.parametrize("ways", ["imports", "", "rebuild", "import,life"])
    def test_proves_nothing_by_ways_that_are_none(self, obole: Obole, ways: str) -> None:
        done = obole("simulate", "prove", "--messages", "2", "--ways", ways)
        assert done.status == 2
        assert "--ways" in done.err
