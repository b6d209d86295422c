"""Keeps the list of findings in its table."""

from typing import Any

from projections.findings.fold import FINDINGS, Finding
from projections.table import Projection, Table

# A range may close what an earlier one opened. It has no row to propose then, and there is one.
_UPSERT = """
WITH delta AS (
    SELECT *
    FROM json_to_recordset(%(rows)s::json) AS delta (
        finding text,
        position bigint,
        kind text,
        opened_at timestamptz,
        opened_position bigint,
        mo text,
        mt text,
        charge text,
        leg text,
        consumer text,
        merchant text,
        short_code text,
        operator text,
        amount_micros bigint,
        currency text,
        test boolean,
        closed_at timestamptz,
        how text,
        note text,
        refund text
    )
),

closing AS (
    UPDATE {table} AS live SET
        position = delta.position,
        closed_at = delta.closed_at,
        how = delta.how,
        note = delta.note,
        refund = delta.refund
    FROM delta
    WHERE
        live.book = %(book)s
        AND live.finding = delta.finding
        AND delta.kind IS NULL
        AND live.closed_at IS NULL
)

INSERT INTO {table} (
    book, finding, position, kind, opened_at, opened_position,
    mo, mt, charge, leg, consumer, merchant, short_code, operator,
    amount_micros, currency, test, closed_at, how, note, refund
)
SELECT
    %(book)s,
    delta.*
FROM delta
WHERE delta.kind IS NOT NULL
ON CONFLICT (book, finding) DO NOTHING
"""


def _row(key: str, finding: Finding) -> dict[str, Any]:
    row: dict[str, Any] = {"finding": key, "position": finding.position}
    if finding.closed is not None:
        row |= {"closed_at": finding.closed.at, **finding.closed._asdict()}
        del row["at"]
    opened = finding.opened
    if opened is not None:
        row |= {name: getattr(opened, name) for name in _ABOUT}
        row["opened_at"] = opened.occurred_at
        row["opened_position"] = finding.opened_position
        row["amount_micros"] = opened.amount
    return row


_ABOUT = (
    *("kind", "mo", "mt", "charge", "leg", "consumer", "merchant", "short_code", "operator"),
    *("currency", "test"),
)
"""What is kept of how a finding was opened, under the same names."""

PROJECTION = Projection(FINDINGS, Table(FINDINGS.name, _UPSERT, _row))
