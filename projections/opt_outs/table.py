"""Keeps the list of STOPs and of what lifted them in its table."""

from typing import Any

from projections.opt_outs.fold import OPT_OUTS, Said
from projections.table import Projection, Table

_UPSERT = """
INSERT INTO {table} (
    book, position, lifts, consumer, short_code, service, everywhere, said_at, day,
    operator, merchant, word, mo, test
)
SELECT
    %(book)s,
    delta.*
FROM json_to_recordset(%(rows)s::json) AS delta (
    position bigint,
    lifts boolean,
    consumer text,
    short_code text,
    service text,
    everywhere boolean,
    said_at timestamptz,
    day date,
    operator text,
    merchant text,
    word text,
    mo text,
    test boolean
)
ON CONFLICT (book, position) DO NOTHING
"""


def _row(position: int, said: Said) -> dict[str, Any]:
    return {"position": position, **said._asdict()}


PROJECTION = Projection(OPT_OUTS, Table(OPT_OUTS.name, _UPSERT, _row))
