"""Many lines at once over HTTP: as `obole import` takes them, with what became of each.

The answer comes once all is taken, so that a client may send all before it reads anything. Until
then nothing is held but one line of what came, and a few words of each of what became of it.
Whoever got no answer sends the same again, in parts if it was too large: what was taken is taken
once. Between a few lines and the next, whatever else the process serves has its turn.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from http import HTTPStatus
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.access import Allow, Caller, face_of
from api.importing.bytes import Decoding, Numbered, SourceRefused, Splitter
from api.importing.doors import Importer, Who
from api.importing.results import Result
from api.limits import MAX_IMPORT_BYTES, MAX_IMPORT_LINES
from api.problems import FieldError, FieldsInvalid

router = APIRouter(tags=["intake"])

NDJSON = "application/x-ndjson"
TOGETHER = 64
"""Lines that are decided at a time, so that messages that come one by one wait for few."""
PIECE_BYTES = 1 << 14
"""Cut into lines at a time: thousands of them, if they are as short as can be."""
MAX_REASON = 200
"""Letters of a reason, so that the answer to many lines has a bound."""
_LINE = {
    "type": "object",
    "required": ["line", "status"],
    "properties": {
        "line": {"type": "integer", "minimum": 1},
        "status": {"enum": ["recorded", "repeated", "rejected", "conflict"]},
        "position": {"type": "integer"},
        "reason": {"type": "string"},
    },
}
_DOCUMENT = {
    "requestBody": {
        "required": True,
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}


@router.post(
    "/imports",
    response_class=Response,
    responses={
        200: {"description": "What became of each line", "content": {NDJSON: {"schema": _LINE}}}
    },
    openapi_extra=_DOCUMENT,
)
async def post_import(
    caller: Annotated[Caller, Depends(Allow("gateway", "admin"))], request: Request
) -> Response:
    """Take in messages, receipts and exchanges, a line each; a gateway's key its own alone."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != NDJSON:
        raise FieldsInvalid([FieldError(field="content-type", message=f"must be {NDJSON}")])
    who = Who(caller.origin, caller.grant.gateway)
    importer = Importer(caller.book.desk, who, face_of(request).books.clock, together=TOGETHER)
    told = bytearray()
    try:
        async for lines in _lines(request.stream()):
            for result in await importer.take(lines):
                told += _written(result)
    except SourceRefused as refused:
        raise FieldsInvalid([FieldError(field="body", message=str(refused))]) from refused
    return Response(bytes(told), media_type=NDJSON)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[Numbered]]:
    """Give the lines of a body, a few at a time; others have their turn between.

    Raises:
        SourceRefused: it is no UTF-8, or broken gzip.
        HTTPException: it is longer than one body may be, unpacked, or has too many lines.
    """
    splitter, unpacked = Splitter(), 0
    async for piece in _pieces(chunks):
        unpacked += len(piece)
        for part in _cut(piece):
            lines = splitter.feed(part)
            _hold(unpacked, splitter.lines)
            for few in _few(lines):
                yield few
                await asyncio.sleep(0)
        await asyncio.sleep(0)
    last = splitter.end()
    _hold(unpacked, splitter.lines + len(last))
    yield last


def _hold(unpacked: int, lines: int) -> None:
    if unpacked > MAX_IMPORT_BYTES or lines > MAX_IMPORT_LINES:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Take off what the lines are wrapped in, in pieces of bounded size."""
    decoding = Decoding()
    async for chunk in chunks:
        for part in _cut(chunk):
            for piece in decoding.feed(part):
                yield piece
    for piece in decoding.end():
        yield piece


def _cut(whole: bytes) -> Iterator[bytes]:
    for start in range(0, len(whole), PIECE_BYTES):
        yield whole[start : start + PIECE_BYTES]


def _few(lines: list[Numbered]) -> Iterator[list[Numbered]]:
    for start in range(0, len(lines), TOGETHER):
        yield lines[start : start + TOGETHER]


def _written(result: Result) -> bytes:
    told: dict[str, object] = {"line": result.number, "status": result.status}
    if result.position is not None:
        told["position"] = result.position
    if result.reason is not None:
        told["reason"] = result.reason[:MAX_REASON]
    return msgspec.json.encode(told) + b"\n"
