"""Exports for an audit: the facts of some days, a code or a consumer, with their rules, zipped."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Annotated, BinaryIO, TypeVar

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import StreamingResponse

from api.access import Allow, Caller, face_of
from api.documents.bundle import zipped
from api.documents.export import Wanted, write_export
from api.shapes import MAX_POSITION, STRICT, Consumer, Day, ShortCode
from api.watermark import Reader
from ledger.commands.exports import record_export
from ledger.decisions.exported import Recipient, Scope
from ledger.facts.access import AuditExported
from ledger.keyring import Pool
from ledger.log.scripts import Script
from ledger.log.writer import run_async

router = APIRouter(tags=["evidence"])

T = TypeVar("T")

ARCHIVE = "export.zip"
CHUNK_BYTES = 1 << 18


class ExportWanted(BaseModel):
    """Which facts are wanted: those recorded on some local days, both included."""

    model_config = STRICT

    first_day: Day
    last_day: Day
    short_code: ShortCode | None = None
    """Only what was recorded of this code."""
    consumer: Consumer | None = None
    """Only what was recorded of this consumer."""
    through_position: Annotated[int, Field(ge=1, le=MAX_POSITION)] | None = None
    """As if nothing after it were there yet, so that an export can be made again."""


@router.post(
    "/audit-exports",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}, "description": "The files, zipped."}},
)
async def post_audit_export(
    caller: Annotated[Caller, Depends(Allow("regulator", "admin"))],
    reader: Annotated[Reader, Depends()],
    request: Request,
    wish: ExportWanted,
) -> StreamingResponse:
    """Export facts for an audit; that they were handed out is recorded before they are.

    Each time is an export of its own. Of the same facts the files are the same, byte for byte.
    """
    await reader.log_at()
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="obole-export-"))
    try:
        exported = await _exported(caller, request, wish, folder)
        archive, size = await asyncio.to_thread(_opened, folder / ARCHIVE)
    finally:
        # An open file needs no name any more, so whoever hangs up leaves nothing behind.
        shutil.rmtree(folder, ignore_errors=True)
    headers = await reader.mark_head(exported.through_position) | {
        "Obole-Export": exported.export,
        "Obole-Manifest-SHA256": exported.manifest_sha256,
        "Content-Disposition": f'attachment; filename="{exported.export}.zip"',
        "Content-Length": str(size),
    }
    return StreamingResponse(_chunks(archive), headers=headers, media_type="application/zip")


async def _exported(
    caller: Caller, request: Request, wish: ExportWanted, folder: Path
) -> AuditExported:
    books = face_of(request).books
    now = books.clock()
    scope = Scope(wish.first_day, wish.last_day, wish.short_code, wish.consumer)
    wanted = Wanted(scope, wish.through_position)
    files = folder / "files"
    export = await write_export(
        _Asking(books.pool), caller.name, wanted, files, now, lambda _, __: None
    )
    await asyncio.to_thread(zipped, files, folder / ARCHIVE)
    to = Recipient(caller.grant.key, caller.request)
    return await record_export(caller.book.desk, export, to, caller.origin, now)


class _Asking:
    """Asks over the pool, a connection for each page, so that a long export holds up nobody."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def __call__(self, script: Script[T]) -> T:
        async with self._pool.connection() as connection:
            return await run_async(connection, script)


def _opened(archive: Path) -> tuple[BinaryIO, int]:
    return archive.open("rb"), archive.stat().st_size


async def _chunks(archive: BinaryIO) -> AsyncGenerator[bytes]:
    with archive:
        while chunk := await asyncio.to_thread(archive.read, CHUNK_BYTES):
            yield chunk
