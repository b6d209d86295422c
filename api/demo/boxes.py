"""Kannel's two boxes as child processes, and what their logs tell."""

import re
import secrets
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import NamedTuple, TypeVar
from urllib.parse import quote_plus

from api.demo.messages import Endpoint, GatewayFailed, Push

BEARERBOX = "/usr/sbin/bearerbox"
SMSBOX = "/usr/sbin/smsbox"

# Nothing else listens in the namespace, so the ports can stand here.
ADMIN_PORT = 13000
SMSBOX_PORT = 13001
SENDSMS_PORT = 13013
OPERATOR_PORT = 14900
FAKE_PORT = 14001
HTTP_PORTS = {
    "sfr-fr": 14002,
    "bouygues-fr": 14003,
    "proximus-be": 14004,
    "orange-be": 14005,
    "base-be": 14006,
}
_CONFIGURATIONS = {"fr": "kannel.conf", "be": "kannel_be.conf"}

_START_SECONDS = 15
_STOP_SECONDS = 5
_POLL_SECONDS = 0.02
_RETRY_SECONDS = 1
_REQUEST = " request: '"

Seen = TypeVar("Seen")


class AccessLine(NamedTuple):
    """One line of bearerbox's access log, as `access-log-format` in kannel.conf orders it."""

    event: str  # Receive SMS, Sent SMS, FAILED Send SMS, Receive DLR
    message_id: str
    smsc: str
    sender: str
    receiver: str
    billing_code: str
    foreign_id: str
    receipt: int


class Boxes:
    """Running boxes: reads their logs, and waits for what they say."""

    def __init__(
        self, folder: Path, children: Sequence[subprocess.Popen[bytes]], password: str
    ) -> None:
        self._password = password
        self._folder = folder
        self._children = children

    def access(self) -> list[AccessLine]:
        """Read what bearerbox took and sent so far."""
        return [line for text in self._lines("access.log") for line in _access_lines(text)]

    @property
    def sendsms(self) -> Push:
        """Say where they take messages that answer none."""
        url = f"http://127.0.0.1:{SENDSMS_PORT}/cgi-bin/sendsms"
        return Push(url, "obole", self._password)

    def receipts(self) -> int:
        """Count the receipts that bearerbox handed on so far."""
        return sum(line.event == "Receive DLR" for line in self.access())

    def answer_to(self, message_id: str) -> tuple[int, str] | None:
        """Give status and body of the ledger's last answer to an MO, or None while it asks."""
        log = self._read("answers.log")
        place = log.find(f"&id={message_id}&")
        status = re.compile(r"' reply: (-?\d+) '").search(log, max(place, 0))
        if place < 0 or status is None:
            return None
        started = log.rfind(_REQUEST, 0, place) + len(_REQUEST)
        return int(status[1]), log[started : log.rfind("' url: 'http", 0, place)]

    def attempts_of(self, message_id: str) -> int:
        """Count how often smsbox asked the ledger about an MO."""
        asked = re.compile(rf"Parsing URL `[^`]*/mo\?[^`]*&id={message_id}&")
        return sum(bool(asked.search(line)) for line in self._lines("smsbox.log"))

    def unanswered(self) -> int:
        """Count the MOs and receipts that the ledger has not answered with 200 yet."""
        handed = sum(line.event in {"Receive SMS", "Receive DLR"} for line in self.access())
        taken = re.compile(r"HTTP: Status line: <HTTP/1\.\d 200")
        return handed - sum(bool(taken.search(line)) for line in self._lines("smsbox.log"))

    def wait(self, what: str, look: Callable[[], Seen | None], seconds: float) -> Seen:
        """Look again and again until there is something to see.

        Raises:
            GatewayFailed: it did not come in `seconds`, or a box ended.
        """
        limit = time.monotonic() + seconds
        while True:
            seen = look()
            if seen is not None:
                return seen
            if time.monotonic() > limit or any(box.poll() is not None for box in self._children):
                raise GatewayFailed(f"Kannel: {what}. {self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def _last_words(self) -> str:
        """Quote bearerbox, and of smsbox's log, which holds our key, no more than numbers."""
        grave = [x for x in self._lines("bearerbox.log") if re.search("WARN|ERROR|PANIC", x)]
        statuses = Counter(re.findall(r"Status line: <HTTP/1\.\d (\d+)", self._read("smsbox.log")))
        answered = ", ".join(f"{times} times {status}" for status, times in statuses.items())
        return f"The ledger answered {answered or 'nothing'}. " + " | ".join(grave[-5:])

    def _lines(self, name: str) -> list[str]:
        return self._read(name).split("\n")

    def _read(self, name: str) -> str:
        path = self._folder / name
        return path.read_text("utf-8", errors="replace") if path.exists() else ""


@contextmanager
def running_boxes(*endpoints: Endpoint) -> Generator[Boxes, None, None]:
    """Start bearerbox, then smsbox; stop both, and delete their folder, at the end.

    The first of the `endpoints` is the French book's.

    Raises:
        GatewayFailed: one of them did not get ready.
    """
    password = secrets.token_urlsafe()
    children: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="obole-kannel-")))
        conf = _write_configuration(folder, endpoints, password)
        boxes = Boxes(folder, children, password)
        for program, ready in ((BEARERBOX, "Status: running"), (SMSBOX, "smsbox:")):
            children.append(stack.enter_context(child([program, "-v", "4", str(conf)])))
            what = f"{program} did not get ready"
            boxes.wait(what, lambda sign=ready: _status_says(password, sign), _START_SECONDS)
        yield boxes


@contextmanager
def child(
    argv: Sequence[str], output: Path | None = None
) -> Generator[subprocess.Popen[bytes], None, None]:
    """Run a program beside us, its output in a file or nowhere; it ends with the block.

    Where setpriv is at hand it also ends with us, should we be killed.
    """
    tied = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with (output or Path("/dev/null")).open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603 - Kannel's own programs
            [*tied, *argv], stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _write_configuration(folder: Path, endpoints: Iterable[Endpoint], password: str) -> Path:
    conf = folder / "kannel.conf"
    conf.touch(0o600)  # it holds our keys
    conf.write_text("\n".join(_configuration(folder, one, password) for one in endpoints))
    return conf


def _configuration(folder: Path, endpoint: Endpoint, password: str) -> str:
    """Fill in what one book asks of the boxes; the French one also says what they share."""
    name = _CONFIGURATIONS[endpoint.book]
    template = Template(files("api.demo").joinpath(name).read_text("utf-8"))
    return template.substitute(
        folder=folder,
        password=password,
        admin_port=ADMIN_PORT,
        smsbox_port=SMSBOX_PORT,
        sendsms_port=SENDSMS_PORT,
        operator_port=OPERATOR_PORT,
        fake_port=FAKE_PORT,
        api_port=endpoint.port,
        mo_path=endpoint.path("mo"),
        key=quote_plus(endpoint.key),
        retry_seconds=_RETRY_SECONDS,
        **{f"{link.split('-')[0]}_port": port for link, port in HTTP_PORTS.items()},
    )


def _status_says(password: str, sign: str) -> bool | None:
    """Ask bearerbox's status page; None while it does not say so."""
    try:
        with closing(HTTPConnection("127.0.0.1", ADMIN_PORT, timeout=1)) as connection:
            connection.request("GET", f"/status.txt?password={password}")
            return sign in connection.getresponse().read().decode() or None
    except OSError:
        return None


def _access_lines(text: str) -> list[AccessLine]:
    parts = text.split("|")
    if len(parts) != len(AccessLine._fields):
        return []
    event, message_id, smsc, sender, receiver, billing_code, foreign_id, receipt = parts
    return [
        AccessLine(
            event, message_id, smsc, sender, receiver, billing_code, foreign_id, int(receipt)
        )
    ]
