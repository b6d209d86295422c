"""What gateways hand over, and how it is named: message, operator, consumer and time."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ledger.commands.desk import Desk
from ledger.decisions.effect import Receipt, ReceiptOutcome
from ledger.decisions.national import NationalNumber
from ledger.decisions.refusals import StatedTimeMissing, UnknownGateway, UnknownLink
from ledger.decisions.story import Known, Mo, mo_id
from ledger.facts.book import GatewayDeclared
from ledger.facts.traffic import Billed
from ledger.vault import is_national, pseudonym, sender_form


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
    outcome: ReceiptOutcome
    billed: Billed
    raw_status: str
    stated_at: datetime | None
    operator_message_id: str | None = None
    part: int | None = None
    """The part of the message that it speaks of, from 1 on; none speaks of the whole."""


def receipt_of(desk: Desk, incoming: IncomingReceipt, arrived_at: datetime) -> Receipt:
    """Read a receipt by the catalogue as known, and judge its time."""
    gateway = gateway_of(desk, incoming.gateway, arrived_at)
    at, stated = _judge_time(incoming.stated_at, arrived_at, _tolerance(desk, gateway, arrived_at))
    return Receipt(
        mt=incoming.mt,
        gateway=incoming.gateway,
        outcome=incoming.outcome,
        billed=incoming.billed,
        raw_status=incoming.raw_status,
        operator_message_id=incoming.operator_message_id,
        occurred_at=at,
        stated_at=stated,
        part=incoming.part,
    )


def gateway_of(desk: Desk, name: str, at: datetime) -> GatewayDeclared:
    """Give a gateway as declared.

    Raises:
        UnknownGateway: it was not declared in this book.
    """
    gateway = desk.catalogue.gateway(name, at)
    if gateway is None:
        raise UnknownGateway(name)
    return gateway


def operator_of(gateway: GatewayDeclared, smsc: str) -> str:
    """Give whose consumers a link of a gateway reaches.

    Raises:
        UnknownLink: the gateway was not declared with it.
    """
    operator = gateway.operators.get(smsc)
    if operator is None:
        raise UnknownLink(gateway.gateway, smsc)
    return operator


def mo_of(desk: Desk, incoming: IncomingMo, arrived_at: datetime) -> tuple[Mo, Known]:
    """Name the message, its operator, its consumer and its time, by the catalogue as known.

    Raises: UnknownGateway, UnknownLink, NationalNumber, StatedTimeMissing.
    """
    gateway = gateway_of(desk, incoming.gateway, arrived_at)
    operator = operator_of(gateway, incoming.smsc)
    at, stated = _judge_time(incoming.stated_at, arrived_at, _tolerance(desk, gateway, arrived_at))
    known = desk.known(at)
    sender = sender_of(known, incoming.sender)
    mo = Mo(
        mo=mo_id(desk.book, incoming.gateway, incoming.gateway_message_id, _day(incoming, gateway)),
        gateway=incoming.gateway,
        smsc=incoming.smsc,
        gateway_message_id=incoming.gateway_message_id,
        operator_message_id=incoming.operator_message_id,
        consumer=consumer_of(desk, known, (operator, incoming.short_code, sender), at),
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


def sender_of(known: Known, sender: str) -> str:
    """Write a sender as the book names and compares it.

    Raises:
        NationalNumber: senders are numbers, and this one lacks its country's code.
    """
    if is_national(known.rules.consumer_kind, sender):
        raise NationalNumber
    return sender_form(known.rules.consumer_kind, sender)


def consumer_of(desk: Desk, known: Known, wrote: tuple[str, str, str], at: datetime) -> str:
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
