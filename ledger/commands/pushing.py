"""Hand pushed messages to their gateways: an attempt is claimed before it is made, told after.

The claim stands in the log before the gateway is asked, so that of two workers one asks, and a
crash in between leaves an attempt whose outcome is unknown, never one that nobody knows of.
"""

from datetime import datetime
from typing import Literal, NamedTuple

from ledger.commands.desk import Desk, Settled, data_key_of
from ledger.decisions import handover
from ledger.decisions.outbound import all_pushed
from ledger.decisions.recall import cancel
from ledger.facts.base import Draft, Recorded
from ledger.facts.consent import OptedOut
from ledger.facts.handover import MtHandoverUnknown
from ledger.facts.registry import REGISTRY, Origin, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import MtEmitted
from ledger.log.rows import Interest, Query
from ledger.vault import WrongKey, unseal

_EMITTED = frozenset({stored_name(MtEmitted)})
_STOPS = frozenset({stored_name(OptedOut)})


class Push(NamedTuple):
    """One attempt that was claimed: what the gateway is to be handed, in the clear."""

    mt: str
    attempt: int
    gateway: str
    smsc: str
    address: str
    """The consumer's number or alias."""
    short_code: str
    text: str
    billing_code: str


class Reply(NamedTuple):
    """What a gateway said to an attempt; unknown: it may or may not have taken the message."""

    outcome: Literal["taken", "refused", "unknown"]
    raw_status: str
    """The gateway's own words, nothing personal in them."""


class _Clear(NamedTuple):
    """The personal half of a message."""

    address: str
    text: str


async def offer_mt(desk: Desk, mt: str, origin: Origin, now: datetime) -> Push | None:
    """Claim an attempt at handing a message over; none where it must not be made now.

    What must not go out any more is cancelled, also where its address or text was forgotten.

    Raises:
        RulesOutdated: this process decides by other rules than the book.
    """
    emitted = await _emitted(desk, mt)
    if emitted is None:
        return None
    one, fact = emitted
    clear = await _clear(desk, one, fact)
    settled = await _settle_offer(desk, one, fact, origin, now, forgotten=clear is None)
    claims = [new.fact for new in settled.appended if isinstance(new.fact, MtHandoverUnknown)]
    if not claims or clear is None:
        return None
    return Push(
        mt=mt,
        attempt=claims[0].attempt,
        gateway=fact.ref.gateway,
        smsc=fact.smsc or "",
        address=clear.address,
        short_code=fact.ref.short_code,
        text=clear.text,
        billing_code=fact.billing_code,
    )


async def record_reply(
    desk: Desk, push: Push, reply: Reply, origin: Origin, now: datetime
) -> Settled | None:
    """Record what became of an attempt; one that is unknown was recorded as it was claimed."""
    if reply.outcome == "unknown":
        return None
    emitted = await _emitted(desk, push.mt)
    assert emitted is not None, "what was claimed was emitted"
    zone = desk.known(now).rules.zone

    def decide(history: list[Recorded]) -> list[Draft]:
        told = (push.mt, push.attempt, reply.raw_status)
        if reply.outcome == "taken":
            return handover.taken(history, *told, now)
        return handover.not_taken(history, *told, (now, zone))

    return await desk.settle(_of_the_message(emitted[1]), decide, origin)


async def doubt_handover(desk: Desk, mt: str, origin: Origin, now: datetime) -> Settled | None:
    """Open a finding for a charged message whose handover has been unknown for too long."""
    emitted = await _emitted(desk, mt)
    if emitted is None:
        return None

    def decide(history: list[Recorded]) -> list[Draft]:
        return handover.doubt(history, mt, desk.book, now)

    return await desk.settle(_of_the_message(emitted[1]), decide, origin)


async def _emitted(desk: Desk, mt: str) -> tuple[Recorded, MtEmitted] | None:
    """Find a message that is to be pushed; it never changes once it is there."""
    rows, _ = await desk.log.read((Interest((tag("mt", mt),), _EMITTED),))
    for one in map(REGISTRY.decode, rows):
        if isinstance(one.fact, MtEmitted) and one.fact.pushed:
            return one, one.fact
    return None


async def _clear(desk: Desk, one: Recorded, fact: MtEmitted) -> _Clear | None:
    """Open a message's text and find where it goes; None once either was destroyed."""
    address = await desk.keys.address(fact.ref.consumer)
    key_id = data_key_of(fact)
    key = (await desk.keys.find([key_id])).get(key_id)
    if address is None or key is None or fact.text is None:
        return None
    try:
        return _Clear(address, unseal(key, one.id, fact.text))
    except WrongKey:
        return None  # The key was destroyed, and the consumer has written again since.


async def _settle_offer(
    desk: Desk, one: Recorded, fact: MtEmitted, origin: Origin, now: datetime, *, forgotten: bool
) -> Settled:
    async def once() -> Settled:
        known = desk.known(now)

        def decide(history: list[Recorded]) -> list[Draft]:
            if forgotten:
                return _forget(history, fact.ref.mt, now, known.rules.zone)
            return handover.offer(history, fact.ref.mt, known, now)

        query = _of_the_message(fact) + _that_may_forbid(fact, one.position)
        catalogue = Interest((TRADE,), after=desk.catalogue.position)
        return await desk.settle((*query, catalogue), decide, origin)

    return await desk.attempt(once)


def _forget(history: list[Recorded], mt: str, now: datetime, zone: str) -> list[Draft]:
    facts = [one.fact for one in history]
    pushed = all_pushed(facts).get(mt)
    if pushed is None or not pushed.can_be_kept:
        return []
    return handover.of_its_chain(cancel(pushed, facts, "forgotten", now, zone), history, mt)


def _of_the_message(fact: MtEmitted) -> Query:
    """Ask for everything about a message and the charge on it."""
    ref = fact.ref
    query = (Interest((tag("mt", ref.mt),)),)
    return query if ref.charge is None else (*query, Interest((tag("charge", ref.charge),)))


def _that_may_forbid(fact: MtEmitted, position: int) -> Query:
    """Ask for what may keep a message from going out, of the time after it was decided."""
    ref = fact.ref
    query = [Interest((tag("consumer", ref.consumer),), _STOPS, position)]
    if ref.subscription is not None:
        query.append(Interest((tag("subscription", ref.subscription),)))
    if ref.solicitation is not None:
        query.append(Interest((tag("solicitation", ref.solicitation),)))
    return tuple(query)
