"""An exchange: a message in, what it asked for, whether that may be charged, and the answer.

The order in which a message is judged: is it one we had already; is it STOP, which wins over
everything; do we know the code; is it CONTACT; which keyword is it. Merchant and price freeze
here. An unmatched message never authorises a charge of its answer.
"""

from collections.abc import Mapping, Sequence

from ledger.decisions import outbound as on_its_way
from ledger.decisions import spending, subscription
from ledger.decisions.answering import FingerprintOf, answer
from ledger.decisions.asked import Asked, says_stop, service_named, stop_word_after
from ledger.decisions.crossed import NO_SUMS
from ledger.decisions.legs import charge_message, charges_messages
from ledger.decisions.past import NOTHING, Past
from ledger.decisions.past import interests as past_interests
from ledger.decisions.stopping import contact, stop
from ledger.decisions.story import Exchange, Mo, mt_id
from ledger.facts.base import Draft, Fact
from ledger.facts.consent import OptedOut, OptOutLifted
from ledger.facts.registry import stored_name
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import (
    ConflictingDuplicateReceived,
    DeliveryOrphaned,
    DuplicateSuspected,
    KeywordMatched,
    MoReceived,
)
from ledger.log.rows import Interest, Query

_CONSENT = frozenset({stored_name(OptedOut), stored_name(OptOutLifted)})
_ORPHANS = frozenset({stored_name(DeliveryOrphaned)})
_MATCHES = frozenset({stored_name(KeywordMatched)})
_BEFORE = _MATCHES | {stored_name(MoReceived), stored_name(DuplicateSuspected)}
"""What a message may repeat."""


def rests_on(asked: Asked, past: Past = NOTHING) -> Query:
    """Give the facts that the decision on a message rests on, beside what of them is in `past`."""
    mo, known = asked.mo, asked.known
    about = past_interests(mo.consumer, past) if past.position else _about_consumer(asked)
    return (
        Interest((tag("mo", mo.mo),)),
        *about,
        Interest((tag("mt", mt_id(known.book, mo.mo)),), _ORPHANS),
        Interest((TRADE,), after=known.catalogue.position),
    )


def _about_consumer(asked: Asked) -> list[Interest]:
    mo = asked.mo
    consumer, code = tag("consumer", mo.consumer), tag("code", mo.short_code)
    types = _CONSENT
    if asked.service is not None or charges_messages(asked):
        types |= spending.TYPES
    interests = [Interest((consumer,), types), *subscription.interests(asked)]
    if says_stop(asked):
        interests.append(Interest((consumer,), on_its_way.TYPES | spending.TYPES))
    if asked.word is not None:
        # Whom CONTACT names on a shared code is whom the consumer last bought from there.
        interests.append(Interest((consumer, code), _MATCHES))
    elif asked.service is not None and asked.service.duplicate_window_seconds:
        interests.append(Interest((consumer, code), _BEFORE))
    return interests


def receive(
    asked: Asked,
    history: Sequence[Fact],
    fingerprint_of: FingerprintOf,
    sums: Mapping[str, int] = NO_SUMS,
) -> list[Draft]:
    """Decide on a message: every fact that follows from it, its answer included.

    `sums` are those of a past: what charges came to that are not in `history`, by service.
    """
    mo = asked.mo
    for fact in history:
        if isinstance(fact, MoReceived) and fact.mo == mo.mo:
            return again(mo, fact, history, fingerprint_of)
    exchange = Exchange(mo, asked.known, history, sums)
    exchange.received()
    _judge(exchange, asked, fingerprint_of)
    return exchange.drafts


def _judge(exchange: Exchange, asked: Asked, fingerprint_of: FingerprintOf) -> None:
    """Take a new message for what it is: the first of these that fits."""
    code, word = asked.code, asked.word
    if word is not None and word.kind == "stop":
        stop(exchange, asked, word.word, service_named(asked, word.rest))
    elif code is None:
        exchange.unmatched("unknown_code")
        charge_message(exchange, asked, "unmatched")
    elif word is not None and word.kind == "contact":
        contact(exchange, asked, code, word.rest)
    elif subscription.may_start(asked) and subscription.confirm(exchange, code):
        charge_message(exchange, asked, "service_word")
    elif stopping := stop_word_after(asked):
        stop(exchange, asked, stopping, asked.service)
    else:
        answer(exchange, asked, code, fingerprint_of)


def again(
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
