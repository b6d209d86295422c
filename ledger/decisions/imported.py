"""An exchange that another platform decided: recorded as it was, and judged.

Nothing of it is refused for a rule. What it charged is booked by our terms as far as they are
known; what our rules would have forbidden was never allowed by us, so it is recorded as billed
without our leave, and found. What nobody may earn, nobody does.
"""

from collections.abc import Sequence

from ledger.decisions import exchange as live
from ledger.decisions import opt_out, outbound, receipt, spending, subscription
from ledger.decisions.answering import FingerprintOf
from ledger.decisions.asked import Asked, says_stop, service_named, stop_word_after
from ledger.decisions.effect import Receipt
from ledger.decisions.finding import About, finding_id
from ledger.decisions.imported_charges import as_told, take_charges
from ledger.decisions.legs import find
from ledger.decisions.opt_out import EVERYTHING
from ledger.decisions.past import NOTHING, Past
from ledger.decisions.recall import recall
from ledger.decisions.stopping import reach
from ledger.decisions.story import Exchange, mt_id
from ledger.decisions.told import Sold, Told, ToldSent, carried, sold_here, told_id
from ledger.facts.base import Draft, Fact
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.imported import ExchangeImported
from ledger.facts.registry import stored_name
from ledger.facts.tags import tag
from ledger.facts.traffic import (
    KeywordMatched,
    MoReceived,
    MtEmitted,
    MtRef,
)
from ledger.log.rows import Interest, Query
from ledger.texts import segments
from ledger.words import derived_id

_CONSUMERS = frozenset({stored_name(OptedOut), stored_name(OptOutLifted)}) | spending.TYPES
_ENDED = outbound.TYPES | subscription.TYPES
_MATCHES = frozenset({stored_name(KeywordMatched)})


def rests_on(asked: Asked, told: Told, past: Past = NOTHING) -> Query:
    """Give the facts that the judgement of an exchange rests on, beside what is in `past`.

    A STOP needs the whole past, also one that only the platform took for it.
    """
    if past.position:
        return live.rests_on(asked, past)
    consumer, code = tag("consumer", asked.mo.consumer), tag("code", asked.mo.short_code)
    types = _CONSUMERS | _ENDED if told.stopped else _CONSUMERS
    own = (Interest((consumer,), types), Interest((consumer, code), _MATCHES))
    return tuple(dict.fromkeys((*live.rests_on(asked), *own)))


def take_over(
    asked: Asked, told: Told, history: Sequence[Fact], fingerprint_of: FingerprintOf
) -> list[Draft]:
    """Record what another platform made of a message, and find what is wrong with it."""
    mo = asked.mo
    exchange = Exchange(mo, asked.known, history)
    for fact in history:
        if isinstance(fact, MoReceived) and fact.mo == mo.mo:
            if fingerprint_of(fact) not in {fact.fingerprint, None}:
                # Another message: what was made of it says nothing of the one that stands here.
                return live.again(mo, fact, history, fingerprint_of)
            return _told_again(exchange, told)
    exchange.received()
    sold = sold_here(exchange, told.match)
    exchange.add(_as_told(exchange, asked, told, sold))
    _consent(exchange, asked, told, sold)
    _match(exchange, told, sold)
    take_charges(exchange, asked, told, sold)
    if told.sent is not None:
        _send(exchange, told, told.sent, sold)
    return exchange.drafts


def same_as_told(facts: Sequence[Fact], mo: str, told: Told) -> bool:
    """Tell whether an exchange stands in the book as it is told now."""
    return any(
        isinstance(one, ExchangeImported) and one.mo == mo and one.told == told.name
        for one in facts
    )


def _told_again(exchange: Exchange, told: Told) -> list[Draft]:
    """Find a message of which something else is told than before, once for each such telling."""
    mo, book = exchange.mo.mo, exchange.known.book
    if same_as_told(exchange.history, mo, told):
        return []
    subject = derived_id(mo, told.name)
    found = finding_id(book, "told_otherwise", subject)
    if any(one.subject == found for one in exchange.history):
        return []
    find(exchange, "told_otherwise", subject, _about(exchange))
    return exchange.drafts


def _about(exchange: Exchange) -> About:
    mo = exchange.mo
    return About(mo.consumer, mo.short_code, mo.operator, mo=mo.mo, test=exchange.test)


def _as_told(exchange: Exchange, asked: Asked, told: Told, sold: Sold) -> ExchangeImported:
    mo = exchange.mo
    keyword, merchant, service = told.sold_as
    return ExchangeImported(
        mo=mo.mo,
        told=told.name,
        gateway=mo.gateway,
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        keyword=keyword,
        merchant=merchant,
        service=service,
        unmatched=told.unmatched,
        stopped=told.stopped,
        charges=tuple(as_told(exchange, asked, told, sold)),
        test=exchange.test,
        occurred_at=mo.occurred_at,
    )


def _consent(exchange: Exchange, asked: Asked, told: Told, sold: Sold) -> None:
    """Let a STOP count whatever the platform took it for, and a later message lift it."""
    stops = says_stop(asked)
    if stops and not told.stopped:
        find(exchange, "stop_ignored", exchange.mo.mo, _about(exchange))
    if stops or told.stopped:
        _stop(exchange, asked)
        return
    mo, service = exchange.mo, sold.service.service if sold.service else None
    if not opt_out.sent_before(exchange.scopes, mo.short_code, service, mo.occurred_at):
        exchange.lift(service)


def _stop(exchange: Exchange, asked: Asked) -> None:
    mo, word = exchange.mo, asked.word
    spelled = word.word if word is not None else stop_word_after(asked)
    meant = service_named(asked, word.rest) if word is not None else asked.service
    scope, service = reach(exchange, meant)
    since = exchange.scopes.get(scope)
    if since is not None and mo.occurred_at <= since:
        return
    exchange.beside(
        OptedOut(
            consumer=mo.consumer,
            mo=mo.mo,
            short_code=mo.short_code,
            operator=mo.operator,
            merchant=service.merchant if service else None,
            service=scope.service,
            everywhere=scope == EVERYTHING,
            word=spelled or "STOP",
            test=exchange.test,
            occurred_at=mo.occurred_at,
        )
    )
    if scope in opt_out.stopped(exchange.facts):
        for draft in recall(exchange.history, scope, exchange.known.rules, mo.occurred_at):
            exchange.beside(draft.fact)
        subscription.stopped(exchange, scope.service, everywhere=scope == EVERYTHING)


def _match(exchange: Exchange, told: Told, sold: Sold) -> None:
    """Record what the message was taken for, at the price that was charged."""
    mo, match, tariff = exchange.mo, told.match, sold.tariff
    if match is None:
        if told.unmatched is not None:
            exchange.unmatched(told.unmatched)
        return
    if sold.service is None and not told.charges:
        find(exchange, "sold_unknown", mo.mo, _about(exchange))
    if tariff is None:
        return  # A match names the tariff that was in force, and there was none.
    asked_for = {one.leg: one.price for one in reversed(told.charges)}
    matched = KeywordMatched(
        mo=mo.mo,
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        keyword=match.keyword,
        merchant=match.merchant,
        service=match.service,
        tariff=tariff.fact.tariff,
        tariff_version=tariff.id,
        price=asked_for.get("mt", tariff.fact.price),
        mo_price=asked_for.get("mo", tariff.fact.mo_price),
        currency=tariff.fact.currency,
        catalogue_position=exchange.known.catalogue.position,
        test=exchange.test,
        occurred_at=mo.occurred_at,
    )
    exchange.add(matched, match.argument)


def _send(exchange: Exchange, told: Told, sent: ToldSent, sold: Sold) -> None:
    """Record the answer and the receipts that it got, those too that were here before it."""
    mt = mt_id(exchange.known.book, exchange.mo.mo)
    exchange.add(_emitted(exchange, told, sent, sold), sent.text)
    for one in told.receipts:
        _report(exchange, told, one, mt)
    exchange.join(mt)


def _report(exchange: Exchange, told: Told, one: Receipt, mt: str) -> None:
    """Record a receipt; it settles its charge where that is told as pending."""
    known = receipt.message(exchange.facts, mt, exchange.mo.mo)
    place = carried(told.charges, "mt")
    if place is not None and told.charges[place].state == "released":
        known = known._replace(charge=None)  # What it came to was told: a fault, if it is another.
    drafts = receipt.receive(one, known, exchange.known.book, exchange.known.rules.zone)
    for recorded in drafts[:1]:
        exchange.beside(recorded.fact)
    exchange.drafts.extend(drafts[1:])


def _emitted(exchange: Exchange, told: Told, sent: ToldSent, sold: Sold) -> MtEmitted:
    mo, tariff, (_, merchant, service) = exchange.mo, sold.tariff, told.sold_as
    place = carried(told.charges, "mt")
    charged = place is not None and tariff is not None
    free = exchange.known.rules.free_billing_code
    return MtEmitted(
        ref=MtRef(
            mt=mt_id(exchange.known.book, mo.mo),
            mo=mo.mo,
            gateway=mo.gateway,
            consumer=mo.consumer,
            short_code=mo.short_code,
            operator=mo.operator,
            merchant=merchant,
            service=service,
            charge=None if place is None else told_id(exchange, told.charges, place),
            test=exchange.test,
        ),
        kind=sent.kind,
        billing_code=tariff.fact.billing_code if charged and tariff else free,
        tariff=tariff.fact.tariff if tariff and told.match else None,
        tariff_version=tariff.id if tariff and told.match else None,
        parts=segments(sent.text).parts,
        occurred_at=max(sent.sent_at, mo.occurred_at),
    )
