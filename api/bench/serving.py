"""Messages over HTTP as Kannel sends them, beside an empty route under the same load."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple
from urllib.parse import urlencode

from api.bench.book import BOOK, GATEWAY, LINK
from api.bench.measure import Figure, waits

START_SECONDS = 60.0
STEP_SECONDS = 0.05
SERVING = "Ctrl-C ends it"
"""Said by `obole api` once requests are answered; it accepts them before."""


class Load(NamedTuple):
    """How many requests are made, over how many connections at once."""

    requests: int
    connections: int


class NotAnswering(RuntimeError):
    """A server that was started for the benchmark does not accept connections."""


def empty_route(load: Load) -> Figure:
    """Time a route that does nothing."""
    command = ("-m", "uvicorn", "--no-access-log", "--log-level", "warning", "api.bench.empty:app")
    port = _free_port()
    with _server((*command, "--port", str(port)), port, {}):
        what = f"an empty FastAPI route, {load.connections} connections"
        paths = ["/empty"] * load.requests
        return _played((what, "requests"), port, load.connections, paths)


def kannel_messages(environ: Mapping[str, str], key: str, load: Load, processes: int = 1) -> Figure:
    """Time messages that are decided, committed with fsync and answered."""
    port = _free_port()
    command = ("-m", "api.cli.main", "api", "--port", str(port), "--workers", str(processes))
    several = f", {processes} processes" if processes > 1 else ""
    with _server(command, port, environ, SERVING):
        what = f"Kannel's MO over HTTP, {load.connections} connections{several}"
        paths = [_path(key, f"{processes}-{number}") for number in range(load.requests)]
        return _played((what, "messages"), port, load.connections, paths)


def _path(key: str, name: str) -> str:
    message = {
        "key": key,
        "id": f"http-{name}",
        "smsc": LINK,
        "from": f"33600{name}",
        "to": "81014",
        "text": "JEU bonjour",
        "charset": "UTF-8",
    }
    return f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo?{urlencode(message)}"


@contextmanager
def _server(
    arguments: Sequence[str], port: int, environ: Mapping[str, str], serving: str = ""
) -> Generator[None]:
    """Run a server; it can be used once it accepts, and has said that it is `serving`."""
    command = [sys.executable, *arguments]
    with tempfile.NamedTemporaryFile("w+", suffix=".log") as said:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with arguments of our own
            command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=said
        )
        try:
            _await(process, port, Path(said.name), serving)
            yield
        finally:
            process.terminate()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int, said: Path, serving: str) -> None:
    deadline = monotonic() + START_SECONDS
    while process.poll() is None and monotonic() < deadline:
        if serving in said.read_text() and _accepts(port):
            return
        sleep(STEP_SECONDS)
    raise NotAnswering(f"{process.args!r}: {said.read_text()}")


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _played(named: tuple[str, str], port: int, connections: int, paths: Sequence[str]) -> Figure:
    with tempfile.NamedTemporaryFile("w", suffix=".paths") as file:
        file.write("\n".join(paths))
        file.flush()
        command = ("-m", "api.bench.load", str(port), str(connections), file.name)
        played = subprocess.run(  # noqa: S603 - this interpreter, with arguments of our own
            [sys.executable, *command], check=True, capture_output=True, cwd=Path.cwd()
        )
    result = json.loads(played.stdout)
    if result["good"] != len(paths):
        raise NotAnswering(f"{named[0]}: {result['good']} of {len(paths)} were answered 200")
    figure = waits(*named, len(paths), result["seconds"], result["each"])
    return figure._replace(note=f"the load took {result['cpu']:.0%} of a core")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
