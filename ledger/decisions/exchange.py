"""An exchange: a message in, what it asked for, whether that may be charged, and the answer.

The order in which a message is judged: is it one we had already; is it STOP, which wins over
everything; do we know the code; is it CONTACT; which keyword is it. Merchant and price freeze
here. An unmatched message never authorises a charge.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ledger.catalogue import Tariff
from ledger.decisions import opt_out
from ledger.decisions.charging import Purchase, charge
from ledger.decisions.keywords import candidates, normalise, service_word
from ledger.decisions.story import Exchange, Known, Mo, mt_id
from ledger.facts.base import Draft, Fact
from ledger.facts.catalogue import KeywordAssigned, ServiceDeclared, ShortCodeOpened
from ledger.facts.charges import ChargeRefused
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.registry import stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    KeywordMatched,
    MoReceived,
    MtKind,
    UnmatchedReason,
)
from ledger.log.rows import Interest, Query
from ledger.texts import Room, price_text, render

FingerprintOf = Callable[[MoReceived | ConflictingDuplicateReceived], str | None]
"""This message's fingerprint under the key of a stored one; None once that key is destroyed."""

_CONSENT = frozenset({stored_name(OptedOut), stored_name(OptOutLifted)})
_ORPHANS = frozenset({stored_name(DeliveryOrphaned)})
_MATCHES = frozenset({stored_name(KeywordMatched)})


def rests_on(mo: Mo, known: Known) -> Query:
    """Give the facts that the decision on a message rests on."""
    consumer = tag("consumer", mo.consumer)
    interests = [
        Interest((tag("mo", mo.mo),)),
        Interest((consumer,), _CONSENT),
        Interest((tag("mt", mt_id(known.book, mo.mo)),), _ORPHANS),
        Interest((TRADE,), after=known.catalogue.position),
    ]
    word = service_word(mo.text, known.rules.service_words)
    if word is not None and word.kind == "contact":
        # Whom CONTACT names on a shared code is whom the consumer last bought from there.
        interests.append(Interest((consumer, tag("code", mo.short_code)), _MATCHES))
    return tuple(interests)


def receive(
    mo: Mo, history: Sequence[Fact], known: Known, fingerprint_of: FingerprintOf
) -> list[Draft]:
    """Decide on a message: every fact that follows from it, its answer included."""
    stored = next((fact for fact in history if isinstance(fact, MoReceived)), None)
    if stored is not None:
        return _again(mo, stored, history, fingerprint_of)
    exchange = Exchange(mo, known, history)
    exchange.received()
    code = known.catalogue.code(mo.short_code, mo.operator, mo.occurred_at)
    word = service_word(mo.text, known.rules.service_words)
    if word is not None and word.kind == "stop":
        _stop(exchange, code, word.word, _service_named(exchange, word.rest))
    elif code is None:
        exchange.unmatched("unknown_code")
    elif word is not None:
        _contact(exchange, code, word.rest)
    else:
        _answer(exchange, code)
    return exchange.drafts


def _again(
    mo: Mo, stored: MoReceived, history: Sequence[Fact], fingerprint_of: FingerprintOf
) -> list[Draft]:
    """Judge a message under an id that we had: the same one is nothing new, another a conflict."""
    if fingerprint_of(stored) in {stored.fingerprint, None}:
        return []
    conflicts = [fact for fact in history if isinstance(fact, ConflictingDuplicateReceived)]
    if any(fingerprint_of(fact) in {fact.fingerprint, None} for fact in conflicts):
        return []
    fact = ConflictingDuplicateReceived(
        mo=mo.mo,
        gateway=mo.gateway,
        smsc=mo.smsc,
        gateway_message_id=mo.gateway_message_id,
        operator_message_id=mo.operator_message_id,
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        fingerprint=mo.fingerprint,
        occurred_at=mo.occurred_at,
        stated_at=mo.stated_at,
    )
    return [Draft(fact, n=len(conflicts), exchange=mo.mo, text=mo.text)]


class _Wanted(NamedTuple):
    """What a message asks for, all of it in force at that moment."""

    assignment: KeywordAssigned
    argument: str
    service: ServiceDeclared
    tariff: Tariff


def _answer(exchange: Exchange, code: ShortCodeOpened) -> None:
    """Answer a message that is no service word: the service it names, or an error, free."""
    wanted = _wanted(exchange)
    found = isinstance(wanted, _Wanted)
    if found and (word := _stop_word_after(exchange, wanted)):
        _stop(exchange, code, word, wanted.service)
        return
    service = wanted.service.service if found else None
    mo = exchange.mo
    if opt_out.sent_before(exchange.scopes, mo.short_code, service, mo.occurred_at):
        exchange.unmatched("stopped_since")
        return
    exchange.lift(service)
    if found:
        _sell(exchange, code, wanted)
    else:
        exchange.unmatched(wanted)
        _send_free(exchange, "error", code.error_text, code)


def _stop_word_after(exchange: Exchange, wanted: _Wanted) -> str | None:
    """Recognise `JEU STOP`: nothing but STOP after a keyword, unless the service sells that."""
    argument = normalise(wanted.argument)
    word = " ".join(argument)
    if exchange.known.rules.service_words.get(word) != "stop":
        return None
    return None if argument in map(normalise, wanted.service.choices) else word


def _wanted(exchange: Exchange) -> "_Wanted | UnmatchedReason":
    """Find what the longest keyword in force asks for."""
    mo, catalogue = exchange.mo, exchange.known.catalogue
    ever = catalogue.keywords.get(mo.short_code, frozenset())
    for found in candidates(mo.text, ever):
        assignment = catalogue.assignment(mo.short_code, found.keyword, mo.occurred_at)
        if assignment is None:
            continue
        service = catalogue.service(assignment.service, mo.occurred_at)
        tariff = catalogue.tariff(mo.short_code, found.keyword, mo.occurred_at)
        if service is None or tariff is None:
            return "not_on_sale"
        return _Wanted(assignment, found.argument, service, tariff)
    return "unknown_keyword" if normalise(mo.text) else "no_words"


def _sell(exchange: Exchange, code: ShortCodeOpened, wanted: _Wanted) -> None:
    mo, known = exchange.mo, exchange.known
    purchase = Purchase(
        book=known.book,
        mo=mo.mo,
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        keyword=wanted.assignment.keyword,
        service=wanted.service,
        tariff=wanted.tariff,
        occurred_at=mo.occurred_at,
    )
    exchange.add(_matched(exchange, wanted), wanted.argument)
    text = _reply(exchange, wanted)
    if not wanted.tariff.fact.price:
        exchange.emit("content", text, purchase, None)
        return
    made = charge(purchase, known.catalogue, known.rules, known.rules_fact)
    exchange.add(made)
    if isinstance(made, ChargeRefused):
        _send_free(exchange, "error", code.error_text, code)
        return
    exchange.emit("content", text, purchase, made.ref.charge)


def _matched(exchange: Exchange, wanted: _Wanted) -> KeywordMatched:
    mo = exchange.mo
    choices = {normalise(choice): choice for choice in wanted.service.choices if normalise(choice)}
    return KeywordMatched(
        mo=mo.mo,
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        keyword=wanted.assignment.keyword,
        choice=choices.get(normalise(wanted.argument)),
        merchant=wanted.service.merchant,
        service=wanted.service.service,
        tariff=wanted.tariff.fact.tariff,
        tariff_version=wanted.tariff.id,
        price=wanted.tariff.fact.price,
        currency=wanted.tariff.fact.currency,
        catalogue_position=exchange.known.catalogue.position,
        occurred_at=mo.occurred_at,
    )


def _stop(
    exchange: Exchange, code: ShortCodeOpened | None, word: str, meant: ServiceDeclared | None
) -> None:
    """Let a consumer stop what the word is about; confirm it once, free, and then be silent.

    STOP counts on a code that is closed or that nobody opened, too; there it has no text.
    """
    mo, rule = exchange.mo, exchange.known.rules.stop
    if meant is not None and rule.with_keyword != "service":
        meant = None
    service = meant.service if meant else None
    since = exchange.scopes.get(opt_out.Scope(mo.short_code, service))
    if since is not None and mo.occurred_at <= since:
        return
    silent = opt_out.silenced(exchange.scopes, mo.short_code, service)
    exchange.add(
        OptedOut(
            consumer=mo.consumer,
            mo=mo.mo,
            short_code=mo.short_code,
            operator=mo.operator,
            merchant=meant.merchant if meant else None,
            service=service,
            word=word,
            occurred_at=mo.occurred_at,
        )
    )
    if code is not None and rule.confirmations and not silent:
        _send_free(exchange, "opt_out_confirmation", code.stop_text, code)


def _contact(exchange: Exchange, code: ShortCodeOpened, rest: str) -> None:
    """Tell who publishes the service, and how to reach them; not to a consumer who stopped it."""
    meant = _service_named(exchange, rest) or _last_bought(exchange)
    if opt_out.silenced(exchange.scopes, code.short_code, meant.service if meant else None):
        return
    _send_free(exchange, "service_word", code.contact_text, meant or code)


def _service_named(exchange: Exchange, words: str) -> ServiceDeclared | None:
    """Give the service whose keyword follows a service word, such as `STOP JEU`."""
    mo, catalogue = exchange.mo, exchange.known.catalogue
    for found in candidates(words, catalogue.keywords.get(mo.short_code, frozenset())):
        assignment = catalogue.assignment(mo.short_code, found.keyword, mo.occurred_at)
        if assignment is not None:
            return catalogue.service(assignment.service, mo.occurred_at)
    return None


def _last_bought(exchange: Exchange) -> ServiceDeclared | None:
    """Give the service that the consumer last asked for on this code."""
    bought = [fact for fact in exchange.history if isinstance(fact, KeywordMatched)]
    if not bought:
        return None
    return exchange.known.catalogue.service(bought[-1].service, exchange.mo.occurred_at)


def _send_free(
    exchange: Exchange, kind: MtKind, template: str, named: ShortCodeOpened | ServiceDeclared
) -> None:
    """Answer without a charge; `named` is whose identity the text may give."""
    values = {"code": exchange.mo.short_code, "publisher": named.publisher, "desk": named.desk}
    exchange.emit(kind, render(template, values, _room(exchange)), None, None)


def _reply(exchange: Exchange, wanted: _Wanted) -> str:
    values = {
        "code": exchange.mo.short_code,
        "argument": wanted.argument,
        "price": price_text(wanted.tariff.fact.price, wanted.tariff.fact.currency),
        "publisher": wanted.service.publisher,
        "desk": wanted.service.desk,
        "service": wanted.service.name,
    }
    return render(wanted.service.reply_text, values, _room(exchange))


def _room(exchange: Exchange) -> Room:
    rules = exchange.known.rules
    return Room(gsm7=rules.gsm7_characters, ucs2=rules.ucs2_characters)
