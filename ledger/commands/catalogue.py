"""Take in a change of the catalogue: all that is new in it with one append, or none of it."""

from collections.abc import Sequence
from datetime import datetime

from ledger.commands.desk import Desk, Settled
from ledger.decisions import catalogue
from ledger.facts.base import Draft, Recorded
from ledger.facts.book import GatewayDeclared
from ledger.facts.registry import Origin, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import MoReceived
from ledger.log.rows import Interest, Query

_MESSAGES = frozenset({stored_name(MoReceived)})


async def load_catalogue(
    desk: Desk,
    requested: Sequence[catalogue.Requested],
    origin: Origin,
    now: datetime,
    *,
    has_traffic: bool,
) -> Settled:
    """Record what is new in a change of the catalogue; nothing, where all of it holds already.

    `has_traffic` is what is known of messages in this book. Where none are known the decision
    looks for them itself, so that one which comes at the same moment is not overlooked.

    Raises:
        CatalogueRefused: anything is wrong with it; every problem is listed.
        RulesOutdated: the book follows other rules than were loaded here.
    """

    async def once() -> Settled:
        known = desk.known(now).catalogue

        def decide(history: list[Recorded]) -> list[Draft]:
            came = any(isinstance(one.fact, MoReceived) for one in history)
            judged_by = catalogue.Circumstances(desk.rules.at, has_traffic or came, now)
            return catalogue.change(requested, known, judged_by)

        return await desk.settle(_rests_on(desk, has_traffic=has_traffic), decide, origin)

    await desk.refresh()
    settled = await desk.attempt(once)
    await desk.refresh()
    return settled


def _rests_on(desk: Desk, *, has_traffic: bool) -> Query:
    """Ask for what came to the catalogue meanwhile and, if none are known, for any message.

    Every message names an operator that a gateway was declared with. In a book with traffic
    that would be all of it, but then it is known already.
    """
    query = (Interest((TRADE,), after=desk.catalogue.position),)
    if has_traffic:
        return query
    operators = {
        operator
        for versions in desk.catalogue.versions.values()
        for version in versions
        if isinstance(version.fact, GatewayDeclared)
        for operator in version.fact.operators.values()
    }
    return (*query, *(Interest((tag("operator", one),), _MESSAGES) for one in sorted(operators)))
