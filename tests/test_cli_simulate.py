"""`obole simulate`: what it prints, and what it refuses."""

import signal
import tempfile
from pathlib import Path

import pytest

from tests.support.cli import Obole, obole_at
from tests.support.database import TestDatabase, remove
from tests.support.running import Running


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

    @pytest.mark.parametrize("command", [("simulate",), ("simulate", "prove")])
    def test_writes_over_no_market_unasked(
        self, obole: Obole, tmp_path: Path, command: tuple[str, ...]
    ) -> None:
        wanted = ("--messages", "2", "--days", "1", "--out", str(tmp_path))
        assert obole("simulate", *wanted, "--book", "fr").status == 0
        before = (tmp_path / "fr.ndjson").read_bytes()
        done = obole(*command, *wanted, "--seed", "2")
        assert done.status == 1
        assert f"{tmp_path} holds a market of fr already" in done.err
        assert "--force" in done.err
        assert (tmp_path / "fr.ndjson").read_bytes() == before
        assert not (tmp_path / "be.ndjson").exists()
        assert obole("simulate", *wanted, "--book", "be").status == 0
        assert obole("simulate", *wanted, "--seed", "2", "--force").status == 0
        assert (tmp_path / "fr.ndjson").read_bytes() != before

    def test_refuses_a_folder_that_is_none(self, obole: Obole, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.touch()
        done = obole("simulate", "--messages", "2", "--days", "1", "--out", str(file))
        assert done.status == 1
        assert f"nothing can be written into {file}: File exists" in done.err

    def test_takes_its_server_along_when_it_is_ended(self, obole: Obole) -> None:
        out = Path(tempfile.mkdtemp(prefix="obole-prove-"))
        out.chmod(0o711)
        wanted = ("--book", "fr", "--messages", "50", "--days", "1", "--out", str(out))
        try:
            with Running(obole, "simulate", "prove", *wanted) as prove:
                prove.says("fr: imported")
                assert (out / "fr.home/postgres/data/postmaster.pid").exists()
                assert prove.stop(signal.SIGTERM) == 128 + signal.SIGTERM
            assert not (out / "fr.home/postgres/data/postmaster.pid").exists()
        finally:
            remove(out)

    @pytest.mark.parametrize("ways", ["imports", "", "rebuild", "import,life"])
    def test_proves_nothing_by_ways_that_are_none(self, obole: Obole, ways: str) -> None:
        done = obole("simulate", "prove", "--messages", "2", "--ways", ways)
        assert done.status == 2
        assert "--ways" in done.err
