"""`make check` runs every gate, whatever the others say, and ends as the worst of them."""

import subprocess
import sys

from tests.support.tidy import ROOT


def gates(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ".ci/gates.py", *names],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )


class TestCheck:
    """The report is by gate; the exit status is what CI goes by."""

    def test_goes_on_after_a_gate_that_failed_and_names_it(self) -> None:
        run = gates("no-such-gate", "help")
        assert run.returncode == 1
        assert "no-such-gate  FAILED" in run.stdout
        assert "help          passed" in run.stdout
        assert run.stdout.endswith("1 of 2 gates failed: no-such-gate\n")

    def test_passes_when_all_do(self) -> None:
        run = gates("help")
        assert (run.returncode, run.stdout.endswith("all 1 gates passed\n")) == (0, True)
