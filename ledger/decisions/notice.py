"""A notice of what a service has cost: sent once, free, unless nobody may be written to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from ledger.decisions import opt_out
from ledger.decisions.pushed import Priced, pushed, pushed_mt_id
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Fact, Recorded
from ledger.facts.catalogue import ShortCodeOpened
from ledger.facts.charges import ChargeAuthorized
from ledger.facts.notices import NoticeDropped, NoticeDue, NoticeSent
from ledger.facts.registry import fact_id
from ledger.facts.traffic import MtRef
from ledger.texts import Room, price_text, render


class Due(NamedTuple):
    """A notice that nobody has sent or dropped yet, and the fact that made it due."""

    recorded: Recorded
    fact: NoticeDue


def open_notice(history: Iterable[Recorded], notice: str) -> Due | None:
    """Find a notice that is still to be sent."""
    due: Due | None = None
    for one in history:
        match one.fact:
            case NoticeDue() if one.fact.ref.notice == notice:
                due = Due(one, one.fact)
            case NoticeSent() | NoticeDropped() if one.fact.ref.notice == notice:
                return None
            case _:
                pass
    return due


def send(history: Sequence[Recorded], notice: str, known: Known, now: datetime) -> list[Draft]:
    """Decide on a notice: its message to be pushed, or why there will be none; once.

    `history` has the notice's own facts, the charge that made it due, and all that the consumer
    stopped and opened again.
    """
    due = open_notice(history, notice)
    if due is None:
        return []
    facts, ref = [one.fact for one in history], due.fact.ref
    at = max(now, due.fact.occurred_at)
    code = known.catalogue.code(ref.short_code, ref.operator, at)
    if code is None:
        return [_dropped(due, "code_closed", at)]
    if opt_out.silenced(opt_out.stopped(facts), ref.short_code, ref.service):
        return [_dropped(due, "opted_out", at)]
    return _sent(due, _text(due.fact, facts, code, known, at), known, at)


def _sent(due: Due, text: str, known: Known, at: datetime) -> list[Draft]:
    ref = due.fact.ref
    mt = pushed_mt_id(known.book, ref.notice, "tariff_notice")
    message = MtRef(
        mt=mt,
        gateway=ref.gateway,
        consumer=ref.consumer,
        short_code=ref.short_code,
        operator=ref.operator,
        merchant=ref.merchant,
        service=ref.service,
        notice=ref.notice,
        test=ref.test,
    )
    free = Priced(known.rules.free_billing_code)
    sent = NoticeSent(ref=ref, mt=mt, occurred_at=at)
    emitted = pushed(message, "tariff_notice", text, free, ref.smsc, at)
    cause = fact_id(known.book, NoticeSent, sent.subject)
    return [
        _of_its_chain(due, sent),
        _of_its_chain(due, emitted)._replace(caused_by=cause, text=text),
    ]


def _dropped(due: Due, reason: Literal["opted_out", "code_closed"], at: datetime) -> Draft:
    return _of_its_chain(due, NoticeDropped(ref=due.fact.ref, reason=reason, occurred_at=at))


def _of_its_chain(due: Due, fact: Fact) -> Draft:
    return Draft(fact, exchange=due.recorded.exchange, caused_by=due.recorded.id)


def _text(
    due: NoticeDue, facts: Iterable[Fact], code: ShortCodeOpened, known: Known, at: datetime
) -> str:
    """Tell the price and what it came to; where the code has no text for it, who sells it."""
    service = known.catalogue.service(due.ref.service, at)
    named = service or code
    values = {
        "code": due.ref.short_code,
        "service": service.name if service else due.ref.service,
        "price": price_text(_price(due, facts), due.currency),
        "spent": price_text(due.spent, due.currency),
        "publisher": named.publisher,
        "desk": named.desk,
    }
    rules = known.rules
    room = Room(gsm7=rules.gsm7_characters, ucs2=rules.ucs2_characters)
    return render(code.notice_text or code.contact_text, values, room)


def _price(due: NoticeDue, facts: Iterable[Fact]) -> int:
    """Give the price of what was bought when the notice fell due, in micros."""
    made = (fact for fact in facts if isinstance(fact, ChargeAuthorized))
    return next(fact.amounts.price for fact in made if fact.ref.charge == due.charge)
