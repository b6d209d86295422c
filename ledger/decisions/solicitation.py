"""Solicitations: whether a past buyer may be written to, the message itself, and time running out.

Whoever wants to solicit asks first. An allowance reserves one place of the consumer's counter
and lasts for a while; it is used by one message, or runs out and counts no longer.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from msgspec.structs import replace

from ledger.decisions import solicited
from ledger.decisions.pushed import Priced, pushed, pushed_mt_id
from ledger.decisions.refusals import (
    ConflictingSolicitation,
    MessageUnfit,
    SolicitationNotAllowed,
    UnknownSolicitation,
)
from ledger.decisions.solicitation_rules import ON_ASKING, ON_USE, Case, forbidden_by
from ledger.decisions.story import Known
from ledger.facts.base import Draft, Fact
from ledger.facts.charges import ChargeAuthorized, ChargeCaptured, ChargeRefunded
from ledger.facts.consent import OptedOut
from ledger.facts.registry import fact_id, stored_name
from ledger.facts.solicitations import (
    SolicitationAllowed,
    SolicitationExpired,
    SolicitationRef,
    SolicitationRefused,
    SolicitationRule,
)
from ledger.facts.tags import TRADE, tag
from ledger.facts.traffic import MoReceived, MtEmitted, MtRef
from ledger.log.rows import Interest, Query
from ledger.texts import segments
from ledger.words import derived_id

MOST_PARTS = 10
"""Of one message; more than any telephone is sure to put together again."""

_SHORTEST = timedelta(microseconds=1)

NextOpening = Callable[[datetime], datetime | None]
UseRule = SolicitationRule | Literal["expired"]
"""Why an allowance may not be used any more."""

_DEALINGS = frozenset(
    stored_name(fact) for fact in (OptedOut, ChargeAuthorized, ChargeCaptured, ChargeRefunded)
)
"""What the consumer stopped and what they paid, wherever it was."""
_TRACES = _DEALINGS | {stored_name(MoReceived)}


def solicitation_id(book: str, asker: str, asked: str) -> str:
    """Give the id of an asking; `asked` is what the asker, a gateway or a merchant, names it."""
    return derived_id(book, "solicitation", asker, asked)


def rests_on(ref: SolicitationRef, known: Known) -> Query:
    """Give the facts that an asking is judged by."""
    consumer = tag("consumer", ref.consumer)
    return (
        Interest((tag("solicitation", ref.solicitation),)),
        Interest((consumer,), _TRACES),
        solicited.interest(solicited.counter_of(ref)),
        Interest((TRADE,), after=known.catalogue.position),
    )


def use_rests_on(ref: SolicitationRef, known: Known) -> Query:
    """Give the facts that the use of an allowance is judged by."""
    return (
        Interest((tag("solicitation", ref.solicitation),)),
        Interest((tag("consumer", ref.consumer),), _DEALINGS),
        Interest((TRADE,), after=known.catalogue.position),
    )


def ask(
    ref: SolicitationRef,
    history: Sequence[Fact],
    known: Known,
    next_opening: NextOpening,
    now: datetime,
) -> list[Draft]:
    """Decide whether a consumer may be solicited; nothing new if this was asked before.

    Raises:
        ConflictingSolicitation: something else was asked under this id.
    """
    before = answered(history, ref.solicitation)
    if before is not None:
        if _content(before.ref) != _content(ref):
            raise ConflictingSolicitation(ref.solicitation)
        return []
    ref = replace(ref, test=known.catalogue.is_test(ref.consumer, now))
    case = Case(ref, history, known, now)
    rule = forbidden_by(case, ON_ASKING)
    fact = _allowed(case) if rule is None else _refused(case, rule, next_opening)
    drafts = _run_out(case) if rule is None else []
    return [*drafts, Draft(fact, exchange=ref.solicitation)]


def _run_out(case: Case) -> list[Draft]:
    """Let what was not used and no longer counts run out for good.

    Its place is given away here, so a clock that is set back must not bring it to life again.
    """
    over = {one.solicitation for one in case.standing.allowances if not one.counts(case.now)}
    return [
        _following(_expired(fact), case.known.book)
        for fact in case.facts
        if isinstance(fact, SolicitationAllowed) and fact.subject in over
    ]


def answered(
    facts: Sequence[Fact], solicitation: str
) -> SolicitationAllowed | SolicitationRefused | None:
    """Give what was answered to an asking; None if nobody asked."""
    for fact in facts:
        asked = isinstance(fact, SolicitationAllowed | SolicitationRefused)
        if asked and fact.subject == solicitation:
            return fact
    return None


def _content(ref: SolicitationRef) -> tuple[str, ...]:
    """Give what the asker said; the rest follows from the catalogue, which moves."""
    return (ref.consumer, ref.gateway, ref.smsc, ref.short_code, ref.service)


def _allowed(case: Case) -> SolicitationAllowed:
    """Allow it after every return that is known: by a clock set back, it would count nowhere."""
    returned_at = case.standing.returned_at
    since = case.now if returned_at is None else returned_at + _SHORTEST
    at = max(case.now, since)
    return SolicitationAllowed(
        ref=case.ref,
        count=case.count + 1,
        limit=case.charter.limit_without_return,
        charter=case.charter.charter,
        expires_at=at + timedelta(seconds=case.charter.reserved_seconds),
        occurred_at=at,
    )


def _refused(case: Case, rule: SolicitationRule, next_opening: NextOpening) -> SolicitationRefused:
    hours = case.rules.solicitations
    opens_at = next_opening(case.now) if rule == "outside_hours" else None
    return SolicitationRefused(
        ref=case.ref,
        rule=rule,
        count=case.count,
        limit=hours.limit_without_return if hours else 0,
        charter=hours.charter if hours else "",
        opens_at=opens_at and opens_at.astimezone(UTC),
        occurred_at=case.now,
    )


class Used(NamedTuple):
    """An allowance, and the message that used it, if one did."""

    allowed: SolicitationAllowed
    emitted: MtEmitted | None
    expired: bool
    """Whether it was recorded that it ran out."""


def allowance(facts: Sequence[Fact], solicitation: str) -> Used:
    """Find an allowance and what became of it.

    Raises:
        UnknownSolicitation: nobody asked under this id.
        SolicitationNotAllowed: the answer was no.
    """
    told = answered(facts, solicitation)
    if told is None:
        raise UnknownSolicitation(solicitation)
    if isinstance(told, SolicitationRefused):
        raise SolicitationNotAllowed(solicitation, told.rule)
    emitted = next((fact for fact in facts if _uses(fact, solicitation)), None)
    assert emitted is None or isinstance(emitted, MtEmitted)
    expired = any(
        isinstance(fact, SolicitationExpired) and fact.subject == solicitation for fact in facts
    )
    return Used(told, emitted, expired)


def _uses(fact: Fact, solicitation: str) -> bool:
    return isinstance(fact, MtEmitted) and fact.ref.solicitation == solicitation


def use(
    solicitation: str, text: str, history: Sequence[Fact], known: Known, now: datetime
) -> list[Draft]:
    """Let the one message of an allowance go out, free; nothing new if it did before.

    Raises:
        UnknownSolicitation: nobody asked under this id.
        SolicitationNotAllowed: it was refused, has run out, or may not be sent now.
        MessageUnfit: there is nothing to read in the text, or it is too long.
    """
    found = allowance(history, solicitation)
    if found.emitted is not None:
        return []
    parts = segments(text).parts
    if not text.strip() or parts > MOST_PARTS:
        raise MessageUnfit(parts, MOST_PARTS)
    ref = found.allowed.ref
    rule = _use_forbidden(found, Case(ref, history, known, now))
    if rule is not None:
        raise SolicitationNotAllowed(solicitation, rule)
    mt = MtRef(
        mt=pushed_mt_id(known.book, solicitation, "solicitation"),
        gateway=ref.gateway,
        consumer=ref.consumer,
        short_code=ref.short_code,
        operator=ref.operator,
        merchant=ref.merchant,
        service=ref.service,
        solicitation=solicitation,
        test=ref.test,
    )
    free = Priced(known.rules.free_billing_code)
    at = used_at(found.allowed, now)
    return [_following(pushed(mt, "solicitation", text, free, ref.smsc, at), known.book, text)]


def used_at(allowed: SolicitationAllowed, now: datetime) -> datetime:
    """Give when an allowance is used: never before it was given, though a clock be set back."""
    return max(now, allowed.occurred_at)


def _use_forbidden(found: Used, case: Case) -> UseRule | None:
    if found.expired or found.allowed.expires_at <= case.now:
        return "expired"
    return forbidden_by(case, ON_USE)


def expire(solicitation: str, history: Sequence[Fact], book: str, now: datetime) -> list[Draft]:
    """Let an allowance that nobody used run out, once; nothing if it was used or still lasts.

    Raises:
        UnknownSolicitation: nobody asked under this id.
        SolicitationNotAllowed: it was refused, so there is nothing to run out.
    """
    found = allowance(history, solicitation)
    allowed = found.allowed
    if found.emitted is not None or found.expired or now < allowed.expires_at:
        return []
    return [_following(_expired(allowed), book)]


def _expired(allowed: SolicitationAllowed) -> SolicitationExpired:
    return SolicitationExpired(
        ref=allowed.ref, allowed_at=allowed.occurred_at, occurred_at=allowed.expires_at
    )


def _following(fact: MtEmitted | SolicitationExpired, book: str, text: str | None = None) -> Draft:
    """Let a fact follow from the allowance."""
    solicitation = fact.ref.solicitation
    assert solicitation is not None
    caused_by = fact_id(book, SolicitationAllowed, solicitation)
    return Draft(fact, exchange=solicitation, caused_by=caused_by, text=text)
