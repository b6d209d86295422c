"""A gateway of our own, for a machine without Kannel: the same requests, over the same HTTP.

It asks for an MT as Kannel's smsbox does with `get-url`, takes the answer's body as the MT, and
calls the receipt's URL with Kannel's escapes filled. What Kannel cannot be brought to do (one id
with two contents, a receipt out of nowhere) also goes through here.
"""

import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse
from threading import Lock
from typing import NamedTuple, Self
from urllib.parse import quote_plus, urlencode, urlsplit

from api.demo.messages import (
    ACCEPTED,
    DemoMessage,
    Endpoint,
    Exchange,
    GatewayFailed,
    Push,
    PushedSms,
)
from api.demo.sendsms import SimulatedSendsms
from ledger.words import derived_id

_ATTEMPTS = 40
_PAUSE_SECONDS = 0.25
_TIMEOUT_SECONDS = 30
_OK = 200


def _now() -> int:
    return int(time.time())  # noqa: TID251 - a gateway stamps its messages with its own clock


class _Answer(NamedTuple):
    status: int
    attempts: int
    text: str
    billing_code: str
    dlr_url: str


class SimulatedGateway:
    """Plays traffic into the API, the operators beside each other; a context manager.

    `run` tells one run's message ids from another's, as a real gateway's are never the same.
    """

    name = "a simulated gateway (HTTP requests like Kannel's)"

    def __init__(
        self, *endpoints: Endpoint, run: str | None = None, clock: Callable[[], int] = _now
    ) -> None:
        self._endpoints = {one.book: one for one in endpoints}
        self._port = endpoints[0].port
        self._sendsms = SimulatedSendsms()
        self._run = str(clock()) if run is None else run
        self._clock = clock
        self._sent_at = clock()
        self._late: list[tuple[Exchange, str]] = []
        self._lock = Lock()

    def __enter__(self) -> Self:
        self._sendsms.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take no message any more; nothing else stays open between two plays."""
        self._sendsms.stop()

    @property
    def sendsms(self) -> Push:
        """Say where it takes messages that answer none."""
        return self._sendsms.address

    def deliver_pushed(self, number: int) -> list[PushedSms]:
        """Report so many pushed messages as delivered.

        Raises:
            GatewayFailed: they did not come, or the API did not take a receipt in its time.
        """
        return self._sendsms.deliver(number, self._receive)

    def play(self, messages: Sequence[DemoMessage]) -> list[Exchange]:
        """Send every message and its receipts, each operator's in order.

        Raises:
            GatewayFailed: the API did not take a request in its time.
        """
        return play_by_operator(messages, self.exchange)

    def exchange(self, message: DemoMessage, message_id: str | None = None) -> Exchange:
        """Send one message, under that id if given, and what follows it."""
        known = message_id or self._id_of(message)
        if message.orphan:
            return self._orphan(message, known)
        answer = self._ask(message, known)
        if answer.dlr_url:
            self._receive(message.smsc, answer.dlr_url, message.receipts)
        exchange = Exchange(
            message=message,
            message_id=known,
            status=answer.status,
            attempts=answer.attempts,
            reply=answer.text,
            billing_code=answer.billing_code,
            receipts=message.receipts if answer.dlr_url else (),
            via="direct",
        )
        if message.late and answer.dlr_url:
            with self._lock:
                self._late.append((exchange, answer.dlr_url))
        return exchange

    def deliver_late(self) -> list[Exchange]:
        """Hand over the receipts that were held back.

        Raises:
            GatewayFailed: the API did not take one in its time.
        """
        with self._lock:
            waiting, self._late = sorted(self._late, key=lambda held: held[0].message.name), []
        for exchange, url in waiting:
            self._receive(exchange.message.smsc, url, exchange.message.late)
        return [exchange._replace(receipts=exchange.message.late) for exchange, _ in waiting]

    def _id_of(self, message: DemoMessage) -> str:
        return self._derived("mo", message.book, message.same_id_as or message.name)

    def _derived(self, *parts: str | int) -> str:
        return derived_id("demo", self._run, *parts)

    def _orphan(self, message: DemoMessage, known: str) -> Exchange:
        endpoint = self._endpoints[message.book]
        query = f"?key={quote_plus(endpoint.key)}&mt={known}&type=%d&at=%T&smsc=%i&fid=%F"
        url = endpoint.path("dlr") + query + "&sid=%I&answer=%A&meta=%D"
        self._receive(message.smsc, url, message.receipts)
        return Exchange(message, known, 0, 0, "", "", message.receipts, "direct")

    def _ask(self, message: DemoMessage, known: str) -> _Answer:
        endpoint = self._endpoints[message.book]
        query = {
            "key": endpoint.key,
            "id": known,
            "smsc": message.smsc,
            "from": message.sender,
            "to": message.code,
            "text": message.text,
            # One second for all, so that what follows does not hang on when the next one began.
            "ts": str(self._sent_at),
            "charset": "UTF-8",
            "binfo": "",
            "meta": "",
        }
        attempts, response, body = self._get(f"{endpoint.path('mo')}?{urlencode(query)}")
        taken = response.status == _OK
        return _Answer(
            status=response.status,
            attempts=attempts,
            # Kannel strips the blanks around a reply, and sends none that is empty.
            text=body.decode().strip() if taken else "",
            billing_code=response.getheader("X-Kannel-BInfo", "") if taken else "",
            dlr_url=response.getheader("X-Kannel-DLR-Url", "") if taken and body.strip() else "",
        )

    def _receive(self, smsc: str, url: str, kinds: Sequence[int]) -> None:
        """Fill Kannel's escapes for each receipt and call the URL, until it is taken."""
        parts = urlsplit(url)
        for number, kind in enumerate(kinds):
            escapes = {
                "d": str(kind),
                "T": str(self._clock()),
                "i": smsc,
                "F": self._derived("smsc", parts.query),
                "I": self._derived("receipt", parts.query, kind, number),
                "A": "ACK/" if kind == ACCEPTED else "",
                "D": "?orig_msg?dlr_mask=31&",
            }
            target = f"{parts.path}?{_filled(parts.query, escapes)}"
            _, response, _ = self._get(target)
            if response.status != _OK:
                raise GatewayFailed(f"a receipt {kind} by {smsc}: {response.status}")

    def _get(self, target: str) -> tuple[int, HTTPResponse, bytes]:
        """Ask until the answer is no 5xx; gives the number of attempts, and the last answer."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                response, body = self._get_once(target)
            except (OSError, HTTPException):
                response, body = None, b""
            if response is not None and response.status < 500:  # noqa: PLR2004 - HTTP's own limit
                return attempt, response, body
            time.sleep(_PAUSE_SECONDS)
        raise GatewayFailed(f"{urlsplit(target).path} was not answered in {_ATTEMPTS} attempts")

    def _get_once(self, target: str) -> tuple[HTTPResponse, bytes]:
        with closing(
            HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT_SECONDS)
        ) as connection:
            connection.request("GET", target)
            response = connection.getresponse()
            return response, response.read()


def play_by_operator(
    messages: Sequence[DemoMessage], exchange: Callable[[DemoMessage], Exchange]
) -> list[Exchange]:
    """Play each operator's messages in order, the operators beside each other."""
    smscs = sorted({message.smsc for message in messages})

    def play_one(smsc: str) -> list[Exchange]:
        return [exchange(message) for message in messages if message.smsc == smsc]

    with ThreadPoolExecutor(max_workers=max(1, len(smscs))) as pool:
        played = [done for operator in pool.map(play_one, smscs) for done in operator]
    order = {message.name: place for place, message in enumerate(messages)}
    return sorted(played, key=lambda done: order[done.message.name])


def _filled(query: str, escapes: dict[str, str]) -> str:
    """Replace `%x` as Kannel does: what it does not know stays as it is."""

    def fill(found: re.Match[str]) -> str:
        known = escapes.get(found[1])
        return found[0] if known is None else quote_plus(known)

    return re.sub(r"%([a-zA-Z])", fill, query)
