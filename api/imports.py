"""Many lines at once over HTTP: as `obole import` takes them, with what became of each.

The answer comes once all is taken, so that a client may send all before it reads anything. Until
then nothing is held but one line of what came, and a few words of each of what became of it.
Whoever got no answer sends the same again: what was taken is taken once.
"""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from api.access import Allow, Caller, face_of
from api.importing.bytes import Decoding, Numbered, SourceRefused, Splitter
from api.importing.doors import Importer, Result, Who
from api.problems import FieldError, FieldsInvalid

router = APIRouter(tags=["intake"])

NDJSON = "application/x-ndjson"
TOGETHER = 64
"""Lines that are decided at a time, so that messages that come one by one wait for few."""
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
    decoding, splitter = Decoding(), Splitter()
    async for chunk in chunks:
        for piece in decoding.feed(chunk):
            yield splitter.feed(piece)
    for piece in decoding.end():
        yield splitter.feed(piece)
    yield splitter.end()


def _written(result: Result) -> bytes:
    told: dict[str, object] = {"line": result.number, "status": result.status}
    if result.position is not None:
        told["position"] = result.position
    if result.reason is not None:
        told["reason"] = result.reason
    return msgspec.json.encode(told) + b"\n"
