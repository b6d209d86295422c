"""The operators' side of Kannel: its own fakesmsc for one, an HTTP message centre for the others.

fakesmsc delivers whatever it gets. The message centre behind Kannel's generic HTTP link can also
refuse, fail, buffer, keep silent, and report long afterwards.
"""

import re
import tempfile
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import NamedTuple, Self
from urllib.parse import parse_qsl, unquote_plus, urlencode, urlsplit

from api.demo.boxes import FAKE_PORT, HTTP_PORTS, OPERATOR_PORT, Boxes, child
from api.demo.followed import Followed
from api.demo.messages import (
    ACCEPTED,
    BUFFERED,
    DELIVERED,
    FAILED,
    REJECTED,
    DemoMessage,
    Exchange,
    GatewayFailed,
    PushedSms,
)

FAKESMSC = "/usr/lib/kannel/test/fakesmsc"

_SECONDS = 20
_OK = 200
# What an operator writes beside a receipt's type. Source: SMPP 3.4, appendix B.
_STATUS_TEXT = {DELIVERED: "stat:DELIVRD", FAILED: "stat:UNDELIV", BUFFERED: "stat:ENROUTE"}
_GOT = re.compile(r"Got message \d+: <\S+ \S+ (text|data) (.*)>")


def play_by_fakesmsc(boxes: Boxes, message: DemoMessage) -> Exchange:
    """Send one MO by a fakesmsc of its own; it stays until its MT and receipts are through.

    Raises:
        GatewayFailed: something on the way did not come in its time.
    """
    followed = Followed(boxes, message)
    line = f"{message.sender} {message.code} text {message.text}"
    options = ["-H", "127.0.0.1", "-r", str(FAKE_PORT), "-i", "0", "-m", "1"]
    with tempfile.TemporaryDirectory(prefix="obole-fakesmsc-") as folder:
        printed = Path(folder) / "printed"
        with child([FAKESMSC, *options, line], printed):
            message_id = followed.received()
            status, body = followed.answered(message_id)
            exchange = followed.exchange(message_id, status)._replace(via="fakesmsc")
            if not body.strip():
                return exchange
            code, receipts = followed.sent().billing_code, followed.receipts(2)
            what = f"{message.name}: fakesmsc printed no MT"
            reply = boxes.wait(what, lambda: _printed_reply(printed), _SECONDS)
            return exchange._replace(reply=reply, billing_code=code, receipts=receipts)


class Mt(NamedTuple):
    """An MT as a message centre gets it; `message_id` is Kannel's, and serves as the centre's."""

    smsc: str
    message_id: str
    alias: str
    text: str
    billing_code: str


class HttpOperators:
    """Message centres reached by HTTP: hand MOs to Kannel, take MTs, report on them."""

    def __init__(self, boxes: Boxes) -> None:
        self._boxes = boxes
        self._expected: dict[str, tuple[DemoMessage, Queue[Mt]]] = {}
        """By link, the message whose answer it waits for; what else comes was pushed."""
        self._pushed = Queue[Mt]()
        self._late: list[tuple[Exchange, Mt]] = []
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", OPERATOR_PORT), _handler(self._take))
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port; what was not reported yet is lost, as in the world."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def play(self, message: DemoMessage) -> Exchange:
        """Send one MO, take its MT, report on it as the message says.

        Raises:
            GatewayFailed: something on the way did not come in its time.
        """
        followed, mts = Followed(self._boxes, message), Queue[Mt]()
        with self._expecting(message, mts):
            return self._follow(message, followed, mts)

    @contextmanager
    def _expecting(self, message: DemoMessage, mts: Queue[Mt]) -> Generator[None]:
        with self._lock:
            self._expected[message.smsc] = (message, mts)
        try:
            yield
        finally:
            with self._lock:
                del self._expected[message.smsc]

    def _follow(self, message: DemoMessage, followed: Followed, mts: Queue[Mt]) -> Exchange:
        message_id = _hand_over(message)
        status, body = followed.answered(message_id)
        exchange = followed.exchange(message_id, status)
        if not body.strip():
            return exchange
        mt = _next_of(mts, message.name)
        code = followed.sent().billing_code
        for kind in message.receipts:
            self._report(mt, kind)
        receipts = followed.receipts(len(message.receipts))
        exchange = exchange._replace(reply=mt.text, billing_code=code, receipts=receipts)
        if message.late:
            with self._lock:
                self._late.append((exchange, mt))
        return exchange

    def deliver_late(self) -> list[Exchange]:
        """Send the reports that were held back; gives the exchanges, each with those only."""
        with self._lock:
            waiting, self._late = sorted(self._late, key=lambda held: held[0].message.name), []
        for exchange, mt in waiting:
            for kind in exchange.message.late:
                self._report(mt, kind)
        return [exchange._replace(receipts=exchange.message.late) for exchange, _ in waiting]

    def deliver_pushed(self, number: int) -> list[PushedSms]:
        """Report so many messages, which answered none, as delivered.

        Raises:
            GatewayFailed: they did not all come.
        """
        return [self._deliver(_next_of(self._pushed, "what was pushed")) for _ in range(number)]

    def _deliver(self, mt: Mt) -> PushedSms:
        self._report(mt, DELIVERED)
        return PushedSms(mt.smsc, mt.text, mt.billing_code, (ACCEPTED, DELIVERED))

    def _take(self, mt: Mt) -> str:
        """Answer Kannel's request for one MT; what this answer means stands in kannel.conf."""
        with self._lock:
            expected = self._expected.get(mt.smsc)
        if expected is None:
            self._pushed.put(mt)
            return f"OK {mt.message_id}"
        message, mts = expected
        mts.put(mt)
        return "NO: refused" if REJECTED in message.receipts else f"OK {mt.message_id}"

    def _report(self, mt: Mt, kind: int) -> None:
        """Hand a receipt to Kannel, again and again: it knows the MT only after our answer."""
        if kind not in _STATUS_TEXT:
            return  # Kannel itself tells that the message centre took or refused the MT
        fields = {"dlr-mid": mt.message_id, "dlr-mask": str(kind), "to": mt.alias}
        query = urlencode({**fields, "text": _STATUS_TEXT[kind]})
        what = f"the receipt {kind} of {mt.message_id} was not taken"
        self._boxes.wait(what, lambda: _get(mt.smsc, query), _SECONDS)


def _handler(take: Callable[[Mt], str]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
            answer = take(Mt(*(asked.get(x, "") for x in ("smsc", "id", "to", "text", "binfo"))))
            self.send_response_only(_OK)  # unlike send_response it prints nothing
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            self.wfile.write(answer.encode())

    return Handler


def _printed_reply(printed: Path) -> str | None:
    found = _GOT.search(printed.read_text("utf-8", errors="replace"))
    if found is None:
        return None
    return unquote_plus(found[2]) if found[1] == "data" else found[2]


def _hand_over(message: DemoMessage) -> str:
    """Give an MO to bearerbox as an operator does; its answer is the id it gave the MO."""
    fields = {"from": message.sender, "to": message.code, "text": message.text}
    message_id = _get(message.smsc, urlencode(fields))
    if message_id is None:
        raise GatewayFailed(f"Kannel did not take the MO {message.name}")
    return message_id


def _get(smsc: str, query: str) -> str | None:
    """Ask bearerbox at that operator's link; None if it does not accept."""
    with closing(HTTPConnection("127.0.0.1", HTTP_PORTS[smsc], timeout=_SECONDS)) as connection:
        connection.request("GET", f"/?{query}")
        response = connection.getresponse()
        body = response.read().decode()
        return body if response.status == _OK else None


def _next_of(mts: Queue[Mt], what: str) -> Mt:
    try:
        return mts.get(timeout=_SECONDS)
    except Empty:
        raise GatewayFailed(f"Kannel sent no MT for {what}") from None
