"""Ask whether a past buyer may be solicited, send the one message of it, and let time run out."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk, Settled, data_key_of
from ledger.commands.incoming import consumer_of, gateway_of, operator_of, sender_of
from ledger.decisions import solicitation as decisions
from ledger.decisions.refusals import (
    ConflictingSolicitation,
    ServiceNotDeclared,
    UnknownExchange,
    UnknownSolicitation,
)
from ledger.decisions.solicitation import solicitation_id
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.catalogue import ServiceDeclared
from ledger.facts.registry import REGISTRY, Origin
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationRef,
    SolicitationRefused,
)
from ledger.facts.tags import tag
from ledger.facts.traffic import KeywordMatched, MoReceived, MtEmitted
from ledger.log.rows import Interest
from ledger.vault import DataKeyId, WrongKey, unseal, utc_month


class GatewayAsks(NamedTuple):
    """A gateway asks, naming the consumer as its operator does."""

    asked: str
    """The gateway's own name for this asking, the same when it asks again."""
    gateway: str
    smsc: str
    sender: str
    short_code: str
    service: str


class MerchantAsks(NamedTuple):
    """A merchant asks, naming the consumer by a message that this merchant answered."""

    asked: str
    """The merchant's own name for this asking, the same when it asks again."""
    merchant: str
    mo: str
    service: str


class Asker(NamedTuple):
    """Who uses an allowance: the gateway that it goes out by, or the merchant it is for."""

    gateway: str | None = None
    merchant: str | None = None

    def owns(self, ref: SolicitationRef) -> bool:
        """Tell whether a solicitation is this asker's."""
        return ref.gateway == self.gateway or ref.merchant == self.merchant


class Told(NamedTuple):
    """What an asker is told, the same when it asks again."""

    fact: SolicitationAllowed | SolicitationRefused
    repeated: bool
    position: int


class Sent(NamedTuple):
    """The message of an allowance as it was recorded; it is free."""

    emitted: MtEmitted
    text: str
    repeated: bool
    position: int


async def ask_solicitation(
    desk: Desk, asks: GatewayAsks | MerchantAsks, origin: Origin, now: datetime
) -> Told:
    """Ask whether a consumer may be solicited: an answer of no is an answer, and recorded.

    Raises:
        UnknownGateway, UnknownLink: the gateway or its link was not declared in this book.
        NationalNumber: the gateway names a number without its country's code.
        UnknownExchange: the merchant names a message that it did not answer.
        ServiceNotDeclared: no such service is declared, or not of this merchant.
        ConflictingSolicitation: something else was asked under this id.
        RulesOutdated: this process decides by other rules than the book.
    """

    async def once() -> Told:
        service = await _service(desk, asks.service, now)
        if isinstance(asks, GatewayAsks):
            ref = _by_gateway(desk, asks, service, now)
        else:
            ref = await _by_merchant(desk, asks, service)
        known = desk.known(now)

        def decide(history: list[Recorded]) -> list[Draft]:
            facts = [one.fact for one in history]
            return decisions.ask(ref, facts, known, desk.rules.next_opening, now)

        settled = await desk.settle(decisions.rests_on(ref, known), decide, origin)
        told = decisions.answered(_facts(settled.facts), ref.solicitation)
        assert told is not None
        return Told(told, not settled.appended, settled.head)

    return await desk.attempt(once)


async def _service(desk: Desk, service: str, now: datetime) -> ServiceDeclared:
    """Find a service, whatever was read of the catalogue so far."""
    found = desk.catalogue.service(service, now) or (await desk.refresh()).service(service, now)
    if found is None:
        raise ServiceNotDeclared(service)
    return found


def _by_gateway(
    desk: Desk, asks: GatewayAsks, service: ServiceDeclared, now: datetime
) -> SolicitationRef:
    """Name the consumer as for a message that came by this link."""
    operator = operator_of(gateway_of(desk, asks.gateway, now), asks.smsc)
    known = desk.known(now)
    sender = sender_of(known, asks.sender)
    return SolicitationRef(
        solicitation=solicitation_id(desk.book, f"gateway {asks.gateway}", asks.asked),
        consumer=consumer_of(desk, known, (operator, asks.short_code, sender), now),
        gateway=asks.gateway,
        smsc=asks.smsc,
        merchant=service.merchant,
        service=service.service,
        short_code=asks.short_code,
        operator=operator,
    )


async def _by_merchant(desk: Desk, asks: MerchantAsks, service: ServiceDeclared) -> SolicitationRef:
    """Find the consumer, and how to reach them, in a message; never one of another merchant."""
    if service.merchant != asks.merchant:
        raise ServiceNotDeclared(asks.service)
    rows, _ = await desk.log.read((Interest((tag("mo", asks.mo),)),))
    facts = [REGISTRY.decode(row).fact for row in rows]
    received = next((fact for fact in facts if isinstance(fact, MoReceived)), None)
    own = any(isinstance(fact, KeywordMatched) and fact.merchant == asks.merchant for fact in facts)
    if received is None or not own:
        raise UnknownExchange(asks.mo)
    return SolicitationRef(
        solicitation=solicitation_id(desk.book, f"merchant {asks.merchant}", asks.asked),
        consumer=received.consumer,
        gateway=received.gateway,
        smsc=received.smsc,
        merchant=asks.merchant,
        service=service.service,
        short_code=received.short_code,
        operator=received.operator,
    )


async def use_solicitation(
    desk: Desk, solicitation: str, text: str, asker: Asker, *, origin: Origin, now: datetime
) -> Sent:
    """Let the one message of an allowance go out; the first answer again for a repeat.

    Raises:
        UnknownSolicitation: nobody asked under this id, or it is not this asker's.
        SolicitationNotAllowed: it was refused, has run out, or may not be sent now.
        MessageUnfit: there is nothing to read in the text, or it is too long.
        ConflictingSolicitation: it was used for another text.
        RulesOutdated: this process decides by other rules than the book.
    """

    async def once() -> Sent:
        allowed = await _allowed(desk, solicitation, asker)
        known = desk.known(now)
        at = decisions.used_at(allowed, now)
        key = DataKeyId(allowed.ref.consumer, utc_month(at), "text")
        keys = {key: await desk.keys.ensure(key)}

        def decide(history: list[Recorded]) -> list[Draft]:
            facts = [one.fact for one in history]
            return decisions.use(solicitation, text, facts, known, now)

        query = decisions.use_rests_on(allowed.ref, known)
        settled = await desk.settle(query, decide, origin, keys)
        return await _sent(desk, solicitation, text, settled)

    return await desk.attempt(once)


async def _allowed(desk: Desk, solicitation: str, asker: Asker) -> SolicitationAllowed:
    """Find the allowance that somebody wants to use; what was refused is told to its asker."""
    rows, _ = await desk.log.read((Interest((tag("solicitation", solicitation),)),))
    facts = [REGISTRY.decode(row).fact for row in rows]
    told = decisions.answered(facts, solicitation)
    if told is None or not asker.owns(told.ref):
        raise UnknownSolicitation(solicitation)
    return decisions.allowance(facts, solicitation).allowed


async def _sent(desk: Desk, solicitation: str, text: str, settled: Settled) -> Sent:
    """Tell what was sent, and whether it is what the asker wanted to send.

    Once the key of the stored text is gone, nobody can tell any more.
    """
    one, emitted = next(
        (one, one.fact)
        for one in settled.facts
        if isinstance(one.fact, MtEmitted) and one.fact.ref.solicitation == solicitation
    )
    if settled.appended:
        return Sent(emitted, text, repeated=False, position=settled.head)
    key = data_key_of(emitted)
    secret = (await desk.keys.find([key])).get(key)
    try:
        stored = unseal(secret, one.id, emitted.text) if secret and emitted.text else None
    except WrongKey:
        stored = None  # The key was destroyed, and the consumer has written again since.
    if stored not in {text, None}:
        raise ConflictingSolicitation(solicitation)
    return Sent(emitted, text, repeated=True, position=settled.head)


async def expire_solicitation(
    desk: Desk, solicitation: str, origin: Origin, now: datetime
) -> Settled:
    """Let an allowance run out if its time is over at `now` and nobody used it; else nothing.

    Raises:
        UnknownSolicitation: nobody asked under this id.
        SolicitationNotAllowed: it was refused, so there is nothing to run out.
    """

    def decide(history: list[Recorded]) -> list[Draft]:
        return decisions.expire(solicitation, _facts(history), desk.book, now)

    query = (Interest((tag("solicitation", solicitation),)),)
    return await desk.settle(query, decide, origin)


def _facts(recorded: Iterable[Recorded]) -> list[Fact]:
    return [one.fact for one in recorded]
