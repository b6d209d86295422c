"""Hands messages to Kannel: its smsbox's `sendsms`, asked once, and what its answer means.

Kannel does not notice that a message comes twice. So nothing is asked again here, and only what
certainly did not arrive counts as refused.

Source: Kannel User's Guide 1.4.5, "Using the HTTP interface to send SMS messages" and "SMS push
reply codes"; POST and its headers, "Using the POST interface".
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from api.gateways import Sendsms
from api.receipts import GSM7, MASK, UCS2, receipt_url
from ledger.commands.pushing import Push, Reply
from ledger.texts import segments

TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 1_024
"""What of an answer is read; Kannel's fits in a line."""
_TAKEN = re.compile(rb"[03]: [A-Za-z ]{1,40}")
"""Accepted, or queued for later."""
_ACCEPTED = 202
_NOT_CONNECTED = "not connected"

Pushing = Callable[[Push], Awaitable[Reply]]
"""Hands one message over and tells what the gateway said; never raises for what it said."""


def is_absent(reply: Reply) -> bool:
    """Tell whether the gateway itself seems to be away or stuck, whatever it was handed."""
    return reply.outcome == "unknown" or reply.raw_status.startswith(_NOT_CONNECTED)


class _Request(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: bytes


def through_kannel(
    book: str, gateway: str, settings: Sendsms, timeout_seconds: float = TIMEOUT_SECONDS
) -> Pushing:
    """Give what pushes the messages of one gateway."""

    async def push(message: Push) -> Reply:
        request = _request(book, gateway, settings, message)
        return await asyncio.to_thread(_ask, settings.url, request, timeout_seconds)

    return push


def _request(book: str, gateway: str, settings: Sendsms, push: Push) -> _Request:
    """Write a message as Kannel takes it.

    By POST, which nothing on the way asks a second time by itself, nor writes into its log.
    """
    key = settings.receipt_key.get_secret_value()
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "X-Kannel-Username": settings.username,
        "X-Kannel-Password": settings.password.get_secret_value(),
        "X-Kannel-From": push.short_code,
        "X-Kannel-To": push.address,
        "X-Kannel-SMSC": push.smsc,
        "X-Kannel-Coding": UCS2 if segments(push.text).encoding == "ucs2" else GSM7,
        "X-Kannel-BInfo": push.billing_code,
        "X-Kannel-DLR-Mask": MASK,
        "X-Kannel-DLR-Url": receipt_url(settings.public_url, book, gateway, key, push.mt),
    }
    parts = urlsplit(settings.url)
    # A header is made of bytes; what has other letters goes out in UTF-8.
    written = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    return _Request(parts.path or "/", written, push.text.encode())


def _ask(url: str, request: _Request, timeout_seconds: float) -> Reply:
    with closing(_connection(url, timeout_seconds)) as connection:
        try:
            connection.connect()
        except OSError as error:
            return Reply("refused", f"{_NOT_CONNECTED}: {type(error).__name__}")
        try:
            _write(connection, request)
        except ValueError:
            return Reply("refused", "cannot be written as a request")
        try:
            connection.endheaders(request.body)
            response = connection.getresponse()
            return _judged(response.status, response.read(_MOST_BYTES))
        except (OSError, HTTPException, ValueError) as error:
            return Reply("unknown", type(error).__name__)


def _write(connection: HTTPConnection, request: _Request) -> None:
    """Write the head of a request; nothing of it is sent yet.

    Raises:
        ValueError: a header cannot hold its value.
    """
    connection.putrequest("POST", request.path)
    for name, value in request.headers.items():
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(request.body)))


def _connection(url: str, timeout_seconds: float) -> HTTPConnection:
    parts = urlsplit(url)
    assert parts.hostname is not None, "the file of gateways was checked"
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname, parts.port, timeout=timeout_seconds)


def _judged(status: int, body: bytes) -> Reply:
    """Say what an answer means; of its words only those that Kannel is known to use are kept."""
    if (found := _TAKEN.match(body)) and status == _ACCEPTED:
        return Reply("taken", f"{status} {found[0].decode().strip()}")
    refused = 400 <= status < 500  # noqa: PLR2004 - HTTP's own limits
    return Reply("refused" if refused else "unknown", str(status))
