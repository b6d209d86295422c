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
from urllib.parse import urlencode

from api.bench.book import BOOK, GATEWAY, LINK
from api.bench.measure import Figure, waits

START_SECONDS = 30.0
STEP_SECONDS = 0.05


class NotAnswering(RuntimeError):
    """A server that was started for the benchmark does not accept connections."""


def empty_route(requests: int, connections: int) -> Figure:
    """Time a route that does nothing."""
    command = ("-m", "uvicorn", "--no-access-log", "--log-level", "warning", "api.bench.empty:app")
    port = _free_port()
    with _server((*command, "--port", str(port)), port, {}):
        what = f"an empty FastAPI route, {connections} connections"
        return _played((what, "requests"), port, connections, ["/empty"] * requests)


def kannel_messages(
    environ: Mapping[str, str], key: str, requests: int, connections: int
) -> Figure:
    """Time messages that are decided, committed with fsync and answered."""
    port = _free_port()
    with _server(("-m", "api.cli.main", "api", "--port", str(port)), port, environ):
        what = f"Kannel's MO over HTTP, {connections} connections"
        paths = [_path(key, number) for number in range(requests)]
        return _played((what, "messages"), port, connections, paths)


def _path(key: str, number: int) -> str:
    message = {
        "key": key,
        "id": f"http-{number}",
        "smsc": LINK,
        "from": f"33600{number}",
        "to": "81014",
        "text": "JEU bonjour",
        "charset": "UTF-8",
    }
    return f"/v1/books/{BOOK}/kannel/{GATEWAY}/mo?{urlencode(message)}"


@contextmanager
def _server(arguments: Sequence[str], port: int, environ: Mapping[str, str]) -> Generator[None]:
    process = subprocess.Popen(  # noqa: S603 - this interpreter, with arguments of our own
        [sys.executable, *arguments], env={**os.environ, **environ}, stdout=subprocess.DEVNULL
    )
    try:
        _await(process, port)
        yield
    finally:
        process.terminate()
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = monotonic() + START_SECONDS
    while process.poll() is None and monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            sleep(STEP_SECONDS)
        else:
            return
    raise NotAnswering(f"{process.args!r}")


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
