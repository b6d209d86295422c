"""Asks the list of findings, and how many there are of each kind and what they come to.

A page is found by its end: the position at which a finding was opened, which never moves.
"""

from datetime import datetime
from typing import Literal, LiteralString, NamedTuple

from projections.reading import Read, Rows

PROJECTION = "findings"

LAST_POSITION = (1 << 63) - 1
"""Before the first page."""

State = Literal["open", "closed"]

_FIELDS: LiteralString = """
SELECT
    finding, kind, opened_at, opened_position, mo, mt, charge, leg, consumer, merchant,
    short_code, operator, amount_micros, currency, test, closed_at, how, note, refund
FROM findings
WHERE book = %(book)s
"""
_LIST: LiteralString = (
    _FIELDS
    + """
AND kind = coalesce(%(kind)s, kind)
AND (closed_at IS NOT NULL) = coalesce(%(closed)s, closed_at IS NOT NULL)
AND opened_position < %(position)s
ORDER BY opened_position DESC
LIMIT %(limit)s + 1
"""
)
_OPEN: LiteralString = (
    _FIELDS
    + """
AND kind = coalesce(%(kind)s, kind)
AND closed_at IS NULL
AND opened_position < %(position)s
ORDER BY opened_position DESC
LIMIT %(limit)s + 1
"""
)
_ONE: LiteralString = _FIELDS + "AND finding = %(finding)s"
_BY_KIND: LiteralString = """
SELECT
    kind,
    currency,
    count(*) FILTER (WHERE closed_at IS NULL),
    coalesce(sum(amount_micros) FILTER (WHERE closed_at IS NULL), 0),
    count(*) FILTER (WHERE closed_at IS NOT NULL),
    coalesce(sum(amount_micros) FILTER (WHERE closed_at IS NOT NULL), 0)
FROM findings
WHERE book = %(book)s AND NOT test
GROUP BY kind, currency
ORDER BY kind, currency NULLS FIRST
"""


class Finding(NamedTuple):
    """A finding, what it is about, and how it was closed if it was; `amount` in micros."""

    finding: str
    kind: str
    opened_at: datetime
    opened_position: int
    mo: str | None
    mt: str | None
    charge: str | None
    leg: str | None
    consumer: str
    merchant: str | None
    short_code: str
    operator: str
    amount: int | None
    currency: str | None
    test: bool
    closed_at: datetime | None
    how: str | None
    note: str | None
    refund: str | None

    @property
    def state(self) -> State:
        """Whether somebody still has to look at it."""
        return "open" if self.closed_at is None else "closed"


class Page(NamedTuple):
    """Findings, newest first; `end` asks for the next page, none when this is the last."""

    findings: list[Finding]
    end: int | None


class Kind(NamedTuple):
    """All findings of one kind, without those of test numbers; what they come to, in micros."""

    kind: str
    currency: str | None
    """None where no amount was named."""
    open: int
    open_micros: int
    closed: int
    closed_micros: int


def findings(
    limit: int,
    kind: str | None = None,
    state: State | None = None,
    after: int = LAST_POSITION,
) -> Read[Page]:
    """Ask for findings, of one kind or all, open, closed or both, newest first."""
    params = {"limit": limit, "kind": kind, "position": after}
    if state == "open":
        return Read(PROJECTION, _OPEN, lambda rows: _page(rows, limit), params)
    params["closed"] = None if state is None else True
    return Read(PROJECTION, _LIST, lambda rows: _page(rows, limit), params)


def one(finding: str) -> Read[Finding | None]:
    """Ask for a single finding."""
    return Read(
        PROJECTION, _ONE, lambda rows: Finding(*rows[0]) if rows else None, {"finding": finding}
    )


def by_kind() -> Read[list[Kind]]:
    """Ask how many findings of each kind there are, and what they come to."""

    def shape(rows: Rows) -> list[Kind]:
        return [
            Kind(kind, currency, open_, int(open_micros), closed, int(closed_micros))
            for kind, currency, open_, open_micros, closed, closed_micros in rows
        ]

    return Read(PROJECTION, _BY_KIND, shape)


def _page(rows: Rows, limit: int) -> Page:
    """Cut off the one row that only tells whether there is more."""
    found = [Finding(*row) for row in rows[:limit]]
    return Page(found, found[-1].opened_position if len(rows) > limit else None)
