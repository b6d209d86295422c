"""Send the notices that fell due with a charge."""

from datetime import datetime

from ledger.commands.desk import Desk, Settled
from ledger.decisions import notice as notices
from ledger.facts.base import Draft, Recorded
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.registry import REGISTRY, Origin, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.log.rows import Interest, Query
from ledger.vault import DataKeyId, utc_month

_CONSENT = frozenset({stored_name(OptedOut), stored_name(OptOutLifted)})
_CHARGED = frozenset({stored_name(ChargeAuthorized)})


async def send_notice(desk: Desk, notice: str, origin: Origin, now: datetime) -> Settled | None:
    """Emit a notice's free message, or drop the notice; none where there is nothing to send.

    Raises:
        RulesOutdated: this process decides by other rules than the book.
    """

    async def once() -> Settled | None:
        due = await _open(desk, notice)
        if due is None:
            return None
        known = desk.known(now)
        at = max(now, due.fact.occurred_at)
        key = DataKeyId(due.fact.ref.consumer, utc_month(at), "text")
        keys = {key: await desk.keys.ensure(key)}

        def decide(history: list[Recorded]) -> list[Draft]:
            return notices.send(history, notice, known, now)

        return await desk.settle(_query(desk, due), decide, origin, keys)

    return await desk.attempt(once)


async def _open(desk: Desk, notice: str) -> notices.Due | None:
    rows, _ = await desk.log.read((Interest((tag("notice", notice),)),))
    return notices.open_notice(map(REGISTRY.decode, rows), notice)


def _query(desk: Desk, due: notices.Due) -> Query:
    ref = due.fact.ref
    return (
        Interest((tag("notice", ref.notice),)),
        Interest((tag("consumer", ref.consumer),), _CONSENT),
        Interest((tag("charge", due.fact.charge),), _CHARGED),
        Interest((TRADE,), after=desk.catalogue.position),
    )
