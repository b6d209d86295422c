"""Runs the trials of survival one after another, each with its control: `make torture`.

The status is 1 if a promise was broken, or if a control kept it.
"""

import argparse
import json
import logging
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from tests.torture import histories
from tests.torture.clocks import Clocks
from tests.torture.full import Full
from tests.torture.idle import Idle
from tests.torture.kill import Kill
from tests.torture.power import Power
from tests.torture.readers import Readers
from tests.torture.repeats import Repeats
from tests.torture.report import Outcome, data, page, told, told_again
from tests.torture.schemas import Schemas
from tests.torture.serial import Serial
from tests.torture.slow import Slow
from tests.torture.storms import Storms
from tests.torture.trial import Say, Scale, Skipped, Trial, Verdict, judged
from tests.torture.world import World

TRIALS: Sequence[Trial] = (
    Kill(),
    Power(),
    Full(),
    Slow(),
    Storms(),
    Clocks(),
    Idle(),
    Readers(),
    Repeats(),
    Schemas(),
    Serial(),
    World(),
)
"""Every trial, in the order of the table."""

RESULTS = "RESULTS.md"
Run = Callable[[Scale, int, Say], Verdict]


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for and tell of it."""
    asked = _parser().parse_args(arguments)
    seed = asked.seed if asked.seed is not None else int.from_bytes(os.urandom(4))
    chosen = [one for one in TRIALS if not asked.only or one.name in asked.only]
    say = _silent if asked.json else _say
    histories.KEPT[:] = [asked.out] if asked.out else []
    outcomes = [_heard(one, asked.scale, seed, say) for one in chosen]
    if asked.json:
        sys.stdout.write(json.dumps([data(one) for one in outcomes], indent=2) + "\n")
    else:
        _tell(outcomes)
    if asked.out:
        now = datetime.now(UTC)  # noqa: TID251 - when a page was written is the wall clock's to say
        command = f'make torture ARGS="{shlex.join(arguments)}"'
        asked.out.mkdir(parents=True, exist_ok=True)
        (asked.out / RESULTS).write_text(page(outcomes, command, now))
    return int(any(one.failed for one in outcomes))


def tried(trial: Trial, scale: Scale, seed: int, say: Say) -> Outcome:
    """Run one trial and its control, with a seed that is told first."""
    say(f"{trial.name}: {trial.promise} (seed {seed}, {scale.value})")
    started = monotonic()
    verdict = _unless_skipped(trial.run, scale, seed, say)
    if isinstance(verdict, str):
        control: Verdict | str = verdict
    else:
        say(f"{trial.name}: now its control, which must fail")
        control = _unless_skipped(trial.control, scale, seed, say)
    seconds = monotonic() - started
    return Outcome(trial.name, trial.promise, scale, seed, verdict, control, seconds)


def _heard(trial: Trial, scale: Scale, seed: int, say: Say) -> Outcome:
    """Run one trial and keep what it says; if it breaks off it failed, and the others go on."""
    said: list[str] = []

    def keep(line: str) -> None:
        said.append(line)
        say(line)

    started = monotonic()
    try:
        return tried(trial, scale, seed, keep)._replace(said=said)
    except Exception as error:  # noqa: BLE001 - whatever it was, it is told with what failed
        keep(traceback.format_exc().rstrip())
        broke = judged(trial.name, seed, {}, [f"it broke off: {error!r}"])
        seconds = monotonic() - started
        return Outcome(trial.name, trial.promise, scale, seed, broke, "broke off", seconds, said)


def _unless_skipped(run: Run, scale: Scale, seed: int, say: Say) -> Verdict | str:
    try:
        return run(scale, seed, say)
    except Skipped as skipped:
        return str(skipped)


def _tell(outcomes: Sequence[Outcome]) -> None:
    """Print what became of each; the last lines are those that `make check` shows.

    Whoever sees only the end of a run still sees why a trial failed, and what it had said.
    """
    failed = [one for one in outcomes if one.failed]
    skipped = [one for one in outcomes if one.skipped]
    lines = [line for one in outcomes for line in told(one)]
    lines.append("")
    if failed:
        names = ", ".join(one.trial for one in failed)
        lines += [line for one in failed for line in told_again(one)]
        lines.append(f"{len(failed)} of {len(outcomes)} trials FAILED: {names}")
    else:
        lines.append(f"{len(outcomes) - len(skipped)} trials passed, and their controls did not")
    lines += [f"skipped here: {one.trial}: {one.verdict}" for one in skipped]
    sys.stdout.write("\n".join(lines) + "\n")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _silent(_line: str) -> None:
    """Leave the output to the programs that read it."""


def _end(number: int, _frame: object) -> None:
    """End as after an error, so that every process is ended and every disk taken away."""
    sys.exit(128 + number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make torture", description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--long", dest="scale", action="store_const", const=Scale.LONG)
    length.add_argument("--tiny", dest="scale", action="store_const", const=Scale.TINY)
    names = [trial.name for trial in TRIALS]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=str(names))
    parser.add_argument("--seed", type=int, help="as an earlier run printed it")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"write {RESULTS} and histories there"
    )
    parser.set_defaults(scale=Scale.SHORT)
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    logging.disable(logging.ERROR)  # a server that is killed is told about again and again
    sys.exit(main(sys.argv[1:]))
