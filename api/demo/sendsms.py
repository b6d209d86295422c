"""Where the simulated gateway takes messages that answer none: requests as Kannel's `sendsms` has.

Source: Kannel User's Guide 1.4.5, "Using the POST interface".
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import NamedTuple

from api.demo.messages import ACCEPTED, DELIVERED, GatewayFailed, Push, PushedSms

_PATH = "/cgi-bin/sendsms"
_USER, _PASSWORD = "obole", "simulated"
_SECONDS = 20
RECEIPTS = (ACCEPTED, DELIVERED)

Report = Callable[[str, str, Sequence[int]], None]
"""Tells the ledger what became of a message: the link, the receipts' address, and their types."""


class _Taken(NamedTuple):
    smsc: str
    text: str
    billing_code: str
    dlr_url: str


class SimulatedSendsms:
    """Listens on the loopback from `start` to `stop`."""

    def __init__(self) -> None:
        self._taken: Queue[_Taken] = Queue()
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        """Begin to listen."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self._taken.put))
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the port, if it was opened."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    @property
    def address(self) -> Push:
        """Say where it listens."""
        assert self._server is not None, "it is asked while it listens"
        port = self._server.server_address[1]
        return Push(f"http://127.0.0.1:{port}{_PATH}", _USER, _PASSWORD)

    def deliver(self, number: int, report: Report) -> list[PushedSms]:
        """Report on so many messages as delivered.

        Raises:
            GatewayFailed: they did not all come.
        """
        return [self._deliver_next(report) for _ in range(number)]

    def _deliver_next(self, report: Report) -> PushedSms:
        try:
            taken = self._taken.get(timeout=_SECONDS)
        except Empty:
            raise GatewayFailed("a pushed message did not come") from None
        report(taken.smsc, taken.dlr_url, RECEIPTS)
        return PushedSms(taken.smsc, taken.text, taken.billing_code, RECEIPTS)


def _handler(take: Callable[[_Taken], None]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked = {name: self.headers[f"X-Kannel-{name}"] for name in ("Username", "Password")}
            known = self.path == _PATH and asked == {"Username": _USER, "Password": _PASSWORD}
            if known:
                fields = ("SMSC", "BInfo", "DLR-Url")
                smsc, code, url = (self.headers[f"X-Kannel-{name}"] for name in fields)
                take(_Taken(smsc, body, code, url))
            self.send_response_only(HTTPStatus.ACCEPTED if known else HTTPStatus.FORBIDDEN)
            self.end_headers()
            self.wfile.write(b"0: Accepted for delivery" if known else b"Authorization failed")

    return Handler
