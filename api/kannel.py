"""Kannel, spoken natively: its `get-url` is our way in, the body of our answer is the MT.

The answer's headers ask for the receipts and tell the price. Kannel asks again, under the same id,
for whatever is not answered 200, so nothing here needs to be undone, and what asking again cannot
change is answered 200 with nothing to send.

Source: Kannel User's Guide 1.4.5, "SMS-service group" (parameters, X-Kannel headers) and "Delivery
reports" (the values of %d); the names that %C gives, from its smsbox.
"""

import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, cast

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.access import Allow, Caller, Query, face_of
from api.problems import FieldError, FieldsInvalid
from api.receipts import MASK, UCS2, receipt_url
from api.shapes import STRICT, HexId, Link, MessageId, Sender, ShortCode, Text
from ledger.commands.traffic import (
    Answer,
    IncomingMo,
    IncomingReceipt,
    receive_mo,
    receive_receipt,
)
from ledger.decisions.effect import ReceiptOutcome
from ledger.decisions.refusals import ConflictingDuplicate
from ledger.texts import segments

OUTCOMES: Mapping[str, ReceiptOutcome] = {
    "1": "delivered",
    "2": "failed",
    "4": "buffered",
    "8": "submitted",
    "16": "rejected",
}
_Server = tuple[str, int | None] | tuple[()]
"""Where we listen, as a request tells it, if it does."""
_log = logging.getLogger(__name__)

_CHARSETS = {
    "UTF-16BE": "utf-16-be",
    "UCS-2": "utf-16-be",
    "WINDOWS-1252": "cp1252",
    "ISO-8859-1": "latin-1",
    "ISO-8859-15": "iso8859-15",
}
"""Charsets that Kannel may name; any other is read as UTF-8, which is what it sends by itself."""

_TOKEN = re.compile(r"\b(stat|err):([A-Za-z0-9]{1,16})\b")
_QUOTED = re.compile(r"\btext:", re.IGNORECASE)
_OPERATOR_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_EPOCH_SECONDS = re.compile(r"[0-9]{1,11}")


class _MoQuery(BaseModel):
    """What an MO's query must hold."""

    model_config = STRICT

    id: MessageId
    smsc: Link
    sender: Annotated[Sender, Field(alias="from")]
    to: ShortCode
    text: Text


class _DlrQuery(BaseModel):
    """What a receipt's query must hold."""

    model_config = STRICT

    mt: HexId
    type: str


async def _mo(request: Request, caller: Caller, query: Query, presented: str) -> Response:
    """Take a message in and answer it; an empty body sends nothing."""
    charset = _CHARSETS.get((query.get("charset") or "").strip().upper(), "utf-8")
    names = ("id", "smsc", "from", "to")
    given = {name: query.get(name) for name in names} | {"text": query.get("text", charset)}
    try:
        mo = _MoQuery.model_validate(_present(given))
    except ValidationError as error:
        raise FieldsInvalid.of(error) from error
    gateway = str(request.path_params["gateway"])
    incoming = IncomingMo(
        gateway, mo.smsc, mo.id, mo.sender, mo.to, mo.text, _instant(query.get("ts"))
    )
    face = face_of(request)
    now = face.books.clock()
    try:
        answer = await receive_mo(caller.book.desk, incoming, caller.origin, now)
    except ConflictingDuplicate as conflict:
        # Kept as a fact. Told anything but 200, Kannel would only ask again, and again in vain.
        _log.warning("a gateway's message is in conflict: %s", conflict)
        return PlainTextResponse("")
    if answer.mt is None or not answer.text:
        return PlainTextResponse("")
    base = face.public_url or _base(request)
    receipts = receipt_url(base, caller.name, gateway, presented, answer.mt)
    return PlainTextResponse(answer.text, headers=headers_of(answer, receipts))


def headers_of(answer: Answer, receipts: str) -> dict[str, str]:
    """Tell Kannel how to send an answer: its price, its alphabet, and the URL for its receipts."""
    headers = {
        "X-Kannel-DLR-Url": receipts,
        "X-Kannel-DLR-Mask": MASK,
        # A header is made of bytes; a code with other letters goes out in UTF-8.
        "X-Kannel-BInfo": answer.billing_code.encode().decode("latin-1"),
    }
    if segments(answer.text).encoding == "ucs2":
        # Left to itself Kannel writes what the GSM alphabet lacks as question marks.
        headers["X-Kannel-Coding"] = UCS2
    return headers


async def _dlr(request: Request, caller: Caller, query: Query, _presented: str) -> Response:
    """Take a receipt in; Kannel only looks at the status of our answer."""
    try:
        dlr = _DlrQuery.model_validate(_present({name: query.get(name) for name in ("mt", "type")}))
    except ValidationError as error:
        raise FieldsInvalid.of(error) from error
    outcome = OUTCOMES.get(dlr.type)
    if outcome is None:
        wrong = f"must be one of {', '.join(OUTCOMES)}"
        raise FieldsInvalid([FieldError(field="type", message=wrong)])
    operator_id = query.get("fid") or ""
    incoming = IncomingReceipt(
        mt=dlr.mt,
        gateway=str(request.path_params["gateway"]),
        outcome=outcome,
        billed="unknown",
        raw_status=raw_status(dlr.type, query.get("answer") or ""),
        stated_at=_instant(query.get("at")),
        operator_message_id=operator_id if _OPERATOR_ID.fullmatch(operator_id) else None,
    )
    now = face_of(request).books.clock()
    await receive_receipt(caller.book.desk, incoming, caller.origin, now)
    return PlainTextResponse("")


def raw_status(kind: str, answer: str) -> str:
    """Give what may be kept of a receipt: its type, and the SMSC's own state and error.

    An SMSC's answer repeats the beginning of the message, which is personal, so all the rest of
    it is dropped. Source: SMPP 3.4, appendix B, "Delivery Receipt Format".
    """
    told = _QUOTED.split(answer, maxsplit=1)[0]
    return " ".join([kind, *(f"{name}:{value}" for name, value in _TOKEN.findall(told))][:3])


def _base(request: Request) -> str:
    """Give how a gateway reaches us, as it asked itself where nothing else is said."""
    scope = request.scope
    server = cast("_Server", tuple(scope.get("server") or ()))
    host = request.headers.get("host")
    return _base_url(str(scope["scheme"]), host, server, str(scope.get("root_path", "")))


@lru_cache(maxsize=256)
def _base_url(scheme: str, host: str | None, server: _Server, root: str) -> str:
    """Write the beginning of a request's URL, without a slash at its end."""
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    told = {"scheme": scheme, "headers": headers, "server": server or None, "root_path": root}
    rest = {"type": "http", "path": "/", "query_string": b""}
    return str(Request({**told, **rest}).base_url).rstrip("/")


def _instant(seconds: str | None) -> datetime | None:
    """Read seconds since 1970; what cannot be read is no time at all."""
    if seconds is None or not _EPOCH_SECONDS.fullmatch(seconds):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def _present(given: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in given.items() if value is not None}


_gateway = Allow("gateway")
_PREFIX = "/v1/books/{book}/kannel/{gateway}"
ROUTES = [
    Route(f"{_PREFIX}/mo", _gateway.over(_mo), name="kannel_mo"),
    Route(f"{_PREFIX}/dlr", _gateway.over(_dlr), name="kannel_dlr"),
]
for _route in ROUTES:
    # Starlette answers HEAD wherever it answers GET, but here a GET has an effect.
    _route.methods = {"GET"}
