"""Facts as they are stored, byte for byte: what is hashed is what is shown."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, Field
from starlette.responses import Response

from ledger.commands.evidence import Texts
from ledger.facts.registry import REGISTRY
from ledger.log.rows import StoredRow
from ledger.words import instant_text

ContentState = Literal["none", "sealed", "shown", "erased"]


class StoredFact(BaseModel):
    """One fact of the log."""

    position: int
    recorded_at: datetime
    type: str = Field(examples=["mo_received.v1"])
    tags: list[str]
    data: dict[str, Any] = Field(
        description="The envelope and the fact, verbatim; amounts are whole millionths."
    )


class ToldFact(StoredFact):
    """One fact of a story, and its text where it has one and the reader is shown it."""

    content: str | None
    content_state: ContentState


def stored(row: StoredRow) -> dict[str, Any]:
    """Write a row as a `StoredFact`."""
    return {
        "position": row.position,
        "recorded_at": instant_text(row.recorded_at),
        "type": row.type,
        "tags": row.tags,
        "data": msgspec.Raw(row.data),
    }


def told(rows: Iterable[StoredRow], texts: Texts | None) -> list[dict[str, Any]]:
    """Write rows as `ToldFact`s; without `texts`, what is sealed stays so."""
    return [stored(row) | _content(row, texts) for row in rows]


def _content(row: StoredRow, texts: Texts | None) -> dict[str, Any]:
    state: ContentState = "none"
    content = None
    if texts is not None and row.position in texts:
        content = texts[row.position]
        state = "erased" if content is None else "shown"
    elif texts is None and getattr(REGISTRY.decode(row).fact, "text", None) is not None:
        state = "sealed"
    return {"content": content, "content_state": state}


def json_answer(body: Mapping[str, Any], headers: Mapping[str, str]) -> Response:
    """Answer with JSON in which stored bytes stay as they are."""
    return Response(msgspec.json.encode(body), headers=headers, media_type="application/json")
