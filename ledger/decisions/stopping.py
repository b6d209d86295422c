"""STOP and CONTACT: words that every code understands, and no merchant can sell.

STOP wins over everything: it is confirmed once, free, what is on its way and not yet taken is
called back, subscriptions within its reach end, and then nothing at all is sent.
"""

from ledger.decisions import opt_out, subscription
from ledger.decisions.answering import send_free
from ledger.decisions.asked import Asked, service_named
from ledger.decisions.legs import charge_message
from ledger.decisions.opt_out import EVERYTHING, Scope
from ledger.decisions.recall import recall
from ledger.decisions.story import Exchange
from ledger.facts.catalogue import ServiceDeclared, ShortCodeOpened
from ledger.facts.consent import OptedOut
from ledger.facts.traffic import KeywordMatched


def stop(exchange: Exchange, asked: Asked, word: str, meant: ServiceDeclared | None) -> None:
    """Let a consumer stop what the word is about.

    It counts on a code that is closed or that nobody opened, too; there it has no text.
    """
    mo, rule = exchange.mo, exchange.known.rules.stop
    scope, service = reach(exchange, meant)
    since = exchange.scopes.get(scope)
    if since is not None and mo.occurred_at <= since:
        charge_message(exchange, asked, "stop")
        return
    silent = opt_out.silenced(exchange.scopes, mo.short_code, scope.service)
    exchange.add(
        OptedOut(
            consumer=mo.consumer,
            mo=mo.mo,
            short_code=mo.short_code,
            operator=mo.operator,
            merchant=service.merchant if service else None,
            service=scope.service,
            everywhere=scope == EVERYTHING,
            word=word,
            test=exchange.test,
            occurred_at=mo.occurred_at,
        )
    )
    if scope not in opt_out.stopped(exchange.facts):
        # It was sent before what has opened its scope since, and came late: kept, and no more.
        charge_message(exchange, asked, "stop")
        return
    for draft in recall(exchange.history, scope, exchange.known.rules, mo.occurred_at):
        exchange.beside(draft.fact)
    subscription.stopped(exchange, scope.service, everywhere=scope == EVERYTHING)
    charge_message(exchange, asked, "stop")
    if asked.code is not None and rule.confirmations and not silent:
        send_free(exchange, "opt_out_confirmation", asked.code.stop_text, asked.code)


def reach(
    exchange: Exchange, meant: ServiceDeclared | None
) -> tuple[Scope, ServiceDeclared | None]:
    """Give how far this STOP reaches, as the country reads it alone or with a keyword.

    Where alone it stops one service, that is the one last bought on the code; of a consumer
    who bought none there it stops them all. The service is given where it is the only one.
    """
    rule = exchange.known.rules.stop
    wide = rule.with_keyword if meant is not None else rule.bare
    if wide == "consumer":
        return EVERYTHING, None
    service = (meant or _last_bought(exchange)) if wide == "service" else None
    return Scope(exchange.mo.short_code, service.service if service else None), service


def contact(exchange: Exchange, asked: Asked, code: ShortCodeOpened, rest: str) -> None:
    """Tell who publishes the service, and how to reach them; not to a consumer who stopped it."""
    charge_message(exchange, asked, "service_word")
    meant = service_named(asked, rest) or _last_bought(exchange)
    if opt_out.silenced(exchange.scopes, code.short_code, meant.service if meant else None):
        return
    send_free(exchange, "service_word", code.contact_text, meant or code)


def _last_bought(exchange: Exchange) -> ServiceDeclared | None:
    """Give the service that the consumer last asked for on this code."""
    bought = [
        fact
        for fact in exchange.history
        if isinstance(fact, KeywordMatched) and fact.short_code == exchange.mo.short_code
    ]
    if not bought:
        return None
    return exchange.known.catalogue.service(bought[-1].service, exchange.mo.occurred_at)
