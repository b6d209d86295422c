"""Take in what gateways report: messages and receipts.

The answer to a message is told from its stored facts, after the commit, the same for the
first time and for a repeat.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ledger.commands.desk import Desk, KeyWanted, Learn, Settled, data_key_of
from ledger.decisions import exchange, receipt
from ledger.decisions.refusals import (
    ConflictingDuplicate,
    StatedTimeMissing,
    UnknownGateway,
    UnknownLink,
)
from ledger.decisions.story import Known, Mo, mo_id
from ledger.facts.base import Draft, Recorded, Sealed
from ledger.facts.book import GatewayDeclared
from ledger.facts.registry import REGISTRY, Origin, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import (
    Billed,
    ConflictingDuplicateReceived,
    MoReceived,
    MtEmitted,
)
from ledger.log.rows import Interest
from ledger.vault import (
    DataKeyId,
    WrongKey,
    fingerprint,
    pseudonym,
    sender_form,
    unseal,
    utc_month,
)

_EMITTED = frozenset({stored_name(MtEmitted)})


class ChargeUnread(Learn):
    """The message appeared after its charge was looked for, so its charge was not read."""


class IncomingMo(NamedTuple):
    """A message as a gateway hands it over; `stated_at` is its time as the gateway tells it."""

    gateway: str
    smsc: str
    gateway_message_id: str
    sender: str
    """What the operator names the consumer by: an alias in France, elsewhere a number."""
    short_code: str
    text: str
    stated_at: datetime | None
    operator_message_id: str | None = None


class IncomingReceipt(NamedTuple):
    """A receipt as a gateway hands it over."""

    mt: str
    gateway: str
    outcome: receipt.ReceiptOutcome
    billed: Billed
    raw_status: str
    stated_at: datetime | None
    operator_message_id: str | None = None


class Answer(NamedTuple):
    """What the gateway is told: the text to send (none: nothing), and what it costs."""

    mo: str
    mt: str | None
    text: str
    billing_code: str
    repeated: bool
    position: int


async def receive_mo(
    desk: Desk, incoming: IncomingMo, origin: Origin, arrived_at: datetime
) -> Answer:
    """Take in a message and give the answer to it, the first answer again for a repeat.

    Raises:
        UnknownGateway: the gateway was not declared in this book.
        UnknownLink: it was not declared with the link that it names.
        StatedTimeMissing: its ids come again, and it does not say when this was sent.
        ConflictingDuplicate: another message came under this id; both are kept.
        RulesOutdated: this process decides by other rules than the book.
    """
    keys: dict[DataKeyId, bytes | None] = {}

    async def once() -> Answer:
        mo, known = _judge(desk, incoming, arrived_at)
        key = DataKeyId(mo.consumer, utc_month(mo.occurred_at), "text")
        keys[key] = await desk.keys.ensure(key, incoming.sender)
        mo = mo._replace(fingerprint=_fingerprint(keys[key], mo) or "")
        while True:
            try:
                return await _settle_mo(desk, mo, known, origin, keys)
            except KeyWanted as wanted:
                found = await desk.keys.find([wanted.key])
                keys[wanted.key] = found.get(wanted.key)

    return await desk.attempt(once)


async def receive_receipt(
    desk: Desk, incoming: IncomingReceipt, origin: Origin, arrived_at: datetime
) -> Settled:
    """Take in a receipt: joined to its message, or kept as an orphan until that appears.

    Raises:
        UnknownGateway: the gateway was not declared in this book.
        RulesOutdated: this process decides by other rules than the book.
    """

    async def once() -> Settled:
        report = _report(desk, incoming, arrived_at)
        charge = await _charge_on(desk, report.mt)

        zone = desk.known(arrived_at).rules.zone

        def decide(history: list[Recorded]) -> list[Draft]:
            known = receipt.message((one.fact for one in history), report.mt)
            if known.emitted and known.emitted.ref.charge != charge:
                raise ChargeUnread
            return receipt.receive(report, known, desk.book, zone)

        query = [
            Interest((tag("mt", report.mt),)),
            Interest((TRADE,), after=desk.catalogue.position),
        ]
        if charge is not None:
            query.append(Interest((tag("charge", charge),)))
        return await desk.settle(tuple(query), decide, origin)

    return await desk.attempt(once)


async def _charge_on(desk: Desk, mt: str) -> str | None:
    """Find the charge that rides on a message; it never changes once the message is there."""
    rows, _ = await desk.log.read((Interest((tag("mt", mt),), _EMITTED),))
    found = (REGISTRY.decode(row).fact for row in rows)
    return next((fact.ref.charge for fact in found if isinstance(fact, MtEmitted)), None)


def _report(desk: Desk, incoming: IncomingReceipt, arrived_at: datetime) -> receipt.Receipt:
    gateway = _gateway(desk, incoming.gateway, arrived_at)
    at, stated = _judge_time(incoming.stated_at, arrived_at, _tolerance(desk, gateway, arrived_at))
    return receipt.Receipt(
        mt=incoming.mt,
        gateway=incoming.gateway,
        outcome=incoming.outcome,
        billed=incoming.billed,
        raw_status=incoming.raw_status,
        operator_message_id=incoming.operator_message_id,
        occurred_at=at,
        stated_at=stated,
    )


def _gateway(desk: Desk, name: str, at: datetime) -> GatewayDeclared:
    gateway = desk.catalogue.gateway(name, at)
    if gateway is None:
        raise UnknownGateway(name)
    return gateway


def _judge(desk: Desk, incoming: IncomingMo, arrived_at: datetime) -> tuple[Mo, Known]:
    """Name the message, its operator, its consumer and its time, by the catalogue as known."""
    gateway = _gateway(desk, incoming.gateway, arrived_at)
    operator = gateway.operators.get(incoming.smsc)
    if operator is None:
        raise UnknownLink(incoming.gateway, incoming.smsc)
    at, stated = _judge_time(incoming.stated_at, arrived_at, _tolerance(desk, gateway, arrived_at))
    known = desk.known(at)
    sender = sender_form(known.rules.consumer_kind, incoming.sender)
    mo = Mo(
        mo=mo_id(desk.book, incoming.gateway, incoming.gateway_message_id, _day(incoming, gateway)),
        gateway=incoming.gateway,
        smsc=incoming.smsc,
        gateway_message_id=incoming.gateway_message_id,
        operator_message_id=incoming.operator_message_id,
        consumer=_consumer(desk, known, (operator, incoming.short_code, sender), at),
        short_code=incoming.short_code,
        operator=operator,
        sender=sender,
        text=incoming.text,
        fingerprint="",
        occurred_at=at,
        stated_at=stated,
    )
    return mo, known


def _day(incoming: IncomingMo, gateway: GatewayDeclared) -> str:
    """Give the day that tells an id from the same one of another day, where ids come again.

    By the gateway's own time, however wrong: it is the same when the message comes again.
    """
    if not gateway.recycles_ids:
        return ""
    if incoming.stated_at is None:
        raise StatedTimeMissing(incoming.gateway)
    return incoming.stated_at.astimezone(UTC).date().isoformat()


def _tolerance(desk: Desk, gateway: GatewayDeclared, at: datetime) -> timedelta:
    """Give how far the gateway's clock may be from ours: its own figure, or the book's."""
    own = gateway.clock_tolerance_seconds
    return timedelta(seconds=desk.rules.at(at).clock_tolerance_seconds if own is None else own)


def _judge_time(
    stated: datetime | None, arrived_at: datetime, tolerance: timedelta
) -> tuple[datetime, str | None]:
    """Take the gateway's time, or ours where the two are too far apart; ours keeps theirs.

    Nothing happens after it has reached us, so a clock that is ahead gives way at once. A change
    of the catalogue, which never lies before its recording, then comes after every message that
    was judged without it.
    """
    if stated is None:
        return arrived_at, None
    if not arrived_at - tolerance <= stated <= arrived_at:
        return arrived_at, stated.isoformat()
    return stated.astimezone(UTC), None


def _consumer(desk: Desk, known: Known, wrote: tuple[str, str, str], at: datetime) -> str:
    """Name the consumer: an alias within its operator and the code's group, a number anywhere.

    `wrote` is the operator, the code and the sender. A code that is closed keeps its group.
    """
    rules, (operator, short_code, sender) = known.rules, wrote
    if rules.consumer_scope == "operator_and_alias_group":
        group = known.catalogue.alias_group(short_code, operator, at)
        scope = (operator, group or f"code {short_code}")
    else:
        scope = ("book",)
    named = (desk.book, rules.consumer_kind, *scope, sender)
    return pseudonym(desk.keys.pseudonym_key, desk.keys.pseudonym_version, *named)


async def _settle_mo(
    desk: Desk, mo: Mo, known: Known, origin: Origin, keys: dict[DataKeyId, bytes | None]
) -> Answer:
    names: dict[str, str] = {}

    def fingerprint_of(stored: MoReceived | ConflictingDuplicateReceived) -> str | None:
        key = data_key_of(stored)
        if key not in keys:
            raise KeyWanted(key)
        name = names.get(stored.fingerprint)
        return _fingerprint(keys[key] if _opens(keys[key], name, stored.text) else None, mo)

    def decide(history: list[Recorded]) -> list[Draft]:
        names.update(_names(history))
        return exchange.receive(mo, [one.fact for one in history], known, fingerprint_of)

    held = {key: secret for key, secret in keys.items() if secret is not None}
    settled = await desk.settle(exchange.rests_on(mo, known), decide, origin, held)
    received = next(one.fact for one in settled.facts if isinstance(one.fact, MoReceived))
    names.update(_names(settled.facts))
    if fingerprint_of(received) not in {received.fingerprint, None}:
        raise ConflictingDuplicate(mo.mo)
    return await answer(desk, mo.mo, settled)


def _names(history: Iterable[Recorded]) -> Iterator[tuple[str, str]]:
    """Give the id of each message's fact by its fingerprint."""
    for one in history:
        if isinstance(one.fact, MoReceived | ConflictingDuplicateReceived):
            yield one.fact.fingerprint, one.id


def _opens(key: bytes | None, name: str | None, text: Sealed | None) -> bool:
    """Tell whether a key sealed a stored text, or took the place of one that was destroyed.

    `name` is the id of the text's fact, as it is stored.
    """
    if key is None or name is None or text is None:
        return True
    try:
        unseal(key, name, text)
    except WrongKey:
        return False
    return True


def _fingerprint(key: bytes | None, mo: Mo) -> str | None:
    return None if key is None else fingerprint(key, mo.sender, mo.short_code, mo.text)


async def answer(desk: Desk, mo: str, settled: Settled) -> Answer:
    """Tell from an exchange's stored facts what the gateway is answered.

    Once the key of the text is gone there is nothing left to say, so nothing is sent.
    """
    emitted = _answering(mo, settled.facts)
    repeated = not settled.appended
    if emitted is None:
        return Answer(mo, None, "", "", repeated, settled.head)
    fact, mt = emitted
    key_id = data_key_of(mt)
    key = (await desk.keys.find([key_id])).get(key_id)
    try:
        text = unseal(key, fact.id, mt.text) if key and mt.text else ""
    except WrongKey:
        text = ""  # The key was destroyed, and the consumer has written again since.
    return Answer(mo, mt.ref.mt, text, mt.billing_code, repeated, settled.head)


def _answering(mo: str, facts: Iterable[Recorded]) -> tuple[Recorded, MtEmitted] | None:
    for one in facts:
        if isinstance(one.fact, MtEmitted) and one.fact.ref.mo == mo:
            return one, one.fact
    return None
