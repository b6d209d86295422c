"""How a run of trials is told: a line while it goes on, a table after, a page that is kept."""

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from os import cpu_count
from typing import NamedTuple

from tests.torture.trial import Scale, Verdict

SHOWN = 10
"""How many failures of one trial are printed."""
LAST = 30
"""How many of the last lines that a trial said are printed again where it failed."""


class Outcome(NamedTuple):
    """What became of one trial and its control."""

    trial: str
    promise: str
    scale: Scale
    seed: int
    verdict: Verdict | str
    """A text is why it was skipped."""
    control: Verdict | str
    seconds: float
    """Both together."""
    said: Sequence[str] = ()
    """What they said while they went on."""

    @property
    def failed(self) -> bool:
        """Tell whether the promise was broken, or the control was not."""
        trial = isinstance(self.verdict, Verdict) and not self.verdict.passed
        control = isinstance(self.control, Verdict) and self.control.passed
        return trial or control

    @property
    def skipped(self) -> bool:
        return isinstance(self.verdict, str)


def repeats(outcome: Outcome) -> str:
    """Give the command that does the same again."""
    long = " --long" if outcome.scale is Scale.LONG else ""
    tiny = " --tiny" if outcome.scale is Scale.TINY else ""
    return f'make torture ARGS="--only {outcome.trial} --seed {outcome.seed}{long}{tiny}"'


def told(outcome: Outcome) -> list[str]:
    """Say in lines what became of one trial."""
    lines = [
        f"{outcome.trial:<12}{_word(outcome):<12}{outcome.seconds:7.1f} s  {_counted(outcome)}"
    ]
    lines.append(f"{'':<12}control: {_control(outcome.control)}")
    if isinstance(outcome.verdict, Verdict):
        broken = outcome.verdict.failures
        lines += [f"{'':<12}BROKEN: {failure}" for failure in broken[:SHOWN]]
        if len(broken) > SHOWN:
            lines.append(f"{'':<12}and {len(broken) - SHOWN:,} more")
    if outcome.failed:
        lines.append(f"{'':<12}again: {repeats(outcome)}")
    return lines


def told_again(outcome: Outcome) -> list[str]:
    """Say once more what became of a trial that failed, and what it said last."""
    return [f"{'':<12}{line}" for line in outcome.said[-LAST:]] + told(outcome) + [""]


def page(outcomes: Sequence[Outcome], command: str, at: datetime) -> str:
    """Write the page of results, in Markdown."""
    head = ("trial", "promise", "scale", "seed", "counted", "verdict", "control", "seconds")
    lines = [
        "# Results of `make torture`",
        "",
        f"`{command}` on {at:%Y-%m-%d} at {at:%H:%M} UTC: {machine()}.",
        "A control does the same to something that does not keep the promise; it must fail.",
        "",
        _line(head),
        _line(["---"] * len(head)),
    ]
    lines += [_line(_cells(outcome)) for outcome in outcomes]
    lines += [f"\nAgain: `{repeats(one)}`" for one in outcomes if one.failed]
    return "\n".join(lines) + "\n"


def machine() -> str:
    """Name the machine by what matters."""
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {cpu_count()} cores, Python {platform.python_version()}"


def data(outcome: Outcome) -> dict[str, object]:
    """Give an outcome for programs."""
    return outcome._asdict() | {
        "scale": outcome.scale.value,
        "verdict": _shown(outcome.verdict),
        "control": _shown(outcome.control),
        "failed": outcome.failed,
        "again": repeats(outcome),
    }


def _cells(outcome: Outcome) -> Sequence[str]:
    return (
        outcome.trial,
        outcome.promise,
        outcome.scale.value,
        str(outcome.seed),
        _counted(outcome),
        _word(outcome),
        _control(outcome.control),
        f"{outcome.seconds:.0f}",
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _word(outcome: Outcome) -> str:
    if isinstance(outcome.verdict, str):
        return "skipped"
    return "held" if outcome.verdict.passed else "BROKEN"


def _counted(outcome: Outcome) -> str:
    if isinstance(outcome.verdict, str):
        return outcome.verdict
    return _facts(outcome.verdict.facts)


def _control(control: Verdict | str) -> str:
    if isinstance(control, str):
        return f"skipped: {control}"
    if control.passed:
        return f"PASSED, so the trial does not bite: {_facts(control.facts)}"
    return f"failed as it must: {control.failures[0]}"


def _facts(facts: Mapping[str, int | float | str]) -> str:
    return ", ".join(f"{_figure(value)} {name}" for name, value in facts.items())


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def _shown(verdict: Verdict | str) -> object:
    return verdict if isinstance(verdict, str) else verdict._asdict()
