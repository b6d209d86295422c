"""What another platform says of an exchange, put as the ledger takes it."""

from datetime import UTC, datetime

from api.importing.lines import Charged, Exchange, Reported
from ledger.commands.imported import Imported, answer_of
from ledger.commands.incoming import IncomingMo
from ledger.decisions.effect import Receipt
from ledger.decisions.told import Told, ToldCharged, ToldMatch, ToldSent
from ledger.money import parse_micros


def imported(book: str, line: Exchange, *, recycles_ids: bool) -> Imported:
    """Give a line as it is taken over; the answer has the id that ours would have had."""
    sent, match = line.mt, line.match
    day = line.sent_at.astimezone(UTC).date().isoformat() if recycles_ids else ""
    mt = answer_of(book, line.gateway, line.id, day)
    sent_at = (sent.sent_at if sent else None) or line.sent_at
    told = Told(
        match=match and ToldMatch(match.keyword, match.argument, match.merchant, match.service),
        unmatched=line.unmatched,
        stopped=line.stopped,
        sent=sent and ToldSent(sent.text, sent.kind, sent_at),
        charges=tuple(_charged(one) for one in line.charges),
        receipts=tuple(_receipt(mt, line.gateway, one, sent_at) for one in line.receipts),
    )
    incoming = IncomingMo(
        gateway=line.gateway,
        smsc=line.smsc,
        gateway_message_id=line.id,
        sender=line.sender,
        short_code=line.short_code,
        text=line.text,
        stated_at=line.sent_at,
        operator_message_id=line.operator_message_id,
    )
    return Imported(incoming, told)


def _charged(one: Charged) -> ToldCharged:
    micros = parse_micros(one.price.amount)
    return ToldCharged(
        one.leg, micros, one.price.currency, one.state, one.tariff, one.category, one.ended_at
    )


def _receipt(mt: str, gateway: str, one: Reported, sent_at: datetime) -> Receipt:
    return Receipt(
        mt=mt,
        gateway=gateway,
        outcome=one.outcome,
        billed=one.billed,
        raw_status=one.status,
        operator_message_id=one.operator_message_id,
        occurred_at=one.occurred_at or sent_at,
        stated_at=None,
        part=one.part,
    )
