"""Asks an application by its OpenAPI document: a run of schemathesis, a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.cli import ROOT

HOOKS = "tests.torture.schemas_hooks"
PHASES = "examples,coverage,fuzzing,stateful"
LEFT_OUT = (
    # In the place of these there are checks of our own, which know what is told here and how.
    "not_a_server_error",
    "negative_data_rejection",
    "positive_data_acceptance",
)
PARAMETERS = {
    "path.book": "fr",
    # Time would go by in waiting: for a position that nobody has reached yet, or for a new fact.
    "query.at_least": "0",
    "header.obole-at-least": "0",
    "query.wait": "0",
}
"""What is asked with the same value always."""
RULES = """
# HTTP lets anyone send a parameter that is not read: nothing refuses it.
[generation]
allow-extra-parameters = false
"""
SECONDS = 3_600


class Asked(NamedTuple):
    """What a run counted, and what it found, a sentence each."""

    requests: int
    operations: int
    failures: list[str]


class Asking(NamedTuple):
    """One run: whom it asks, and how much."""

    name: str
    url: str
    examples: int
    """How many requests are drawn for an operation, beside those that its schema alone gives."""
    seed: int
    key: str = ""
    phases: str = PHASES
    known: Mapping[str, Sequence[str]] = {}
    """What the book holds, by the parameter that may name it."""

    def __call__(self, folder: Path) -> Asked:
        """Ask, and read the report."""
        config, report = folder / f"{self.name}.toml", folder / f"{self.name}.json"
        config.write_text(_config(self.known))
        done = subprocess.run(
            [sys.executable, "-m", "schemathesis.cli", *self._arguments(config, report)],
            check=False,
            capture_output=True,
            text=True,
            cwd=folder,
            env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)},
            timeout=SECONDS,
        )
        (folder / f"{self.name}.txt").write_text(done.stdout + done.stderr)
        if not report.exists():
            return Asked(0, 0, [f"{self.name}: {(done.stdout + done.stderr)[-500:]}"])
        return _read(self.name, json.loads(report.read_text()))

    def _arguments(self, config: Path, report: Path) -> list[str]:
        bearer = ["--header", f"Authorization: Bearer {self.key}"] if self.key else []
        return [
            *("--no-color", "--config-file", str(config)),
            *("run", f"{self.url}/openapi.json", *bearer),
            *("--phases", self.phases, "--max-examples", str(self.examples)),
            *("--seed", str(self.seed), "--exclude-checks", ",".join(LEFT_OUT)),
            *("--report", "json", "--report-json-path", str(report)),
            *("--continue-on-failure", "--no-shrink", "--generation-database", "none"),
            *("--suppress-health-check", "all", "--warnings", "off"),
        ]


def _config(known: Mapping[str, Sequence[str]]) -> str:
    lines = [RULES, "[dictionaries]"]
    lines += [f"{name} = {{ values = {json.dumps(values)} }}" for name, values in known.items()]
    lines.append("[parameters]")
    lines += [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in PARAMETERS.items()]
    lines += [
        f'{json.dumps(f"path.{name}")} = {{ dictionary = "{name}", probability = 0.7 }}'
        for name in known
    ]
    return "\n".join(lines) + "\n"


def _read(name: str, report: Mapping[str, Any]) -> Asked:
    failures = [
        f"{name}: {one['title']}, {one['count']} times, at {', '.join(one['operations'])}"
        for one in report["failures"]
    ]
    failures += [f"{name}: {one['title']}, {one['count']} times" for one in report["errors"]]
    if report["stop_reason"] != "completed":
        failures.append(f"{name}: it ended early, {report['stop_reason']}")
    counted = report["test_cases"]["generated"], report["operations"]["tested"]
    return Asked(*counted, failures)
