"""The answer to a message that is no service word: what it buys, or an error, free."""

from collections.abc import Callable, Iterable

from ledger.decisions import opt_out, subscription
from ledger.decisions.asked import Asked, Wanted
from ledger.decisions.charging import charge
from ledger.decisions.crossed import Way, notices_due
from ledger.decisions.keywords import normalise
from ledger.decisions.legs import about_leg, charge_message, find
from ledger.decisions.spending import spent
from ledger.decisions.story import Exchange
from ledger.facts.catalogue import ServiceDeclared, ShortCodeOpened
from ledger.facts.charges import ChargeAuthorized, ChargeRefused
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DuplicateSuspected,
    KeywordMatched,
    MoReceived,
    MtKind,
)
from ledger.texts import Room, price_text, render

FingerprintOf = Callable[[MoReceived | ConflictingDuplicateReceived], str | None]
"""This message's fingerprint under the key of a stored one; None once that key is destroyed."""


def answer(
    exchange: Exchange, asked: Asked, code: ShortCodeOpened, fingerprint_of: FingerprintOf
) -> None:
    """Answer a message: the service it names, or an error, free."""
    wanted, mo = asked.wanted, exchange.mo
    service = asked.service.service if asked.service else None
    if opt_out.sent_before(exchange.scopes, mo.short_code, service, mo.occurred_at):
        exchange.unmatched("stopped_since")
        charge_message(exchange, asked, "unmatched")
        return
    if asked.word is not None and asked.service is None:
        _answer_word(exchange, asked, code)
        return
    exchange.lift(service)
    if isinstance(wanted, Wanted):
        tell_again(exchange, _sell(exchange, asked, wanted, code, fingerprint_of))
        return
    exchange.unmatched(wanted)
    charge_message(exchange, asked, "unmatched")
    send_free(exchange, "error", code.error_text, code)


def _answer_word(exchange: Exchange, asked: Asked, code: ShortCodeOpened) -> None:
    """Answer a word that would confirm something, and finds nothing to confirm.

    It is a service word, so it lifts no STOP: who answers our confirmation of one with "OK" is
    left alone.
    """
    exchange.unmatched("unknown_keyword")
    subscription.nothing_to_confirm(exchange)
    charge_message(exchange, asked, "service_word")
    if not opt_out.silenced(exchange.scopes, code.short_code, None):
        send_free(exchange, "error", code.error_text, code)


def tell_again(exchange: Exchange, made: ChargeAuthorized | None) -> None:
    """Let the notices fall due that the last charge of a message brings, with those before it."""
    if made is None:
        return
    way, known = Way(exchange.mo.gateway, exchange.mo.smsc), exchange.known
    for due in notices_due(known.book, known.rules, made, exchange.facts, way, exchange.sums):
        exchange.beside(due)


def _sell(
    exchange: Exchange,
    asked: Asked,
    wanted: Wanted,
    code: ShortCodeOpened,
    fingerprint_of: FingerprintOf,
) -> ChargeAuthorized | None:
    """Sell what is wanted; gives the last charge that was authorized for it."""
    exchange.add(_matched(exchange, wanted), wanted.argument)
    if like := _like(exchange, wanted, fingerprint_of):
        return _answer_again(exchange, asked, wanted, like)
    message = charge_message(exchange, asked, None)
    if wanted.service.subscription is not None:
        subscription.ask(exchange, code, wanted)
        return None
    made = _buy(exchange, wanted, code, mo_charged=message is not None)
    return made or (message if isinstance(message, ChargeAuthorized) else None)


def _buy(
    exchange: Exchange, wanted: Wanted, code: ShortCodeOpened, *, mo_charged: bool
) -> ChargeAuthorized | None:
    """Answer with the content, charged where it has a price and may be."""
    keyword = wanted.assignment.keyword
    purchase = exchange.purchase("mt", wanted.tariff, wanted.service, keyword)
    if not purchase.price:
        exchange.emit("content", reply(exchange, wanted), purchase, None)
        return None
    made = charge(purchase, exchange.known.basis, spent(exchange.facts))
    exchange.add(made)
    if isinstance(made, ChargeRefused):
        if mo_charged:
            # The operator charges the message, and its answer is refused.
            find(exchange, "leg_failed", purchase.charge, about_leg(exchange, purchase))
        send_free(exchange, "error", code.error_text, code)
        return None
    exchange.emit("content", reply(exchange, wanted), purchase, made.ref.charge)
    return made


def _like(exchange: Exchange, wanted: Wanted, fingerprint_of: FingerprintOf) -> MoReceived | None:
    """Find the message that this one repeats under another id, as the service sees it."""
    window = wanted.service.duplicate_window_seconds
    if not window:
        return None
    mo = exchange.mo
    bought = _bought(exchange, wanted.service.service)
    for fact in exchange.history:
        if not isinstance(fact, MoReceived) or fact.mo not in bought:
            continue
        apart = abs((mo.occurred_at - fact.occurred_at).total_seconds())
        if apart <= window and fingerprint_of(fact) == fact.fingerprint:
            return fact
    return None


def _bought(exchange: Exchange, service: str) -> set[str]:
    """Give the messages that bought a service, by an answer whose charge stands.

    What was refused or failed is not repeated for nothing, and a repeat is nothing to repeat, so
    that the window does not move on with each.
    """
    history = exchange.history
    standing = {one.charge for one in spent(history)}
    answered = {
        fact.ref.mo
        for fact in history
        if isinstance(fact, ChargeAuthorized)
        and fact.ref.leg == "mt"
        and fact.ref.charge in standing
    }
    repeats = {fact.mo for fact in history if isinstance(fact, DuplicateSuspected)}
    return {
        fact.mo
        for fact in history
        if isinstance(fact, KeywordMatched)
        and fact.service == service
        and fact.mo not in repeats
        and (fact.mo in answered or not fact.price)
    }


def _answer_again(
    exchange: Exchange, asked: Asked, wanted: Wanted, like: MoReceived
) -> ChargeAuthorized | None:
    """Answer what came twice under two ids: the content again, and nothing to pay for it.

    Gives the charge of the message itself, which the operator makes all the same.
    """
    mo = exchange.mo
    exchange.add(
        DuplicateSuspected(
            mo=mo.mo,
            like=like.mo,
            consumer=mo.consumer,
            short_code=mo.short_code,
            operator=mo.operator,
            merchant=wanted.service.merchant,
            service=wanted.service.service,
            window_seconds=wanted.service.duplicate_window_seconds,
            occurred_at=mo.occurred_at,
        )
    )
    message = charge_message(exchange, asked, "repeated")
    purchase = exchange.purchase("mt", wanted.tariff, wanted.service, wanted.assignment.keyword)
    exchange.emit("content", reply(exchange, wanted), purchase, None)
    return message if isinstance(message, ChargeAuthorized) else None


def _matched(exchange: Exchange, wanted: Wanted) -> KeywordMatched:
    mo = exchange.mo
    return KeywordMatched(
        mo=mo.mo,
        consumer=mo.consumer,
        short_code=mo.short_code,
        operator=mo.operator,
        keyword=wanted.assignment.keyword,
        choice=_chosen(wanted.argument, wanted.service.choices),
        merchant=wanted.service.merchant,
        service=wanted.service.service,
        tariff=wanted.tariff.fact.tariff,
        tariff_version=wanted.tariff.id,
        price=wanted.tariff.fact.price,
        mo_price=wanted.tariff.fact.mo_price,
        currency=wanted.tariff.fact.currency,
        catalogue_position=exchange.known.catalogue.position,
        test=exchange.test,
        occurred_at=mo.occurred_at,
    )


def _chosen(argument: str, choices: Iterable[str]) -> str | None:
    """Give the choice that somebody wrote, the last of those that are written alike."""
    spelt = {words: choice for choice in choices if (words := normalise(choice))}
    return spelt.get(normalise(argument)) if spelt else None


def send_free(
    exchange: Exchange, kind: MtKind, template: str, named: ShortCodeOpened | ServiceDeclared
) -> None:
    """Answer without a charge; `named` is whose identity the text may give."""
    values = {"code": exchange.mo.short_code, "publisher": named.publisher, "desk": named.desk}
    exchange.emit(kind, render(template, values, room(exchange)), None, None)


def reply(exchange: Exchange, wanted: Wanted) -> str:
    """Write the content that was bought; its price is that of message and answer together."""
    tariff = wanted.tariff.fact
    values = {
        "code": exchange.mo.short_code,
        "argument": wanted.argument,
        "price": price_text(tariff.price + tariff.mo_price, tariff.currency),
        "publisher": wanted.service.publisher,
        "desk": wanted.service.desk,
        "service": wanted.service.name,
    }
    return render(wanted.service.reply_text, values, room(exchange))


def room(exchange: Exchange) -> Room:
    """Give how much one segment holds."""
    rules = exchange.known.rules
    return Room(gsm7=rules.gsm7_characters, ucs2=rules.ucs2_characters)
