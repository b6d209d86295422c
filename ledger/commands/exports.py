"""Record that an export is handed out, before anybody holds it."""

from datetime import datetime

from ledger.commands.desk import Desk
from ledger.decisions.exported import Export, Recipient, exported
from ledger.facts.access import AuditExported
from ledger.facts.registry import Origin


async def record_export(
    desk: Desk, export: Export, to: Recipient, origin: Origin, now: datetime
) -> AuditExported:
    """Record it; this rests on nothing, for what is exported was recorded before."""
    drafts = exported(desk.book, export, to, now)
    settled = await desk.settle((), lambda _: drafts, origin)
    (recorded,) = settled.appended
    assert isinstance(recorded.fact, AuditExported)
    return recorded.fact
