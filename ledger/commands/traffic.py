"""Take in what gateways report: messages and receipts.

The answer to a message is told from its stored facts, after the commit, the same for the
first time and for a repeat.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from ledger.commands.desk import Desk, KeyWanted, Learn, Settled, data_key_of
from ledger.commands.incoming import IncomingMo, IncomingReceipt, mo_of, receipt_of
from ledger.decisions import exchange, receipt, subscription
from ledger.decisions.asked import Asked, read
from ledger.decisions.refusals import ConflictingDuplicate
from ledger.decisions.story import Mo
from ledger.facts.base import Draft, Fact, Recorded, Sealed
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.registry import REGISTRY, Origin, stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import ConflictingDuplicateReceived, MoReceived, MtEmitted, MtRef
from ledger.log.rows import Interest
from ledger.vault import DataKeyId, WrongKey, fingerprint, unseal, utc_month

_EMITTED = frozenset({stored_name(MtEmitted)})
_AUTHORIZED = frozenset({stored_name(ChargeAuthorized)})


class ChargeUnread(Learn):
    """The message appeared after its charge was looked for, so its charge was not read."""


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
        mo, known = mo_of(desk, incoming, arrived_at)
        key = DataKeyId(mo.consumer, utc_month(mo.occurred_at), "text")
        keys[key] = await desk.keys.ensure(key, incoming.sender)
        mo = mo._replace(fingerprint=_fingerprint(keys[key], mo) or "")
        asked = read(mo, known)
        if subscription.may_start(asked):
            proof = key._replace(kind="consent")
            keys[proof] = await desk.keys.ensure(proof, incoming.sender)
        while True:
            try:
                return await _settle_mo(desk, asked, origin, keys)
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
        report = receipt_of(desk, incoming, arrived_at)
        ref = await _message(desk, report.mt)
        charge = ref.charge if ref else None
        zone = desk.known(arrived_at).rules.zone

        def decide(history: list[Recorded]) -> list[Draft]:
            facts, belongs = (one.fact for one in history), _exchange_of(history, report.mt)
            known = receipt.message(facts, report.mt, belongs)
            if known.emitted and known.emitted.ref.charge != charge:
                raise ChargeUnread
            return receipt.receive(report, known, desk.book, zone)

        query = [
            Interest((tag("mt", report.mt),)),
            Interest((TRADE,), after=desk.catalogue.position),
        ]
        if ref is not None and charge is not None:
            query.append(Interest((tag("charge", charge),)))
            if ref.mo is not None:
                # The other leg of the same exchange, where the operator charges both.
                query.append(Interest((tag("mo", ref.mo),), _AUTHORIZED))
        return await desk.settle(tuple(query), decide, origin)

    return await desk.attempt(once)


def _exchange_of(history: Iterable[Recorded], mt: str) -> str | None:
    return next(
        (
            one.exchange
            for one in history
            if isinstance(one.fact, MtEmitted) and one.fact.ref.mt == mt
        ),
        None,
    )


async def _message(desk: Desk, mt: str) -> MtRef | None:
    """Find which message it is; that never changes once it is there."""
    rows, _ = await desk.log.read((Interest((tag("mt", mt),), _EMITTED),))
    found = (REGISTRY.decode(row).fact for row in rows)
    return next((fact.ref for fact in found if isinstance(fact, MtEmitted)), None)


async def _settle_mo(
    desk: Desk, asked: Asked, origin: Origin, keys: dict[DataKeyId, bytes | None]
) -> Answer:
    mo = asked.mo
    names: dict[_Written, str] = {}

    def fingerprint_of(stored: MoReceived | ConflictingDuplicateReceived) -> str | None:
        key = data_key_of(stored)
        if key not in keys:
            raise KeyWanted(key)
        name = names.get(_written(stored))
        return _fingerprint(keys[key] if _opens(keys[key], name, stored.text) else None, mo)

    def decide(history: list[Recorded]) -> list[Draft]:
        names.update(_names(history))
        return exchange.receive(asked, [one.fact for one in history], fingerprint_of)

    held = {key: secret for key, secret in keys.items() if secret is not None}
    settled = await desk.settle(exchange.rests_on(asked), decide, origin, held)
    received = next(
        one.fact
        for one in settled.facts
        if isinstance(one.fact, MoReceived) and one.fact.mo == mo.mo
    )
    names.update(_names(settled.facts))
    if fingerprint_of(received) not in {received.fingerprint, None}:
        raise ConflictingDuplicate(mo.mo)
    return await answer(desk, mo.mo, settled)


_Written = tuple[type[Fact], str, str]
"""Which stored message it is: the same words may have come before, under another id."""


def _written(fact: MoReceived | ConflictingDuplicateReceived) -> _Written:
    return type(fact), fact.mo, fact.fingerprint


def _names(history: Iterable[Recorded]) -> Iterator[tuple[_Written, str]]:
    """Give the id of each message's fact."""
    for one in history:
        if isinstance(one.fact, MoReceived | ConflictingDuplicateReceived):
            yield _written(one.fact), one.id


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
