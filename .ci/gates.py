"""Runs the named `make` targets one after another, all of them, and says which did not pass.

A gate that passes has one line, and below it what it said last, if anything; one that does not is
shown whole.
"""

import os
import subprocess
import sys
from time import monotonic


def passes(gate: str) -> bool:
    """Run one gate and report on it."""
    started = monotonic()
    run = subprocess.run(
        ["make", "--no-print-directory", gate],  # noqa: S607 - make is found on PATH, as it found us
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    verdict = "FAILED" if run.returncode else "passed"
    said = run.stdout.rstrip()
    print(f"{gate:<14}{verdict}  {monotonic() - started:6.1f} s", flush=True)
    shown = said if run.returncode else _last_words(said)
    if shown:
        print("".join(f"    {line}\n" for line in shown.splitlines()), end="", flush=True)
    return run.returncode == 0


def _last_words(said: str) -> str:
    """Give what a reader wants of a gate that passed: the tests' count and what they covered."""
    lines = said.splitlines()
    counts = [number for number, line in enumerate(lines) if " passed" in line]
    if counts:
        return "\n".join(lines[counts[-1] :])
    return lines[-1] if lines else ""


def main(gates: list[str]) -> int:
    """Run all gates; the status is 1 if any failed."""
    failed = [gate for gate in gates if not passes(gate)]
    if failed:
        print(f"\n{len(failed)} of {len(gates)} gates failed: {', '.join(failed)}")
        return 1
    print(f"\nall {len(gates)} gates passed")
    return 0


if __name__ == "__main__":
    os.environ.pop("MAKEFLAGS", None)  # the gates are runs of their own
    sys.exit(main(sys.argv[1:]))
