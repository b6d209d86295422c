"""What may be exported, and the fact that it was: no file leaves without one."""

from datetime import date, datetime
from typing import NamedTuple

from ledger.decisions.refusals import PeriodRefused
from ledger.facts.access import AuditExported
from ledger.facts.base import Draft
from ledger.words import derived_id


class Scope(NamedTuple):
    """The facts recorded on some local days, both included; of one code or consumer, or of all."""

    first_day: date
    last_day: date
    short_code: str | None = None
    consumer: str | None = None


class Export(NamedTuple):
    """An export that is ready to be handed out."""

    scope: Scope
    facts: int
    through_position: int
    """The position up to which it is complete."""
    manifest_sha256: str
    """Of the file that names the hashes of all others."""


class Recipient(NamedTuple):
    """Who is given it: a key, or none for whoever runs the ledger, and in which request."""

    key: str | None
    request: str


def check(scope: Scope, opened: date, today: date) -> None:
    """See that a scope can hold facts: an empty file must not be taken for nothing recorded.

    Raises:
        PeriodRefused: the days are in no order, before the book or yet to come.
    """
    if scope.first_day > scope.last_day:
        raise PeriodRefused("first_day", f"the first day is after the last, {scope.last_day}")
    if scope.last_day < opened:
        raise PeriodRefused("last_day", f"the book was opened later, on {opened}")
    if scope.first_day > today:
        raise PeriodRefused("first_day", f"the first day is yet to come: it is {today}")


def exported(book: str, export: Export, to: Recipient, now: datetime) -> list[Draft]:
    """Decide that an export is handed out; each request's is a fact of its own."""
    scope = export.scope
    name = derived_id(
        *(book, "export", str(scope.first_day), str(scope.last_day)),
        *(scope.short_code or "", scope.consumer or "", export.through_position),
        *(to.key or "", to.request),
    )
    fact = AuditExported(
        export=name,
        key=to.key,
        first_day=scope.first_day,
        last_day=scope.last_day,
        short_code=scope.short_code,
        consumer=scope.consumer,
        facts=export.facts,
        through_position=export.through_position,
        manifest_sha256=export.manifest_sha256,
        occurred_at=now,
    )
    return [Draft(fact)]
