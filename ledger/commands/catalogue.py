"""Take in a change of the catalogue: all that is new in it with one append, or none of it."""

from collections.abc import Sequence
from datetime import datetime

from ledger.commands.desk import Desk, Settled
from ledger.commands.numbers import NumberWanted, named
from ledger.decisions import catalogue
from ledger.decisions.catalogue import CatalogueFact, Requested
from ledger.decisions.refusals import ServiceNotDeclared
from ledger.facts.base import Draft, Recorded
from ledger.facts.book import GatewayDeclared
from ledger.facts.catalogue import (
    ServiceDeclared,
    ServiceResumed,
    ServiceSuspended,
    TestNumberWithdrawn,
)
from ledger.facts.registry import Origin, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import MoReceived
from ledger.log.rows import Interest, Query

_MESSAGES = frozenset({stored_name(MoReceived)})


async def load_catalogue(
    desk: Desk,
    requested: Sequence[Requested | NumberWanted],
    origin: Origin,
    now: datetime,
    *,
    has_traffic: bool,
) -> Settled:
    """Record what is new in a change of the catalogue; nothing, where all of it holds already.

    `has_traffic` is what is known of messages in this book. Where none are known the decision
    looks for them itself, so that one which comes at the same moment is not overlooked. A number
    to test with is recorded by its pseudonym.

    Raises:
        CatalogueRefused: anything is wrong with it; every problem is listed.
        RulesOutdated: the book follows other rules than were loaded here.
    """
    facts = [one for one in requested if isinstance(one, Requested)]
    numbers = [one for one in requested if isinstance(one, NumberWanted)]

    async def once() -> Settled:
        known = desk.known(now).catalogue
        wanted = [*facts, *named(desk, numbers, facts, now)]

        def decide(history: list[Recorded]) -> list[Draft]:
            came = any(isinstance(one.fact, MoReceived) for one in history)
            judged_by = catalogue.Circumstances(desk.rules.at, has_traffic or came, now)
            return catalogue.change(wanted, known, judged_by)

        return await desk.settle(_rests_on(desk, has_traffic=has_traffic), decide, origin)

    await desk.refresh()
    settled = await desk.attempt(once)
    await desk.refresh()
    return settled


async def suspend_service(
    desk: Desk, service: str, reason: str, origin: Origin, now: datetime
) -> Settled:
    """Let a service sell nothing from now on; nothing is recorded where it is suspended already.

    Messages that come in the moment until it is recorded are still answered by it.

    Raises:
        ServiceNotDeclared: there is no such service.
    """
    merchant = (await _declared(desk, service, now)).merchant
    fact = ServiceSuspended(service=service, merchant=merchant, reason=reason, effective_from=now)
    return await _at_once(desk, fact, origin, now)


async def resume_service(desk: Desk, service: str, origin: Origin, now: datetime) -> Settled:
    """Let a suspended service sell again from now on.

    Raises:
        ServiceNotDeclared: there is no such service.
        CatalogueRefused: it was never suspended.
    """
    merchant = (await _declared(desk, service, now)).merchant
    fact = ServiceResumed(service=service, merchant=merchant, effective_from=now)
    return await _at_once(desk, fact, origin, now)


async def declare_test_number(
    desk: Desk, wanted: NumberWanted, origin: Origin, now: datetime
) -> tuple[str, Settled]:
    """Let a number be one for testing; gives its pseudonym, by which alone it is known after.

    Raises:
        CatalogueRefused: it cannot be named, or its label would tell it.
    """
    settled = await load_catalogue(desk, [wanted], origin, now, has_traffic=True)
    (requested,) = named(desk, [wanted], [], now)
    return requested.fact.subject, settled


async def withdraw_test_number(desk: Desk, consumer: str, origin: Origin, now: datetime) -> Settled:
    """Let a number be an ordinary consumer's again.

    Raises:
        CatalogueRefused: it was never declared for testing.
    """
    return await _at_once(
        desk, TestNumberWithdrawn(consumer=consumer, effective_from=now), origin, now
    )


async def _declared(desk: Desk, service: str, now: datetime) -> ServiceDeclared:
    found = (await desk.refresh()).service(service, now)
    if found is None:
        raise ServiceNotDeclared(service)
    return found


async def _at_once(desk: Desk, fact: CatalogueFact, origin: Origin, now: datetime) -> Settled:
    # What counts from now on is never back-dated, so it does not matter whether there is traffic.
    requested = [Requested(fact, "here")]
    return await load_catalogue(desk, requested, origin, now, has_traffic=True)


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
