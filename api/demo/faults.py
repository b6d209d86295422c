"""The bad link between a gateway and the ledger, as the demonstration's messages ask for it."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from api.demo.messages import DemoMessage, Fault

# ASGI leaves the shape of its events to each protocol. Source: ASGI 3.0, "Applications".
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Event, Receive, Send], Awaitable[None]]

_Query = dict[str, list[str]]
_Written = tuple[str, str, str]
_NONE: Fault = "none"
_LOST = b"the demonstration's link lost this\n"


class FaultyLink:
    """Stands before the API and loses what a message's fault says, once, as a real link would.

    `unavailable` keeps the request from the ledger; `answer_lost` and `receipt_answer_lost`
    let it in and lose the answer after it was recorded. Either way the gateway sees a 503.
    """

    def __init__(self, app: App, messages: Iterable[DemoMessage]) -> None:
        self._app = app
        self._pending: dict[_Written, Fault] = {
            _written(message): message.fault for message in messages if message.fault != "none"
        }
        self._mts: set[str] = set()
        self._lost: set[tuple[str, str]] = set()

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answer one ASGI call."""
        match self._fault_of(scope) if scope["type"] == "http" else "none":
            case "none":
                await self._app(scope, receive, send)
            case "unavailable":
                await _unavailable(send)
            case "answer_lost":
                await self._app(scope, receive, _nowhere)
                await _unavailable(send)
            case "receipt_answer_lost":
                await self._app(scope, receive, self._remembering(send))

    def _fault_of(self, scope: Event) -> Fault:
        # Latin-1 keeps every byte of a text apart, also of one that is no UTF-8.
        query = parse_qs(scope["query_string"].decode("ascii"), encoding="latin-1")
        if scope["path"].endswith("/mo"):
            return self._pending.pop(_asked(query), _NONE)
        if scope["path"].endswith("/dlr") and self._is_to_lose(query):
            return "answer_lost"
        return "none"

    def _is_to_lose(self, query: _Query) -> bool:
        receipt = (query["mt"][0], query["type"][0])
        if receipt[0] not in self._mts or receipt in self._lost:
            return False
        self._lost.add(receipt)
        return True

    def _remembering(self, send: Send) -> Send:
        async def remember(event: Event) -> None:
            headers: Iterable[tuple[bytes, bytes]] = event.get("headers", ())
            for name, value in headers:
                if name.lower() == b"x-kannel-dlr-url":
                    self._mts.update(parse_qs(urlsplit(value).query.decode("ascii"))["mt"])
            await send(event)

        return remember


def _written(message: DemoMessage) -> _Written:
    text = message.text.encode() if isinstance(message.text, str) else message.text
    return message.sender, message.code, text.decode("latin-1")


def _asked(query: _Query) -> _Written:
    sender, code, text = (query.get(name, [""])[0] for name in ("from", "to", "text"))
    return sender, code, text


async def _nowhere(_event: Event) -> None:
    """Lose one event of an answer."""


async def _unavailable(send: Send) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": _LOST})
