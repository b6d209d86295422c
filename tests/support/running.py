"""Commands that run until they are stopped, as processes of their own, and talked to over HTTP."""

import json
import re
import signal
import subprocess
import sys
from contextlib import closing
from http.client import HTTPConnection
from time import monotonic
from types import TracebackType
from typing import Any, NamedTuple, Self

from tests.support.cli import ROOT, Obole

PATIENCE_SECONDS = 40.0


class Got(NamedTuple):
    """An answer over HTTP; status 0: there was none."""

    status: int
    body: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was answered
        return json.loads(self.body)


class Running:
    """A command that runs; it is killed at the end of the block, if it still does."""

    def __init__(self, obole: Obole, *arguments: str) -> None:
        self.lines: list[str] = []
        self.port = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "api.cli.main", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=obole.environ,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def says(self, text: str) -> str:
        """Read on until a line holds this; gives the line."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return line
        raise AssertionError(f"it ended without saying {text!r}: {self.output}")

    def serves(self) -> Self:
        """Read on until it says where it serves."""
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self.says("http://127.0.0.1:"))
        assert found
        self.port = int(found[1])
        return self

    @property
    def output(self) -> str:
        """All that it has said so far."""
        return "\n".join(self.lines)

    def get(self, path: str, key: str = "") -> Got:
        """Ask it once."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                return Got(response.status, response.read().decode())
        except OSError:
            return Got(0, "")

    def get_until(self, path: str, key: str = "", status: int = 200) -> Got:
        """Ask until the answer has this status, as a gateway would."""
        limit = monotonic() + PATIENCE_SECONDS
        while (got := self.get(path, key)).status != status:
            assert monotonic() < limit, (got, self.output)
        return got

    def stop(self, number: signal.Signals) -> int:
        """Ask it to end; gives its status."""
        self._process.send_signal(number)
        return self.ended()

    def let_go(self) -> int:
        """End its standard input, as when whoever started it dies; gives its status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.stdin = None
        return self.ended()

    def ended(self) -> int:
        """Wait until it has ended; gives its status."""
        rest, _ = self._process.communicate(timeout=PATIENCE_SECONDS)
        self.lines += rest.splitlines()
        return self._process.returncode
